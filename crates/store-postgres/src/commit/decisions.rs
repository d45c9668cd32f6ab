//! What people decided.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{
    AssetRelation, Decision, DecisionId, DecisionKind, DriftKey, ListingKey, PageId, PageRow,
    RunId, Timestamp,
};

use crate::error::{Queried, damaged};
use crate::queries::{
    Instant, Sources, each, first, get, instant, json, json_text, maybe_json, named,
};

/// A decision on its way into the tables.
pub(crate) struct NewDecision<'a> {
    pub(crate) kind: DecisionKind,
    pub(crate) rows: Vec<PageRow>,
    pub(crate) drift: Vec<DriftKey>,
    /// Each sorted, all sorted.
    pub(crate) pairs: Vec<(ListingKey, ListingKey)>,
    /// There exactly where the kind is [`DecisionKind::Relate`].
    pub(crate) relation: Option<AssetRelation>,
    pub(crate) forced: bool,
    pub(crate) who: &'a str,
    pub(crate) why: &'a str,
    pub(crate) decided_at: Timestamp,
    pub(crate) run_id: Option<RunId>,
}

/// Records a decision about a source, behind the newest page.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    source: i64,
    mut decision: NewDecision<'_>,
) -> Queried<DecisionId> {
    decision.rows.sort_unstable();
    decision.drift.sort_unstable();
    let sql = "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, run_id,
                                     drift, forced, pairs, relation, after_page)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                       (SELECT coalesce(max(page_id), 0) FROM page))
               RETURNING decision_id";
    let written = first(
        transaction,
        sql,
        &[
            &decision.kind.name(),
            &source,
            &json_text(&decision.rows)?,
            &decision.who,
            &decision.why,
            &Instant(decision.decided_at),
            &decision.run_id.map(|run| run.0),
            &json_text(&decision.drift)?,
            &decision.forced,
            &json_text(&decision.pairs)?,
            &decision.relation.as_ref().map(json_text).transpose()?,
        ],
        |row| get(row, 0),
    )
    .await?;
    written.map(DecisionId).ok_or_else(|| damaged("a decision", "it was not written").into())
}

/// Every decision, oldest first.
pub(crate) async fn all(client: &impl GenericClient) -> Queried<Vec<Decision>> {
    let sources = Sources::read(client).await?;
    let sql = "SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                      run_id, drift, forced, pairs, relation
               FROM decision ORDER BY decision_id";
    each(client, sql, &[], |row| {
        Ok(Decision {
            decision_id: DecisionId(get(row, 0)?),
            kind: named(row, 1, DecisionKind::from_name)?,
            source: sources.name(get(row, 2)?)?.clone(),
            rows: json(row, 3)?,
            drift: json(row, 9)?,
            pairs: json(row, 11)?,
            relation: maybe_json(row, 12)?,
            forced: get(row, 10)?,
            who: get(row, 4)?,
            why: get(row, 5)?,
            decided_at: instant(row, 6)?,
            after_page: PageId(get(row, 7)?),
            run_id: get::<Option<uuid::Uuid>>(row, 8)?.map(RunId),
        })
    })
    .await
}
