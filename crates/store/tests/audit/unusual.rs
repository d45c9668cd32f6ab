//! Changes of upstreams, anomalies, budgets and alerts: what the digest has of them, and what is named.

use kasparro_domain::{
    Alert, Anomaly, AnomalySubject, Decision, DecisionId, DecisionKind, DriftEvent, DriftId,
    DriftKey, DriftKind, DriftRow, DriftSeverity, DriftStatus, NewAlert, PageId, RunAnomaly,
    RunAnomalyKind, SourceName, ValueAnomaly, ValueAnomalyKind,
};
use kasparro_store::{Audit, StoreError};
use serde_json::json;

use crate::digest::{Change, Tables, digest, touched};
use crate::violations;
use crate::world::{World, at, gecko, paprika, run_id};

fn value(number: i64, source: SourceName, id: &str, minute: i64) -> Anomaly {
    let subject = AnomalySubject::Value(ValueAnomaly {
        external_id: id.into(),
        observed_at: at(minute),
        kind: ValueAnomalyKind::PriceJump,
        value: "9000".to_owned(),
        expected: "next to nothing".to_owned(),
    });
    Anomaly { anomaly_id: number, source, subject, found_at: at(13) }
}

/// Jumps of `bitcoin`, of `btc` at two instants that are times of fetching and one that is not, and a run.
pub(crate) fn anomalies() -> Vec<(Anomaly, bool)> {
    let anomaly = RunAnomaly {
        kind: RunAnomalyKind::FewRows,
        value: "3 rows".to_owned(),
        expected: "median 250 rows".to_owned(),
    };
    let subject = AnomalySubject::Run { run_id: run_id(2), anomaly };
    vec![
        (value(1, gecko(), "bitcoin", 12), true),
        (value(2, paprika(), "btc", 10), false),
        (value(3, paprika(), "btc", 11), false),
        (value(4, paprika(), "btc", 12), true),
        (Anomaly { anomaly_id: 5, source: paprika(), subject, found_at: at(14) }, false),
    ]
}

fn key(kind: DriftKind, pointer: &str) -> DriftKey {
    DriftKey {
        endpoint: "tickers".to_owned(),
        kind,
        pointer: pointer.to_owned(),
        before: "number".to_owned(),
        after: "string".to_owned(),
    }
}

/// One change of each source; that of `coinpaprika` is accepted.
pub(crate) fn drift() -> Vec<DriftRow> {
    let row = |number, source, key, status| DriftRow {
        drift_id: DriftId(number),
        source,
        event: DriftEvent {
            key,
            severity: DriftSeverity::Breaking,
            rows_affected: 240,
            rows_examined: 250,
            confidence_percent: 97,
            suggestion: "look at the page".to_owned(),
            breaks: vec!["price_usd".to_owned()],
        },
        page_id: PageId(number),
        refused: false,
        first_seen_at: at(1),
        last_seen_at: at(2),
        pages_seen: 2,
        status,
    };
    vec![
        row(1, gecko(), key(DriftKind::Nested, "/image"), DriftStatus::Open),
        row(2, paprika(), key(DriftKind::TypeChanged, "/price"), DriftStatus::Accepted),
    ]
}

/// The decision that accepts it.
pub(crate) fn acceptance(number: i64) -> Decision {
    Decision {
        decision_id: DecisionId(number),
        kind: DecisionKind::AcceptDrift,
        source: paprika(),
        rows: Vec::new(),
        drift: vec![key(DriftKind::TypeChanged, "/price")],
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: "a person".to_owned(),
        why: "it is right".to_owned(),
        decided_at: at(21),
        after_page: PageId(2),
        run_id: None,
    }
}

pub(crate) fn alert() -> Alert {
    Alert {
        alert_id: 1,
        source: paprika(),
        run_id: run_id(2),
        alert: NewAlert {
            code: "drift".to_owned(),
            message: "the page has changed".to_owned(),
            hint: "accept the change".to_owned(),
        },
        raised_at: at(14),
        attempts: 0,
        next_attempt_at: Some(at(14)),
        delivered_at: None,
    }
}

/// The anomaly at `place`, which is one of values.
fn jump(world: &mut World, place: usize) -> &mut ValueAnomaly {
    let value = match &mut world.anomalies[place].0.subject {
        AnomalySubject::Value(value) => Some(value),
        AnomalySubject::Run { .. } => None,
    };
    value.unwrap()
}

#[test]
fn changes_and_unusual_values_are_in_the_digest() {
    let changes: [(Change, Tables); 12] = [
        (|world| world.drift[0].status = DriftStatus::Accepted, &["drift"]),
        (|world| world.drift[0].event.key.kind = DriftKind::NullRate, &["drift"]),
        (|world| world.drift[0].event.key.endpoint = "coins".to_owned(), &["drift"]),
        (|world| world.drift[0].event.key.pointer.push('s'), &["drift"]),
        (|world| world.drift[0].event.key.before = "null".to_owned(), &["drift"]),
        (|world| world.drift[0].event.key.after = "null".to_owned(), &["drift"]),
        (|world| drop(world.drift.pop()), &["drift"]),
        (|world| world.decisions[2].drift.clear(), &["decision"]),
        (|world| world.decisions[2].forced = true, &["decision"]),
        (|world| jump(world, 0).observed_at = at(11), &["anomaly"]),
        (|world| jump(world, 0).kind = ValueAnomalyKind::CapMismatch, &["anomaly"]),
        (|world| drop(world.anomalies.remove(2)), &["anomaly"]),
    ];
    for (place, (change, tables)) in changes.into_iter().enumerate() {
        assert_eq!(touched(change), tables, "change {place}");
    }
}

