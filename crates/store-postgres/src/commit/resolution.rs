//! Resolutions: what changed of which listings are one asset, in one transaction.
//!
//! Everything that it may be refused for beside newer evidence is found here with what was read in two
//! queries, and everything is written with one statement for each table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deadpool_postgres::Transaction;
use kasparro_domain::{AssetClass, Generation, IdentityState, ListingId};
use kasparro_store::{IdentityRow, Resolution, encode_changed};

use crate::error::{Queried, refused};
use crate::numeric::NumericRef;
use crate::queries::{
    AsJson, Instant, alerts, each, execute, first, get, identity, int, json_text, named, uint,
};

/// A listing as it stands before the resolution.
#[derive(Debug, Clone, Copy)]
struct Member {
    source: i64,
    founded: i64,
    asset: i64,
    class: AssetClass,
    state: IdentityState,
}

const STALE: &str = "evidence has changed since, or another resolution came first";

/// Resolutions come one after another. Who comes second finds out with the first look at the position, and
/// holds nothing that writers of batches wait for.
const IN_TURN: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('kasparro.resolve.' || current_schema(), 0))";

/// Writes a resolution within its transaction; returns the generation that it makes.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    resolution: &Resolution,
) -> Queried<Generation> {
    execute(transaction, IN_TURN, &[]).await?;
    let now = identity::position(transaction).await?;
    if now.evidence_version != resolution.evidence_version
        || now.resolved.map(|row| row.generation) != resolution.follows
    {
        return refused(STALE);
    }
    let rows = &resolution.rows;
    let members = named_members(transaction, rows).await?;
    let assets = new_assets(rows, &members)?;
    check_assets(transaction, rows, &members, &assets).await?;
    let changed: Vec<ListingId> = rows
        .iter()
        .zip(&assets)
        .filter(|(row, asset)| {
            members.get(&row.listing_id).is_none_or(|before| {
                (before.asset, before.class, before.state) != (**asset, row.class, row.state)
            })
        })
        .map(|(row, _)| row.listing_id)
        .collect();
    write_identity(transaction, rows, &assets).await?;
    write_edges(transaction, rows).await?;
    alerts::raise_of_runs(
        transaction,
        resolution.resolved_at,
        &resolution.alerts,
        resolution.send_alerts,
    )
    .await?;
    write_manifest(transaction, resolution, &changed).await
}

const MEMBERS: &str = "SELECT l.listing_id, l.source_id, l.asset_id, i.asset_id, i.class, i.state
    FROM listing AS l LEFT JOIN identity AS i ON i.listing_id = l.listing_id
    WHERE l.listing_id = ANY($1)";

/// Every listing that the rows name, be it as founder or at the end of an edge.
async fn named_members(
    transaction: &Transaction<'_>,
    rows: &[IdentityRow],
) -> Queried<HashMap<ListingId, Member>> {
    let mut ids: BTreeSet<i64> = BTreeSet::new();
    for row in rows {
        ids.extend([row.listing_id.0, row.founder.0]);
        ids.extend(row.edges.iter().map(|edge| edge.to.0));
    }
    let ids: Vec<i64> = ids.into_iter().collect();
    let found = each(transaction, MEMBERS, &[&ids], |row| {
        let founded: i64 = get(row, 2)?;
        let (asset, class, state) = match get::<Option<i64>>(row, 3)? {
            Some(asset) => (
                asset,
                named(row, 4, AssetClass::from_name)?,
                named(row, 5, IdentityState::from_name)?,
            ),
            None => (founded, AssetClass::Other, IdentityState::Unresolved),
        };
        let member = Member { source: get(row, 1)?, founded, asset, class, state };
        Ok((ListingId(get(row, 0)?), member))
    })
    .await?;
    Ok(found.into_iter().collect())
}

/// The asset of each row, which is the one that its founder has founded.
fn new_assets(rows: &[IdentityRow], members: &HashMap<ListingId, Member>) -> Queried<Vec<i64>> {
    let mut assets = Vec::with_capacity(rows.len());
    for row in rows {
        let ends = row.edges.iter().map(|edge| edge.to);
        for listing in [row.listing_id, row.founder].into_iter().chain(ends) {
            if !members.contains_key(&listing) {
                return refused(format!("listing {listing} is not known"));
            }
        }
        assets.extend(members.get(&row.founder).map(|founder| founder.founded));
    }
    Ok(assets)
}

const OF_ASSETS: &str = "SELECT i.asset_id, i.listing_id, l.source_id
    FROM identity AS i JOIN listing AS l ON l.listing_id = i.listing_id
    WHERE i.asset_id = ANY($1)";

