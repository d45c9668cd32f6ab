//! Stories about what has changed upstream, and about pages that are read after all.

use kasparro_domain::{
    Decision, DecisionId, DecisionKind, DriftEvent, DriftId, DriftKey, DriftKind, DriftRow,
    DriftSeverity, DriftStatus, PageRow, PageState, RunCounts, RunError, SourceName,
};
use serde_json::{Value, json};

use super::fixture::{
    Held, NEW, Subject, at, end, gecko, hold, page_now, paprika, row, run_id, start,
};
use super::{Told, expect_conflict, expect_eq};
use crate::{Batch, DriftFilter, Examined, PageFilter, Reopening, StoreError};

/// A change of the member at `pointer`.
fn change(pointer: &str, after: &str, severity: DriftSeverity) -> DriftEvent {
    DriftEvent {
        key: DriftKey {
            endpoint: "tickers".to_owned(),
            kind: DriftKind::TypeChanged,
            pointer: pointer.to_owned(),
            before: "number".to_owned(),
            after: after.to_owned(),
        },
        severity,
        rows_affected: 240,
        rows_examined: 250,
        confidence_percent: 97,
        suggestion: "look at the page; \"quotes\" and \\ stay".to_owned(),
        breaks: vec!["price_usd".to_owned(), "rank".to_owned()],
    }
}

fn examined(drift: Vec<DriftEvent>, profile: Option<Value>) -> Examined {
    Examined { endpoint: "tickers".to_owned(), drift, profile }
}

fn error() -> RunError {
    RunError {
        code: "drift".to_owned(),
        message: "the page has changed".to_owned(),
        hint: "accept the change".to_owned(),
    }
}

/// A batch without a row that ends the page `sequence`, landed at `minute`.
async fn ended(
    store: &Subject,
    held: &Held,
    sequence: u64,
    minute: i64,
) -> Result<Batch, StoreError> {
    let page = held.land_at(store, sequence, minute).await?;
    Ok(Batch { page_done: true, ..held.batch(&page, sequence, Vec::new()) })
}

/// Every change.
async fn all(store: &Subject) -> Result<Vec<DriftRow>, StoreError> {
    store.drift(DriftFilter::default()).await
}

pub(super) async fn a_change_is_one_row_however_often_it_is_seen(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let profile = json!({"version": 1, "price": 1e-7, "names": ["a", null]});
    expect_eq("no profile", store.profile(&paprika(), "tickers").await?, None)?;
    let price = change("/quotes/USD/price", "string", DriftSeverity::Breaking);
    // Kinds have another order by name than by what they are.
    let mut rank = change("/rank", "object", DriftSeverity::Warning);
    rank.key.kind = DriftKind::Nested;
    let mut batch = ended(&store, &held, 0, 3).await?;
    let page = batch.page_id;
    batch.examined = Some(examined(vec![price.clone()], Some(profile.clone())));
    let committed = store.commit(batch.clone()).await?;
    expect_eq("sent twice", store.commit(batch).await?, committed)?;
    expect_eq("profile", store.profile(&paprika(), "tickers").await?, Some(profile))?;
    expect_eq("another endpoint", store.profile(&paprika(), "coins").await?, None)?;
    expect_eq("another source", store.profile(&gecko(), "tickers").await?, None)?;

    let mut later = price.clone();
    later.rows_affected = 250;
    let mut batch = ended(&store, &held, 1, 5).await?;
    batch.examined = Some(examined(vec![later.clone(), rank.clone()], Some(json!({"version": 2}))));
    store.commit(batch).await?;
    // An older page that is read later says nothing new of the change.
    let mut batch = ended(&store, &held, 2, 4).await?;
    batch.examined = Some(examined(vec![price], None));
    store.commit(batch).await?;
    let newest = store.profile(&paprika(), "tickers").await?;
    expect_eq("the profile stays", newest, Some(json!({"version": 2})))?;
    let rows = all(&store).await?;
    let numbers: Vec<DriftId> = rows.iter().map(|row| row.drift_id).collect();
    expect_eq("ascending", numbers.is_sorted_by(|one, next| one < next), true)?;
    let row = |place: usize, event, minutes: [i64; 2], pages_seen, page_id| DriftRow {
        drift_id: numbers.get(place).copied().unwrap_or(DriftId(0)),
        source: paprika(),
        event,
        page_id,
        refused: false,
        first_seen_at: at(minutes[0]),
        last_seen_at: at(minutes[1]),
        pages_seen,
        status: DriftStatus::Open,
    };
    let second = rows.get(1).map_or(page, |row| row.page_id);
    let expected = vec![row(0, later, [3, 5], 3, page), row(1, rank, [5, 5], 1, second)];
    expect_eq("changes", rows, expected)?;
    let filter = |filter: DriftFilter| {
        let store = store.clone();
        async move {
            let rows = store.drift(filter.clone()).await?;
            expect_eq(
                "count",
                store.count_drift(DriftFilter { after: None, ..filter }).await?,
                rows.len() as u64,
            )?;
            Ok::<usize, super::Broken>(rows.len())
        }
    };
    let none = DriftFilter::default;
    let kind = DriftFilter { kind: Some(DriftKind::Frozen), ..none() };
    expect_eq("of another kind", filter(kind).await?, 0)?;
    let severity = DriftFilter { severity: Some(DriftSeverity::Warning), ..none() };
    expect_eq("warnings", filter(severity).await?, 1)?;
    let of = |sources: Vec<SourceName>| DriftFilter { sources, ..none() };
    expect_eq("of another source", filter(of(vec![gecko()])).await?, 0)?;
    expect_eq("of two sources", filter(of(vec![gecko(), paprika()])).await?, 2)?;
    let unknown = vec![SourceName::new("csv"), SourceName::new("feed")];
    expect_eq("of two never seen", filter(of(unknown)).await?, 0)?;
    let endpoint = DriftFilter { endpoint: Some("tickers".to_owned()), ..none() };
    expect_eq("of the endpoint", filter(endpoint).await?, 2)?;
    let behind = DriftFilter { after: numbers.first().map(|id| id.0), ..none() };
    expect_eq("behind the first", store.drift(behind).await?.len(), 1)?;
    let paged = DriftFilter { limit: Some(1), offset: 1, ..none() };
    expect_eq("the second", store.drift(paged.clone()).await?.len(), 1)?;
    expect_eq("on every page", store.count_drift(paged).await?, 2)
}