#[test]
fn how_changes_and_unusual_values_came_is_not_in_the_digest() {
    let later = World::new().with(|world| {
        for row in &mut world.drift {
            let DriftRow { event, drift_id, .. } = row;
            drift_id.0 += 7;
            (event.severity, event.confidence_percent) = (DriftSeverity::Info, 1);
            (event.rows_affected, event.rows_examined) = (1, 2);
            event.suggestion.clear();
            event.breaks.clear();
            (row.first_seen_at, row.last_seen_at, row.pages_seen) = (at(100), at(101), 9);
            (row.refused, row.page_id) = (true, PageId(1));
        }
        for (anomaly, _) in &mut world.anomalies {
            anomaly.anomaly_id += 7;
            anomaly.found_at = at(102);
        }
        for place in 0..4 {
            jump(world, place).value.push('0');
            jump(world, place).expected.clear();
        }
        world.listings[1].unusual = true;
    });
    let report = later.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn unusual_values_without_a_time_of_the_source_are_known_by_their_place() {
    let later = World::new().with(|world| {
        jump(world, 1).observed_at = at(3);
        jump(world, 2).observed_at = at(4);
    });
    assert_eq!(digest(&later), digest(&World::new()));
    let timed: Change = |world| world.anomalies[2].1 = true;
    assert_eq!(touched(timed), ["anomaly"]);
    // Another listing is counted on its own: without the jump of one, the other has the same places.
    let of_two = |with_first: bool| {
        World::new().with(|world| {
            world.anomalies[0].1 = false;
            if !with_first {
                world.anomalies.remove(0);
            }
        })
    };
    let rows = |world: &World| {
        let dump = world.feed(Audit::dump()).unwrap().into_dump();
        dump.into_iter().find(|table| table.name == "anomaly").unwrap().rows
    };
    let (both, one) = (rows(&of_two(true)), rows(&of_two(false)));
    assert_eq!(both[1..], one);
    let place = |row: &String| row.ends_with(",1]") || row.ends_with(",2]");
    assert_eq!(both.iter().filter(|row| place(row)).count(), 3, "{both:?}");
}

#[test]
fn profiles_budgets_alerts_and_unusual_runs_are_not_in_the_digest() {
    let none = World::new().with(|world| {
        world.profiles.clear();
        world.budgets.clear();
        world.alerts.clear();
        world.anomalies.pop();
    });
    let report = none.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn a_dump_shows_what_the_digest_leaves_out() {
    let changes: [(Change, &str); 9] = [
        (|world| world.profiles[0].2 = json!({"rows": 251}), "profile"),
        (|world| world.budgets[0].2 += 1, "budget"),
        (|world| world.budgets[0].3 = json!({}), "budget"),
        (|world| world.alerts[0].delivered_at = Some(at(15)), "alert"),
        (|world| world.alerts[0].attempts = 1, "alert"),
        (|world| drop(world.anomalies.pop()), "run_anomaly"),
        (|world| jump(world, 0).value.push('0'), "anomaly_detail"),
        (|world| world.drift[0].pages_seen = 3, "drift_detail"),
        (|world| world.listings[1].unusual = true, "origin"),
    ];
    let dump = |world: &World| world.feed(Audit::dump()).unwrap().into_dump();
    for (change, table) in changes {
        let after = dump(&World::new().with(change));
        let differ: Vec<&str> = (dump(&World::new()).iter().zip(&after))
            .filter(|(before, after)| before != after)
            .map(|(before, _)| before.name)
            .collect();
        assert_eq!(differ, [table]);
    }
}

#[test]
fn numbers_of_alerts_are_minted_and_not_in_a_dump() {
    let dump = |world: &World| world.feed(Audit::dump()).unwrap().into_dump();
    let renumbered = World::new().with(|world| world.alerts[0].alert_id = 77);
    assert_eq!(dump(&renumbered), dump(&World::new()));
}

#[test]
fn changes_and_anomalies_out_of_order_are_an_error_that_names_the_table() {
    let turns: [(&str, Change); 4] = [
        ("drift", |world| world.drift.reverse()),
        ("drift", |world| world.drift[1] = world.drift[0].clone()),
        ("anomaly", |world| world.anomalies.swap(1, 2)),
        // Kinds stand by their names, in which `nested` is before `type_changed`.
        ("drift", |world| {
            world.drift[0].event.key.kind = DriftKind::TypeChanged;
            world.drift[1].event.key.kind = DriftKind::Nested;
            world.drift[1].source = gecko();
        }),
    ];
    for (table, turn) in turns {
        match World::new().with(turn).report() {
            Err(StoreError::Corrupt(message)) => {
                assert_eq!(message, format!("the rows of {table} were not read in order"));
            }
            other => panic!("{table}: {other:?}"),
        }
    }
}

#[test]
fn an_accepted_change_without_a_decision_is_named() {
    let untold = |change: Change| {
        let found = violations(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].invariant, "decision");
        found[0].detail.clone()
    };
    let told = "no decision tells why change 2 is accepted";
    assert_eq!(untold(|world| drop(world.decisions.pop())), told);
    // A decision about another source or another change tells nothing.
    assert_eq!(untold(|world| world.decisions[2].source = gecko()), told);
    assert_eq!(untold(|world| world.decisions[2].drift[0].after.push('s')), told);
}

#[test]
fn an_accepted_change_that_is_seen_with_other_words_violates_nothing() {
    let found = violations(|world| {
        world.drift[1].event.rows_affected = 1;
        world.drift[1].event.severity = DriftSeverity::Info;
    });
    assert_eq!(found, []);
}

#[test]
fn a_change_that_was_seen_on_a_page_that_is_gone_is_named() {
    let found = violations(|world| world.drift[0].page_id = PageId(9));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].invariant, "drift");
    assert_eq!(found[0].detail, "change 1 was seen on page 9, which is gone");
}
