//! The contract can fail on PostgreSQL: a schema that was changed behind the store's back is found out.
#![expect(clippy::unwrap_used, reason = "a twin that keeps the contract has failed")]

mod common;

use kasparro_store::contract::{UNKNOWN_CASE, run_case};

/// A trigger on a table, before each row that is written.
macro_rules! trigger {
    ($table:literal, $body:literal) => {
        concat!(
            "CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS $twin$ BEGIN ",
            $body,
            " END $twin$; CREATE TRIGGER twin BEFORE INSERT OR UPDATE ON ",
            $table,
            " FOR EACH ROW EXECUTE FUNCTION twin();"
        )
    };
}

/// Expects a story to fail on a store whose schema was changed so, and to be well without the change.
async fn finds_out(case: &'static str, change: &'static str) {
    let outcome = run_case(case, &common::stores("")).await;
    assert_eq!(outcome, Ok(()), "without the change");
    let violation = run_case(case, &common::stores(change)).await.unwrap_err();
    assert_ne!(violation.detail, UNKNOWN_CASE, "{case}");
}

#[tokio::test]
async fn a_price_that_loses_digits() {
    let change = trigger!("quote", "new.price_usd := round(new.price_usd, 8); RETURN new;");
    finds_out("d2_every_digit_comes_back", change).await;
}

#[tokio::test]
async fn a_point_that_gains_zeros_is_the_same_point() {
    let change = trigger!("history", "new.price_usd := new.price_usd + 0.00; RETURN new;");
    let outcome = run_case("d2_every_digit_comes_back", &common::stores(change)).await;
    assert_eq!(outcome, Ok(()), "zeros behind the last digit are not a digit");
}

#[tokio::test]
async fn a_point_with_another_digit() {
    let change = trigger!(
        "history",
        "IF new.revision > 0 THEN new.price_usd := new.price_usd + 0.01; END IF; RETURN new;"
    );
    finds_out("a_correction_keeps_both_values", change).await;
}

#[tokio::test]
async fn a_statement_that_loses_its_contracts() {
    let change = trigger!("evidence", "new.contracts := NULL; RETURN new;");
    finds_out("a_listing_shows_the_contracts_of_all_its_lists", change).await;
}

#[tokio::test]
async fn a_checkpoint_that_stays() {
    let change = trigger!("checkpoint", "new.position := '{}'; RETURN new;");
    finds_out("i2_the_checkpoint_moves_with_its_batch_and_never_without", change).await;
}

#[tokio::test]
async fn a_clock_that_runs_away_from_its_leases() {
    let change = "CREATE SEQUENCE hours;
        CREATE OR REPLACE FUNCTION store_now() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS $$ SELECT clock_timestamp() + nextval('hours') * interval '1 hour' $$;";
    finds_out("i4_a_source_is_held_by_one_at_a_time", change).await;
}

#[tokio::test]
async fn a_lease_that_keeps_its_epoch() {
    let change = trigger!("lease", "new.epoch := 1; RETURN new;");
    finds_out("i4_an_old_epoch_is_fenced_and_writes_nothing", change).await;
}

#[tokio::test]
async fn a_body_of_which_a_byte_is_another() {
    let change = trigger!(
        "raw_chunk",
        "new.bytes := set_byte(new.bytes, length(new.bytes) - 1, \
                               get_byte(new.bytes, length(new.bytes) - 1) # 1); RETURN new;"
    );
    finds_out("landing_keeps_every_byte", change).await;
}

#[tokio::test]
async fn a_run_that_counts_wrong() {
    let change = trigger!(
        "run",
        "IF new.received > 0 THEN new.received := new.received + 1; \
             new.unchanged := new.unchanged + 1; END IF; RETURN new;"
    );
    finds_out("counters_of_a_run_are_the_sum_of_its_batches", change).await;
}

#[tokio::test]
async fn news_that_comes_in_another_order() {
    let change = "ALTER TABLE news DROP COLUMN newest_at;
        ALTER TABLE news ADD COLUMN newest_at timestamptz GENERATED ALWAYS AS (first_seen_at) STORED;";
    finds_out("news_comes_newest_first_in_pages", change).await;
}

