//! Everything that is stored, handed to an audit row by row.

use kasparro_store::{Audit, decode_changed};
use rusqlite::{Connection, Row};

use super::batches::{checkpoint, read_counts};
use super::listings::{read_listing, read_missed, read_origin, select_listing};
use super::{
    Sources, alerts, anomalies, budgets, commands, decisions, drift, each, evidence, history,
    identity, identity_audit, news, pages, quarantine, run_id, runs, source_states, sweeps, text,
    uint, walk,
};
use crate::error::{Queried, damaged};

/// Hands everything to `audit`. The caller has a transaction open, on a connection that sorts in files.
pub(crate) fn audit(connection: &Connection, mut audit: Audit) -> Queried<Audit> {
    let sources = Sources::read(connection)?;
    read_model(connection, &sources, &mut audit)?;
    pages::every_page(connection, &sources, |page| audit.page(page))?;
    pages::every_body(connection, |hash, body_bytes, chunks| audit.body(hash, body_bytes, chunks))?;
    of_every_source(connection, &sources, quarantine::OF_SOURCE, |row| {
        audit.quarantined(&quarantine::read_record(row, &sources)?);
        Ok(())
    })?;
    decisions::all(connection)?.iter().for_each(|decision| audit.decision(decision));
    drift::audit(connection, &sources, &mut audit)?;
    for (source_id, source) in sources.by_name() {
        if let Some(checkpoint) = checkpoint(connection, source_id)? {
            audit.checkpoint(source, &checkpoint);
        }
    }
    for (source_id, source) in sources.by_name() {
        if let Some(swept_at) = sweeps::swept_at(connection, source_id)? {
            audit.sweep(source, swept_at);
        }
    }
    identity_audit::resolutions(connection, &mut audit)?;
    manifests(connection, &sources, &mut audit)?;
    let leases = "SELECT source_id, holder, epoch FROM lease WHERE source_id = ?1";
    of_every_source(connection, &sources, leases, |row| {
        audit.lease(sources.name(row.get(0)?)?, text(row, 1)?, uint(row, 2)?);
        Ok(())
    })?;
    runs::every_run(connection, &sources, |run, options| audit.run(run, options))?;
    commands::all(connection)?.iter().for_each(|command| audit.command(command));
    source_states::all(connection)?.iter().for_each(|state| audit.source_state(state));
    budgets::audit(connection, &mut audit)?;
    alerts::audit(connection, &sources, &mut audit)?;
    let position = identity::position(connection)?;
    audit.generation(position.generation.0, position.evidence_version);
    Ok(audit)
}

/// Source by source, so that the index over external ids gives the order.
pub(super) const LISTINGS: &str = select_listing!("WHERE l.source_id = ?1 ORDER BY l.external_id");

/// Listings with what hangs on them, news and anomalies; each by business key.
fn read_model(connection: &Connection, sources: &Sources, audit: &mut Audit) -> Queried<()> {
    of_every_source(connection, sources, LISTINGS, |row| {
        audit.listing(&read_listing(row, sources)?, read_missed(row)?, read_origin(row)?);
        Ok(())
    })?;
    of_every_source(connection, sources, evidence::OF_SOURCE, |row| {
        audit.evidence(&evidence::read_record(row, sources)?);
        Ok(())
    })?;
    identity_audit::of_listings(connection, sources, audit)?;
    history::every_point(connection, |point| audit.point(point))?;
    of_every_source(connection, sources, news::OF_SOURCE, |row| {
        audit.news(&news::read_news(row, sources)?, news::read_content_hash(row)?);
        Ok(())
    })?;
    anomalies::audit(connection, sources, audit)
}

/// Hands the rows of every source to `see`, sources by name.
pub(super) fn of_every_source(
    connection: &Connection,
    sources: &Sources,
    sql: &str,
    mut see: impl FnMut(&Row<'_>) -> Queried<()>,
) -> Queried<()> {
    for (source_id, _) in sources.by_name() {
        walk(connection, sql, [source_id], &mut see)?;
    }
    Ok(())
}

fn manifests(connection: &Connection, sources: &Sources, audit: &mut Audit) -> Queried<()> {
    let sql = "SELECT source_id, sequence, run_id, changed, received, inserted, updated, unchanged,
                      stale, duplicate, quarantined, generation, page_id, retry
               FROM batch ORDER BY generation";
    walk(connection, sql, [], |row| {
        let changed = row.get_ref(3)?.as_blob().map_err(|error| damaged("a manifest", error))?;
        let (generation, page_id) = (uint(row, 11)?, kasparro_domain::PageId(row.get(12)?));
        audit.batch(
            generation,
            sources.name(row.get(0)?)?,
            uint(row, 1)?,
            run_id(row, 2)?,
            page_id,
            &read_counts(row, 4)?,
            &decode_changed(changed)?,
            row.get(13)?,
        );
        Ok(())
    })
}

/// What the database finds wrong with its file and tables, and pages that no request finds, in words.
pub(crate) fn integrity(connection: &Connection) -> Queried<Vec<String>> {
    let mut found = each(connection, "PRAGMA integrity_check", [], |row| Ok(row.get(0)?))?;
    found.retain(|line: &String| line != "ok");
    let dangling = each(connection, "PRAGMA foreign_key_check", [], |row| {
        let (table, parent) = (text(row, 0)?, text(row, 2)?);
        Ok(match row.get::<_, Option<i64>>(1)? {
            Some(rowid) => format!("row {rowid} of {table} points to no row of {parent}"),
            None => format!("a row of {table} points to no row of {parent}"),
        })
    })?;
    found.extend(dangling);
    found.extend(pages::misfiled(connection)?);
    Ok(found)
}
