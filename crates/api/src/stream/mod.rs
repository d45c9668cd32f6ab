//! `/stream`: every change of what is shown, told as it happens.
//!
//! # Places in the stream
//!
//! The read model goes from generation P to generation G in one swap. The rows that changed are told under
//! the ids `P-1`, `P-2`, …, then comes the id `G-0`. So an id always names a generation that its reader
//! has seen whole: whoever comes back with `P-7`, to whichever process, is told everything that changed
//! after P. Rows in the middle of a swap may come twice; none is lost. Rows that only grew too old are told
//! under the ids of the present generation, which does not end with them.
//!
//! What was told lately is kept in a ring, written once for everybody. Whoever comes back from further
//! ago, or from before a restart, is told the present state of every row that the store says changed since,
//! and of every row that is too old by now. Where that is too much, it is told to read everything anew.

mod batch;
mod catch_up;
mod client;
mod event;
mod filter;
mod hub;
mod ring;
mod start;

pub(crate) use client::Client;
#[cfg(test)]
pub(crate) use filter::KNOWN;
pub(crate) use hub::Hub;
#[cfg(test)]
pub(crate) use {
    batch::{Batch, PIECE_BYTES, Piece, Place},
    filter::Filter,
    ring::Limits,
};

use std::sync::Arc;

use http::HeaderMap;

use crate::Shared;
use crate::access::Caller;
use crate::problem::{Code, Problem};
use filter::Asked;

/// A new client of the stream, at the place that it asks for.
///
/// # Errors
/// 400 where the request cannot be meant, 503 where there is no place, where nothing is loaded or where the
/// store would have to be asked and does not answer.
pub(crate) async fn begin(
    shared: &Arc<Shared>,
    query: Option<&str>,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Client, Problem> {
    let asked = Asked::read(query, headers, shared)?;
    if !shared.view.loaded() {
        return Err(crate::data::not_loaded());
    }
    let key_id = caller.key.as_ref().map(|key| key.kept.key_id.as_str());
    let Some(seat) = shared.stream.take_seat(shared.settings.max_streams, key_id) else {
        return Err(Problem::new(Code::Overloaded, "no more streams are taken"));
    };
    let start = start::find(shared, asked.last_seen).await?;
    Ok(Client::new(Arc::clone(shared), seat, start, asked.filter, caller.key.clone()))
}
