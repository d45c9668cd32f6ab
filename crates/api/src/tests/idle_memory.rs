//! How much memory connections hold that wait for their next request, or for the rest of it.
//!
//! The clients are a process of their own, so that only the server is measured:
//! `cargo test -p kasparro-api -- --ignored --exact tests::idle_memory::many_that_asked_once --nocapture`, and the
//! same with `many_that_sent_part_of_a_head`.

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
/// What those may hold that sent part of a head: a parser alone would take more.
const MOST_KILOBYTES_OF_HEADS: u64 = 60_000;
/// What is sent where no answer is to come.
const PART: &str = "GET /livez HTTP/1.1\r\nhost: a\r\nx-part: ";

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "the other half of the measurement: started by it, with an address on standard input"]
async fn clients() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let Some((address, what)) = line.trim().split_once(' ') else { return };
    let (address, whole) = (address.parse::<SocketAddr>().unwrap(), what == "whole");
    let ask = async |number: usize| {
        let mut held = Vec::new();
        for _ in 0..number {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(PART.as_bytes()).await.unwrap();
            if whole {
                stream.write_all(b"\r\n\r\n").await.unwrap();
                assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            }
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

/// What the server holds before clients come, as soon as they are there, and a while later, in kilobytes.
async fn measure(what: &str) -> [u64; 3] {
    let settings = ApiSettings {
        max_connections: 16_384,
        max_connections_per_client: 0,
        header_timeout: Duration::from_secs(60),
        ..unlimited()
    };
    let served = serve(World::with_many(3).await.api(settings)).await;
    let before = resident_kilobytes();
    let mut clients = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "tests::idle_memory::clients"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = clients.stdin.take().unwrap();
    writeln!(told, "{} {what}", served.address).unwrap();
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
    let at_once = resident_kilobytes();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = resident_kilobytes();
    println!("{before} kB before, {at_once} kB with {CONNECTIONS}, {later} kB once they wait");
    drop(told);
    reading.await.unwrap();
    assert!(clients.wait().unwrap().success());
    [before, at_once, later]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 10,000 connections; prints what they hold"]
async fn many_that_asked_once() {
    let [.., parked] = measure("whole").await;
    assert!(parked <= MOST_KILOBYTES, "{parked} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 10,000 connections; prints what they hold"]
async fn many_that_sent_part_of_a_head() {
    let [before, _, waiting] = measure("part").await;
    let held = waiting - before;
    assert!(held <= MOST_KILOBYTES_OF_HEADS, "{held} kB");
}
