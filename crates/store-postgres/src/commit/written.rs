//! Listings, quotes and points of a batch, each table in one statement.
//!
//! Rows travel as arrays and not by COPY: a server that waits for the data of a COPY heeds neither the time-out
//! of statements nor that of idle transactions, so a process frozen in one would keep the lease of its source
//! locked for as long as it is frozen.

use deadpool_postgres::Transaction;
use kasparro_domain::{ListingId, QuoteField};
use kasparro_store::BatchRow;

use super::applied::{Applied, Listing};
use super::evidence::list_text;
use crate::error::Queried;
use crate::numeric::NumericRef;
use crate::queries::{AsJson, Instant, execute, int};

/// Writes the listings and quotes of a batch, and what happened to its points. New assets have numbers
/// from `first_asset` on, one for each new listing.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    source: i64,
    first_asset: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    insert_listings(transaction, source, first_asset, applied).await?;
    tokio::try_join!(
        biased;
        update_listings(transaction, applied),
        write_quotes(transaction, applied),
        append_points(transaction, applied),
    )?;
    Ok(())
}

const INSERT_LISTINGS: &str = "INSERT INTO listing (source_id, asset_id, listing_id, external_id,
        symbol, name, contracts, active, first_seen_at, missed, last_seen_at)
    SELECT $1, $2 + said.place - 1, said.listing_id, said.external_id, said.symbol, said.name,
           said.contracts, said.active, said.first_seen_at, said.missed, said.last_seen_at
    FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::json[], $8::boolean[],
                $9::timestamptz[], $10::integer[], $11::timestamptz[]) WITH ORDINALITY
         AS said (listing_id, external_id, symbol, name, contracts, active, first_seen_at, missed,
                  last_seen_at, place)";

async fn insert_listings(
    transaction: &Transaction<'_>,
    source: i64,
    first_asset: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    if applied.new_listings.is_empty() {
        return Ok(());
    }
    let last_asset = first_asset + int(applied.new_listings.len() as u64)? - 1;
    let assets = "INSERT INTO asset (asset_id) SELECT generate_series($1::bigint, $2::bigint)";
    execute(transaction, assets, &[&first_asset, &last_asset]).await?;
    let (mut ids, mut external_ids) = (Vec::new(), Vec::new());
    let (mut symbols, mut names, mut contracts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut active, mut first_seen) = (Vec::new(), Vec::new());
    let (mut missed, mut last_seen) = (Vec::new(), Vec::new());
    for listing_id in &applied.new_listings {
        let Some(Listing { external_id, now, first_seen_at, .. }) =
            applied.listings.get(listing_id)
        else {
            continue;
        };
        ids.push(listing_id.0);
        external_ids.push(external_id.as_str());
        symbols.push(now.attributes.symbol.as_deref());
        names.push(now.attributes.name.as_deref());
        contracts.push(list_text(&now.contracts)?);
        active.push(now.active);
        first_seen.push(Instant(*first_seen_at));
        missed.push(i32::from(now.missed));
        last_seen.push(now.last_seen_at.map(Instant));
    }
    execute(
        transaction,
        INSERT_LISTINGS,
        &[
            &source,
            &first_asset,
            &ids,
            &external_ids,
            &symbols,
            &names,
            &contracts,
            &active,
            &first_seen,
            &missed,
            &last_seen,
        ],
    )
    .await?;
    Ok(())
}

const UPDATE_LISTINGS: &str = "UPDATE listing SET symbol = shown.symbol, name = shown.name,
        active = shown.active, missed = shown.missed, last_seen_at = shown.last_seen_at,
        contracts = CASE WHEN shown.stated THEN shown.contracts ELSE listing.contracts END
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::integer[],
                $6::timestamptz[], $7::boolean[], $8::json[])
         AS shown (listing_id, symbol, name, active, missed, last_seen_at, stated, contracts)
    WHERE listing.listing_id = shown.listing_id";

/// Writes what readers see of stored listings, where it differs.
async fn update_listings(transaction: &Transaction<'_>, applied: &Applied<'_>) -> Queried<()> {
    let (mut ids, mut symbols, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut active, mut missed, mut last_seen) = (Vec::new(), Vec::new(), Vec::new());
    let (mut stated, mut contracts): (Vec<bool>, Vec<Option<AsJson>>) = (Vec::new(), Vec::new());
    for (listing_id, Listing { stored, now, .. }) in &applied.listings {
        let Some(stored) = stored.as_ref().filter(|stored| *stored != now) else { continue };
        ids.push(listing_id.0);
        symbols.push(now.attributes.symbol.as_deref());
        names.push(now.attributes.name.as_deref());
        active.push(now.active);
        missed.push(i32::from(now.missed));
        last_seen.push(now.last_seen_at.map(Instant));
        stated.push(stored.contracts != now.contracts);
        contracts.push(list_text(&now.contracts)?);
    }
    if !ids.is_empty() {
        execute(
            transaction,
            UPDATE_LISTINGS,
            &[&ids, &symbols, &names, &active, &missed, &last_seen, &stated, &contracts],
        )
        .await?;
    }
    Ok(())
}

