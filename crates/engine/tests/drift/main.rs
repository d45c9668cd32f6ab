//! Changes at the upstream, from the answer over HTTP to what the store says: mutated pages, healthy days and
//! captures of real upstreams.
//!
//! `KASPARRO_REAL_DATA` names a folder with captures; without it the tests about them say that they were
//! skipped. `KASPARRO_DRIFT_EVIDENCE` names a folder for what came of it, and lets the healthy days be thirty
//! instead of two (`make drift-evidence` writes `docs/evidence/drift.json` and `drift-real.json`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod captures;
mod catalogue;
mod days;
mod evidence;
mod judge;
#[path = "../../../app/examples/support/machine.rs"]
mod machine;
mod market;
mod mutate;
mod scene;
mod truth;
mod verdicts;
#[path = "../stories/world.rs"]
#[expect(dead_code, reason = "the stories use the rest")]
mod world;

use kasparro_domain::DriftMode;
use kasparro_engine::PageRules;
use serde_json::json;

use catalogue::Shape;
use judge::{Judgement, judge};
use scene::Scene;

/// The seed of the hand-made pages and of the first simulated market.
const SEED: u64 = 1;

/// Pages are loaded whatever they look like.
const BELIEVE_ALL: PageRules =
    PageRules { drift: DriftMode::Evolve, max_bad_percent: 100, min_rows_percent: 0 };

#[tokio::test(flavor = "multi_thread")]
async fn d9_mutated_pages_are_found_and_store_nothing_wrong() {
    let mut judgement = Judgement::default();
    for shape in Shape::ALL {
        judgement.add(judge(&Scene::hand_made(shape, SEED), PageRules::default()).await);
    }
    println!("{:#}", judgement.figures());
    evidence::note("hand_made_pages", judgement.figures());
    assert!(judgement.mutations >= 40, "{}", judgement.mutations);
    assert!(judgement.missed.len() <= 1, "{:#?}", judgement.missed);
    assert_eq!(judgement.corrupted, Vec::<String>::new());
    assert_eq!(judgement.not_healed, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_mutated_captures_are_found_and_store_nothing_wrong() {
    let Some(folder) = evidence::real_data() else {
        println!("skipped: KASPARRO_REAL_DATA names no folder with captures");
        return;
    };
    let mut judgement = Judgement::default();
    for shape in [Shape::Markets, Shape::Tickers] {
        judgement.add(judge(&Scene::captured(shape, &folder), PageRules::default()).await);
    }
    println!("{:#}", judgement.figures());
    evidence::note("captured_pages", judgement.figures());
    assert!(judgement.mutations >= 40, "{}", judgement.mutations);
    assert!(judgement.missed.len() <= 1, "{:#?}", judgement.missed);
    assert_eq!(judgement.corrupted, Vec::<String>::new());
    assert_eq!(judgement.not_healed, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_a_store_that_believes_every_page_is_found_to_be_corrupted() {
    let mut scene = Scene::hand_made(Shape::Markets, SEED);
    let names = ["cents", "inverted", "price and cap exchanged", "prices of other coins"];
    scene.keep(&names);
    let judgement = judge(&scene, BELIEVE_ALL).await;
    let corrupted = |name| judgement.corrupted.iter().any(|one| one.starts_with(name));
    assert!(names.into_iter().all(corrupted), "{:#?}", judgement.corrupted);
    let values = judgement.corrupted.len();
    let figures = json!({"mutations": names, "values_corrupted": values});
    evidence::note("twin_that_believes_every_page", figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_a_page_that_was_not_mutated_is_none_that_the_judge_takes_for_found() {
    let mut scene = Scene::hand_made(Shape::Markets, SEED);
    scene.mutate_nothing();
    let judgement = judge(&scene, PageRules::default()).await;
    assert_eq!(judgement.missed.len(), judgement.mutations, "{:#?}", judgement.missed);
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_healthy_days_of_every_source_bring_no_alarm() {
    let lived = if evidence::wanted() {
        let one = |seed| tokio::spawn(days::live(seed, days::LONG));
        let (first, second) = (one(SEED), one(SEED + 1));
        vec![first.await.unwrap(), second.await.unwrap()]
    } else {
        vec![days::live(SEED, days::SHORT).await]
    };
    println!("{lived:#?}");
    evidence::note("healthy_days", json!(lived));
    for days in lived {
        assert!(days.runs_of_each_source.values().all(|runs| *runs >= days.days * 24), "{days:?}");
        let alarms = (days.drift_above_info, days.pages_refused, days.run_anomalies);
        assert_eq!(alarms, (0, 0, 0), "{days:#?}");
        assert_eq!(days.runs_not_successful, 0, "{days:#?}");
    }
}

#[test]
fn d9_captures_in_their_order_say_only_what_is_true() {
    let Some(folder) = evidence::real_data() else {
        println!("skipped: KASPARRO_REAL_DATA names no folder with captures");
        return;
    };
    let said = captures::said(&folder);
    let problems = verdicts::problems(&said);
    evidence::write("drift-real.json", &captures::evidence(&said));
    assert_eq!(problems, Vec::<String>::new());
}
