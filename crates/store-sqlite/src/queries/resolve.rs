//! Resolutions and what people say of listings, on their way into the tables.

use std::collections::BTreeMap;

use kasparro_domain::{
    AssetClass, AssetId, Decimal, DecisionId, Generation, IdentityState, ListingId, ListingKey,
};
use kasparro_store::{IdentityDecision, IdentityRow, Resolution, encode_changed};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::decisions::{self, NewDecision};
use super::{alerts, identity, int, json_text, named, source_id};
use crate::error::{Queried, refused};
use crate::writer::Minted;

pub(super) const BEFORE: &str = "SELECT l.asset_id, i.asset_id, i.class, i.state
    FROM listing AS l LEFT JOIN identity AS i USING (listing_id) WHERE l.listing_id = ?1";

const DECIDE: &str =
    "INSERT INTO identity (listing_id, asset_id, class, state, confidence, candidates)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (listing_id) DO UPDATE SET asset_id = excluded.asset_id, class = excluded.class,
        state = excluded.state, confidence = excluded.confidence, candidates = excluded.candidates";

const FORGET_EDGES: &str = "DELETE FROM asset_edge WHERE from_listing_id = ?1";

/// Writes nothing where the other listing is not known.
const RELATE: &str =
    "INSERT INTO asset_edge (from_listing_id, kind, to_listing_id, why, ratio, effective_on)
    SELECT ?1, ?2, listing_id, ?4, ?5, ?6 FROM listing WHERE listing_id = ?3";

/// Anybody in an asset, once its founder has left it.
pub(super) const MEMBER: &str = "SELECT listing_id FROM identity WHERE asset_id = ?1 LIMIT 1";

/// A source with two listings in an asset, of whose founder nothing need be decided yet.
pub(super) const CROWDED: &str = "SELECT name FROM source WHERE source_id = (
        SELECT source_id FROM (
            SELECT l.source_id FROM identity AS i CROSS JOIN listing AS l USING (listing_id)
            WHERE i.asset_id = ?1
            UNION ALL SELECT source_id FROM listing
            WHERE listing_id = ?2 AND listing_id NOT IN (SELECT listing_id FROM identity))
        GROUP BY source_id HAVING count(*) > 1 LIMIT 1)";

pub(super) const IS_KNOWN: &str = "SELECT 1 FROM listing
    WHERE source_id = (SELECT source_id FROM source WHERE name = ?1) AND external_id = ?2";

/// How a listing stood before.
struct Before {
    founded: AssetId,
    asset: AssetId,
    class: AssetClass,
    state: IdentityState,
}

/// Writes a resolution within the writer's transaction.
pub(crate) fn commit(
    connection: &Connection,
    minted: &mut Minted,
    resolution: &Resolution,
) -> Queried<Generation> {
    resolution.check()?;
    let now = identity::position(connection)?;
    if now.evidence_version != resolution.evidence_version
        || now.resolved.map(|row| row.generation) != resolution.follows
    {
        return refused("evidence has changed since, or another resolution came first");
    }
    let mut rows = RowWriter::new(connection)?;
    for row in &resolution.rows {
        rows.write(row)?;
    }
    let RowWriter { changed, left, joined, .. } = rows;
    check_assets(connection, &left, &joined)?;
    alerts::raise_of_resolution(connection, resolution)?;
    // Last of all, as with a batch.
    minted.generation += 1;
    let generation = Generation(minted.generation);
    connection.prepare_cached("UPDATE generation SET value = ?1")?.execute([int(generation.0)?])?;
    write_manifest(connection, generation, resolution, &changed)?;
    Ok(generation)
}

/// Writes the rows of one resolution with statements that are prepared once.
struct RowWriter<'a> {
    before: CachedStatement<'a>,
    decide: CachedStatement<'a>,
    forget_edges: CachedStatement<'a>,
    relate: CachedStatement<'a>,
    /// Listings that readers see changed, ascending.
    changed: Vec<ListingId>,
    /// Assets whose founders belong to others now.
    left: Vec<AssetId>,
    /// Assets that somebody moved into, and who founded each.
    joined: BTreeMap<AssetId, ListingId>,
}

impl<'a> RowWriter<'a> {
    fn new(connection: &'a Connection) -> Queried<Self> {
        Ok(Self {
            before: connection.prepare_cached(BEFORE)?,
            decide: connection.prepare_cached(DECIDE)?,
            forget_edges: connection.prepare_cached(FORGET_EDGES)?,
            relate: connection.prepare_cached(RELATE)?,
            changed: Vec::new(),
            left: Vec::new(),
            joined: BTreeMap::new(),
        })
    }

