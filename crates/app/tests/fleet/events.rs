//! What happens to a fleet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kasparro_testkit::wait_for;

use crate::reader::Reader;
use crate::stack::{APIS, Stack, WORKERS};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    KillWorker(usize),
    FreezeWorker(usize),
    CutWorkerOff(usize),
    KillApi(usize),
    RestartDatabase,
    KillDatabase,
}

impl Event {
    const fn kind(self) -> &'static str {
        match self {
            Self::KillWorker(_) => "worker killed",
            Self::FreezeWorker(_) => "worker frozen until others took over",
            Self::CutWorkerOff(_) => "worker cut off from the database",
            Self::KillApi(_) => "API process killed",
            Self::RestartDatabase => "database restarted",
            Self::KillDatabase => "database killed",
        }
    }
}

/// Numbers that look random and are the same for a seed (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit as u64).unwrap()
    }

    pub(crate) fn event(&mut self) -> Event {
        match self.below(12) {
            0..=3 => Event::KillWorker(self.below(WORKERS)),
            4..=6 => Event::FreezeWorker(self.below(WORKERS)),
            7 | 8 => Event::CutWorkerOff(self.below(WORKERS)),
            9 => Event::KillApi(self.below(APIS)),
            10 => Event::RestartDatabase,
            _ => Event::KillDatabase,
        }
    }

    /// A moment within the second in which the runs of a step are under way.
    fn moment(&mut self) {
        let wait = Duration::from_millis(self.below(1_200) as u64);
        let begun = Instant::now();
        wait_for("a moment", || (begun.elapsed() >= wait).then_some(()));
    }
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    /// Freezes of a worker that held something.
    pub(crate) takeovers: u64,
    /// The longest time from a freeze until others held what was held.
    pub(crate) longest_takeover_ms: u64,
    /// The most requests that a worker sent after it woke, while it held nothing.
    pub(crate) most_requests_after_a_takeover: usize,
}

pub(crate) fn happen(
    stack: &mut Stack,
    reader: &Reader,
    event: Event,
    chance: &mut Chance,
    told: &mut Told,
) {
    *told.kinds.entry(event.kind()).or_default() += 1;
    chance.moment();
    match event {
        Event::KillWorker(number) => {
            stack.workers[number].kill();
            chance.moment();
            stack.workers[number] = stack.start_worker(number);
        }
        Event::FreezeWorker(number) => freeze(stack, number, told),
        Event::CutWorkerOff(number) => {
            if chance.below(2) == 0 {
                stack.relays[number].cut();
            } else {
                stack.relays[number].stall();
            }
            let lasts = Duration::from_secs(stack.lease_seconds);
            let begun = Instant::now();
            wait_for("the end of its leases", || (begun.elapsed() > lasts).then_some(()));
            stack.relays[number].heal();
        }
        Event::KillApi(number) => {
            stack.apis[number].kill();
            stack.apis[number] = stack.start_api(number);
        }
        Event::RestartDatabase => {
            stack.postgres.stop();
            // Readers are served while the database is away.
            reader.expect_answers();
            stack.postgres.start();
        }
        Event::KillDatabase => {
            stack.postgres.kill();
            reader.expect_answers();
            stack.postgres.start();
        }
    }
}

/// A worker is stopped until others hold what it held. When it wakes, it asks CoinGecko at most once more
/// before it holds it again.
fn freeze(stack: &Stack, number: usize, told: &mut Told) {
    let worker = &stack.workers[number];
    let mine = format!(" pid {} (", worker.id());
    let held = stack.holder("coingecko").is_some_and(|holder| holder.contains(&mine));
    let leases = format!(
        "SELECT count(*) FROM kasparro.lease
         WHERE expires_at > clock_timestamp() AND holder LIKE '%{mine}%'"
    );
    let holds = stack.first_cell(&leases).is_some_and(|count| count != "0");
    worker.freeze();
    let lost_at = Instant::now();
    wait_for("others to hold its sources", || {
        let left = stack.first_cell(&leases)?;
        let taken = stack.first_cell(
            "SELECT count(*) FROM kasparro.lease WHERE expires_at > clock_timestamp()",
        )?;
        (left == "0" && taken == "4").then_some(())
    });
    // A worker that is frozen within a transaction keeps its lease locked until the server ends that, after 10 s;
    // then one free source is taken a second. With leases of 30 s that makes less than 45 s.
    let longest = Duration::from_secs(stack.lease_seconds + 10 + 4);
    let takeover = lost_at.elapsed();
    assert!(takeover <= longest, "taken over after {takeover:?}");
    let takeover_ms = u64::try_from(takeover.as_millis()).unwrap();
    if holds {
        told.takeovers += 1;
        told.longest_takeover_ms = told.longest_takeover_ms.max(takeover_ms);
        // Nobody may have taken what the frozen one still held.
        assert!(takeover_ms >= 500, "taken over after {takeover_ms} ms");
    }
    let asked = stack.asked_by(number);
    worker.thaw();
    if held {
        let begun = Instant::now();
        wait_for("what it does when it wakes", || {
            let back = stack.holder("coingecko").is_none_or(|holder| holder.contains(&mine));
            let more = stack.asked_by(number).saturating_sub(asked);
            if !back {
                assert!(more <= 1, "{more} requests of a worker that holds nothing");
                let most = &mut told.most_requests_after_a_takeover;
                *most = (*most).max(more);
            }
            (back || begun.elapsed() > Duration::from_secs(2)).then_some(())
        });
    }
}