#[tokio::test]
async fn a_row_of_quarantine_that_is_kept_twice() {
    let change = trigger!(
        "quarantine",
        "IF tg_op = 'INSERT' AND new.ordinal = 3 AND pg_trigger_depth() = 1 THEN \
             INSERT INTO quarantine (source_id, body_id, ordinal, page_id, run_id, reason, field, \
                                     value, rule, first_seen_at) \
             VALUES (new.source_id, new.body_id, 999, new.page_id, new.run_id, new.reason, \
                     new.field, new.value, new.rule, new.first_seen_at); END IF; RETURN new;"
    );
    finds_out("quarantined_rows_are_kept_once_and_counted_each_time", change).await;
}

#[tokio::test]
async fn a_quote_that_is_never_marked() {
    let change = trigger!("quote", "new.unusual := false; RETURN new;");
    finds_out("what_is_unusual_stands_beside_its_point", change).await;
}

#[tokio::test]
async fn an_anomaly_that_keeps_what_was_said_first() {
    let change =
        trigger!("anomaly", "IF tg_op = 'UPDATE' THEN new.value := old.value; END IF; RETURN new;");
    finds_out("what_is_unusual_stands_beside_its_point", change).await;
}

#[tokio::test]
async fn an_anomaly_of_a_run_that_is_lost() {
    let change =
        trigger!("anomaly", "IF new.run_id IS NOT NULL THEN RETURN NULL; END IF; RETURN new;");
    finds_out("the_end_of_a_run_tells_what_was_unusual", change).await;
}

#[tokio::test]
async fn a_change_that_counts_no_pages() {
    let change = trigger!("drift", "new.pages_seen := 1; RETURN new;");
    finds_out("a_change_is_one_row_however_often_it_is_seen", change).await;
}

#[tokio::test]
async fn a_change_that_an_older_page_sets_back() {
    let change =
        trigger!("drift", "IF tg_op = 'UPDATE' THEN new.rows_affected := 240; END IF; RETURN new;");
    finds_out("a_change_is_one_row_however_often_it_is_seen", change).await;
}

#[tokio::test]
async fn an_accepted_change_that_is_open_again_when_it_is_seen() {
    let change = trigger!(
        "drift",
        "IF tg_op = 'UPDATE' AND new.pages_seen > 1 THEN new.status := 'open'; END IF; RETURN new;"
    );
    finds_out("an_accepted_change_stays_accepted", change).await;
}

#[tokio::test]
async fn a_profile_that_stays() {
    let change = trigger!(
        "drift_profile",
        "IF tg_op = 'UPDATE' THEN new.state := old.state; END IF; RETURN new;"
    );
    finds_out("a_change_is_one_row_however_often_it_is_seen", change).await;
}

#[tokio::test]
async fn a_refusal_that_forgets_the_change() {
    let change = trigger!("drift", "new.refused := false; RETURN new;");
    finds_out("a_page_refused_for_a_change_is_read_after_all", change).await;
}

#[tokio::test]
async fn a_decision_that_does_not_tell_of_force() {
    let change = trigger!("decision", "new.forced := false; RETURN new;");
    finds_out("a_page_refused_for_a_change_is_read_after_all", change).await;
}

#[tokio::test]
async fn a_budget_that_keeps_its_version() {
    let change = trigger!("budget", "new.version := 1; RETURN new;");
    finds_out("i10_a_budget_changes_for_whoever_read_it_last", change).await;
}

#[tokio::test]
async fn an_alert_that_is_not_counted() {
    let change = trigger!("alert", "new.attempts := 0; RETURN new;");
    finds_out("the_end_of_a_run_tells_what_was_unusual", change).await;
}

#[tokio::test]
async fn an_alert_that_is_sent_to_nobody() {
    let change = trigger!("alert", "new.next_attempt_at := new.raised_at; RETURN new;");
    finds_out("alerts_that_nobody_wants_are_only_kept", change).await;
}

#[tokio::test]
async fn a_listing_that_is_never_moved() {
    let change = trigger!("identity", "new.asset_id := new.listing_id; RETURN new;");
    finds_out("a_resolution_moves_listings_and_readers_follow", change).await;
}

#[tokio::test]
async fn a_class_that_is_lost() {
    let change = trigger!("identity", "new.class := 'other'; RETURN new;");
    finds_out("reasons_and_edges_come_back", change).await;
}

#[tokio::test]
async fn an_edge_that_stays() {
    let change = "CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS
        $twin$ BEGIN RETURN NULL; END $twin$;
        CREATE TRIGGER twin BEFORE DELETE ON asset_edge FOR EACH ROW EXECUTE FUNCTION twin();";
    finds_out("reasons_and_edges_come_back", change).await;
}

