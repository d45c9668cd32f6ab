//! When connections are closed, and when they are parked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kasparro_domain::Timestamp;

use super::connections::{Connections, Watched};
use crate::limits::{LimitSettings, Limits, Load};
use crate::settings::ApiSettings;

const PARK_AFTER: Duration = Duration::from_secs(1);

fn connections() -> Arc<Connections> {
    let load = Arc::new(Load::new(10));
    Arc::new(Connections::new(&ApiSettings::default(), load, PARK_AFTER))
}

fn add(connections: &Arc<Connections>) -> Watched {
    let limits = Limits::new(
        LimitSettings::default(),
        Vec::new(),
        false,
        &[0; 32],
        (Timestamp::EPOCH, Instant::now()),
    );
    connections.add(&limits.origin("127.0.0.1:1".parse().unwrap())).unwrap()
}

fn at(connections: &Connections, seconds: u64) -> u64 {
    connections.clock.set(seconds * 1000);
    seconds * 1000
}

#[test]
fn a4_a_head_that_trickles_is_overdue_from_its_first_byte() {
    let connections = connections();
    let connection = add(&connections);
    at(&connections, 5);
    connection.received(b"GET / HT");
    let now_ms = at(&connections, 9);
    connection.received(b"TP/1.1\r\n");
    assert!(!connection.overdue(now_ms, &connections.limits));
    assert!(connection.overdue(10_000, &connections.limits), "ten seconds after the connect");
}

#[test]
fn a5_an_idle_connection_has_the_longer_limit_until_the_next_head_begins() {
    let connections = connections();
    let connection = add(&connections);
    connection.received(b"GET / HTTP/1.1\r\n\r\n");
    drop(connection.begin());
    let now_ms = at(&connections, 50);
    assert!(!connection.overdue(now_ms, &connections.limits));
    assert!(connection.overdue(60_000, &connections.limits));
    connection.received(b"G");
    assert!(!connection.overdue(59_000, &connections.limits));
    assert!(connection.overdue(60_000, &connections.limits), "ten seconds after the first byte");
}

#[test]
fn a_request_under_way_has_the_longest_limit() {
    let connections = connections();
    let connection = add(&connections);
    let busy = connection.begin();
    assert!(!connection.overdue(69_000, &connections.limits));
    assert!(connection.overdue(70_000, &connections.limits));
    drop(busy);
    assert!(connection.overdue(69_000, &connections.limits));
}

#[test]
fn an_answer_that_goes_on_may_do_so_for_ever_but_its_client_has_to_take_it() {
    let connections = connections();
    let connection = add(&connections);
    let mut stream = connection.begin();
    stream.goes_on();
    assert!(!connection.overdue(1_000_000, &connections.limits), "nothing is to be told");
    stream.asked_for_more(true);
    let handed_over = at(&connections, 20);
    assert!(!connection.overdue(29_000, &connections.limits));
    assert!(connection.overdue(30_000, &connections.limits), "it asks for no more");
    stream.asked_for_more(false);
    assert!(!connection.overdue(1_000_000, &connections.limits), "it took all");
    connection.blocked();
    connection.blocked();
    assert!(!connection.overdue(handed_over + 29_000, &connections.limits));
    assert!(connection.overdue(handed_over + 30_000, &connections.limits), "no byte leaves");
    connection.sent();
    assert!(!connection.overdue(1_000_000, &connections.limits));
    let request = connection.begin();
    assert!(connection.overdue(90_000, &connections.limits), "a request beside it is limited");
    drop(request);
    drop(stream);
    assert!(connection.waiting().is_empty());
    assert!(connection.overdue(80_000, &connections.limits), "it is idle");
}

#[test]
fn i12_a_connection_is_forgotten_when_its_task_ends_however_it_ends() {
    let connections = connections();
    let connection = add(&connections);
    assert_eq!(connections.open().by_number.len(), 1);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _connection = connection;
        panic!("made for this test");
    }));
    assert!(ended.is_err() && connections.open().by_number.is_empty());
}

#[test]
fn frames_of_an_http2_connection_are_no_head() {
    let connections = connections();
    let connection = add(&connections);
    connection.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.received(b"frame");
    assert!(!connection.overdue(30_000, &connections.limits));
    assert!(connection.overdue(60_000, &connections.limits));
}

#[test]
fn only_a_connection_that_waits_for_its_next_request_is_parked() {
    let connections = connections();
    let should = |connection: &Watched, now_ms| connection.should_park(now_ms, PARK_AFTER);
    let fresh = add(&connections);
    let frames = add(&connections);
    frames.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    drop(frames.begin());
    let connection = add(&connections);
    connection.received(b"GET / HTTP/1.1\r\n\r\n");
    let request = connection.begin();
    assert!(!should(&connection, 5_000), "a request is under way");
    at(&connections, 5);
    drop(request);
    assert!(!should(&connection, 5_999) && should(&connection, 6_000));
    assert!(!should(&fresh, 6_000) && !should(&frames, 6_000));
    connection.commands.tell_to_park();
    assert!(!should(&connection, 6_000), "it is asked once");
    connection.commands.stay();
    connection.blocked();
    assert!(!should(&connection, 9_000), "its client does not take the answer");
    connection.sent();
    assert!(should(&connection, 9_000), "it does");
    at(&connections, 20);
    connection.received(b"G");
    assert!(!should(&connection, 20_999), "a head begins to come");
    assert!(should(&connection, 21_000), "its rest is waited for");
}

#[test]
fn a_connection_is_still_only_where_nothing_moved_since_it_was_free() {
    let connections = connections();
    let connection = add(&connections);
    assert!(connection.is_free() && connection.is_still());
    connection.stir();
    assert!(!connection.is_still());
    assert!(connection.is_free() && connection.is_still());
    connection.reads_head(false);
    assert!(!connection.is_still(), "what comes is no head");
    connection.reads_head(true);
    drop(connection.begin());
    assert!(!connection.is_still(), "a request passed");
    let _request = connection.begin();
    assert!(!connection.is_free() && !connection.is_still());
}
