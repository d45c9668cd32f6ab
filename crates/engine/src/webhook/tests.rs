//! What a receiver gets, how often, and what is said of it.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_domain::{
    Alert, ManualClock, NewAlert, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use kasparro_store::contract::FailingStore;
use kasparro_store::{
    Findings, LeaseStore as _, MemoryStore, RunStore as _, RunUpdate, Store, StoreError,
};
use tracing_subscriber::fmt::MakeWriter;

use super::post::{Address, key, signature};
use super::receiver::{AlertReceiver, Received};
use super::{Outbox, WAITS_SECONDS};
use crate::Webhook;

const SECRET: &str = "canary-of-the-secret";

/// A store with one alert of one source, and an outbox that sends it.
struct Desk {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    outbox: Outbox,
}

fn source() -> SourceName {
    SourceName::new("coinpaprika")
}

fn address(url: &str, secret: Option<&str>) -> Result<Address, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let webhook = Webhook { url: url.into(), secret: secret.map(Into::into) };
    Address::new(&webhook, "kasparro/test")
}

/// A desk over what `wrap` makes of a store in memory.
async fn desk_on(url: &str, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Desk {
    let at = Timestamp::parse("2026-01-01T00:00:00.250Z").unwrap();
    let store = MemoryStore::new();
    let epoch = store.acquire(&source(), "test", Duration::from_secs(30)).await.unwrap();
    let run_id = RunId(uuid::Uuid::now_v7());
    store.queue_run(run_id, &source(), RunReason::Manual, at).await.unwrap();
    let started = RunUpdate::Started { at, options: serde_json::json!({}) };
    store.update_run(run_id, epoch, started).await.unwrap();
    let alert = NewAlert {
        code: "key_refused".to_owned(),
        message: "the key was refused: \"é\"".to_owned(),
        hint: "correct api_key".to_owned(),
    };
    let findings = Findings { anomalies: vec![], alerts: vec![alert], send_alerts: true };
    let ended =
        RunUpdate::Ended { at, status: RunStatus::Failed, requests: 1, error: None, findings };
    store.update_run(run_id, epoch, ended).await.unwrap();
    let store = wrap(Arc::new(store));
    let clock = Arc::new(ManualClock::new(at));
    let address = address(url, Some(SECRET)).unwrap();
    let outbox = Outbox::new(Arc::clone(&store), Arc::clone(&clock) as _, address);
    Desk { store, clock, outbox }
}

async fn desk(url: &str) -> Desk {
    desk_on(url, |store| store).await
}

impl Desk {
    async fn round(&mut self) {
        self.outbox.round(|| vec![source()]).await;
    }

    async fn alert(&self) -> Alert {
        self.store.alerts(1).await.unwrap().remove(0)
    }

    /// How long from now the alert waits; `None` where it is not sent again.
    async fn wait(&self) -> Option<Duration> {
        let next = self.alert().await.next_attempt_at?;
        Some(next.since(kasparro_domain::Clock::now(self.clock.as_ref())))
    }
}

fn properly_signed(received: &Received) -> bool {
    let sent_at = received.header("x-kasparro-timestamp");
    let expected = signature(&key(&SECRET.into()).unwrap(), sent_at, received.body.as_bytes());
    received.header("x-kasparro-signature") == expected
}

#[test]
fn the_example_in_the_document_is_signed_as_alerts_are() {
    let document = include_str!("../../../../docs/ALERTS.md");
    let value = |name: &str| {
        let line = document.lines().find_map(|line| line.strip_prefix(&format!("{name}='")));
        line.and_then(|line| line.strip_suffix('\'')).unwrap_or_else(|| panic!("{name}"))
    };
    let secret = key(&value("secret").into()).unwrap();
    let signed = signature(&secret, value("timestamp"), value("body").as_bytes());
    assert_eq!(signed, value("signature"));
    let other = key(&"another secret".into()).unwrap();
    assert_ne!(signature(&other, value("timestamp"), value("body").as_bytes()), signed);
}

#[tokio::test]
async fn an_alert_arrives_signed_and_is_not_sent_again() {
    let receiver = AlertReceiver::script(&["204 No Content"]);
    let mut desk = desk(&format!("{}/hook?token=1", receiver.url)).await;
    let run_id = desk.alert().await.run_id.to_string();
    desk.round().await;
    desk.clock.advance(Duration::from_secs(7 * 86_400));
    desk.round().await;
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let one = &received[0];
    let expected = format!(
        r#"{{"id":1,"code":"key_refused","source":"coinpaprika","run_id":"{run_id}","message":"the key was refused: \"é\"","hint":"correct api_key","raised_at":"2026-01-01T00:00:00.250Z","attempt":1}}"#
    );
    assert_eq!((one.target.as_str(), &one.body), ("/hook?token=1", &expected));
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.header("user-agent"), "kasparro/test");
    assert_eq!(one.header("x-kasparro-alert-id"), "1");
    assert_eq!(one.header("x-kasparro-timestamp"), "1767225600");
    assert!(properly_signed(one), "{one:?}");
    assert!(desk.alert().await.delivered_at.is_some());
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let receiver = AlertReceiver::script(&["200 OK"]);
    let mut desk = desk(&receiver.url).await;
    desk.outbox.address = address(&receiver.url, None).unwrap();
    desk.round().await;
    assert_eq!(receiver.received()[0].header("x-kasparro-signature"), "");
}

