//! Loads rows through `commit` side by side with bare COPY and upsert of the same rows into the same
//! tables, and prints the medians as JSON.
//!
//! `cargo bench -p kasparro-store-postgres --bench load [-- ROWS]`: absolute figures of a shared machine
//! mean little, the ratios of one run do. The server of the tests flushes nothing; set
//! `KASPARRO_TEST_DATABASE_URL` for one that does.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at the first error"
)]

#[expect(dead_code, reason = "only what writes is used here")]
#[path = "../src/numeric.rs"]
mod numeric;
#[path = "../tests/rows/mod.rs"]
mod rows;

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use kasparro_domain::{Decimal, ListingId, Membership, QuoteField, RawPage, Timestamp};
use kasparro_store::{BatchRow, BatchStore, ListingRef, RowChange};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::connect;
use numeric::NumericRef;
use rows::{at, database, landed, new_row, new_store, whole};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Transaction};

const BATCH_ROWS: usize = 5_000;
const ROUNDS: usize = 3;

fn made(
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

fn instant(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millis().cast_unsigned())
}

/// The columns of a row; those of the three tables are taken from it.
struct Columns<'a> {
    id: i64,
    row: &'a BatchRow,
    at: SystemTime,
    hour: i32,
    rank: Option<i64>,
    hash: i64,
    ordinal: i64,
    values: [Option<NumericRef<'a>>; 8],
    texts: [Option<&'a str>; 3],
}

impl<'a> Columns<'a> {
    fn of(id: i64, row: &'a BatchRow) -> Self {
        let about = &row.attributes;
        Self {
            id,
            row,
            at: instant(row.observed_at),
            hour: i32::try_from(row.observed_at.hour()).unwrap(),
            rank: row.quote.rank.map(i64::from),
            hash: row.raw_hash.cast_signed(),
            ordinal: row.ordinal.cast_signed(),
            values: QuoteField::ALL.map(|field| row.quote.get(field).map(NumericRef)),
            texts: [Some(&row.external_id), about.symbol.as_deref(), about.name.as_deref()],
        }
    }
}

async fn copy(
    work: &Transaction<'_>,
    sql: &str,
    types: &[Type],
    all: &[Columns<'_>],
    pick: impl for<'c> Fn(&'c Columns<'_>) -> Vec<&'c (dyn ToSql + Sync)>,
) {
    let sink = work.copy_in(sql).await.unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
    for columns in all {
        writer.as_mut().write(&pick(columns)).await.unwrap();
    }
    writer.finish().await.unwrap();
}

const NUMBERS: [Type; 8] = [Type::NUMERIC; 8];
const ONE: i64 = 1;

const UPSERT: &str = "INSERT INTO quote SELECT * FROM bare_quote ORDER BY listing_id
    ON CONFLICT (listing_id) DO UPDATE SET observed_at = excluded.observed_at,
        source_timed = excluded.source_timed, fetched_at = excluded.fetched_at,
        price_usd = excluded.price_usd, market_cap = excluded.market_cap,
        volume_24h = excluded.volume_24h, price_change_24h = excluded.price_change_24h,
        circulating_supply = excluded.circulating_supply, total_supply = excluded.total_supply,
        max_supply = excluded.max_supply,
        fully_diluted_valuation = excluded.fully_diluted_valuation, rank = excluded.rank,
        raw_hash = excluded.raw_hash, page_id = excluded.page_id, ordinal = excluded.ordinal";

/// The same rows by bare COPY and upsert, a transaction for each batch.
async fn bare(client: &mut Client, all: &[BatchRow], new: bool) -> Duration {
    let begun = Instant::now();
    for (number, rows) in all.chunks(BATCH_ROWS).enumerate() {
        let first = i64::try_from(number * BATCH_ROWS).unwrap() + 1;
        let all: Vec<_> = (first..).zip(rows).map(|(id, row)| Columns::of(id, row)).collect();
        let work = client.transaction().await.unwrap();
        if new {
            let sql = "COPY asset (asset_id) FROM STDIN (FORMAT binary)";
            copy(&work, sql, &[Type::INT8], &all, |columns| vec![&columns.id]).await;
            let sql = "COPY listing (listing_id, source_id, external_id, asset_id, symbol, name,
                                     first_seen_at) FROM STDIN (FORMAT binary)";
            let mut types = vec![Type::INT8, Type::INT8, Type::TEXT, Type::INT8];
            types.extend([Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ]);
            copy(
                &work,
                sql,
                &types,
                &all,
                |Columns { id, texts: [coin, symbol, name], at, .. }| {
                    vec![id, &ONE, coin, id, symbol, name, at]
                },
            )
            .await;
        }
        let sql = "COPY bare_quote (listing_id, observed_at, source_timed, fetched_at, rank,
                                    raw_hash, page_id, ordinal, price_usd, market_cap, volume_24h,
                                    price_change_24h, circulating_supply, total_supply, max_supply,
                                    fully_diluted_valuation) FROM STDIN (FORMAT binary)";
        let mut types = vec![Type::INT8, Type::TIMESTAMPTZ, Type::BOOL, Type::TIMESTAMPTZ];
        types.extend([Type::INT8, Type::INT8, Type::INT8, Type::INT8]);
        types.extend(NUMBERS);
        copy(&work, sql, &types, &all, |columns| {
            let Columns { id, row, at, rank, hash, ordinal, values, .. } = columns;
            let mut picked: Vec<&(dyn ToSql + Sync)> = vec![id, at, &row.source_timed, at];
            picked.extend([rank as &(dyn ToSql + Sync), hash, &ONE, ordinal]);
            picked.extend(values.iter().map(|value| value as &(dyn ToSql + Sync)));
            picked
        })
        .await;
        work.execute(UPSERT, &[]).await.unwrap();
        let sql = "COPY history (hour, listing_id, observed_at, revision, source_timed, price_usd,
                                 market_cap, volume_24h) FROM STDIN (FORMAT binary)";
        let mut types = vec![Type::INT4, Type::INT8, Type::TIMESTAMPTZ, Type::INT4, Type::BOOL];
        types.extend([Type::NUMERIC, Type::NUMERIC, Type::NUMERIC]);
        copy(&work, sql, &types, &all, |columns| {
            let Columns { id, row, at, hour, values: [price, cap, volume, ..], .. } = columns;
            vec![hour, id, at, &0_i32, &row.source_timed, price, cap, volume]
        })
        .await;
        work.commit().await.unwrap();
    }
    begun.elapsed()
}

