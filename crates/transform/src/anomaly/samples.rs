//! Noise, prices and runs for tests: the same in every test run.

use kasparro_domain::{Run, RunCounts, RunId, RunReason, RunStatus, SourceName, Timestamp};

/// Noise from a seed (splitmix64).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly spread from 0 up to 1.
    pub(crate) fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, with mean 0 and deviation 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }
}

/// The run of an hour: success, `rows` rows of which half are updates, in `duration_ms`.
pub(crate) fn run(hour: u64, rows: u64, duration_ms: u64) -> Run {
    let started = 1_600_000_000_000 + i64::try_from(hour).unwrap() * 3_600_000;
    let millis = |millis| Some(Timestamp::from_millis(millis).unwrap());
    let id = format!("00000000-0000-7000-8000-{hour:012x}");
    let updated = rows.div_ceil(2);
    Run {
        run_id: id.parse::<RunId>().unwrap(),
        source: SourceName::new("coingecko"),
        status: RunStatus::Success,
        reason: RunReason::Schedule,
        counts: RunCounts {
            received: rows,
            updated,
            unchanged: rows - updated,
            ..RunCounts::default()
        },
        pages: rows.div_ceil(250),
        requests: rows.div_ceil(250).max(1),
        created_at: Timestamp::from_millis(started).unwrap(),
        started_at: millis(started),
        completed_at: millis(started + i64::try_from(duration_ms).unwrap()),
        error: None,
    }
}

/// The same run, with other rows quarantined in place of unchanged.
pub(crate) fn with_rejects(mut run: Run, rejects: u64) -> Run {
    run.counts.quarantined = rejects;
    run.counts.unchanged = run.counts.received - run.counts.updated - rejects;
    assert!(run.counts.balanced());
    run
}

/// The same run, which failed before it loaded anything.
pub(crate) fn failed(mut run: Run) -> Run {
    run.status = RunStatus::Failed;
    run.counts = RunCounts::default();
    run.pages = 0;
    run
}

/// `count` runs of `rows` rows and `duration_ms`, newest first, of the hours before `hour`.
pub(crate) fn steady(hour: u64, count: u64, rows: u64, duration_ms: u64) -> Vec<Run> {
    (1..=count).map(|back| run(hour - back, rows, duration_ms)).collect()
}
