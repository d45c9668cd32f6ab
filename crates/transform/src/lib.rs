//! What we believe: from an observation, a source's words, to values that may be stored.
//!
//! Everything here is pure: what a rule needs to know is passed in as data.

mod resolve;
mod validate;

pub use resolve::membership;
pub use validate::{Believed, MAX_AHEAD, RULE, believe};
