//! Stories about anomalies, budgets and alerts.

use kasparro_domain::{
    Alert, AnomalySubject, NewAlert, RunAnomaly, RunAnomalyKind, RunStatus, SourceName,
    ValueAnomaly, ValueAnomalyKind,
};
use serde_json::json;

use super::fixture::{
    Subject, at, correction, gecko, hold, late, listing, newer, paprika, row, run_id, start,
};
use super::{Told, expect_conflict, expect_eq};
use crate::{
    AlertOutcome, AnomalyAbout, AnomalyFilter, Findings, NamedBudget, RowAnomaly, RunUpdate,
    StoredBudget,
};

fn unusual(kind: ValueAnomalyKind, value: &str) -> RowAnomaly {
    RowAnomaly { kind, value: value.to_owned(), expected: "next to nothing".to_owned() }
}

pub(super) async fn what_is_unusual_stands_beside_its_point(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    let page = begun.held.land_at(&store, 1, 12).await?;
    let (jump, volume) = (ValueAnomalyKind::PriceJump, ValueAnomalyKind::VolumeAbsurd);
    let mut first = row(0, newer(btc), "btc", at(11), "9000");
    first.anomalies = vec![unusual(jump, "9000"), unusual(volume, "5.4")];
    let mut old = row(1, late(eth), "eth", at(9), "7");
    old.anomalies = vec![unusual(jump, "7")];
    let usual = row(2, newer(xrp), "xrp", at(11), "2");
    store.commit(begun.held.batch(&page, 1, vec![first, old, usual])).await?;
    expect_eq("marked", listing(&store, btc).await?.unusual, true)?;
    expect_eq("a late point", listing(&store, eth).await?.unusual, false)?;
    expect_eq("a usual one", listing(&store, xrp).await?.unusual, false)?;
    let page = super::fixture::page_now(&store, &page).await?;
    let mut again = row(3, correction(btc), "btc", at(11), "9001");
    again.anomalies = vec![unusual(jump, "9001")];
    let calm = row(4, newer(btc), "btc", at(12), "9002");
    store.commit(begun.held.batch(&page, 2, vec![again, calm])).await?;
    expect_eq("not marked any more", listing(&store, btc).await?.unusual, false)?;

    let all = store.anomalies(AnomalyFilter::default()).await?;
    let said: Vec<_> = all
        .iter()
        .map(|one| match &one.subject {
            AnomalySubject::Value(value) => (value.clone(), one.found_at, one.source.clone()),
            AnomalySubject::Run { .. } => (nothing(), at(0), paprika()),
        })
        .collect();
    let about = |id: &str, minute, kind, value: &str| {
        let anomaly = ValueAnomaly {
            external_id: id.into(),
            observed_at: at(minute),
            kind,
            value: value.to_owned(),
            expected: "next to nothing".to_owned(),
        };
        (anomaly, at(12), paprika())
    };
    let expected = vec![
        about("eth", 9, jump, "7"),
        about("btc", 11, volume, "5.4"),
        about("btc", 11, jump, "9001"),
    ];
    expect_eq("newest first", said, expected)?;
    let count = |filter: AnomalyFilter| {
        let store = store.clone();
        async move {
            let listed = store.anomalies(filter.clone()).await?.len() as u64;
            expect_eq("count", store.count_anomalies(filter).await?, listed)?;
            Ok::<u64, super::Broken>(listed)
        }
    };
    let none = AnomalyFilter::default;
    let kind = AnomalyFilter { kind: Some("price_jump".to_owned()), ..none() };
    expect_eq("jumps", count(kind).await?, 2)?;
    let id = AnomalyFilter { external_id: Some("btc".into()), ..none() };
    expect_eq("of a listing", count(id).await?, 2)?;
    let runs = AnomalyFilter { about: Some(AnomalyAbout::Runs), ..none() };
    expect_eq("of runs", count(runs).await?, 0)?;
    let of = |sources: Vec<SourceName>| AnomalyFilter { sources, ..none() };
    expect_eq("of another source", count(of(vec![gecko()])).await?, 0)?;
    expect_eq("of two sources", count(of(vec![gecko(), paprika()])).await?, 3)?;
    let both = AnomalyFilter {
        external_id: Some("btc".into()),
        ..of(vec![SourceName::new("csv"), paprika()])
    };
    expect_eq("of a listing of one of two", count(both).await?, 2)?;
    let unknown = of(vec![SourceName::new("csv"), SourceName::new("feed")]);
    expect_eq("of two never seen", count(unknown).await?, 0)?;
    let paged = AnomalyFilter { limit: Some(1), offset: 2, ..none() };
    expect_eq("the last", store.anomalies(paged.clone()).await?.len(), 1)?;
    expect_eq("on every page", store.count_anomalies(paged).await?, 3)?;

    let page = begun.held.land_at(&store, 2, 20).await?;
    let mut twice = row(0, newer(btc), "btc", at(20), "1");
    twice.anomalies = vec![unusual(jump, "1"), unusual(jump, "1")];
    let batch = begun.held.batch(&page, 3, vec![twice]);
    expect_conflict("one kind twice", store.commit(batch).await)?;
    let mut nul = row(0, newer(btc), "btc", at(20), "1");
    nul.anomalies = vec![unusual(jump, "\0")];
    let batch = begun.held.batch(&page, 3, vec![nul]);
    expect_conflict("a text that no store may hold", store.commit(batch).await)
}

fn nothing() -> ValueAnomaly {
    ValueAnomaly {
        external_id: "".into(),
        observed_at: at(0),
        kind: ValueAnomalyKind::PriceJump,
        value: String::new(),
        expected: String::new(),
    }
}

