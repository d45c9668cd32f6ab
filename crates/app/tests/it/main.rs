//! Stories: the real binary, real files, real HTTP on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests: a panic fails the test, and what is skipped is said aloud"
)]

mod assets;
mod audit;
mod bad_upstream;
mod beside;
mod captured;
mod configuration;
mod copy;
mod demo;
mod drift;
mod feed;
mod first_run;
mod headers;
mod identity;
mod keys;
mod limits;
mod lists;
mod output;
mod over_http;
mod postgres;
mod quarantine;
mod refused;
mod relations;
mod rights;
mod secrets;
mod serving;
mod switching;
mod trouble;
mod world;
