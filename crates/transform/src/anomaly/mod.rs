//! What is possible but unusual, about values and about runs.
//!
//! Every rule compares with what is usual for the same listing, asset or source, and says what would
//! not have been unusual. Nothing here decides what is kept: flagged rows and runs stay as they are.

mod compare;
mod jump;
#[cfg(test)]
mod jump_tests;
mod off_price;
mod robust;
mod runs;
#[cfg(test)]
mod runs_tests;
#[cfg(test)]
mod samples;
mod text;
mod usual;
mod values;

pub use compare::{Comparison, Metric, MetricChange, MetricValue, compare_runs};
pub use jump::{JUMP_HISTORY, PricePoint, jump, worth_looking};
pub use off_price::{FRESH_SECONDS, PriceDoubt, off_price};
pub use robust::{Baseline, MAD_TO_SIGMA, mad, median, robust_z};
pub use runs::unusual_run;
pub use usual::{BASELINE_RUNS, MIN_RUNS};
pub use values::{UnusualValue, unusual};