fn alert(code: &str) -> NewAlert {
    NewAlert { code: code.to_owned(), message: "it failed".to_owned(), hint: "look".to_owned() }
}

pub(super) async fn the_end_of_a_run_tells_what_was_unusual(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let anomaly = RunAnomaly {
        kind: RunAnomalyKind::FewRows,
        value: "3 rows".to_owned(),
        expected: "median 250 rows".to_owned(),
    };
    let ended = |findings| RunUpdate::Ended {
        at: at(5),
        status: RunStatus::Success,
        requests: 1,
        error: None,
        findings,
    };
    let findings = Findings {
        anomalies: vec![anomaly.clone()],
        alerts: vec![alert("page_refused"), alert("few_rows")],
        send_alerts: true,
    };
    store.update_run(held.run_id, held.epoch, ended(findings.clone())).await?;
    expect_conflict(
        "ended twice",
        store.update_run(held.run_id, held.epoch, ended(findings)).await,
    )?;
    let filter = AnomalyFilter { run_id: Some(held.run_id), ..AnomalyFilter::default() };
    let kept = store.anomalies(filter).await?;
    let said: Vec<_> = kept.into_iter().map(|one| (one.subject, one.found_at)).collect();
    let subject = AnomalySubject::Run { run_id: held.run_id, anomaly };
    expect_eq("anomalies", said, vec![(subject, at(5))])?;
    let other = AnomalyFilter { run_id: Some(run_id(9)), ..AnomalyFilter::default() };
    expect_eq("of another run", store.count_anomalies(other).await?, 0)?;

    let due = |minute| {
        let store = store.clone();
        async move { store.due_alerts(&[gecko(), paprika()], at(minute), 10).await }
    };
    expect_eq("too early", due(4).await?, Vec::new())?;
    let raised = due(5).await?;
    let [first, second] = raised.as_slice() else {
        return expect_eq("alerts", raised.len(), 2);
    };
    let expected = Alert {
        alert_id: first.alert_id,
        source: paprika(),
        run_id: held.run_id,
        alert: alert("page_refused"),
        raised_at: at(5),
        attempts: 0,
        next_attempt_at: Some(at(5)),
        delivered_at: None,
    };
    expect_eq("the first", first, &expected)?;
    expect_eq("of others", store.due_alerts(&[gecko()], at(9), 10).await?, Vec::new())?;
    expect_eq("one", store.due_alerts(&[paprika()], at(9), 1).await?.len(), 1)?;
    let failed = AlertOutcome::Failed { next_attempt_at: Some(at(8)) };
    store.settle_alert(first.alert_id, failed).await?;
    store.settle_alert(second.alert_id, AlertOutcome::Delivered { at: at(6) }).await?;
    expect_eq("both settled", due(7).await?, Vec::new())?;
    let again = due(8).await?;
    let state: Vec<_> = again.iter().map(|one| (one.alert_id, one.attempts)).collect();
    expect_eq("tried again", state, vec![(first.alert_id, 1)])?;
    let given_up = AlertOutcome::Failed { next_attempt_at: None };
    store.settle_alert(first.alert_id, given_up).await?;
    expect_eq("given up", due(99).await?, Vec::new())?;
    let all = store.alerts(10).await?;
    let ends: Vec<_> = all.iter().map(|one| (one.attempts, one.delivered_at)).collect();
    expect_eq("newest first", ends, vec![(0, Some(at(6))), (2, None)])?;
    expect_conflict("no such alert", store.settle_alert(999_999, given_up).await)
}

pub(super) async fn alerts_that_nobody_wants_are_only_kept(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let findings =
        Findings { alerts: vec![alert("page_refused")], send_alerts: false, ..Findings::default() };
    let ended = RunUpdate::Ended {
        at: at(5),
        status: RunStatus::Failed,
        requests: 1,
        error: None,
        findings,
    };
    store.update_run(held.run_id, held.epoch, ended).await?;
    expect_eq("due", store.due_alerts(&[paprika()], at(9), 10).await?, Vec::new())?;
    expect_eq("kept", store.alerts(10).await?.len(), 1)
}

pub(super) async fn i10_a_budget_changes_for_whoever_read_it_last(store: Subject) -> Told {
    let (name, state) = ("api.coinpaprika.com", json!({"spent": [1, 2], "text": "a\"b"}));
    let stored = store.budget(&paprika(), name).await?;
    let nothing = StoredBudget { now: stored.now, ..StoredBudget::default() };
    expect_eq("nothing", stored, nothing)?;
    expect_eq("from nothing", store.put_budget(&paprika(), name, 1, json!(1)).await?, false)?;
    expect_eq("first", store.put_budget(&paprika(), name, 0, state.clone()).await?, true)?;
    expect_eq("first twice", store.put_budget(&paprika(), name, 0, json!(2)).await?, false)?;
    let stored = store.budget(&paprika(), name).await?;
    expect_eq("stored", (stored.version, &stored.state), (1, &state))?;
    let next = json!({"spent": []});
    expect_eq("next", store.put_budget(&paprika(), name, 1, next.clone()).await?, true)?;
    expect_eq("too late", store.put_budget(&paprika(), name, 1, json!(3)).await?, false)?;
    expect_eq("another", store.put_budget(&gecko(), "", 0, json!(4)).await?, true)?;
    let all = store.budgets().await?;
    let named = |source, name: &str, version, state| NamedBudget {
        source,
        name: name.to_owned(),
        budget: StoredBudget { version, state, now: None },
    };
    let all: Vec<NamedBudget> = all
        .into_iter()
        .map(|one| NamedBudget { budget: StoredBudget { now: None, ..one.budget }, ..one })
        .collect();
    let expected = vec![named(gecko(), "", 1, json!(4)), named(paprika(), name, 2, next)];
    expect_eq("all", all, expected)
}
