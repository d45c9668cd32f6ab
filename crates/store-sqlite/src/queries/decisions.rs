//! What people decided.

use kasparro_domain::{
    AssetRelation, Decision, DecisionId, DecisionKind, DriftKey, ListingKey, PageId, PageRow,
    RunId, Timestamp,
};
use rusqlite::{Connection, Row, params};

use super::{Sources, each, instant, json, json_text, maybe_json, maybe_text, named, run_id};
use crate::error::Queried;

/// A decision on its way into the tables.
pub(super) struct NewDecision<'a> {
    pub(super) kind: DecisionKind,
    pub(super) rows: Vec<PageRow>,
    pub(super) drift: Vec<DriftKey>,
    pub(super) pairs: Vec<(ListingKey, ListingKey)>,
    pub(super) relation: Option<AssetRelation>,
    pub(super) forced: bool,
    pub(super) who: &'a str,
    pub(super) why: &'a str,
    pub(super) decided_at: Timestamp,
    pub(super) run_id: Option<RunId>,
}

impl<'a> NewDecision<'a> {
    /// One about nothing yet.
    pub(super) const fn new(
        kind: DecisionKind,
        who: &'a str,
        why: &'a str,
        decided_at: Timestamp,
    ) -> Self {
        Self {
            kind,
            rows: Vec::new(),
            drift: Vec::new(),
            pairs: Vec::new(),
            relation: None,
            forced: false,
            who,
            why,
            decided_at,
            run_id: None,
        }
    }
}

/// Records a decision about a source, behind the newest page, and returns its number.
pub(super) fn insert(
    connection: &Connection,
    source: i64,
    mut decision: NewDecision<'_>,
) -> Queried<DecisionId> {
    decision.rows.sort_unstable();
    decision.drift.sort_unstable();
    let decision_id = connection
        .prepare_cached(
            "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, run_id,
                                   drift, forced, pairs, relation, after_page)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                     (SELECT coalesce(max(page_id), 0) FROM page))",
        )?
        .insert(params![
            decision.kind.name(),
            source,
            json_text(&decision.rows)?,
            decision.who,
            decision.why,
            decision.decided_at.as_millis(),
            decision.run_id.map(|run| run.to_string()),
            json_text(&decision.drift)?,
            decision.forced,
            json_text(&decision.pairs)?,
            decision.relation.as_ref().map(json_text).transpose()?
        ])?;
    Ok(DecisionId(decision_id))
}

/// Every decision, oldest first.
pub(crate) fn all(connection: &Connection) -> Queried<Vec<Decision>> {
    let sources = Sources::read(connection)?;
    let sql = "SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                      run_id, drift, forced, pairs, relation
               FROM decision ORDER BY decision_id";
    each(connection, sql, [], |row| read_decision(row, &sources))
}

fn read_decision(row: &Row<'_>, sources: &Sources) -> Queried<Decision> {
    Ok(Decision {
        decision_id: DecisionId(row.get(0)?),
        kind: named(row, 1, DecisionKind::from_name)?,
        source: sources.name(row.get(2)?)?.clone(),
        rows: json(row, 3)?,
        who: row.get(4)?,
        why: row.get(5)?,
        decided_at: instant(row, 6)?,
        after_page: PageId(row.get(7)?),
        run_id: maybe_text(row, 8)?.map(|_| run_id(row, 8)).transpose()?,
        drift: json(row, 9)?,
        forced: row.get(10)?,
        pairs: json(row, 11)?,
        relation: maybe_json(row, 12)?,
    })
}