    fn write(&mut self, row: &IdentityRow) -> Queried<()> {
        let listing_id = row.listing_id;
        let before = self.read(listing_id)?;
        let asset = match row.founder {
            founder if founder == listing_id => before.founded,
            founder => self.read(founder)?.founded,
        };
        if (asset, row.class, row.state) != (before.asset, before.class, before.state) {
            self.changed.push(listing_id);
        }
        if asset != before.founded {
            self.left.push(before.founded);
        }
        if asset != before.asset {
            self.joined.insert(asset, row.founder);
        }
        self.decide.execute(params![
            listing_id.0,
            asset.0,
            row.class.name(),
            row.state.name(),
            row.confidence,
            json_text(&row.candidates)?
        ])?;
        self.forget_edges.execute([listing_id.0])?;
        for edge in &row.edges {
            let written = self.relate.execute(params![
                listing_id.0,
                edge.kind.name(),
                edge.to.0,
                edge.why.as_str(),
                edge.terms.ratio.as_ref().map(Decimal::as_str),
                edge.terms.effective_on.map(|day| day.to_string())
            ])?;
            if written != 1 {
                return refused(format!("listing {} is not known", edge.to));
            }
        }
        Ok(())
    }

    fn read(&mut self, listing_id: ListingId) -> Queried<Before> {
        let mut rows = self.before.query([listing_id.0])?;
        let Some(row) = rows.next()? else {
            return refused(format!("listing {listing_id} is not known"));
        };
        let founded = AssetId(row.get(0)?);
        let Some(asset) = row.get::<_, Option<i64>>(1)?.map(AssetId) else {
            let (class, state) = (AssetClass::Other, IdentityState::Unresolved);
            return Ok(Before { founded, asset: founded, class, state });
        };
        let class = named(row, 2, AssetClass::from_name)?;
        Ok(Before { founded, asset, class, state: named(row, 3, IdentityState::from_name)? })
    }
}

/// Refuses assets without their founder or with two listings of one source. Only those that lost their
/// founder or gained somebody can have come to that.
fn check_assets(
    connection: &Connection,
    left: &[AssetId],
    joined: &BTreeMap<AssetId, ListingId>,
) -> Queried<()> {
    let mut member = connection.prepare_cached(MEMBER)?;
    for asset in left {
        if member.exists([asset.0])? {
            return refused(format!("asset {asset} would stand without its founder"));
        }
    }
    let mut crowded = connection.prepare_cached(CROWDED)?;
    let mut before = connection.prepare_cached(BEFORE)?;
    for (asset, founder) in joined {
        let elsewhere = before
            .query_row([founder.0], |row| row.get::<_, Option<i64>>(1))?
            .is_some_and(|of| of != asset.0);
        if elsewhere {
            return refused(format!("asset {asset} would stand without its founder"));
        }
        let twice: Option<String> =
            crowded.query_row([asset.0, founder.0], |row| row.get(0)).optional()?;
        if let Some(source) = twice {
            return refused(format!("asset {asset} would have two listings of {source}"));
        }
    }
    Ok(())
}

fn write_manifest(
    connection: &Connection,
    generation: Generation,
    resolution: &Resolution,
    changed: &[ListingId],
) -> Queried<()> {
    let totals = &resolution.totals;
    connection
        .prepare_cached(
            "INSERT INTO resolution (generation, evidence_version, rule_version, resolved_at,
                                     listings, assets, linked, ambiguous, pending, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            int(generation.0)?,
            int(resolution.evidence_version)?,
            resolution.rule_version,
            resolution.resolved_at.as_millis(),
            int(totals.listings)?,
            int(totals.assets)?,
            int(totals.linked)?,
            int(totals.ambiguous)?,
            resolution.pending,
            encode_changed(changed)
        ])?;
    Ok(())
}

/// Writes a decision about pairs of listings down, and that evidence has changed.
pub(crate) fn decide(connection: &Connection, decision: IdentityDecision) -> Queried<DecisionId> {
    decision.check()?;
    for key in decision.pairs.iter().flat_map(|(a, b)| [a, b]) {
        if !is_known(connection, key)? {
            return refused(format!("there is no listing {key}"));
        }
    }
    let IdentityDecision { kind, source, pairs, relation, who, why, decided_at } = decision;
    let source = source_id(connection, &source)?;
    let decided = NewDecision { pairs, relation, ..NewDecision::new(kind, &who, &why, decided_at) };
    let decision_id = decisions::insert(connection, source, decided)?;
    connection
        .prepare_cached("UPDATE generation SET evidence_version = evidence_version + 1")?
        .execute([])?;
    Ok(decision_id)
}

fn is_known(connection: &Connection, key: &ListingKey) -> Queried<bool> {
    let mut known = connection.prepare_cached(IS_KNOWN)?;
    Ok(known.exists([key.source.as_str(), key.external_id.as_str()])?)
}