#[tokio::test]
async fn an_edge_that_loses_what_is_known_of_it() {
    let change = trigger!("asset_edge", "new.ratio := round(new.ratio, 18); RETURN new;");
    finds_out("reasons_and_edges_come_back", change).await;
    let change = trigger!("asset_edge", "new.effective_on := NULL; RETURN new;");
    finds_out("reasons_and_edges_come_back", change).await;
}

#[tokio::test]
async fn what_was_said_before_is_forgotten() {
    let change = trigger!("evidence_past", "RETURN NULL;");
    finds_out("evidence_counts_its_changes_and_keeps_what_was_said", change).await;
    finds_out("what_speaks_for_a_listing_comes_whole", change).await;
}

#[tokio::test]
async fn evidence_that_is_counted_twice() {
    let change = trigger!(
        "generation",
        "IF new.evidence_version > old.evidence_version THEN \
             new.evidence_version := old.evidence_version + 2; END IF; RETURN new;"
    );
    finds_out("evidence_counts_its_changes_and_keeps_what_was_said", change).await;
}

#[tokio::test]
async fn a_decision_that_loses_its_pairs() {
    let change = trigger!(
        "decision",
        "IF new.pairs::text <> '[]' THEN new.pairs := '[[]]'; END IF; RETURN new;"
    );
    finds_out("what_people_say_of_listings_is_kept_and_counts_as_evidence", change).await;
}

#[tokio::test]
async fn a_relation_that_loses_its_ratio() {
    let change =
        trigger!("decision", "new.relation := (new.relation::jsonb - 'ratio')::json; RETURN new;");
    finds_out("what_people_say_of_listings_is_kept_and_counts_as_evidence", change).await;
}

#[tokio::test]
async fn a_key_that_loses_its_end() {
    let change = trigger!("api_key", "new.expires_at := NULL; RETURN new;");
    finds_out("a_key_comes_back_as_it_was_made", change).await;
    finds_out("a_key_is_replaced_with_an_overlap", change).await;
}

#[tokio::test]
async fn a_key_whose_end_is_put_off() {
    let change = trigger!(
        "api_key",
        "IF tg_op = 'UPDATE' THEN \
             new.revoked_at := coalesce(new.revoked_at, old.created_at); END IF; RETURN new;"
    );
    finds_out("a_key_ends_once_and_no_later_than_was_said", change).await;
}

#[tokio::test]
async fn a_key_whose_use_is_not_kept() {
    let change = trigger!("api_key", "new.last_used_at := NULL; RETURN new;");
    finds_out("the_last_use_of_a_key_never_goes_back", change).await;
}

#[tokio::test]
async fn a_first_key_that_is_forgotten() {
    let change = "CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS
        $twin$ BEGIN DELETE FROM api_key WHERE key_id <> new.key_id; RETURN new; END $twin$;
        CREATE TRIGGER twin BEFORE UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION twin();
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS
        $twin$ BEGIN DELETE FROM api_key WHERE revoked_at IS NOT NULL; RETURN NULL; END $twin$;
        CREATE TRIGGER gone AFTER UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION gone();";
    finds_out("only_the_first_key_is_made_as_the_first", change).await;
}

#[tokio::test]
async fn i11_a_count_that_is_replaced_and_not_added_to() {
    let change = trigger!(
        "request_usage",
        "IF tg_op = 'UPDATE' THEN new.requests := new.requests - old.requests; END IF; RETURN new;"
    );
    finds_out("i11_what_clients_used_is_counted_by_all_together", change).await;
}

#[tokio::test]
async fn i17_a_name_that_is_not_kept() {
    let change = "CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS
        $twin$ BEGIN DELETE FROM once; RETURN NULL; END $twin$;
        CREATE TRIGGER twin AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION twin();";
    finds_out("i17_a_request_that_is_sent_again_has_one_effect", change).await;
}

#[tokio::test]
async fn i17_a_request_that_loses_its_commands() {
    let change = trigger!("once", "new.commands := '{}'; RETURN new;");
    finds_out("i17_a_request_that_is_sent_again_has_one_effect", change).await;
}

#[tokio::test]
async fn i17_a_body_that_is_not_compared() {
    let change = trigger!("once", "new.asked := decode(repeat('02', 32), 'hex'); RETURN new;");
    finds_out("i17_a_request_that_is_sent_again_has_one_effect", change).await;
}