const WRITE_QUOTES: &str =
    "INSERT INTO quote (fetched_at, page_id, listing_id, observed_at, source_timed,
        rank, raw_hash, ordinal, price_usd, market_cap, volume_24h, price_change_24h,
        circulating_supply, total_supply, max_supply, fully_diluted_valuation, unusual)
    SELECT $1, $2, said.*
    FROM unnest($3::bigint[], $4::timestamptz[], $5::boolean[], $6::bigint[], $7::bigint[],
                $8::bigint[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[],
                $13::numeric[], $14::numeric[], $15::numeric[], $16::numeric[], $17::boolean[])
         AS said
    ON CONFLICT (listing_id) DO UPDATE SET observed_at = excluded.observed_at,
        source_timed = excluded.source_timed, fetched_at = excluded.fetched_at,
        price_usd = excluded.price_usd, market_cap = excluded.market_cap,
        volume_24h = excluded.volume_24h, price_change_24h = excluded.price_change_24h,
        circulating_supply = excluded.circulating_supply, total_supply = excluded.total_supply,
        max_supply = excluded.max_supply,
        fully_diluted_valuation = excluded.fully_diluted_valuation, rank = excluded.rank,
        raw_hash = excluded.raw_hash, page_id = excluded.page_id, ordinal = excluded.ordinal,
        unusual = excluded.unusual";

/// Writes the quotes, by ascending listing.
async fn write_quotes(transaction: &Transaction<'_>, applied: &Applied<'_>) -> Queried<()> {
    let quoted = applied.listings.iter();
    let quoted = quoted.filter_map(|(listing_id, listing)| Some((*listing_id, listing.quote?)));
    let rows: Vec<(ListingId, &BatchRow)> = quoted.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = rows.iter().map(|(listing_id, _)| listing_id.0).collect();
    let instants: Vec<Instant> = rows.iter().map(|(_, row)| Instant(row.observed_at)).collect();
    let timed: Vec<bool> = rows.iter().map(|(_, row)| row.source_timed).collect();
    let ranks: Vec<Option<i64>> =
        rows.iter().map(|(_, row)| row.quote.rank.map(i64::from)).collect();
    let hashes: Vec<i64> = rows.iter().map(|(_, row)| row.raw_hash.cast_signed()).collect();
    let ordinals = rows.iter().map(|(_, row)| int(row.ordinal)).collect::<Queried<Vec<i64>>>()?;
    let unusual: Vec<bool> = rows.iter().map(|(_, row)| !row.anomalies.is_empty()).collect();
    let [price, cap, volume, change, circulating, total, most, diluted] =
        QuoteField::ALL.map(|field| {
            let values = rows.iter().map(|(_, row)| row.quote.get(field).map(NumericRef));
            values.collect::<Vec<Option<NumericRef<'_>>>>()
        });
    let batch = applied.batch;
    execute(
        transaction,
        WRITE_QUOTES,
        &[
            &Instant(batch.fetched_at),
            &batch.page_id.0,
            &ids,
            &instants,
            &timed,
            &ranks,
            &hashes,
            &ordinals,
            &price,
            &cap,
            &volume,
            &change,
            &circulating,
            &total,
            &most,
            &diluted,
            &unusual,
        ],
    )
    .await?;
    Ok(())
}

const APPEND_POINTS: &str = "INSERT INTO history (hour, listing_id, observed_at, revision,
        source_timed, price_usd, market_cap, volume_24h)
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::timestamptz[], $4::integer[],
                         $5::boolean[], $6::numeric[], $7::numeric[], $8::numeric[])";

async fn append_points(transaction: &Transaction<'_>, applied: &Applied<'_>) -> Queried<()> {
    let points = &applied.appended;
    if points.is_empty() {
        return Ok(());
    }
    let hours = points.iter().map(|point| super::hour(point.row.observed_at));
    let hours = hours.collect::<Queried<Vec<i32>>>()?;
    let ids: Vec<i64> = points.iter().map(|point| point.listing_id.0).collect();
    let instants: Vec<Instant> =
        points.iter().map(|point| Instant(point.row.observed_at)).collect();
    let revisions: Vec<i32> = points.iter().map(|point| point.revision).collect();
    let timed: Vec<bool> = points.iter().map(|point| point.row.source_timed).collect();
    let [prices, caps, volumes] =
        [QuoteField::PriceUsd, QuoteField::MarketCap, QuoteField::Volume24h].map(|field| {
            let values = points.iter().map(|point| point.row.quote.get(field).map(NumericRef));
            values.collect::<Vec<Option<NumericRef<'_>>>>()
        });
    execute(
        transaction,
        APPEND_POINTS,
        &[&hours, &ids, &instants, &revisions, &timed, &prices, &caps, &volumes],
    )
    .await?;
    Ok(())
}
