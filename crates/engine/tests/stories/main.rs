//! Stories of the engine against real HTTP on loopback: what it asks, and what is left in the store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../src/webhook/receiver.rs"]
mod alert_receiver;
mod alerts;
mod bad_answers;
mod crashes;
mod edges;
mod error_pages;
mod files;
mod fleet;
mod good_days;
mod identity;
mod lists;
mod lists_unchanged;
mod news;
mod old_faults;
mod paprika;
mod quarantine;
mod refused_pages;
mod rows;
mod texts;
mod world;
