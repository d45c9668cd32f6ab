//! A store of listings alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kasparro_domain::Generation;
use kasparro_store::{ListingRow, ReadStore, StoreError, StoreInfo, StoreResult};
use tokio::sync::{mpsc, watch};

/// Listings with the generation that changed them last.
#[derive(Debug)]
pub(super) struct Listings {
    rows: Mutex<BTreeMap<i64, (u64, ListingRow)>>,
    announce: watch::Sender<Generation>,
    newest: AtomicU64,
    /// Calls of `changes` so far.
    pub(super) asked: AtomicU64,
    /// True while the store does not answer.
    pub(super) away: AtomicBool,
    /// True while calls do not return.
    pub(super) hanging: AtomicBool,
    /// True while `changes` brings one piece and then no more.
    pub(super) stuck: AtomicBool,
}

impl Listings {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            announce: watch::Sender::new(Generation(0)),
            newest: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            away: false.into(),
            hanging: false.into(),
            stuck: false.into(),
        })
    }

    /// Commits listings in one generation and announces it.
    pub(super) fn commit(&self, listings: Vec<ListingRow>) -> Generation {
        let generation = self.commit_unannounced(listings);
        self.announce.send_replace(generation);
        generation
    }

    /// Commits as another process would, whose commits are not announced here.
    pub(super) fn commit_unannounced(&self, listings: Vec<ListingRow>) -> Generation {
        let mut rows = self.rows.lock().unwrap();
        let generation = self.newest.load(Ordering::SeqCst) + 1;
        rows.extend(listings.into_iter().map(|row| (row.listing_id.0, (generation, row))));
        self.newest.store(generation, Ordering::SeqCst);
        Generation(generation)
    }

    /// Holds what a backup held: this generation, with these listings.
    pub(super) fn restore(&self, generation: u64, listings: Vec<ListingRow>) {
        let mut rows = self.rows.lock().unwrap();
        let kept = listings.into_iter().map(|row| (row.listing_id.0, (generation, row)));
        *rows = kept.collect();
        self.newest.store(generation, Ordering::SeqCst);
    }

    async fn check(&self) -> StoreResult<()> {
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("switched off".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl ReadStore for Listings {
    async fn generation(&self) -> StoreResult<Generation> {
        self.check().await?;
        Ok(Generation(self.newest.load(Ordering::SeqCst)))
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.announce.subscribe()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.check().await?;
        let (changed, generation) = {
            let rows = self.rows.lock().unwrap();
            let changed: Vec<ListingRow> = rows
                .values()
                .filter(|(generation, _)| *generation > since.0)
                .map(|(_, row)| row.clone())
                .collect();
            (changed, self.newest.load(Ordering::SeqCst))
        };
        for piece in changed.chunks(100) {
            if pieces.send(piece.to_vec()).await.is_err() {
                break;
            }
            if self.stuck.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
        Ok(Generation(generation))
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.check().await?;
        Ok(StoreInfo { kind: "listings", schema_version: 1 })
    }
}
