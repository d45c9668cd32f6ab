//! Everything that is stored, for comparing stores.

use std::collections::BTreeMap;

use kasparro_domain::{PageState, Rejection, RejectionReason};
use kasparro_store::{AuditDump, PageRecord, QuarantineRecord, TableDump, decode_changed};
use rusqlite::{Connection, Row};

use super::batches::{checkpoint, read_counts};
use super::listings::{read_listing, read_origin, select_listing};
use super::pages::{body_hash, every_body, read_page, select_page};
use super::{
    Sources, commands, each, history, maybe_json, named, run_id, runs, source_states, text, uint,
};
use crate::error::{Queried, damaged};

/// Every table in canonical text. The caller has a transaction open.
pub(crate) fn dump(connection: &Connection) -> Queried<Vec<TableDump>> {
    let sources = Sources::read(connection)?;
    let mut dump = AuditDump::new();
    let mut names = BTreeMap::new();

    let listings = select_listing!(
        "FROM listing AS l LEFT JOIN quote AS q USING (listing_id) ORDER BY l.listing_id"
    );
    each(connection, listings, [], |row| {
        let listing = read_listing(row, &sources)?;
        dump.listing(&listing, read_origin(row)?);
        names.insert(listing.listing_id, (listing.source, listing.external_id));
        Ok(())
    })?;
    history::every_point(connection, |id| names.get(&id).cloned(), |point| dump.point(point))?;
    quarantine(connection, &sources, &mut dump)?;
    every_body(connection, |hash, body_bytes, chunks| {
        dump.body(hash, body_bytes, chunks.iter().map(Vec::as_slice));
    })?;
    each(connection, select_page!(""), [], |row| {
        let page = read_page(row, &sources)?;
        let error = if page.state == PageState::Refused { maybe_json(row, 13)? } else { None };
        dump.page(&PageRecord { page, error });
        Ok(())
    })?;
    each(connection, "SELECT source_id FROM checkpoint", [], |row| {
        let source_id = row.get(0)?;
        if let Some(checkpoint) = checkpoint(connection, source_id)? {
            dump.checkpoint(sources.name(source_id)?, &checkpoint);
        }
        Ok(())
    })?;
    manifests(connection, &sources, &mut dump)?;
    each(connection, "SELECT source_id, holder, epoch FROM lease", [], |row| {
        dump.lease(sources.name(row.get(0)?)?, text(row, 1)?, uint(row, 2)?);
        Ok(())
    })?;
    runs::all(connection)?.iter().for_each(|run| dump.run(run));
    commands::all(connection)?.iter().for_each(|command| dump.command(command));
    source_states::all(connection)?.iter().for_each(|state| dump.source_state(state));
    dump.generation(crate::changes::generation(connection)?.0);
    Ok(dump.finish())
}

fn quarantine(connection: &Connection, sources: &Sources, dump: &mut AuditDump) -> Queried<()> {
    let sql =
        "SELECT source_id, body_hash, ordinal, reason, field, value, external_id, rule, status
               FROM quarantine JOIN raw_body USING (body_id)";
    let read = |row: &Row<'_>| {
        Ok(QuarantineRecord {
            source: sources.name(row.get(0)?)?.clone(),
            body: body_hash(row, 1)?,
            ordinal: uint(row, 2)?,
            rejection: Rejection {
                reason: named(row, 3, RejectionReason::from_code)?,
                field: row.get(4)?,
                value: row.get(5)?,
                external_id: row.get(6)?,
            },
            rule: row.get(7)?,
            status: row.get(8)?,
        })
    };
    each(connection, sql, [], read)?.iter().for_each(|row| dump.quarantined(row));
    Ok(())
}

fn manifests(connection: &Connection, sources: &Sources, dump: &mut AuditDump) -> Queried<()> {
    let sql = "SELECT source_id, sequence, run_id, changed, received, inserted, updated, unchanged,
                      stale, duplicate, quarantined FROM batch";
    each(connection, sql, [], |row| {
        let changed = row.get_ref(3)?.as_blob().map_err(|error| damaged("a manifest", error))?;
        let changed = decode_changed(changed)?;
        let source = sources.name(row.get(0)?)?;
        dump.batch(source, uint(row, 1)?, run_id(row, 2)?, &read_counts(row, 4)?, &changed);
        Ok(())
    })?;
    Ok(())
}