#[tokio::test]
async fn after_a_failure_the_same_alert_comes_again_with_its_id() {
    let receiver = AlertReceiver::script(&["500 Internal Server Error", "200 OK"]);
    let mut desk = desk(&receiver.url).await;
    desk.round().await;
    let wait = desk.wait().await.unwrap();
    assert!((8..=12).contains(&wait.as_secs()), "{wait:?}");
    desk.round().await;
    assert_eq!(receiver.received().len(), 1, "it is not due yet");
    desk.clock.advance(wait);
    desk.round().await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    for (number, received) in (1..).zip(&received) {
        assert_eq!(received.header("x-kasparro-alert-id"), "1");
        assert_eq!(received.json()["attempt"], number);
        assert!(properly_signed(received), "{received:?}");
    }
    let sent_at: Vec<_> = received.iter().map(|one| one.header("x-kasparro-timestamp")).collect();
    assert_ne!(sent_at[0], sent_at[1]);
    let alert = desk.alert().await;
    assert!(alert.delivered_at.is_some() && alert.next_attempt_at.is_none(), "{alert:?}");
}

#[tokio::test]
async fn an_alert_is_given_up_after_its_last_attempt_and_said_to_be_once() {
    let receiver = AlertReceiver::script(&["404 Not Found"]);
    let (logged, _guard) = Logged::begin();
    let mut desk = desk(&receiver.url).await;
    for seconds in WAITS_SECONDS {
        desk.round().await;
        let wait = desk.wait().await.unwrap();
        let share = wait.as_secs_f64() / Duration::from_secs(seconds).as_secs_f64();
        assert!((0.79..=1.21).contains(&share), "{wait:?} in place of {seconds} s");
        desk.clock.advance(wait);
    }
    assert_eq!(logged.text().matches("ERROR").count(), 0, "{}", logged.text());
    for _ in 0..3 {
        desk.round().await;
        assert_eq!(desk.wait().await, None);
        desk.clock.advance(Duration::from_secs(30 * 86_400));
    }
    assert_eq!(receiver.received().len(), WAITS_SECONDS.len() + 1);
    assert_eq!(desk.alert().await.delivered_at, None);
    let text = logged.text();
    assert_eq!(text.matches("ERROR").count(), 1, "{text}");
    assert!(text.contains("alert given up: the receiver answered 404"), "{text}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_not_asked_again() {
    let receiver = AlertReceiver::script(&["410 Gone"]);
    let mut desk = desk(&receiver.url).await;
    desk.round().await;
    assert_eq!(desk.wait().await, None);
    assert_eq!(desk.alert().await.delivered_at, None);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = AlertReceiver::script(&["200 OK"]);
    let location = other.url.clone();
    let receiver = AlertReceiver::start(move |_| {
        format!("HTTP/1.1 307 Away\r\nLocation: {location}/\r\nContent-Length: 0\r\n")
    });
    let mut desk = desk(&receiver.url).await;
    desk.round().await;
    assert!(desk.wait().await.is_some());
    assert_eq!((receiver.received().len(), other.received().len()), (1, 0));
}

#[tokio::test]
async fn n13_a_receiver_that_asks_for_time_is_given_it_up_to_a_day() {
    for (asked, expected) in [("120", 120), ("1", 8), ("99999999", 86_400)] {
        let receiver = AlertReceiver::start(move |_| {
            format!("HTTP/1.1 429 Slow\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n")
        });
        let mut desk = desk(&receiver.url).await;
        desk.round().await;
        let wait = desk.wait().await.unwrap().as_secs();
        assert!((expected..expected + 5).contains(&wait), "{asked}: {wait} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_keeps_silent_is_left_after_ten_seconds() {
    let receiver = AlertReceiver::start(|_| String::new());
    let (logged, _guard) = Logged::begin();
    let mut desk = desk(&receiver.url).await;
    let begun = tokio::time::Instant::now();
    desk.round().await;
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    assert!(desk.wait().await.is_some());
    assert!(logged.text().contains("did not answer within 10 s"), "{}", logged.text());
}

#[tokio::test]
async fn the_body_of_an_answer_is_not_waited_for() {
    let receiver =
        AlertReceiver::start(|_| "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n".to_owned());
    let mut desk = desk(&receiver.url).await;
    desk.round().await;
    assert!(desk.alert().await.delivered_at.is_some());
}

#[tokio::test]
async fn i4_alerts_of_a_source_that_was_lost_are_left_to_its_holder() {
    let receiver = AlertReceiver::script(&["200 OK"]);
    let mut desk = desk(&receiver.url).await;
    desk.outbox.round(Vec::new).await;
    desk.outbox.round(|| vec![SourceName::new("csv")]).await;
    // Held when alerts are looked for, lost when this one is to be sent.
    let asked = AtomicBool::new(false);
    let lost_between = || match asked.swap(true, Ordering::SeqCst) {
        false => vec![source()],
        true => Vec::new(),
    };
    desk.outbox.round(lost_between).await;
    assert_eq!(receiver.received().len(), 0);
    desk.round().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn what_arrived_is_not_sent_again_while_the_store_cannot_note_it() {
    let receiver = AlertReceiver::script(&["200 OK"]);
    let broken = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&broken);
    let wrap = move |store| {
        let hook = move |call| match call == "settle_alert" && fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the disk is full".to_owned())),
            false => Ok(()),
        };
        Arc::new(FailingStore::new(store, hook)) as Arc<dyn Store>
    };
    let mut desk = desk_on(&receiver.url, wrap).await;
    desk.round().await;
    desk.round().await;
    assert_eq!(desk.alert().await.delivered_at, None);
    broken.store(false, Ordering::SeqCst);
    desk.round().await;
    assert!(desk.alert().await.delivered_at.is_some());
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn neither_the_address_nor_the_secret_is_ever_said() {
    let (logged, _guard) = Logged::begin();
    let canaries = "canary-of-the-path/x?token=canary-of-the-query";
    for status in ["200 OK", "500 Down", "302 Found", "410 Gone"] {
        let receiver = AlertReceiver::start(move |_| {
            format!("HTTP/1.1 {status}\r\nLocation: /canary-of-the-path\r\nContent-Length: 0\r\n")
        });
        let host = receiver.url.replace("http://", "http://canary-user:canary-of-the-word@");
        desk(&format!("{host}/{canaries}")).await.round().await;
        assert_eq!(receiver.received().len(), 1, "{status}");
        assert_ne!(receiver.received()[0].header("authorization"), "");
    }
    let closed = kasparro_testkit::closed_port();
    let no_tls = AlertReceiver::script(&["200 OK"]).url.replace("http://", "https://");
    for origin in [closed, no_tls] {
        desk(&format!("{origin}/{canaries}")).await.round().await;
    }
    for url in ["canary-of-the-path", "ftp://h/canary-of-the-path", "http://h:canary-of-the-port"] {
        let problem = address(url, Some(SECRET)).err().unwrap();
        assert!(problem.contains("alerts.webhook_url") && !problem.contains("canary"), "{problem}");
    }
    let text = logged.text();
    for said in ["alert delivered", "answered 500", "answered 302", "given up", "not reached"] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    assert!(text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

/// Everything that is logged in this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let logged = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(logged.clone())
            .finish();
        (logged, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
