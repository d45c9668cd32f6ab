//! Current quotes that are in doubt beside those of other sources of the same asset.
//!
//! They are found by one pass over the assets that several sources price, and kept until the read model
//! changes or a minute has gone by, since prices also age.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{AssetId, Generation, ListingId, SourceName, Timestamp};
use kasparro_transform::{FRESH_SECONDS, PriceDoubt, off_price};
use kasparro_view::{Row, Snapshot};
use tokio::sync::Mutex;

use crate::problem::{Code, Problem};
use crate::{Shared, data};

/// How long doubts are kept while the read model does not change.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The kinds of doubt, as users see them.
pub(crate) const KINDS: [&str; 2] = [PRICE_OFF, STALE];
const PRICE_OFF: &str = "price_off";
const STALE: &str = "stale";

/// A current quote that is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// One of [`KINDS`].
    pub(crate) kind: &'static str,
    pub(crate) source: SourceName,
    pub(crate) asset_id: AssetId,
    pub(crate) listing_id: ListingId,
    pub(crate) external_id: String,
    /// The instant the price holds for.
    pub(crate) observed_at: Timestamp,
    /// The price, with every digit.
    pub(crate) value: String,
    /// What speaks against it, in words.
    pub(crate) expected: String,
}

/// Every doubt at one instant, by ascending asset.
#[derive(Debug)]
pub(crate) struct Doubts {
    version: u64,
    pub(crate) generation: Generation,
    pub(crate) found_at: Timestamp,
    pub(crate) all: Vec<Doubt>,
}

/// The doubts that were found last.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoubtCache(Arc<Mutex<Option<Arc<Doubts>>>>);

/// The doubts of now. Those who ask at once wait for one pass.
pub(crate) async fn current(shared: &Shared) -> Result<Arc<Doubts>, Problem> {
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let mut kept = Arc::clone(&shared.doubts.0).lock_owned().await;
    let (snapshot, now) = (shared.view.snapshot(), shared.clock.now());
    if let Some(kept) = kept.as_ref()
        && kept.version == snapshot.version()
        && now.since(kept.found_at) < KEPT_FOR
    {
        return Ok(Arc::clone(kept));
    }
    // The lock goes along: a client that goes away does not let others begin a second pass.
    let finding = tokio::task::spawn_blocking(move || {
        let found = Arc::new(find(&snapshot, now));
        *kept = Some(Arc::clone(&found));
        found
    });
    finding.await.map_err(|_| Problem::new(Code::Internal, "the quotes could not be compared"))
}

fn find(snapshot: &Snapshot, now: Timestamp) -> Doubts {
    let mut all = Vec::new();
    let mut prices = Vec::new();
    snapshot.several_quotes(|asset_id, rows| {
        let priced = rows.iter().filter_map(|row| Some((*row, price_and_instant(row)?)));
        let priced: Vec<_> = priced.collect();
        prices.clear();
        prices.extend(priced.iter().map(|(_, (price, at))| (now.since(*at).as_secs(), *price)));
        // Where no price is fresh there is nothing to compare with: the sources are late, not at odds.
        if prices.len() < 2 || prices.iter().all(|(age, _)| *age > FRESH_SECONDS) {
            return;
        }
        let doubts = off_price(&prices);
        all.extend(
            priced
                .into_iter()
                .zip(doubts)
                .filter_map(|((row, (_, at)), doubt)| Some(in_doubt(asset_id, row, at, doubt?))),
        );
    });
    let (generation, version) = (snapshot.generation(), snapshot.version());
    Doubts { version, generation, found_at: now, all }
}

fn price_and_instant(row: &Row) -> Option<(f64, Timestamp)> {
    let price = row.price_usd().filter(|_| row.active())?;
    Some((price.to_f64(), row.updated_at().or(row.fetched_at())?))
}

fn in_doubt(asset_id: AssetId, row: &Row, observed_at: Timestamp, doubt: PriceDoubt) -> Doubt {
    Doubt {
        kind: match doubt {
            PriceDoubt::Stale { .. } => STALE,
            PriceDoubt::Off { .. } | PriceDoubt::Disputed { .. } => PRICE_OFF,
        },
        source: row.source().clone(),
        asset_id,
        listing_id: row.listing_id(),
        external_id: row.external_id().to_owned(),
        observed_at,
        value: row.price_usd().map(ToString::to_string).unwrap_or_default(),
        expected: doubt.to_string(),
    }
}
