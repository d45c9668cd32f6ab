//! Which vendor answers below which path.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::answer::{Answer, Ask};
use crate::world::World;
use crate::{coingecko, coinpaprika, csv, feed};

/// The generated answer.
pub(crate) fn generate(world: &Arc<World>, ask: &Ask) -> Answer {
    let below = |root: &str| ask.path.starts_with(root);
    if below("/v1/") {
        coinpaprika::answer(world, ask)
    } else if below("/api/v3/") {
        coingecko::answer(world, ask)
    } else if below("/csv/") {
        csv::answer(world, ask)
    } else if below("/feed/") {
        feed::answer(world, ask)
    } else {
        Answer::error(
            StatusCode::NOT_FOUND,
            "application/json",
            "not found: the simulator serves /v1, /api/v3, /csv and /feed, and is moved by /_sim",
        )
    }
}
