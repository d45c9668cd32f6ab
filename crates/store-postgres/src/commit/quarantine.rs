//! Rows of a batch that were not believed, and what becomes of those that were read again.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use kasparro_domain::{DecisionKind, PageId, PageRow};
use kasparro_store::{Batch, QuarantineStatus, QuarantinedRow, Retry};

use super::decisions::{self, NewDecision};
use super::records::Page;
use crate::error::{Queried, refused};
use crate::queries::{Instant, each, execute, get, int, named, uint};

/// A row that is kept already.
#[derive(Debug)]
pub(super) struct Kept {
    quarantine_id: i64,
    page_id: PageId,
    open: bool,
}

/// The rows that were kept of what the page of a batch brought, by ordinal. A row is kept once for each
/// request and body; the request stands in the page that brought it first.
macro_rules! kept_sql {
    ($locked:literal) => {
        concat!(
            "SELECT q.ordinal, q.quarantine_id, q.page_id, q.status
             FROM page AS brought
             JOIN quarantine AS q
               ON q.source_id = brought.source_id AND q.body_id = brought.body_id
             JOIN page AS met ON met.page_id = q.page_id AND met.request = brought.request
             WHERE brought.page_id = $1 AND brought.source_id = $2 AND q.ordinal = ANY($3)
             ORDER BY q.quarantine_id ",
            $locked
        )
    };
}

/// Reads what is kept already of the rows that a batch quarantines or read again. Those read again are
/// locked: somebody may be giving them up now.
pub(super) async fn kept(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
) -> Queried<BTreeMap<u64, Kept>> {
    let quarantined = batch.quarantined.iter().map(|row| row.ordinal);
    let again = batch.retry.iter().flat_map(|retry| retry.ordinals.iter().copied());
    let ordinals = quarantined.chain(again).map(int).collect::<Queried<Vec<i64>>>()?;
    if ordinals.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = if batch.retry.is_some() { kept_sql!("FOR UPDATE OF q") } else { kept_sql!("") };
    let rows = each(transaction, sql, &[&batch.page_id.0, &source, &ordinals], |row| {
        let open = named(row, 3, QuarantineStatus::from_name)? == QuarantineStatus::Open;
        let page_id = PageId(get(row, 2)?);
        Ok((uint(row, 0)?, Kept { quarantine_id: get(row, 1)?, page_id, open }))
    })
    .await?;
    Ok(rows.into_iter().collect())
}

/// Refuses a batch that read rows again which are not open.
pub(super) fn check(batch: &Batch, kept: &BTreeMap<u64, Kept>) -> Queried<()> {
    let again = batch.retry.iter().flat_map(|retry| &retry.ordinals);
    for ordinal in again {
        if !kept.get(ordinal).is_some_and(|row| row.open) {
            return refused(format!("row {ordinal} of page {} is not open", batch.page_id));
        }
    }
    Ok(())
}

/// Writes what becomes of the rows.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
    page: &Page,
    kept: &BTreeMap<u64, Kept>,
) -> Queried<()> {
    match &batch.retry {
        Some(retry) => settle(transaction, source, batch, retry, kept).await,
        None => keep(transaction, source, batch, page, kept).await,
    }
}

/// The texts of rejections, a column each.
struct Columns<'a> {
    external_ids: Vec<Option<&'a str>>,
    reasons: Vec<&'static str>,
    fields: Vec<&'a str>,
    values: Vec<&'a str>,
    rules: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a QuarantinedRow]) -> Self {
        let rejections = || rows.iter().map(|row| &row.rejection);
        Self {
            external_ids: rejections().map(|because| because.external_id.as_deref()).collect(),
            reasons: rejections().map(|because| because.reason.code()).collect(),
            fields: rejections().map(|because| because.field.as_str()).collect(),
            values: rejections().map(|because| because.value.as_str()).collect(),
            rules: rows.iter().map(|row| row.rule).collect(),
        }
    }
}

/// In the order of the batch, which numbers them.
const KEEP: &str = "INSERT INTO quarantine (source_id, body_id, page_id, run_id, first_seen_at,
        ordinal, external_id, reason, field, value, rule)
    SELECT $1, $2, $3, $4, $5, ordinal, external_id, reason, field, value, rule
    FROM unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
         WITH ORDINALITY AS bad (ordinal, external_id, reason, field, value, rule, place)
    ORDER BY place";

/// Keeps the quarantined rows; one that is kept already stays as it is.
async fn keep(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
    page: &Page,
    kept: &BTreeMap<u64, Kept>,
) -> Queried<()> {
    let new = batch.quarantined.iter().filter(|row| !kept.contains_key(&row.ordinal));
    let new: Vec<&QuarantinedRow> = new.collect();
    if new.is_empty() {
        return Ok(());
    }
    let ordinals = new.iter().map(|row| int(row.ordinal)).collect::<Queried<Vec<i64>>>()?;
    let Columns { external_ids, reasons, fields, values, rules } = Columns::of(&new);
    execute(
        transaction,
        KEEP,
        &[
            &source,
            &page.body_id,
            &batch.page_id.0,
            &batch.run_id.0,
            &Instant(batch.fetched_at),
            &ordinals,
            &external_ids,
            &reasons,
            &fields,
            &values,
            &rules,
        ],
    )
    .await?;
    Ok(())
}

const REFUSED: &str = "UPDATE quarantine SET external_id = bad.external_id, reason = bad.reason,
        field = bad.field, value = bad.value, rule = bad.rule
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         AS bad (quarantine_id, external_id, reason, field, value, rule)
    WHERE quarantine.quarantine_id = bad.quarantine_id";

/// Settles the rows that were read again, and records who asked for it.
async fn settle(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
    retry: &Retry,
    kept: &BTreeMap<u64, Kept>,
) -> Queried<()> {
    let again: BTreeMap<u64, &QuarantinedRow> =
        batch.quarantined.iter().map(|row| (row.ordinal, row)).collect();
    let (mut loaded, mut refused_again, mut because) = (Vec::new(), Vec::new(), Vec::new());
    let mut rows = Vec::with_capacity(retry.ordinals.len());
    for (ordinal, row) in retry.ordinals.iter().filter_map(|o| Some((*o, kept.get(o)?))) {
        rows.push(PageRow { page_id: row.page_id, ordinal });
        match again.get(&ordinal) {
            None => loaded.push(row.quarantine_id),
            Some(bad) => {
                refused_again.push(row.quarantine_id);
                because.push(*bad);
            }
        }
    }
    if !loaded.is_empty() {
        let sql = "UPDATE quarantine SET status = 'loaded' WHERE quarantine_id = ANY($1)";
        execute(transaction, sql, &[&loaded]).await?;
    }
    if !refused_again.is_empty() {
        let Columns { external_ids, reasons, fields, values, rules } = Columns::of(&because);
        execute(
            transaction,
            REFUSED,
            &[&refused_again, &external_ids, &reasons, &fields, &values, &rules],
        )
        .await?;
    }
    let decision = NewDecision {
        kind: DecisionKind::Retry,
        rows,
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: &retry.who,
        why: &retry.why,
        decided_at: batch.stored_at,
        run_id: Some(batch.run_id),
    };
    decisions::insert(transaction, source, decision).await?;
    Ok(())
}
