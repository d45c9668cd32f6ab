//! Pages that are not believed as a whole, and how people find them and have them read after all.

use kasparro_domain::{DecisionKind, PageId, PageRow, PageState, RawPage, RunError};
use kasparro_store::{Examined, PageFilter, PageRecord, Reopening};
use rusqlite::{Connection, params};

use super::conditions::Conditions;
use super::decisions::{self, NewDecision};
use super::{Sources, drift, each, find_source, first, json_text, leases, pages, uint};
use crate::error::{Queried, refused};

/// Marks a landed page as refused, and keeps what examining it brought.
pub(crate) fn refuse(
    connection: &Connection,
    page: PageId,
    epoch: u64,
    error: &RunError,
    examined: Option<&Examined>,
) -> Queried<()> {
    leases::check_page(connection, page, epoch)?;
    let marked = connection
        .prepare_cached(
            "UPDATE page SET state = 'refused', error = ?2 WHERE page_id = ?1 AND state = 'landed'",
        )?
        .execute(params![page.0, json_text(error)?])?;
    if marked != 1 {
        return refused(format!("page {page} is not landed"));
    }
    let Some(examined) = examined else {
        return Ok(());
    };
    examined.check()?;
    drift::keep(connection, page, examined, true)
}

/// Makes a refused page landed again, and records who wanted it.
pub(crate) fn reopen(
    connection: &Connection,
    page_id: PageId,
    epoch: u64,
    reopening: &Reopening,
) -> Queried<RawPage> {
    leases::check_page(connection, page_id, epoch)?;
    let marked = connection
        .prepare_cached(
            "UPDATE page SET state = 'landed', error = NULL WHERE page_id = ?1 AND state = 'refused'",
        )?
        .execute([page_id.0])?;
    let page = if marked == 1 { pages::page(connection, page_id)? } else { None };
    let Some(page) = page else {
        return refused(format!("page {page_id} is not refused"));
    };
    let Some(source) = find_source(connection, &page.source)? else {
        return refused(format!("{} is not known", page.source));
    };
    let Reopening { who, why, forced, run_id, decided_at } = reopening;
    let decision = NewDecision {
        rows: vec![PageRow { page_id, ordinal: 0 }],
        forced: *forced,
        run_id: Some(*run_id),
        ..NewDecision::new(DecisionKind::Reopen, who, why, *decided_at)
    };
    decisions::insert(connection, source, decision)?;
    Ok(page)
}

/// What a filter asks for; nothing where its sources were never written.
pub(super) fn asked(connection: &Connection, filter: &PageFilter) -> Queried<Option<Conditions>> {
    let mut asked = Conditions::default();
    if !asked.and_source(connection, "page.source_id", &filter.sources)? {
        return Ok(None);
    }
    // Not as parameters: the indexes of single states are used only for a state that stands there.
    match filter.state {
        Some(PageState::Landed) => asked.and("page.state = 'landed'"),
        Some(PageState::Loaded) => asked.and("page.state = 'loaded'"),
        Some(PageState::Refused) => asked.and("page.state = 'refused'"),
        None => {}
    }
    if let Some(run) = filter.run_id {
        asked.and_with("page.run_id = ?", run.to_string());
    }
    Ok(Some(asked))
}

pub(super) fn list_sql(asked: &Conditions) -> String {
    asked.statement(pages::SELECT, "ORDER BY page.page_id LIMIT ? OFFSET ?")
}

/// Pages that fit, by ascending number.
pub(crate) fn list(connection: &Connection, filter: &PageFilter) -> Queried<Vec<PageRecord>> {
    let sources = Sources::read(connection)?;
    let Some(asked) = asked(connection, filter)? else {
        return Ok(Vec::new());
    };
    let values = asked.values_of_part(filter.limit, filter.offset);
    each(connection, &list_sql(&asked), values, |row| pages::read_record(row, &sources))
}

/// How many pages fit.
pub(crate) fn count(connection: &Connection, filter: &PageFilter) -> Queried<u64> {
    let Some(asked) = asked(connection, filter)? else {
        return Ok(0);
    };
    let sql = asked.statement("SELECT count(*) FROM page", "");
    Ok(first(connection, &sql, asked.values(), |row| uint(row, 0))?.unwrap_or(0))
}