/// Refuses what would leave an asset with two listings of one source, or without its founder. Only assets
/// can be in that case that a row moves a listing into, or that a row is the founder of.
async fn check_assets(
    transaction: &Transaction<'_>,
    rows: &[IdentityRow],
    members: &HashMap<ListingId, Member>,
    assets: &[i64],
) -> Queried<()> {
    let founders: HashMap<i64, ListingId> =
        members.iter().map(|(listing, member)| (member.founded, *listing)).collect();
    let left = rows.iter().filter_map(|row| Some(members.get(&row.listing_id)?.founded));
    let touched: BTreeSet<i64> = assets.iter().copied().chain(left).collect();
    let ids: Vec<i64> = touched.iter().copied().collect();
    let of_assets = each(transaction, OF_ASSETS, &[&ids], |row| {
        Ok((ListingId(get(row, 1)?), (get(row, 0)?, get(row, 2)?)))
    })
    .await?;
    // Asset and source of every listing that matters, as it will be.
    let mut after: BTreeMap<ListingId, (i64, i64)> = of_assets.into_iter().collect();
    after.extend(members.iter().map(|(listing, member)| (*listing, (member.asset, member.source))));
    for (row, asset) in rows.iter().zip(assets) {
        if let Some(place) = after.get_mut(&row.listing_id) {
            place.0 = *asset;
        }
    }
    let mut taken = BTreeSet::new();
    for (listing, (asset, source)) in &after {
        if !touched.contains(asset) {
            continue;
        }
        if !taken.insert((asset, source)) {
            return refused(format!(
                "asset {asset} would have listing {listing} and another one of its source"
            ));
        }
        let founder = founders.get(asset).and_then(|founder| after.get(founder));
        if founder.is_none_or(|(of_founder, _)| of_founder != asset) {
            return refused(format!("asset {asset} would stand without its founder"));
        }
    }
    Ok(())
}

const DECIDE: &str =
    "INSERT INTO identity (listing_id, asset_id, class, state, confidence, candidates)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[],
                         $6::json[])
    ON CONFLICT (listing_id) DO UPDATE SET asset_id = excluded.asset_id, class = excluded.class,
        state = excluded.state, confidence = excluded.confidence,
        candidates = excluded.candidates";

/// Writes what was decided, by ascending listing.
async fn write_identity(
    transaction: &Transaction<'_>,
    rows: &[IdentityRow],
    assets: &[i64],
) -> Queried<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.listing_id.0).collect();
    let classes: Vec<&str> = rows.iter().map(|row| row.class.name()).collect();
    let states: Vec<&str> = rows.iter().map(|row| row.state.name()).collect();
    let shares: Vec<Option<i32>> = rows.iter().map(|row| row.confidence.map(i32::from)).collect();
    let candidates = rows.iter().map(|row| json_text(&row.candidates));
    let candidates = candidates.collect::<Queried<Vec<AsJson>>>()?;
    execute(transaction, DECIDE, &[&ids, &assets, &classes, &states, &shares, &candidates]).await?;
    Ok(())
}

const RELATE: &str = "INSERT INTO asset_edge (from_listing_id, kind, to_listing_id, why, ratio, effective_on)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::numeric[], $6::text[])";

/// Puts the edges of the rows in the place of those that their listings had.
async fn write_edges(transaction: &Transaction<'_>, rows: &[IdentityRow]) -> Queried<()> {
    let ids: Vec<i64> = rows.iter().map(|row| row.listing_id.0).collect();
    let replaced = "DELETE FROM asset_edge WHERE from_listing_id = ANY($1)";
    execute(transaction, replaced, &[&ids]).await?;
    let (mut from, mut kinds) = (Vec::new(), Vec::new());
    let (mut to, mut why) = (Vec::new(), Vec::new());
    let (mut ratios, mut days) = (Vec::new(), Vec::new());
    for row in rows {
        for edge in &row.edges {
            from.push(row.listing_id.0);
            kinds.push(edge.kind.name());
            to.push(edge.to.0);
            why.push(edge.why.as_str());
            ratios.push(edge.terms.ratio.as_ref().map(NumericRef));
            days.push(edge.terms.effective_on.map(|day| day.to_string()));
        }
    }
    if !from.is_empty() {
        execute(transaction, RELATE, &[&from, &kinds, &to, &why, &ratios, &days]).await?;
    }
    Ok(())
}

/// As the manifest of a batch: one statement takes the next generation, where evidence is still what the
/// resolution was made of, and tells those who listen.
const MANIFEST: &str = "WITH next AS (
        UPDATE generation SET value = value + 1 WHERE evidence_version = $1 RETURNING value)
    INSERT INTO resolution (generation, evidence_version, rule_version, resolved_at, listings,
                            assets, linked, ambiguous, pending, changed)
    SELECT value, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM next
    RETURNING generation, pg_notify('kasparro_generation_' || current_schema(), generation::text)";

/// Last of all: takes the next generation and writes the manifest under it.
async fn write_manifest(
    transaction: &Transaction<'_>,
    resolution: &Resolution,
    changed: &[ListingId],
) -> Queried<Generation> {
    let totals = &resolution.totals;
    let written = first(
        transaction,
        MANIFEST,
        &[
            &int(resolution.evidence_version)?,
            &resolution.rule_version,
            &Instant(resolution.resolved_at),
            &int(totals.listings)?,
            &int(totals.assets)?,
            &int(totals.linked)?,
            &int(totals.ambiguous)?,
            &resolution.pending,
            &encode_changed(changed),
        ],
        |row| uint(row, 0),
    )
    .await?;
    match written {
        Some(generation) => Ok(Generation(generation)),
        None => refused(STALE),
    }
}
