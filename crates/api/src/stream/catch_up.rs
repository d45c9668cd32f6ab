//! What changed since a generation that is not kept, read from the store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kasparro_domain::{Generation, ListingId};
use kasparro_view::{Filter as Listings, ListingQuery, Order, Row, Snapshot, SortKey, Start};
use tokio::sync::{Mutex, mpsc};

use super::batch::{PIECE_BYTES, Piece};
use super::event::{write_quote, write_seen};
use super::filter::Filter;
use super::ring::Position;
use crate::problem::{Code, Problem};
use crate::{Shared, awaited};

/// What was read for others is kept for so many generations: after a restart all clients come back with
/// nearly the same one.
const KEPT: usize = 8;

/// So many wait for what they lack at most, one after the other; more are told to read everything anew.
const MOST_WAITING: usize = 32;

/// What somebody who comes back lacks: the present state of rows by ascending id, and where to go on.
#[derive(Debug)]
pub(super) struct CatchUp {
    since: Generation,
    pub(super) then: Position,
    rows: Vec<Arc<Row>>,
}

/// Reads for one client after the other, and lets the next ones use what was read.
#[derive(Debug, Default)]
pub(super) struct CatchUps {
    kept: Mutex<VecDeque<Arc<CatchUp>>>,
    waiting: AtomicUsize,
}

/// Somebody who waits for what it lacks.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a client that comes back is told first.
#[derive(Debug)]
pub(super) enum Missing {
    /// These rows.
    Rows(Arc<CatchUp>),
    /// Nothing that could be told: it has to read everything anew, and then goes on from here.
    TooMuch(Position),
}

impl CatchUp {
    /// What a client reads next; nothing at the end. `place` is the number of rows that it is behind.
    pub(super) fn next(&self, place: &mut usize, filter: &Filter) -> Option<Piece> {
        if *place > self.rows.len() {
            return None;
        }
        let (mut text, mut quotes) = (String::new(), 0);
        for row in self.rows.iter().skip(*place) {
            if text.len() >= PIECE_BYTES {
                return Some(Piece { text: text.into(), quotes });
            }
            *place += 1;
            if filter.fits_row(row) {
                write_quote(&mut text, self.since, *place as u64, row);
                quotes += 1;
            }
        }
        *place += 1;
        if self.since != self.then.generation {
            write_seen(&mut text, self.then.generation);
        }
        (!text.is_empty()).then(|| Piece { text: text.into(), quotes })
    }
}

impl CatchUps {
    /// What somebody lacks who has seen a generation whole.
    pub(super) async fn since(
        &self,
        shared: &Shared,
        since: Generation,
    ) -> Result<Missing, Problem> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waiting >= MOST_WAITING {
            // Reading everything anew costs the store nothing.
            return Ok(Missing::TooMuch(shared.stream.present(&shared.view).await.0));
        }
        let mut kept = self.kept.lock().await;
        kept.retain(|found| shared.stream.holds(found.then.number));
        if let Some(found) = kept.iter().find(|found| found.since == since) {
            return Ok(Missing::Rows(Arc::clone(found)));
        }
        // Some process may have shown all that the store has; what is told here must not be older, as long as
        // that can be had.
        let newest = shared.ask(shared.store.generation()).await?;
        let _ = awaited::wait(&shared.view, newest).await;
        // Before the store is asked: it then knows at least what is shown.
        let (then, snapshot) = shared.stream.present(&shared.view).await;
        let most = shared.stream.most_rows();
        if since == then.generation {
            // What changes in the store from here on is told as it is shown.
            let rows = collect(snapshot, Vec::new()).await?;
            return Ok(keep(&mut kept, CatchUp { since, then, rows }, most));
        }
        let Some((generation, changed)) = changed_since(shared, since, most).await? else {
            return Ok(Missing::TooMuch(then));
        };
        if generation < since || generation < then.generation {
            // The store went back; soon the read model will too.
            return Ok(Missing::TooMuch(then));
        }
        let rows = collect(snapshot, changed).await?;
        Ok(keep(&mut kept, CatchUp { since, then, rows }, most))
    }
}

/// Keeps what was found for others who come back, unless it is too much.
fn keep(kept: &mut VecDeque<Arc<CatchUp>>, found: CatchUp, most: usize) -> Missing {
    if found.rows.len() > most {
        return Missing::TooMuch(found.then);
    }
    let found = Arc::new(found);
    kept.push_front(Arc::clone(&found));
    kept.truncate(KEPT);
    Missing::Rows(found)
}

/// The listings that changed after a generation, and the generation that they were read at; `None` where
/// they are more than so many.
async fn changed_since(
    shared: &Shared,
    since: Generation,
    most: usize,
) -> Result<Option<(Generation, Vec<ListingId>)>, Problem> {
    shared
        .ask(async {
            let (pieces, mut read) = mpsc::channel(1);
            let collecting = async move {
                let mut changed = Vec::new();
                while let Some(piece) = read.recv().await {
                    let piece: Vec<kasparro_store::ListingRow> = piece;
                    // A listing without a quote may gain one meanwhile, so it counts as well.
                    changed.extend(piece.iter().map(|row| row.listing_id));
                    if changed.len() > most {
                        // Whoever sends is told by that to end.
                        drop(read);
                        return None;
                    }
                }
                Some(changed)
            };
            match tokio::join!(shared.store.changes(since, pieces), collecting) {
                (_, None) => Ok(None),
                (generation, Some(changed)) => Ok(Some((generation?, changed))),
            }
        })
        .await
}

async fn collect(
    snapshot: Arc<Snapshot>,
    changed: Vec<ListingId>,
) -> Result<Vec<Arc<Row>>, Problem> {
    let collecting = tokio::task::spawn_blocking(move || rows_of(&snapshot, &changed));
    collecting.await.map_err(|_| Problem::new(Code::Internal, "the changes could not be collected"))
}

/// The rows of these listings as they are shown, and every row that is too old by now: which of those were
/// told as such is not known.
fn rows_of(snapshot: &Snapshot, changed: &[ListingId]) -> Vec<Arc<Row>> {
    let mut rows: Vec<_> = changed.iter().filter_map(|id| snapshot.listing(*id)).collect();
    if snapshot.stale_rows() > 0 {
        let every = ListingQuery {
            filter: Listings::default(),
            sort: SortKey::Id,
            order: Order::Ascending,
            start: Start::Offset(0),
            limit: snapshot.len(),
        };
        rows.extend(snapshot.page(&every).rows.iter().filter(|row| row.stale()).map(Arc::clone));
        rows.sort_unstable_by_key(|row| row.listing_id());
        rows.dedup_by_key(|row| row.listing_id());
    }
    rows.retain(|row| row.priced());
    rows
}
