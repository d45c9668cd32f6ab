//! Loads rows and reads them back, side by side with bare statements on the same tables.
//!
//! `cargo bench -p kasparro-store-sqlite --bench load [-- ROWS]` prints seconds and ratios: absolute
//! figures of a shared machine mean little, the ratios of one run do.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first error"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{at, batch, clock, landed, new_row, new_store};
use kasparro_domain::{
    AssetClass, Decimal, Generation, IdentityState, ListingId, QuoteField, Timestamp,
};
use kasparro_store::{
    BatchRow, BatchStore, IdentityRow, IdentityStore, IdentityTotals, ListingRef, ReadStore,
    Resolution, RowChange,
};
use kasparro_store_sqlite::SqliteStore;
use rusqlite::{Connection, params};
use tokio::sync::mpsc;

const BATCH_ROWS: usize = 5_000;
const ROUNDS: usize = 3;

fn rows(
    count: usize,
    observed_at: Timestamp,
    change: impl Fn(usize) -> RowChange,
) -> Vec<BatchRow> {
    let row = |place: usize| {
        let mut row = new_row(place as u64, &format!("coin-number-{place:07}"));
        row.change = change(place);
        row.observed_at = observed_at;
        let price = format!("{}.{place:07}", observed_at.as_millis() % 1000 + 1);
        row.quote.price_usd = Decimal::parse(&price).ok();
        row.quote.rank = u32::try_from(place + 1).ok();
        row
    };
    (0..count).map(row).collect()
}

/// The same rows by bare statements in one transaction.
fn bare(connection: &mut Connection, rows: &[BatchRow]) {
    let work = connection.transaction().unwrap();
    {
        let mut asset = work.prepare("INSERT INTO asset (asset_id) VALUES (?1)").unwrap();
        let mut listing = work
            .prepare(
                "INSERT INTO listing (listing_id, source_id, external_id, asset_id, symbol, name,
                     first_seen_at) VALUES (?1, 1, ?2, ?1, ?3, ?4, ?5)",
            )
            .unwrap();
        let mut quote = work
            .prepare(
                "INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at, price_usd,
                     market_cap, volume_24h, price_change_24h, circulating_supply, total_supply,
                     max_supply, fully_diluted_valuation, rank, raw_hash, page_id, ordinal)
                 VALUES (?1, ?2, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, ?13)
                 ON CONFLICT (listing_id) DO UPDATE SET price_usd = excluded.price_usd",
            )
            .unwrap();
        let mut history = work
            .prepare(
                "INSERT INTO history (hour, listing_id, observed_at, revision, source_timed,
                     price_usd, market_cap, volume_24h) VALUES (?1, ?2, ?3, 0, 1, ?4, ?5, ?6)",
            )
            .unwrap();
        for (id, row) in (1_i64..).zip(rows) {
            let millis = row.observed_at.as_millis();
            let about = &row.attributes;
            let [price, cap, volume, change, circulating, total, max, diluted] =
                QuoteField::ALL.map(|field| row.quote.get(field).map(Decimal::as_str));
            asset.execute([id]).unwrap();
            let id_text = row.external_id.as_str();
            listing
                .execute(params![
                    id,
                    id_text,
                    about.symbol.as_deref(),
                    about.name.as_deref(),
                    millis
                ])
                .unwrap();
            let hash = row.raw_hash.cast_signed();
            quote
                .execute(params![
                    id,
                    millis,
                    price,
                    cap,
                    volume,
                    change,
                    circulating,
                    total,
                    max,
                    diluted,
                    row.quote.rank,
                    hash,
                    row.ordinal.cast_signed()
                ])
                .unwrap();
            history
                .execute(params![row.observed_at.hour(), id, millis, price, cap, volume])
                .unwrap();
        }
    }
    work.commit().unwrap();
}

async fn load(
    store: &SqliteStore,
    epoch: u64,
    page: &kasparro_domain::RawPage,
    from: u64,
    all: &[BatchRow],
) -> Duration {
    let batches: Vec<_> = all.chunks(BATCH_ROWS).map(<[BatchRow]>::to_vec).collect();
    let begun = Instant::now();
    for (sequence, rows) in (from..).zip(batches) {
        store.commit(batch(page, epoch, sequence, rows)).await.unwrap();
    }
    begun.elapsed()
}

