//! The API over real HTTP on loopback.

mod bad_input;
mod client;
mod data;
mod generations;
mod history;
mod http2;
mod identity;
mod listed;
mod news;
mod operations;
mod outages;
mod quarantine;
mod service;
mod stories;
mod switched;
mod time_limits;
mod world;
