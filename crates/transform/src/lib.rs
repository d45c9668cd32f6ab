//! What we believe: from a statement, a source's words, to what may be stored.
//!
//! Everything here is pure: what a rule needs to know is passed in as data.

mod evidence;
mod news;
mod resolve;
mod validate;

pub use evidence::believe_evidence;
pub use news::{MAX_NEWS_AHEAD, believe_news};
pub use resolve::membership;
pub use validate::{Believed, MAX_AHEAD, RULE, believe};
