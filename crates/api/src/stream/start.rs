//! Where a client begins.

use std::sync::Arc;

use kasparro_domain::Generation;

use super::catch_up::{CatchUp, Missing};
use super::ring::Position;
use crate::problem::Problem;
use crate::{Shared, awaited};

/// Where a client begins.
#[derive(Debug)]
pub(super) enum Start {
    /// It is new.
    New(Position),
    /// It lacks nothing that is not kept, from the swap of this number on.
    Kept(u64),
    /// It lacks this first.
    CatchUp(Arc<CatchUp>),
    /// It has to read everything anew.
    Anew(Position),
}

/// Where a client begins that has seen a generation whole, if any.
///
/// # Errors
/// 503 where the store has to be asked and does not answer, or knows a generation that is not shown yet.
pub(super) async fn find(shared: &Shared, last_seen: Option<Generation>) -> Result<Start, Problem> {
    let hub = &shared.stream;
    let Some(seen) = last_seen else {
        return Ok(Start::New(hub.present(&shared.view).await.0));
    };
    if !awaited::shown(&shared.view, seen) {
        // Another process may show it already, or it was never known here: a backup was restored.
        if shared.ask(shared.store.generation()).await? < seen {
            return Ok(Start::Anew(hub.present(&shared.view).await.0));
        }
        awaited::wait(&shared.view, seen).await?;
    }
    if let Some(number) = hub.resume(seen) {
        return Ok(Start::Kept(number));
    }
    Ok(match hub.catch_ups.since(shared, seen).await? {
        Missing::Rows(found) => Start::CatchUp(found),
        Missing::TooMuch(position) => Start::Anew(position),
    })
}