async fn changes(store: &SqliteStore, since: Generation) -> (Duration, usize) {
    let begun = Instant::now();
    let (sender, mut receiver) = mpsc::channel::<Vec<kasparro_store::ListingRow>>(4);
    let receive = async {
        let mut rows = 0;
        while let Some(piece) = receiver.recv().await {
            rows += piece.len();
        }
        rows
    };
    let (generation, rows) = tokio::join!(store.changes(since, sender), receive);
    generation.unwrap();
    (begun.elapsed(), rows)
}

/// Decides about every listing that it stands alone.
async fn resolve(store: &SqliteStore, count: usize) {
    let position = store.identity_position().await.unwrap();
    let row = |listing_id| IdentityRow {
        listing_id,
        founder: listing_id,
        class: AssetClass::Coin,
        state: IdentityState::Single,
        confidence: Some(9_987),
        candidates: serde_json::json!([]),
        edges: Vec::new(),
    };
    let resolution = Resolution {
        evidence_version: position.evidence_version,
        follows: None,
        rule_version: "identity/1".to_owned(),
        resolved_at: at(90),
        rows: (1..=count as i64).map(|id| row(ListingId(id))).collect(),
        totals: IdentityTotals::default(),
        pending: false,
        alerts: Vec::new(),
        send_alerts: false,
    };
    store.commit_resolution(resolution).await.unwrap();
}

async fn inputs(store: &SqliteStore) -> (Duration, usize) {
    let begun = Instant::now();
    let (sender, mut receiver) = mpsc::channel::<Vec<kasparro_store::IdentityInput>>(4);
    let receive = async {
        let mut rows = 0;
        while let Some(piece) = receiver.recv().await {
            rows += piece.len();
        }
        rows
    };
    let (position, rows) = tokio::join!(store.identity_input(Generation(0), sender), receive);
    position.unwrap();
    (begun.elapsed(), rows)
}

async fn round(count: usize) -> Vec<(&'static str, Duration)> {
    let first =
        rows(count, at(0), |_| RowChange::New { membership: kasparro_domain::Membership::Founds });
    let newer = rows(count, at(60), |place| RowChange::Newer {
        listing: ListingRef::Stored(ListingId(place as i64 + 1)),
    });
    let mut times = Vec::new();

    // The smallest store, for the tables and a page that the rows can point to.
    let (_folder, store) = new_store();
    landed(&store).await;
    let path = store.path().to_owned();
    drop(store);
    let mut direct = Connection::open(&path).unwrap();
    for (setting, value) in
        [("synchronous", "full"), ("foreign_keys", "on"), ("cache_size", "-16384")]
    {
        direct.pragma_update(None, setting, value).unwrap();
    }
    let begun = Instant::now();
    bare(&mut direct, &first);
    times.push(("bare first load", begun.elapsed()));

    let (_folder, store) = new_store();
    let (epoch, page) = landed(&store).await;
    times.push(("first load", load(&store, epoch, &page, 0, &first).await));
    let generation = store.generation().await.unwrap();
    times.push(("all prices changed", load(&store, epoch, &page, 1_000_000, &newer).await));
    let (all, read) = changes(&store, Generation(0)).await;
    assert_eq!(read, count);
    times.push(("read everything", all));
    let (changed, read) = changes(&store, generation).await;
    assert_eq!(read, count);
    times.push(("read what changed", changed));
    let begun = Instant::now();
    assert_eq!(store.memory(&common::source()).await.unwrap().listings.len(), count);
    times.push(("read the memory", begun.elapsed()));
    let begun = Instant::now();
    resolve(&store, count).await;
    times.push(("resolve everything", begun.elapsed()));
    let (all, read) = inputs(&store).await;
    assert_eq!(read, count);
    times.push(("read all evidence", all));
    let (all, read) = changes(&store, Generation(0)).await;
    assert_eq!(read, count);
    times.push(("read all resolved", all));
    let path = store.path().to_owned();
    drop(store);
    let begun = Instant::now();
    drop(SqliteStore::open(&path, clock()).unwrap());
    times.push(("open and close", begun.elapsed()));
    times
}

fn main() {
    let count = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(round(count))).collect();
    let mut median = |place: usize| {
        rounds.sort_by_key(|round| round[place].1);
        rounds[ROUNDS / 2][place]
    };
    let bare = median(0).1.as_secs_f64();
    println!("{count} rows, medians of {ROUNDS}");
    for place in 0..10 {
        let (name, time) = median(place);
        let seconds = time.as_secs_f64();
        println!(
            "{name:20} {seconds:8.3} s  {:9.0} rows/s  {:.2} x bare",
            count as f64 / seconds,
            bare / seconds
        );
    }
}
