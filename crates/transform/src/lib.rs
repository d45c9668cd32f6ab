//! What we believe: from a statement, a source's words, to what may be stored.
//!
//! Everything here is pure: what a rule needs to know is passed in as data.

mod anomaly;
mod drift;
mod evidence;
mod news;
mod resolve;
mod validate;

pub use anomaly::{
    BASELINE_RUNS, Baseline, Comparison, FRESH_SECONDS, JUMP_HISTORY, MAD_TO_SIGMA, MIN_RUNS,
    Metric, MetricChange, MetricValue, PriceDoubt, PricePoint, UnusualValue, compare_runs, jump,
    mad, median, off_price, robust_z, unusual, unusual_run, worth_looking,
};
pub use drift::{PageSample, Profile, error_page, sample_order};
pub use evidence::believe_evidence;
pub use news::{MAX_NEWS_AHEAD, believe_news};
pub use resolve::membership;
pub use validate::{Believed, MAX_AHEAD, RULE, believe};
