//! Which listings are one asset: a pure, deterministic function of listings, dated evidence and what
//! people decided.

mod calibration;
mod choice;
mod cluster;
mod compare;
mod describe;
mod edges;
pub mod evaluate;
pub mod exchange;
mod explain;
pub mod generate;
mod index;
mod input;
mod levels;
mod markers;
mod natives;
mod outcome;
mod overrides;
mod pairs;
mod profile;
mod resolver;
mod text;
mod weights;

pub use input::{Former, ListingEvidence};
pub use outcome::{Candidate, Contradiction, Explanation, Feature, Resolved, Verdict};
pub use resolver::{RULE_VERSION, Resolver};
