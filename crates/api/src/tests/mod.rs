//! The API over real HTTP on loopback.

mod anomalies;
mod asset_identity;
mod assets;
mod bad_input;
mod client;
mod compare_runs;
mod data;
mod drift;
mod findings;
mod generations;
mod history;
mod http2;
mod identity;
mod listed;
mod news;
mod operations;
mod outages;
mod quarantine;
mod resolved;
mod service;
mod stories;
mod switched;
mod time_limits;
mod upstreams;
mod world;
