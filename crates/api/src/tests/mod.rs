//! The API over real HTTP on loopback.

mod bad_input;
mod client;
mod data;
mod history;
mod http2;
mod identity;
mod listed;
mod news;
mod operations;
mod quarantine;
mod service;
mod stories;
mod time_limits;
mod world;
