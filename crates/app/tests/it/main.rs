//! Stories: the real binary, real files, real HTTP on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests: a panic fails the test, and what is skipped is said aloud"
)]

mod bad_upstream;
mod beside;
mod captured;
mod configuration;
mod demo;
mod first_run;
mod secrets;
mod serving;
mod trouble;
mod world;
