//! The simulator over real HTTP on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test")]

mod client;
mod control;
mod ledger;
mod values;