async fn load(
    store: &PostgresStore,
    epoch: u64,
    page: &mut RawPage,
    from: u64,
    all: &[BatchRow],
) -> Duration {
    let mut batches = Vec::new();
    for (sequence, rows) in (from..).zip(all.chunks(BATCH_ROWS)) {
        let batch = whole(page, epoch, sequence, rows.to_vec());
        page.rows_done = batch.rows_done;
        batches.push(batch);
    }
    let begun = Instant::now();
    for batch in batches {
        store.commit(batch).await.unwrap();
    }
    begun.elapsed()
}

/// Seconds of the bare and of the whole first load, and of the same where every price has changed.
async fn round(count: usize) -> [f64; 4] {
    let first = made(count, at(0), |_| RowChange::New { membership: Membership::Founds });
    let newer = made(count, at(60), |place| RowChange::Newer {
        listing: ListingRef::Stored(ListingId(i64::try_from(place).unwrap() + 1)),
    });
    let database = database();

    let store = new_store(&database, "bare").await;
    landed(&store).await;
    drop(store);
    let mut client = connect(&database.url()).await.unwrap();
    let hour = first.first().unwrap().observed_at.hour();
    let prepare = format!(
        "SET search_path = bare; SELECT ensure_history_partition({hour});
         CREATE TEMP TABLE bare_quote (LIKE quote INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
    );
    client.batch_execute(&prepare).await.unwrap();
    let bare_first = bare(&mut client, &first, true).await;
    let bare_newer = bare(&mut client, &newer, false).await;

    let store = new_store(&database, "whole").await;
    let (epoch, mut page) = landed(&store).await;
    let whole_first = load(&store, epoch, &mut page, 0, &first).await;
    let whole_newer = load(&store, epoch, &mut page, 1_000_000, &newer).await;
    [bare_first, whole_first, bare_newer, whole_newer].map(|time| time.as_secs_f64())
}

fn main() {
    let count = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(100_000);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rounds: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(round(count))).collect();
    let median = |place: usize| {
        let mut seconds: Vec<f64> = rounds.iter().map(|round| round[place]).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[ROUNDS / 2]
    };
    let compared = |bare: f64, whole: f64| {
        let per_s = |seconds: f64| (count as f64 / seconds).round();
        serde_json::json!({
            "bare_rows_per_s": per_s(bare),
            "commit_rows_per_s": per_s(whole),
            "ratio": (bare / whole * 100.0).round() / 100.0,
        })
    };
    let told = serde_json::json!({
        "rows": count,
        "batch_rows": BATCH_ROWS,
        "medians_of": ROUNDS,
        "first_load": compared(median(0), median(1)),
        "all_prices_changed": compared(median(2), median(3)),
    });
    println!("{told:#}");
}
