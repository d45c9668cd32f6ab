//! Stories about rows in quarantine and what people give up.

use kasparro_domain::{
    Decision, DecisionId, DecisionKind, PageRow, RejectionReason, RunId, SourceName,
};

use super::fixture::{Held, Subject, at, bad, gecko, hold, paprika, run_id, table};
use super::{Broken, Told, ensure, expect_eq};
use crate::{QuarantineCount, QuarantineFilter, QuarantineRow, QuarantineStatus, RowChange};

/// Loads a page of `rows` rows, all of them in quarantine for `reason`.
pub(super) async fn all_bad(
    store: &Subject,
    held: &Held,
    sequence: u64,
    rows: u64,
    reason: RejectionReason,
) -> Result<kasparro_domain::RawPage, Broken> {
    let page = held.land_at(store, sequence, 3).await?;
    let mut batch = held.batch(&page, sequence, Vec::new());
    batch.quarantined = (0..rows).map(|ordinal| bad(ordinal, reason)).collect();
    batch.rows_done = rows;
    batch.page_done = true;
    store.commit(batch).await?;
    super::fixture::page_now(store, &page).await
}

/// Two sources: five bad rows of two runs of the first, then two of the second.
async fn kept(store: &Subject) -> Result<(Held, Vec<QuarantineRow>), Broken> {
    let first = hold(store, paprika(), 1).await?;
    all_bad(store, &first, 0, 3, RejectionReason::BadNumber).await?;
    super::fixture::end(store, &first).await?;
    let second = hold(store, paprika(), 2).await?;
    all_bad(store, &second, 1, 2, RejectionReason::WrongType).await?;
    let other = hold(store, gecko(), 3).await?;
    all_bad(store, &other, 0, 2, RejectionReason::BadNumber).await?;
    let all = store.quarantined(QuarantineFilter::default()).await?;
    expect_eq("rows in quarantine", all.len(), 7)?;
    Ok((second, all))
}

fn ids(rows: &[QuarantineRow]) -> Vec<i64> {
    rows.iter().map(|row| row.quarantine_id).collect()
}

pub(super) async fn quarantined_rows_are_listed_by_filter_and_page(store: Subject) -> Told {
    let (_, all) = kept(&store).await?;
    let numbers = ids(&all);
    ensure(numbers.is_sorted_by(|one, next| one < next), "numbers rise")?;
    let [first, .., last] = all.as_slice() else {
        return Err(Broken(format!("rows: {all:?}")));
    };
    let page = store.page(first.page_id).await?;
    let expected = QuarantineRow {
        quarantine_id: first.quarantine_id,
        source: paprika(),
        run_id: run_id(1),
        page_id: first.page_id,
        body: page.map_or(last.body, |page| page.body),
        ordinal: 0,
        external_id: Some("bad-coin".to_owned()),
        reason: RejectionReason::BadNumber,
        field: "/price".to_owned(),
        value: "1e400".to_owned(),
        rule: "domain/1".to_owned(),
        status: QuarantineStatus::Open,
        first_seen_at: at(3),
    };
    expect_eq("a row", first, &expected)?;
    store.discard(numbers[1..2].to_vec(), "a person", "noise", at(9)).await?;

    let of = |source: SourceName| QuarantineFilter { sources: vec![source], ..all_rows() };
    let two =
        |sources: [SourceName; 2]| QuarantineFilter { sources: sources.to_vec(), ..all_rows() };
    let reason = |reason| QuarantineFilter { reason: Some(reason), ..all_rows() };
    let status = |status| QuarantineFilter { status: Some(status), ..all_rows() };
    let run = |run_id: RunId| QuarantineFilter { run_id: Some(run_id), ..all_rows() };
    let asked = [
        ("all", all_rows(), vec![0, 1, 2, 3, 4, 5, 6]),
        ("a source", of(gecko()), vec![5, 6]),
        ("a source never seen", of(SourceName::new("csv")), vec![]),
        ("two sources", two([gecko(), paprika()]), vec![0, 1, 2, 3, 4, 5, 6]),
        ("one of two", two([SourceName::new("csv"), gecko()]), vec![5, 6]),
        ("two never seen", two(["csv", "feed"].map(SourceName::new)), vec![]),
        ("a reason", reason(RejectionReason::WrongType), vec![3, 4]),
        ("open", status(QuarantineStatus::Open), vec![0, 2, 3, 4, 5, 6]),
        ("discarded", status(QuarantineStatus::Discarded), vec![1]),
        ("loaded", status(QuarantineStatus::Loaded), vec![]),
        ("a run", run(run_id(2)), vec![3, 4]),
        (
            "all of it",
            QuarantineFilter {
                status: Some(QuarantineStatus::Open),
                run_id: Some(run_id(1)),
                reason: Some(RejectionReason::BadNumber),
                ..of(paprika())
            },
            vec![0, 2],
        ),
    ];
    for (what, filter, places) in asked {
        let expected: Vec<i64> = places.iter().map(|place| numbers[*place]).collect();
        expect_eq(what, ids(&store.quarantined(filter.clone()).await?), expected)?;
        let paged = QuarantineFilter { after: Some(i64::MAX), limit: Some(0), offset: 9, ..filter };
        let counted = store.count_quarantined(paged).await?;
        expect_eq(&format!("count of {what}"), counted, places.len() as u64)?;
    }
    let page = QuarantineFilter { limit: Some(2), offset: 3, ..all_rows() };
    expect_eq("a page", ids(&store.quarantined(page).await?), numbers[3..5].to_vec())?;
    let behind = QuarantineFilter { after: Some(numbers[4]), ..all_rows() };
    expect_eq(
        "behind a number",
        ids(&store.quarantined(behind.clone()).await?),
        numbers[5..].to_vec(),
    )?;
    let page = QuarantineFilter { limit: Some(1), offset: 1, ..behind };
    expect_eq("a page of it", ids(&store.quarantined(page).await?), numbers[6..].to_vec())
}

