//! `evaluate` on lists whose truth was made by hand, generated, or is known of real vendors.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod by_hand;
mod explained;
mod figures;
mod generated;
mod input;
#[expect(dead_code, reason = "the tool that writes the evidence uses the rest")]
mod measure;
mod real;
mod tables;
mod vendors;
