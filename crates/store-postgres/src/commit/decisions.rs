//! What people decided.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{Decision, DecisionId, DecisionKind, PageId, PageRow, RunId, Timestamp};

use crate::error::Queried;
use crate::queries::{Instant, Sources, each, execute, get, instant, json, json_text, named};

/// A decision on its way into the tables.
pub(super) struct NewDecision<'a> {
    pub(super) kind: DecisionKind,
    pub(super) rows: Vec<PageRow>,
    pub(super) who: &'a str,
    pub(super) why: &'a str,
    pub(super) decided_at: Timestamp,
    pub(super) run_id: Option<RunId>,
}

/// Records a decision about rows of a source, behind the newest page.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    source: i64,
    mut decision: NewDecision<'_>,
) -> Queried<()> {
    decision.rows.sort_unstable();
    let sql = "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, run_id,
                                     after_page)
               VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT coalesce(max(page_id), 0) FROM page))";
    execute(
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
        ],
    )
    .await?;
    Ok(())
}

/// Every decision, oldest first.
pub(crate) async fn all(client: &impl GenericClient) -> Queried<Vec<Decision>> {
    let sources = Sources::read(client).await?;
    let sql = "SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                      run_id
               FROM decision ORDER BY decision_id";
    each(client, sql, &[], |row| {
        Ok(Decision {
            decision_id: DecisionId(get(row, 0)?),
            kind: named(row, 1, DecisionKind::from_name)?,
            source: sources.name(get(row, 2)?)?.clone(),
            rows: json(row, 3)?,
            who: get(row, 4)?,
            why: get(row, 5)?,
            decided_at: instant(row, 6)?,
            after_page: PageId(get(row, 7)?),
            run_id: get::<Option<uuid::Uuid>>(row, 8)?.map(RunId),
        })
    })
    .await
}
