//! Days of upstreams with hidden limits: what the engine asks of them, and what it never does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod days;

use days::catalogue;
use std::time::Duration;

use days::judge::{Judgement, judge};
use days::live::live;
use days::scenario::{Kept, Scenario};

async fn judged(scenario: Scenario) -> Judgement {
    let lived = live(&scenario).await;
    judge(&scenario, &lived)
}

/// Nothing is wrong with a scenario.
async fn polite(scenario: Scenario) {
    let name = scenario.name;
    let judgement = judged(scenario).await;
    assert_eq!(judgement.complaints, Vec::<String>::new(), "{name}: {:#}", judgement.figures);
}

macro_rules! stories {
    ($($story:ident: $scenario:ident, $hours:literal hours;)*) => {
        const STORIES: &[&str] = &[$(stringify!($scenario)),*];

        $(#[tokio::test(flavor = "multi_thread")]
        async fn $story() {
            let span = Duration::from_secs($hours * 3600);
            polite(catalogue::$scenario().during(span)).await;
        })*
    };
}

stories! {
    a_keyless_limit_is_never_passed: keyless, 24 hours;
    a_stricter_limit_is_learned_from_one_refusal: stricter_told_in_seconds, 48 hours;
    a_stricter_limit_is_learned_from_a_refusal_with_a_date: stricter_told_by_date, 24 hours;
    a_stricter_limit_is_learned_from_a_refusal_that_tells_nothing: stricter_told_nothing, 24 hours;
    the_month_of_a_demo_key_is_spread_over_its_days: demo_from_the_first_of_a_month, 48 hours;
    the_rest_of_a_month_is_spread_over_its_rest: demo_from_the_middle_of_a_month, 36 hours;
    a_new_month_begins_with_new_credits: demo_over_the_end_of_a_month, 36 hours;
    a_limit_that_headers_state_is_kept_before_anything_is_refused: pro, 48 hours;
    a_limit_of_weights_is_never_passed: weighted, 24 hours;
    a_stricter_limit_of_weights_is_learned_from_one_refusal: stricter_weights, 24 hours;
    a_month_of_coinpaprika_is_spread_over_its_days: coinpaprika, 18 hours;
    a_month_that_is_spent_is_no_reason_for_a_storm: coinpaprika_with_fewer_credits, 168 hours;
    a_long_retry_after_plans_the_run_anew: long_retry_after, 12 hours;
    an_upstream_that_fails_gets_single_probes_and_is_back_soon: outage, 2 hours;
    retries_stay_few_while_much_fails: bad_days, 72 hours;
    a_refused_key_is_no_reason_for_a_storm: refused_key, 48 hours;
    a_keyless_limit_is_never_passed_by_workers_on_postgresql: keyless_on_postgres, 24 hours;
    a_stricter_limit_is_learned_once_by_workers_on_postgresql: stricter_on_postgres, 24 hours;
    the_month_of_a_demo_key_is_spread_by_workers_on_postgresql: demo_on_postgres, 24 hours;
}

async fn forgetful_workers_are_found_out(kept: Kept) {
    let mut scenario = catalogue::forgetful().during(Duration::from_secs(24 * 3600));
    scenario.workers.store = kept;
    let complaints = judged(scenario).await.complaints;
    assert!(complaints.iter().any(|one| one.contains("limit 0 refused")), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_forgotten_with_its_worker_is_found_out() {
    forgetful_workers_are_found_out(Kept::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_forgotten_on_postgresql_is_found_out() {
    forgetful_workers_are_found_out(Kept::Postgres).await;
}

#[test]
fn every_scenario_has_its_story() {
    assert_eq!(catalogue::all().len(), STORIES.len());
}