pub(super) async fn what_examining_brought_ends_its_page(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"page").await?;
    let before = store.dump().await?;
    let brought = || Some(examined(vec![change("/a", "string", DriftSeverity::Info)], None));
    let unfinished = Batch { examined: brought(), ..held.batch(&page, 0, Vec::new()) };
    expect_conflict("a page that goes on", store.commit(unfinished).await)?;
    let nul = examined(vec![change("/\0", "string", DriftSeverity::Info)], None);
    let ended = Batch { page_done: true, ..held.batch(&page, 0, Vec::new()) };
    let texts = Batch { examined: Some(nul), ..ended.clone() };
    expect_conflict("a text that no store may hold", store.commit(texts).await)?;
    let twice = examined(vec![change("/a", "string", DriftSeverity::Info); 2], None);
    let texts = Batch { examined: Some(twice), ..ended.clone() };
    expect_conflict("one change twice", store.commit(texts).await)?;
    for endpoint in ["", "\0"] {
        let nameless = Examined { endpoint: endpoint.to_owned(), ..examined(Vec::new(), None) };
        let batch = Batch { examined: Some(nameless), ..ended.clone() };
        expect_conflict("no endpoint", store.commit(batch).await)?;
    }
    expect_eq("tables", store.dump().await?, before)
}

