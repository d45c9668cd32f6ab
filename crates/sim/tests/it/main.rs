//! The simulator over real HTTP on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test")]

mod client;
mod control;
mod drift;
mod faults;
mod faults_refused;
mod faults_replay;
mod faults_rules;
mod feed;
mod folder;
mod ledger;
mod limits;
mod lively;
mod real;
mod replay;
mod replay_ledger;
mod replay_refused;
mod values;
