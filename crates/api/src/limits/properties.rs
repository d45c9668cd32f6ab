//! No window sees more than the limit, whatever happens: against a log of instants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kasparro_domain::{Clock as _, ManualClock, Timestamp};
use kasparro_store::MemoryStore;
use proptest::prelude::*;

use super::client::ClientId;
use super::sharing::{learn_everything, tell_all};
use super::{Allowance, Class, LimitSettings, Limits, Taken};

const CLIENT: ClientId = ClientId(7);
/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;

fn limits(window: Duration, shared: bool, started: Instant) -> Limits {
    let settings = LimitSettings { window, ..LimitSettings::default() };
    let now = Timestamp::from_millis(START_MS).unwrap();
    Limits::new(settings, Vec::new(), shared, &[1; 32], (now, started))
}

const fn allowance(limit: u64) -> Allowance {
    Allowance { class: Class::Key, limit: Some(limit), network: None }
}

/// The most requests that any window of the log saw.
fn most(log: &[Instant], window: Duration) -> usize {
    (0..log.len())
        .map(|end| {
            let within = log[..=end].iter().rev();
            within.take_while(|at| log[end].duration_since(**at) < window).count()
        })
        .max()
        .unwrap_or_default()
}

/// What happens at one step: after a pause in milliseconds, a request at one of the processes, or something
/// else.
#[derive(Debug, Clone)]
enum Step {
    Ask(usize),
    /// The second has passed: a process tells the store.
    Share(usize),
    /// The same, and its answer is lost.
    Lose(usize),
    /// A process is stopped and started anew.
    Restart(usize),
    /// The clock of the store is set.
    Set(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (0..3_usize).prop_map(Step::Ask),
        6 => (0..3_usize).prop_map(Step::Share),
        1 => (0..3_usize).prop_map(Step::Lose),
        1 => (0..3_usize).prop_map(Step::Restart),
        1 => prop_oneof![Just(3_600_000_i64), Just(-3_600_000), -90_000..90_000_i64].prop_map(Step::Set),
    ]
}

#[test]
fn when_it_says_that_there_is_room_there_is() {
    let start = Instant::now();
    let limits = limits(Duration::from_secs(900), false, start);
    let take =
        |seconds: u64| limits.take(CLIENT, allowance(2), start + Duration::from_secs(seconds));
    assert!(matches!(take(30), Taken::Counted(standing) if standing.left == 1));
    assert!(matches!(take(95), Taken::Counted(standing) if standing.left == 0));
    let Taken::Refused(standing) = take(500) else { panic!("it is full") };
    assert_eq!((standing.more_in_s, standing.window_s), (460, 900));
    assert!(matches!(take(959), Taken::Refused(_)));
    assert!(matches!(take(960), Taken::Counted(_)));
    let off = Allowance { class: Class::Key, limit: None, network: None };
    assert_eq!(limits.take(CLIENT, off, start), Taken::Unlimited);
}

#[test]
fn k5_failures_end_tries_of_a_client_and_of_a_key_for_a_minute() {
    let limits = limits(Duration::from_secs(900), false, Instant::now());
    let [one, other, key, another] = [1, 2, 3, 4].map(ClientId);
    for _ in 0..20 {
        assert_eq!(limits.may_try(one, Some(key)), Ok(()));
        limits.note_failure(one, Some(key));
    }
    for (client, key) in [(one, Some(another)), (one, None)] {
        let wait_s = limits.may_try(client, key).unwrap_err();
        assert!((1..=64).contains(&wait_s), "{wait_s}");
    }
    assert_eq!(limits.may_try(other, Some(another)), Ok(()));
    assert_eq!(
        limits.may_try(other, Some(key)),
        Ok(()),
        "it never failed, and the key may be its own"
    );
    limits.note_failure(other, Some(key));
    assert!(limits.may_try(other, Some(key)).is_err(), "one of many who guess at one key");
    assert_eq!(limits.may_try(other, Some(another)), Ok(()));
}