pub(super) async fn a_page_refused_for_a_change_is_read_after_all(store: Subject) -> Told {
    let begun = start(&store).await?;
    let held = begun.held;
    let page = held.land_at(&store, 1, 7).await?;
    let drift = change("/price", "string", DriftSeverity::Breaking);
    let found = examined(vec![drift.clone()], None);
    let fenced = store.refuse(page.page_id, held.epoch + 1, error(), Some(found.clone())).await;
    expect_eq("an epoch that never was", fenced.is_err(), true)?;
    expect_eq("no change", all(&store).await?.len(), 0)?;
    store.refuse(page.page_id, held.epoch, error(), Some(found)).await?;
    let rows = all(&store).await?;
    let shown: Vec<_> = rows.iter().map(|row| (row.refused, row.page_id, &row.event)).collect();
    expect_eq("the change", shown, vec![(true, page.page_id, &drift)])?;
    let refused = PageFilter { state: Some(PageState::Refused), ..PageFilter::default() };
    let pages = store.pages(refused.clone()).await?;
    let listed: Vec<_> = pages.iter().map(|record| record.page.page_id).collect();
    expect_eq("refused pages", listed, vec![page.page_id])?;
    expect_eq("why", pages.first().and_then(|record| record.error.clone()), Some(error()))?;
    expect_eq("how many", store.count_pages(refused.clone()).await?, 1)?;
    let others = PageFilter { sources: vec![gecko()], ..refused.clone() };
    expect_eq("of another source", store.count_pages(others).await?, 0)?;
    for (what, sources, expected) in [
        ("of two sources", vec![gecko(), paprika()], 1),
        ("of two never seen", vec![SourceName::new("csv"), SourceName::new("feed")], 0),
    ] {
        let of = PageFilter { sources, ..refused.clone() };
        expect_eq(what, store.pages(of.clone()).await?.len() as u64, expected)?;
        expect_eq(what, store.count_pages(of).await?, expected)?;
    }
    let of_run = PageFilter { run_id: Some(held.run_id), ..PageFilter::default() };
    expect_eq("of the run", store.pages(of_run.clone()).await?.len(), 2)?;
    let paged = PageFilter { limit: Some(1), offset: 1, ..of_run.clone() };
    let listed: Vec<_> =
        store.pages(paged.clone()).await?.into_iter().map(|record| record.page.page_id).collect();
    expect_eq("the second", listed, vec![page.page_id])?;
    expect_eq("in every list", store.count_pages(paged).await?, 2)?;
    end(&store, &held).await?;

    let again = run_id(2);
    store.queue_run(again, &paprika(), kasparro_domain::RunReason::Retry, at(20)).await?;
    store.update_run(again, held.epoch, super::fixture::started(20)).await?;
    let reopening = Reopening {
        who: "a person".to_owned(),
        why: "the change is right".to_owned(),
        forced: true,
        run_id: again,
        decided_at: at(21),
    };
    let stranger = store.reopen(page.page_id, held.epoch + 1, reopening.clone()).await;
    expect_eq("fenced", matches!(stranger, Err(StoreError::Fenced { .. })), true)?;
    let landed = store.reopen(page.page_id, held.epoch, reopening.clone()).await?;
    expect_eq("state", (landed.state, landed.page_id), (PageState::Landed, page.page_id))?;
    let listed = store.landed_pages(&paprika()).await?;
    expect_eq("landed", listed.last(), Some(&landed))?;
    expect_eq("none is refused", store.count_pages(refused).await?, 0)?;
    let errors: Vec<_> = store.pages(of_run).await?.into_iter().map(|one| one.error).collect();
    expect_eq("errors", errors, vec![None, None])?;
    let twice = store.reopen(page.page_id, held.epoch, reopening.clone()).await;
    expect_conflict("reopened twice", twice)?;
    let decisions = store.decisions().await?;
    let decision = Decision {
        decision_id: decisions.first().map_or(DecisionId(0), |one| one.decision_id),
        kind: DecisionKind::Reopen,
        source: paprika(),
        rows: vec![PageRow { page_id: page.page_id, ordinal: 0 }],
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: true,
        who: reopening.who,
        why: reopening.why,
        decided_at: at(21),
        after_page: page.page_id,
        run_id: Some(again),
    };
    expect_eq("decisions", decisions, vec![decision])?;

    let by = Held { run_id: again, ..held };
    let rows = vec![row(0, NEW, "doge", at(12), "1")];
    let batch = Batch { page_done: true, ..by.batch(&landed, 1, rows) };
    store.commit(batch).await?;
    expect_eq("loaded", page_now(&store, &page).await?.state, PageState::Loaded)?;
    let counts = RunCounts { received: 1, inserted: 1, ..RunCounts::default() };
    let run = store.run(again).await?;
    expect_eq("the run that read it", run.map(|run| run.counts), Some(counts))
}

pub(super) async fn an_accepted_change_stays_accepted(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let other = hold(&store, gecko(), 2).await?;
    for (sequence, of) in [(0, &held), (1, &other)] {
        let mut batch = ended(&store, of, sequence, 3).await?;
        batch.sequence = 0;
        let changes = ["/a", "/b"].map(|at| change(at, "string", DriftSeverity::Breaking));
        batch.examined = Some(examined(changes.to_vec(), None));
        store.commit(batch).await?;
    }
    let rows = all(&store).await?;
    let number = |place: usize| rows.get(place).map_or(DriftId(0), |row| row.drift_id);
    let wanted = vec![number(3), number(0), number(1), number(0), DriftId(999_999)];
    let accepted = store.accept_drift(wanted.clone(), "a person", "it is right", at(9)).await?;
    expect_eq("accepted", accepted, 3)?;
    let again = store.accept_drift(wanted, "a person", "once more", at(10)).await?;
    expect_eq("accepted again", again, 0)?;
    let decisions = store.decisions().await?;
    let told: Vec<_> = decisions
        .iter()
        .map(|one| {
            let pointers: Vec<&str> = one.drift.iter().map(|key| key.pointer.as_str()).collect();
            (one.kind, one.source.clone(), pointers, one.rows.len())
        })
        .collect();
    let kind = DecisionKind::AcceptDrift;
    let expected = vec![(kind, gecko(), vec!["/b"], 0), (kind, paprika(), vec!["/a", "/b"], 0)];
    expect_eq("decisions", told, expected)?;
    // Seen again it is still accepted.
    let mut batch = ended(&store, &held, 2, 8).await?;
    batch.sequence = 1;
    let seen = change("/a", "string", DriftSeverity::Breaking);
    batch.examined = Some(examined(vec![seen], None));
    store.commit(batch).await?;
    let open = DriftFilter { status: Some(DriftStatus::Open), ..DriftFilter::default() };
    let open: Vec<_> = store.drift(open).await?.into_iter().map(|row| row.source).collect();
    expect_eq("open", open, vec![gecko()])
}
