//! The snapshot against a naive model, and the view against a store in memory.

mod batches;
mod follow;
mod identity;
mod kept;
mod model;
mod outages;
mod queries;
mod render;
mod restored;
mod staleness;
mod store;
mod swaps;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{
    AssetClass, AssetId, Attributes, Decimal, Generation, IdentityState, ListingId, Quote,
    SourceName, Timestamp,
};
use kasparro_store::ListingRow;

use crate::{Snapshot, ViewSettings};

/// The instant at which the tests begin: 2022-01-29T17:06:45Z.
const NOW: i64 = 1_643_476_005_000;

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// One hour for every source but `slow`, which has three.
fn settings() -> ViewSettings {
    let slow = (SourceName::new("slow"), Duration::from_secs(3 * 3600));
    ViewSettings {
        stale_after: BTreeMap::from([slow]),
        default_stale_after: Duration::from_secs(3600),
    }
}

/// A listing with a price that its source gave an instant for.
fn listing(id: i64) -> ListingRow {
    ListingRow {
        listing_id: ListingId(id),
        asset_id: AssetId(id),
        founded_asset_id: AssetId(id),
        class: AssetClass::Other,
        identity: IdentityState::Unresolved,
        source: SourceName::new("coinpaprika"),
        external_id: CompactString::from(format!("coin-{id}")),
        attributes: Attributes {
            symbol: Some(CompactString::from(format!("C{id}"))),
            name: Some(CompactString::from(format!("Coin {id}"))),
        },
        contracts: Vec::new(),
        active: true,
        last_seen_at: None,
        quote: Some(Quote { price_usd: Some(decimal("1.5")), ..Quote::default() }),
        observed_at: Some(instant(NOW)),
        source_timed: true,
        fetched_at: Some(instant(NOW)),
        unusual: false,
        first_seen_at: instant(NOW),
    }
}

fn snapshot(listings: Vec<ListingRow>) -> Snapshot {
    Snapshot::default().next(listings, Generation(1), 1, &settings(), instant(NOW))
}
