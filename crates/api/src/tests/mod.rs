//! The API over real HTTP on loopback.

mod bad_input;
mod client;
mod data;
mod http2;
mod identity;
mod operations;
mod service;
mod time_limits;
mod world;
