//! The server that tests start: it is there, it can be broken, and it goes.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kasparro_testkit::postgres::{Postgres, Relay, connect, execute, execute_blocking};
use kasparro_testkit::wait_for;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

#[test]
fn fresh_databases_are_separate_and_go_with_their_value() {
    let (one, other) = (Postgres::shared().fresh_database(), Postgres::shared().fresh_database());
    one.sql_blocking("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1), (NULL)");
    let rows = one.sql_blocking("SELECT n FROM kept ORDER BY n");
    assert_eq!(rows, [[Some("1".to_owned())], [None]]);
    assert!(execute_blocking(&other.url(), "SELECT n FROM kept").is_err());
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", one.name);
    assert_eq!(other.sql_blocking(&count), [[Some("1".to_owned())]]);
    drop(one);
    assert_eq!(other.sql_blocking(&count), [[Some("0".to_owned())]]);
}

#[tokio::test]
async fn a_database_goes_even_while_somebody_is_connected_to_it() {
    let database = Postgres::shared().fresh_database();
    let client = connect(&database.url()).await.unwrap();
    drop(database);
    assert!(client.simple_query("SELECT 1").await.is_err());
}

#[test]
fn a_statement_that_was_refused_is_found_in_the_log_of_its_server() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql_blocking("SELECT 1");
    assert_eq!(server.refused(), [""; 0]);
    assert!(execute_blocking(&database.url(), "SELECT 'of a payload").is_err());
    let refused = wait_for("the line in the log", || server.refused().into_iter().next());
    assert!(refused.contains("unterminated quoted string"), "{refused}");
}

#[test]
fn a_killed_server_starts_again_with_what_was_committed() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql_blocking("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = runtime.block_on(async {
        let open = connect(&database.url()).await.unwrap();
        open.simple_query("BEGIN; INSERT INTO kept VALUES (8)").await.unwrap();
        open
    });
    server.kill();
    assert!(execute_blocking(&database.url(), "SELECT 1").is_err(), "it still answers");
    server.start();
    assert_eq!(database.sql_blocking("SELECT n FROM kept"), [[Some("7".to_owned())]]);
    assert!(runtime.block_on(open.simple_query("SELECT 1")).is_err(), "the connection survived");
}

#[test]
fn a_server_is_stopped_and_started_as_often_as_a_test_likes() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql_blocking("CREATE TABLE kept (n int)");
    server.restart();
    server.start();
    database.sql_blocking("INSERT INTO kept VALUES (1)");
    server.stop();
    server.stop();
    server.kill();
    assert!(execute_blocking(&database.url(), "SELECT 1").is_err(), "it still answers");
    server.start();
    assert_eq!(database.sql_blocking("SELECT n FROM kept"), [[Some("1".to_owned())]]);
}

#[test]
#[should_panic(expected = "other tests use this server")]
fn nobody_stops_the_server_of_the_others() {
    Postgres::shared().stop();
}

#[test]
fn a_server_of_its_own_goes_with_its_value() {
    let server = Postgres::own();
    let (address, folder) = (server.address(), server.folder());
    assert!(folder.is_dir());
    drop(server);
    assert!(!folder.exists());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
#[ignore = "the process that the_server_goes_with_the_test_process_however_it_ends starts"]
#[expect(clippy::zombie_processes, reason = "it is ended by the test that ends this process")]
fn a_process_with_a_server() {
    let server = Postgres::shared();
    let own = Postgres::own();
    // A child that outlives the process must not keep the servers alive.
    let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let (a, b) = (server.folder(), own.folder());
    let addresses = format!("{} {}", server.address(), own.address());
    println!("\nservers: {} {addresses} {} {}", child.id(), a.display(), b.display());
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

/// The process, the rest of its output, and the words that it said about its servers.
fn process_with_a_server() -> (Child, impl Iterator<Item = String>, Vec<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "a_process_with_a_server"])
        .env_remove("KASPARRO_TEST_DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = lines.filter_map(|line| line.strip_prefix("servers: ").map(str::to_owned));
    let words = said.next().unwrap().split(' ').map(str::to_owned).collect();
    (child, said, words)
}

#[test]
fn the_server_goes_with_the_test_process_however_it_ends() {
    for killed in [true, false] {
        let (mut process, _output, words) = process_with_a_server();
        let [sleeper, addresses @ .., a, b] = words.as_slice() else { panic!("{words:?}") };
        let folders = [a, b].map(std::path::Path::new);
        for (folder, address) in folders.iter().zip(addresses) {
            assert!(folder.is_dir());
            TcpStream::connect(address).unwrap();
        }
        if killed {
            process.kill().unwrap();
        } else {
            drop(process.stdin.take());
        }
        process.wait().unwrap();
        wait_for("the end of the servers", || {
            let gone = folders.iter().all(|folder| !folder.exists())
                && addresses.iter().all(|address| TcpStream::connect(address).is_err());
            gone.then_some(())
        });
        // Only now, so that it was alive all the time.
        let stopped = Command::new("kill").arg(sleeper).status().unwrap();
        assert!(stopped.success(), "the child of the process had ended before");
    }
}

#[tokio::test]
async fn a_relay_that_is_cut_resets_connections_until_it_heals() {
    let database = Postgres::shared().fresh_database();
    let relay = Relay::start(&database.address());
    let url = database.url_at(&relay.address);
    let client = connect(&url).await.unwrap();
    client.simple_query("SELECT 1").await.unwrap();
    relay.cut();
    assert_eq!(relay.open(), 0);
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert!(connect(&url).await.is_err());
    relay.heal();
    assert_eq!(execute(&url, "SELECT 1").await.unwrap(), [[Some("1".to_owned())]]);
    assert_eq!(relay.accepted(), 3);
}

#[tokio::test]
async fn a_relay_that_stalls_delivers_when_it_heals() {
    let database = Postgres::shared().fresh_database();
    let relay = Relay::start(&database.address());
    let client = connect(&database.url_at(&relay.address)).await.unwrap();
    client.simple_query("SELECT 1").await.unwrap();
    relay.stall();
    let mut waiting = std::pin::pin!(client.simple_query("SELECT 1"));
    let patience = Duration::from_millis(200);
    let early = tokio::time::timeout(patience, &mut waiting).await;
    assert!(early.is_err(), "an answer came through a stalled relay");
    let url = database.url_at(&relay.address);
    let mut connecting = std::pin::pin!(connect(&url));
    let early = tokio::time::timeout(patience, &mut connecting).await;
    assert!(early.is_err(), "a connection came through a stalled relay");
    relay.heal();
    waiting.await.unwrap();
    connecting.await.unwrap();
}

/// Asks the server for TLS and shakes hands, as a client that trusts `authority` and wants `name`.
fn handshake(address: &str, authority: &std::path::Path, name: &str) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).unwrap();
    // The request for TLS of the protocol: its length and its number.
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"S", "the server speaks no TLS");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn a_server_with_tls_is_known_by_its_authority_and_its_name_only() {
    let server = Postgres::with_tls();
    let (address, files) = (server.address(), server.certificates());
    assert_eq!(handshake(&address, &files.authority, "localhost"), Ok(()));
    for (authority, name, reason) in [
        (&files.authority, "127.0.0.1", "not valid for"),
        (&files.foreign_authority, "localhost", "UnknownIssuer"),
    ] {
        let error = handshake(&address, authority, name).unwrap_err();
        assert!(error.contains(reason), "{name}: {error}");
    }
    // Without TLS it answers too, so that a test can compare.
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(server.fresh_database().sql_blocking(sql), [[Some("f".to_owned())]]);
}