fn all_rows() -> QuarantineFilter {
    QuarantineFilter::default()
}

pub(super) async fn a_discard_is_written_down_for_each_source(store: Subject) -> Told {
    let (_, all) = kept(&store).await?;
    let numbers = ids(&all);
    expect_eq("before", store.decisions().await?, Vec::new())?;
    let generation = store.generation().await?;
    let rows = vec![numbers[5], numbers[4], numbers[0], numbers[0], 999_999];
    let given_up = store.discard(rows, "a person", "test data", at(9)).await?;
    expect_eq("given up", given_up, 3)?;
    let at_place =
        |place: usize| PageRow { page_id: all[place].page_id, ordinal: all[place].ordinal };
    let newest = all.last().map(|row| row.page_id).unwrap_or_default();
    let decided = |decision_id, source, rows| Decision {
        decision_id,
        kind: DecisionKind::Discard,
        source,
        rows,
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: "a person".to_owned(),
        why: "test data".to_owned(),
        decided_at: at(9),
        after_page: newest,
        run_id: None,
    };
    let decisions = store.decisions().await?;
    let number = |place: usize| decisions.get(place).map_or(DecisionId(0), |one| one.decision_id);
    let expected = vec![
        decided(number(0), gecko(), vec![at_place(5)]),
        decided(number(1), paprika(), vec![at_place(0), at_place(4)]),
    ];
    expect_eq("decisions", &decisions, &expected)?;
    ensure(number(0) < number(1), "decisions are numbered in order")?;

    let again = store.discard(vec![numbers[0], 999_999], "another", "again", at(10)).await?;
    expect_eq("given up before", again, 0)?;
    expect_eq("decisions", store.decisions().await?, decisions)?;
    expect_eq("nothing asked", store.discard(Vec::new(), "a person", "", at(9)).await?, 0)?;
    let count = |source, reason, rows| QuarantineCount { source, reason, rows };
    let open = vec![
        count(gecko(), RejectionReason::BadNumber, 1),
        count(paprika(), RejectionReason::BadNumber, 2),
        count(paprika(), RejectionReason::WrongType, 1),
    ];
    let mut counted = store.quarantine_counts().await?;
    counted.sort_by_key(|count| (count.source.clone(), count.reason.code()));
    expect_eq("open rows", counted, open)?;
    expect_eq("generation", store.generation().await?, generation)
}

pub(super) async fn a_row_that_comes_again_stays_as_it_was_decided(store: Subject) -> Told {
    let (held, all) = kept(&store).await?;
    store.discard(ids(&all), "a person", "noise", at(9)).await?;
    let page = held.land_at(&store, 1, 3).await?;
    let mut batch = held.batch(&page, 2, Vec::new());
    batch.quarantined =
        vec![bad(0, RejectionReason::Malformed), bad(1, RejectionReason::Malformed)];
    batch.rows_done = 2;
    batch.page_done = true;
    expect_eq("counted", store.commit(batch).await?.counts.quarantined, 2)?;
    let now = store.quarantined(all_rows()).await?;
    expect_eq("rows", now.len(), all.len())?;
    for (before, now) in all.iter().zip(&now) {
        let expected = QuarantineRow { status: QuarantineStatus::Discarded, ..before.clone() };
        expect_eq("a row", now, &expected)?;
    }
    expect_eq("open", store.quarantine_counts().await?, Vec::new())?;
    expect_eq("decisions", table(&store, "decision").await?.len(), 2)
}

/// A change of a listing that the batch itself brings.
pub(super) const HERE: RowChange = RowChange::Newer { listing: crate::ListingRef::InBatch };