proptest! {
    #[test]
    fn i11_no_window_of_one_process_ever_sees_more_than_the_limit(
        window_ms in 15..2_000_u64,
        limit in 1..30_u64,
        pauses in prop::collection::vec(0..400_u64, 1..400),
        jumps in prop::collection::vec((0..400_usize, -5_000_000..5_000_000_i64), 0..5),
    ) {
        let window = Duration::from_millis(window_ms);
        let mut at = Instant::now();
        let limits = limits(window, false, at);
        let mut wall_ms = START_MS;
        let mut log = Vec::new();
        for (number, pause_ms) in pauses.iter().enumerate() {
            at += Duration::from_millis(*pause_ms);
            wall_ms += *pause_ms as i64;
            for (_, jump_ms) in jumps.iter().filter(|(place, _)| *place == number) {
                // Only what is set is followed; small differences are how clocks go.
                if jump_ms.unsigned_abs() > window_ms {
                    wall_ms += jump_ms;
                    limits.clock.set(Timestamp::from_millis(wall_ms).unwrap(), at);
                }
            }
            match limits.take(CLIENT, allowance(limit), at) {
                Taken::Counted(standing) => {
                    log.push(at);
                    prop_assert!(standing.left < limit);
                }
                Taken::Refused(standing) => prop_assert_eq!(standing.left, 0),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let most = most(&log, window);
        prop_assert!(most as u64 <= limit, "{} of {}", most, limit);
        prop_assert!(!log.is_empty());
    }

    #[test]
    fn i11_several_processes_see_little_more_and_a_restart_gives_nothing(
        limit in 1..60_u64,
        steps in prop::collection::vec((0..3_000_u64, step()), 1..300),
    ) {
        let window = Duration::from_secs(60);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START_MS).unwrap()));
        let store = MemoryStore::with_clock(clock.clone());
        let mut at = Instant::now();
        let mut processes: Vec<_> = (0..3).map(|_| limits(window, true, at)).collect();
        let mut log = Vec::new();
        let share = |limits: &Limits, at| {
            runtime.block_on(tell_all(limits, &store, at, Duration::from_secs(1)))
        };
        let mut set = false;
        for (pause_ms, step) in steps {
            at += Duration::from_millis(pause_ms);
            clock.advance(Duration::from_millis(pause_ms));
            match step {
                Step::Ask(process) => {
                    let limits = &processes[process];
                    let mut taken = limits.take(CLIENT, allowance(limit), at);
                    if taken == Taken::Unknown {
                        prop_assert!(share(limits, at));
                        taken = limits.take(CLIENT, allowance(limit), at);
                    }
                    prop_assert!(taken != Taken::Unknown, "the store was just told");
                    if matches!(taken, Taken::Counted(_)) {
                        log.push(at);
                    }
                }
                Step::Share(process) => {
                    share(&processes[process], at);
                }
                Step::Lose(process) => {
                    let table = processes[process].table(Class::Key);
                    table.untell(&table.tell(100));
                }
                // Together with a clock that was set a restart may forget: the store does not say which
                // of its slots are how old.
                Step::Restart(_) if set => {}
                Step::Restart(process) => {
                    share(&processes[process], at);
                    let fresh = limits(window, true, at);
                    runtime.block_on(learn_everything(&fresh, &store, at)).unwrap();
                    processes[process] = fresh;
                }
                Step::Set(by_ms) => {
                    set = true;
                    let now_ms = clock.now().as_millis();
                    clock.set(Timestamp::from_millis(now_ms + by_ms).unwrap());
                }
            }
        }
        let granted = (limit / super::GRANTED_PART).max(1);
        let most = most(&log, window) as u64;
        let bound = if set { limit * 3 } else { limit + 3 * granted };
        prop_assert!(most <= bound, "{most} of {limit}");
    }
}
