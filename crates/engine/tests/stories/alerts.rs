//! Alerts from the run that raises them to the receiver that hears of them.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Alert, RunReason, RunStatus, SourceName};
use kasparro_engine::{Engine, Holding, LeaseTimes, Lists, Webhook};
use kasparro_testkit::{Reply, TinyUpstream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::alert_receiver::AlertReceiver;
use crate::world::World;

const DAY: Duration = Duration::from_secs(86_400);

/// A world whose upstream has gone, so that every run that asks it raises the alert `gone`.
fn gone() -> (World, TinyUpstream) {
    let answer = Reply::of("410 Gone", "application/json", br#"{"error":"gone"}"#);
    let upstream = TinyUpstream::script([answer]);
    (World::tickers(upstream.url.clone()), upstream)
}

fn webhook(receiver: &AlertReceiver) -> Option<Webhook> {
    Some(Webhook { url: receiver.url.clone().into(), secret: None })
}

/// An engine that serves until it is stopped.
struct Serving {
    engine: Arc<Engine>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

async fn serve(world: &World) -> Serving {
    let engine = world.engine().await;
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&engine).serve(shutdown.clone()));
    Serving { engine, shutdown, task }
}

impl Serving {
    async fn run(&self) {
        let source = SourceName::new("coinpaprika");
        let runs = self.engine.run_now(&[source], RunReason::Manual, Lists::Due).await.unwrap();
        assert_eq!(runs[0].status, RunStatus::Failed);
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// The alerts of this code, oldest first.
async fn raised(world: &World, code: &str) -> Vec<Alert> {
    let mut alerts = world.store.alerts(100).await.unwrap();
    alerts.retain(|alert| alert.alert.code == code);
    alerts.reverse();
    alerts
}

/// Looks again until the alerts `gone` are as `so` wants them.
#[expect(clippy::panic, reason = "a test that waits in vain has failed")]
async fn until(world: &World, so: impl Fn(&[Alert]) -> bool) -> Vec<Alert> {
    let looking = async {
        loop {
            let alerts = raised(world, "gone").await;
            if so(&alerts) {
                return alerts;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let Ok(alerts) = timeout(Duration::from_secs(30), looking).await else {
        panic!("not seen; there are {:?}", raised(world, "gone").await);
    };
    alerts
}

fn delivered(alerts: &[Alert]) -> bool {
    !alerts.is_empty() && alerts.iter().all(|alert| alert.delivered_at.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_goes_out_as_soon_as_its_run_has_ended() {
    let receiver = AlertReceiver::script(&["200 OK"]);
    let (mut world, _upstream) = gone();
    world.webhook = webhook(&receiver);
    let begun = Instant::now();
    let serving = serve(&world).await;
    let alerts = until(&world, delivered).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}: it waited for the next look");
    let sent = receiver.received();
    let of_it: Vec<_> = sent.iter().filter(|one| one.json()["code"] == "gone").collect();
    assert_eq!(of_it.len(), 1, "{sent:?}");
    assert_eq!(of_it[0].json()["run_id"], alerts[0].run_id.to_string());
    assert_eq!(of_it[0].target, "/");
    assert_eq!(of_it[0].json()["message"], alerts[0].alert.message);
    serving.stop().await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_did_not_arrive_survives_a_restart() {
    let receiver = AlertReceiver::script(&["500 Internal Server Error"]);
    let (mut world, _upstream) = gone();
    world.webhook = webhook(&receiver);
    let serving = serve(&world).await;
    until(&world, |alerts| alerts.first().is_some_and(|alert| alert.attempts == 1)).await;
    serving.stop().await;

    let other = AlertReceiver::script(&["200 OK"]);
    world.webhook = webhook(&other);
    world.clock.advance(Duration::from_secs(15));
    let serving = serve(&world).await;
    let alerts = until(&world, delivered).await;
    serving.stop().await;
    assert_eq!((alerts.len(), alerts[0].attempts), (1, 1));
    let id = alerts[0].alert_id.to_string();
    let attempts = |receiver: &AlertReceiver| {
        let sent = receiver.received();
        let of_it = sent.iter().filter(|one| one.header("x-kasparro-alert-id") == id);
        of_it.map(|one| one.json()["attempt"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((attempts(&receiver), attempts(&other)), (vec![1.into()], vec![2.into()]));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_alert_is_raised_once_a_day() {
    let (world, upstream) = gone();
    let run = async || {
        let asked = upstream.asked().len();
        world.run("coinpaprika").await;
        assert!(upstream.asked().len() > asked, "the upstream says it anew");
        raised(&world, "gone").await.len()
    };
    assert_eq!(run().await, 1);
    world.clock.advance(DAY - Duration::from_secs(600));
    assert_eq!(run().await, 1, "it was raised within the day");
    world.clock.advance(Duration::from_secs(1200));
    assert_eq!(run().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_raised_without_a_webhook_is_never_sent() {
    let (mut world, _upstream) = gone();
    let serving = serve(&world).await;
    let alerts = until(&world, |alerts| !alerts.is_empty()).await;
    assert_eq!((alerts[0].next_attempt_at, alerts[0].delivered_at), (None, None));
    serving.stop().await;

    let receiver = AlertReceiver::script(&["200 OK"]);
    world.webhook = webhook(&receiver);
    world.clock.advance(2 * DAY);
    let serving = serve(&world).await;
    // The one of today goes out, so the one of the day before had its chance.
    let alerts = until(&world, |alerts| alerts.len() == 2 && delivered(&alerts[1..])).await;
    serving.stop().await;
    let sent: Vec<_> = receiver.received().iter().map(|one| one.json()["id"].clone()).collect();
    assert!(sent.contains(&alerts[1].alert_id.into()), "{sent:?}");
    assert!(!sent.contains(&alerts[0].alert_id.into()), "{sent:?}");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_holds_up_neither_runs_nor_the_end() {
    let receiver = AlertReceiver::start(|_| String::new());
    let (mut world, _upstream) = gone();
    world.webhook = webhook(&receiver);
    let serving = serve(&world).await;
    until(&world, |alerts| !alerts.is_empty()).await;
    kasparro_testkit::wait_for("an attempt", || receiver.received().pop());
    // Less than the ten seconds for which the attempt goes on.
    let begun = Instant::now();
    serving.run().await;
    serving.stop().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
    let alerts = raised(&world, "gone").await;
    assert!(alerts[0].next_attempt_at.is_some() && alerts[0].attempts == 0, "{alerts:?}");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_process_takes_along_what_is_due() {
    let receiver = AlertReceiver::script(&["500 Internal Server Error", "200 OK"]);
    let (mut world, _upstream) = gone();
    world.webhook = webhook(&receiver);
    let serving = serve(&world).await;
    until(&world, |alerts| alerts.first().is_some_and(|alert| alert.attempts == 1)).await;
    world.clock.advance(Duration::from_secs(15));
    serving.stop().await;
    assert!(delivered(&raised(&world, "gone").await), "{:?}", receiver.received());
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_of_two_workers_only_the_holder_of_a_source_sends_its_alerts() {
    let (mut world, _upstream) = gone();
    world.holding = Holding::Leased(LeaseTimes {
        ttl: Duration::from_secs(30),
        renew_every: Duration::from_millis(200),
        look_every: Duration::from_millis(20),
    });
    let mut workers = Vec::new();
    for _ in 0..2 {
        let receiver = AlertReceiver::script(&["500 Internal Server Error", "200 OK"]);
        world.webhook = webhook(&receiver);
        workers.push((serve(&world).await, receiver));
    }
    until(&world, |alerts| alerts.first().is_some_and(|alert| alert.attempts == 1)).await;
    // The one that holds nothing ends first, while the alert is due.
    workers.sort_by_key(|(_, receiver)| receiver.received().len());
    world.clock.advance(Duration::from_secs(15));
    let mut sent = Vec::new();
    for (serving, receiver) in workers {
        serving.stop().await;
        sent.push(receiver.received().len());
    }
    assert!(sent[0] == 0 && sent[1] >= 2, "{sent:?}");
    assert!(delivered(&raised(&world, "gone").await));
    world.prove().await;
}
