//! How much memory connections hold that wait for their next request.
//!
//! The clients are a process of their own, so that only the server is measured:
//! `cargo test -p kasparro-api -- --ignored --exact tests::idle_memory::many_that_asked_once --nocapture`

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::keyed::unlimited;
use super::world::{World, serve};
use crate::ApiSettings;

const CONNECTIONS: usize = 10_000;
const MOST_KILOBYTES: u64 = 150_000;

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "the other half of the measurement: started by it, with an address on standard input"]
async fn clients_that_ask_once() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let Ok(address) = line.trim().parse::<SocketAddr>() else { return };
    let ask = async |number: usize| {
        let mut held = Vec::new();
        for _ in 0..number {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            held.push(stream);
        }
        held
    };
    // Several at once, so that they are faster than what waits can be parked.
    let part = CONNECTIONS / 4;
    let _held = tokio::join!(ask(part), ask(part), ask(part), ask(part));
    std::io::stdout().write_all(b"\nheld\n").unwrap();
    line.clear();
    std::io::stdin().lock().read_line(&mut line).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 10,000 connections; prints what they hold"]
async fn many_that_asked_once() {
    let settings =
        ApiSettings { max_connections: 16_384, max_connections_per_client: 0, ..unlimited() };
    let served = serve(World::with_many(3).await.api(settings)).await;
    let before = resident_kilobytes();
    let begun = std::time::Instant::now();
    let mut clients = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "tests::idle_memory::clients_that_ask_once"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = clients.stdin.take().unwrap();
    writeln!(told, "{}", served.address).unwrap();
    let lines = std::io::BufReader::new(clients.stdout.take().unwrap()).lines();
    let (tell, held) = tokio::sync::oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let mut tell = Some(tell);
        for line in lines.map_while(Result::ok) {
            if line == "held"
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(());
            }
        }
    });
    held.await.expect("all are connected");
    let (at_once, took) = (resident_kilobytes(), begun.elapsed());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let parked = resident_kilobytes();
    println!(
        "{before} kB before, {at_once} kB with {CONNECTIONS} after {took:?}, {parked} kB once they wait"
    );
    drop(told);
    reading.await.unwrap();
    assert!(clients.wait().unwrap().success());
    assert!(parked <= MOST_KILOBYTES, "{parked} kB");
}
