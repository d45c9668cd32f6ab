//! Finds what has changed in what an upstream sends, by comparing its pages with one another.
//!
//! Nothing is declared by hand but which members are read: everything else is learned. A page is
//! sampled into a [`PageSample`]; the [`Profile`] of its endpoint compares it with the pages before and,
//! once the page is believed, learns from it. `limits` holds every threshold with its reason.

mod anchor;
mod cadence;
mod compare;
mod empties;
mod event;
mod frozen;
mod instants;
mod kind;
mod learn;
mod learned;
mod limits;
mod member;
mod names;
mod page;
mod precision;
mod profile;
mod rename;
mod structure;
mod units;
mod values;
mod walk;

#[cfg(test)]
mod tests;

pub use event::error_page;
pub use page::{PageSample, sample_order};
pub use profile::Profile;
