//! The contract suite can fail: each rule has a store that breaks it and nothing else.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod twin;

use std::sync::Arc;

use kasparro_store::{Store, contract};
use twin::{Fault, Twin};

/// What the story says of a store with this fault.
async fn told(fault: Fault, case: &'static str) -> contract::Violation {
    let factory = move || -> Arc<dyn Store> { Arc::new(Twin::new(fault)) };
    contract::run_case(case, &factory).await.expect_err("the story saw nothing")
}

macro_rules! rejected {
    ($($test:ident: $fault:ident, $case:literal;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                let violation = told(Fault::$fault, $case).await;
                assert_ne!(violation.detail, contract::UNKNOWN_CASE);
            }
        )*
    };
}

mod access;
mod identity;

rejected! {
    i2_a_store_that_sets_the_checkpoint_back_is_rejected:
        SetsCheckpointBack, "an_older_page_never_sets_the_checkpoint_back";
    a_store_that_forgets_loaded_pages_is_rejected:
        ForgetsLoadedPages, "loaded_pages_of_a_run_are_found_in_landing_order";
    a_store_that_settles_pages_too_soon_is_rejected:
        SettlesTooSoon, "a_page_is_settled_until_a_later_run_writes";
    a_store_that_cuts_bodies_is_rejected:
        CutsBodies, "landing_keeps_every_byte";
    a_store_that_brings_refused_pages_back_is_rejected:
        BringsRefusedPagesBack, "a_refused_page_keeps_its_reason_and_does_not_come_back";
    a_store_that_forgets_progress_is_rejected:
        ForgetsProgress, "landed_pages_are_listed_until_they_are_loaded";
    a_store_that_finds_any_loaded_page_is_rejected:
        FindsAnyLoadedPage, "the_last_loaded_page_of_a_request_is_found";
    i1_a_store_that_miscounts_is_rejected:
        Miscounts, "i1_every_row_has_exactly_one_disposition";
    i1_a_store_that_takes_progress_on_trust_is_rejected:
        TrustsProgress, "i1_a_batch_that_loses_or_doubles_a_row_is_refused";
    i1_a_store_that_drops_quarantine_is_rejected:
        DropsQuarantine, "quarantined_rows_are_kept_once_and_counted_each_time";
    i2_a_store_that_moves_the_checkpoint_of_a_failed_batch_is_rejected:
        MovesCheckpointOnFailure, "i2_the_checkpoint_moves_with_its_batch_and_never_without";
    i2_a_store_that_keeps_the_checkpoint_back_is_rejected:
        KeepsCheckpointBack, "i2_the_checkpoint_moves_with_its_batch_and_never_without";
    a_store_that_keeps_half_a_failed_batch_is_rejected:
        KeepsHalfABatch, "a_failing_batch_leaves_every_table_as_it_was";
    a_store_that_applies_a_batch_twice_is_rejected:
        AppliesTwice, "a_batch_that_is_sent_twice_is_applied_once";
    a_store_that_numbers_batches_from_zero_is_rejected:
        NumbersFromZero, "a_batch_that_is_sent_twice_is_applied_once";
    i4_a_store_that_does_not_fence_is_rejected:
        DoesNotFence, "i4_an_old_epoch_is_fenced_and_writes_nothing";
    a_store_that_gives_ids_in_another_order_is_rejected:
        TurnsIdsRound, "ids_are_given_in_row_order_and_never_again";
    a_store_that_announces_nothing_is_rejected:
        AnnouncesNothing, "generations_rise_by_one_and_are_announced";
    d2_a_store_that_goes_through_binary_numbers_is_rejected:
        UsesBinaryNumbers, "d2_every_digit_comes_back";
    a_store_that_keeps_the_last_revision_only_is_rejected:
        KeepsLastRevisionOnly, "a_correction_keeps_both_values";
    a_store_that_sends_every_row_as_changed_is_rejected:
        SendsEverything, "exactly_the_changed_rows_come_once_with_current_values";
    a_store_that_sends_rows_twice_is_rejected:
        SendsRowsTwice, "exactly_the_changed_rows_come_once_with_current_values";
    a_store_that_opens_a_second_run_is_rejected:
        OpensASecondRun, "a_second_trigger_finds_the_open_run";
    a_store_that_lets_runs_go_back_is_rejected:
        LetsRunsGoBack, "a_run_moves_forward_only";
    a_store_that_lists_runs_oldest_first_is_rejected:
        ListsRunsOldestFirst, "runs_are_listed_newest_first";
    a_store_that_lists_the_runs_of_one_source_only_is_rejected:
        TakesOneSource, "runs_are_listed_newest_first";
    a_store_that_takes_retries_for_fetches_is_rejected:
        CountsRetriesAsFetches, "runs_that_fetch_nothing_say_nothing_of_their_source";
    a_store_that_hands_out_commands_twice_is_rejected:
        ClaimsTwice, "a_command_is_claimed_once_and_again_after_a_crash";
    a_store_that_never_reclaims_is_rejected:
        NeverReclaims, "a_command_is_claimed_once_and_again_after_a_crash";
    a_store_that_forgets_who_asked_is_rejected:
        ForgetsWhoAsked, "every_kind_of_command_comes_back";
    a_store_that_forgets_the_options_of_runs_is_rejected:
        ForgetsOptions, "the_options_of_a_run_are_kept";
    a_store_that_skips_refused_pages_is_rejected:
        SkipsRefusedPages, "pages_are_read_behind_a_number";
    a_store_that_reads_pages_without_limit_is_rejected:
        IgnoresPageLimit, "pages_are_read_behind_a_number";
    a_store_that_counts_repeated_points_anew_is_rejected:
        CountsRepeatsAnew, "a_point_repeated_in_a_run_is_counted_once";
    a_store_that_hides_listings_without_a_quote_is_rejected:
        HidesUnquoted, "a_list_makes_a_listing_known_without_a_quote";
    a_store_that_forgets_statements_is_rejected:
        ForgetsStatements, "a_list_makes_a_listing_known_without_a_quote";
    a_store_that_shows_one_contract_is_rejected:
        ShowsOneContract, "a_listing_shows_the_contracts_of_all_its_lists";
    a_store_that_lets_lists_rename_quoted_listings_is_rejected:
        LetsListsRename, "names_are_those_of_the_quote_once_there_is_one";
    a_store_that_keeps_names_that_a_quote_leaves_out_is_rejected:
        KeepsOldNames, "names_are_those_of_the_quote_once_there_is_one";
    a_store_that_takes_points_beside_no_quote_is_rejected:
        TakesPointsBesideNoQuote, "a_listing_known_from_a_list_gets_its_first_quote";
    a_store_that_replaces_by_late_statements_is_rejected:
        ReplacesByLateStatements, "a_late_statement_never_replaces_one";
    a_store_that_forgets_delisting_is_rejected:
        ForgetsDelisting, "a_listing_is_not_active_while_a_list_says_so";
    a_store_that_loses_points_of_new_listings_is_rejected:
        LosesPointsOfNewListings, "a_batch_may_go_on_with_the_listings_it_brings";
    a_store_that_finds_listings_that_no_row_brought_is_rejected:
        TakesAnyInBatch, "a_batch_goes_on_with_nothing_that_it_did_not_bring";
    a_store_that_takes_any_statement_is_rejected:
        TakesAnyStatement, "statements_that_no_store_may_hold_are_refused";
    a_store_that_forgets_news_is_rejected:
        ForgetsNews, "news_is_kept_once_with_its_present_text";
    a_store_that_keeps_the_first_text_of_news_is_rejected:
        KeepsTheFirstText, "news_is_kept_once_with_its_present_text";
    a_store_that_counts_news_as_listings_is_rejected:
        CountsNewsAsListings, "a_batch_with_news_is_applied_once";
    a_store_that_lists_news_oldest_first_is_rejected:
        ListsNewsOldestFirst, "news_comes_newest_first_in_pages";
    a_store_that_turns_no_page_of_news_is_rejected:
        IgnoresNewsOffset, "news_comes_newest_first_in_pages";
    a_store_that_takes_wildcards_in_a_search_is_rejected:
        TakesWildcards, "news_is_found_by_what_a_filter_says";
    a_store_that_finds_the_news_of_one_source_only_is_rejected:
        TakesOneSource, "news_is_found_by_what_a_filter_says";
    a_store_that_counts_one_page_of_news_is_rejected:
        CountsOnePageOfNews, "news_is_found_by_what_a_filter_says";
    a_store_that_settles_pages_beside_news_is_rejected:
        SettlesTooSoon, "news_keeps_a_page_from_being_settled";
    a_store_that_forgets_sweeps_is_rejected:
        ForgetsSweeps, "a_listing_missing_from_three_sweeps_is_not_active";
    a_store_that_never_ends_activity_is_rejected:
        NeverEndsActivity, "a_listing_missing_from_three_sweeps_is_not_active";
    a_store_that_tells_readers_of_every_miss_is_rejected:
        SendsEverything, "a_listing_missing_from_three_sweeps_is_not_active";
    a_store_that_dates_absence_from_first_sight_is_rejected:
        SeesFirstSightOnly, "a_listing_was_seen_last_by_its_latest_sign";
    a_store_that_forgets_returns_is_rejected:
        ForgetsReturns, "a_listing_that_returns_is_active_again";
    a_store_that_sweeps_listings_of_others_is_rejected:
        SweepsStrangers, "a_sweep_is_about_listings_of_its_source_only";
    a_store_that_ignores_a_filter_of_quarantine_is_rejected:
        IgnoresQuarantineFilter, "quarantined_rows_are_listed_by_filter_and_page";
    a_store_that_lists_quarantined_rows_of_one_source_only_is_rejected:
        TakesOneSource, "quarantined_rows_are_listed_by_filter_and_page";
    a_store_that_reads_quarantine_from_the_start_is_rejected:
        IgnoresQuarantineNumber, "quarantined_rows_are_listed_by_filter_and_page";
    a_store_that_counts_one_page_of_quarantine_is_rejected:
        CountsOnePageOfQuarantine, "quarantined_rows_are_listed_by_filter_and_page";
    a_store_that_discards_without_a_decision_is_rejected:
        DecidesNothing, "a_discard_is_written_down_for_each_source";
    a_store_that_counts_rows_given_up_before_is_rejected:
        CountsEveryDiscard, "a_discard_is_written_down_for_each_source";
    a_store_that_reopens_rows_is_rejected:
        ReopensRows, "a_row_that_comes_again_stays_as_it_was_decided";
    a_store_that_retries_without_a_decision_is_rejected:
        DecidesNothing, "a_retry_loads_rows_and_is_written_down";
    a_store_that_keeps_retried_rows_open_is_rejected:
        KeepsRetriedRowsOpen, "a_retry_loads_rows_and_is_written_down";
    a_store_that_keeps_the_first_refusal_is_rejected:
        KeepsTheFirstRefusal, "a_retry_loads_rows_and_is_written_down";
    a_store_that_retries_what_is_not_open_is_rejected:
        RetriesAnything, "what_is_not_open_is_not_read_again";
    i1_a_store_that_takes_a_retry_on_trust_is_rejected:
        RetriesAnything, "a_retry_accounts_for_its_rows_and_moves_nothing_else";
    a_store_that_settles_pages_that_were_retried_is_rejected:
        SettlesTooSoon, "a_retry_that_writes_unsettles_a_page";
    i1_a_store_that_counts_a_retry_towards_its_page_is_rejected:
        CountsRetriesTowardsThePage, "a_retry_that_writes_unsettles_a_page";
    a_store_that_keeps_rows_of_equal_bytes_once_is_rejected:
        KeepsEqualBytesOnce, "equal_bytes_of_two_requests_are_read_again_apart";
    a_store_whose_digest_tells_how_rows_came_is_rejected:
        DigestsHowItCame, "the_digest_is_of_what_is_known_and_not_of_how_it_came";
    a_store_whose_digest_stands_still_is_rejected:
        DigestsOnce, "the_digest_changes_with_one_digit";
    i4_a_store_that_lets_two_hold_a_source_is_rejected:
        LetsTwoHold, "i4_a_source_is_held_by_one_at_a_time";
    i4_a_store_whose_leases_never_end_is_rejected:
        NeverEndsLeases, "i4_an_ended_lease_is_taken_once";
    i4_a_store_that_renews_old_epochs_is_rejected:
        RenewsOldEpochs, "i4_an_ended_lease_is_taken_once";
    a_store_that_renews_nothing_that_has_ended_is_rejected:
        RenewsNothingEnded, "an_ended_lease_that_nobody_took_may_be_renewed";
    a_store_that_never_gives_up_is_rejected:
        NeverGivesUp, "a_source_that_is_given_up_is_free_at_once";
    i4_a_store_that_lands_under_old_epochs_is_rejected:
        LandsUnderOldEpochs, "i4_an_old_epoch_lands_refuses_and_ends_nothing";
    i4_a_store_that_refuses_under_old_epochs_is_rejected:
        RefusesUnderOldEpochs, "i4_an_old_epoch_lands_refuses_and_ends_nothing";
    i4_a_store_that_lets_old_epochs_end_runs_is_rejected:
        LetsOldEpochsEndRuns, "i4_an_old_epoch_lands_refuses_and_ends_nothing";
    a_store_that_hands_commands_to_anybody_is_rejected:
        ClaimsForAnybody, "commands_go_to_whoever_holds_their_source";
    a_store_that_hands_out_what_is_under_way_is_rejected:
        ClaimsWhatIsUnderWay, "commands_go_to_whoever_holds_their_source";
    a_store_that_never_reclaims_for_a_next_holder_is_rejected:
        NeverReclaims, "commands_go_to_whoever_holds_their_source";
    a_store_that_takes_outcomes_of_anybody_is_rejected:
        TakesAnyOutcome, "commands_go_to_whoever_holds_their_source";
    a_store_that_keeps_a_change_twice_is_rejected:
        KeepsChangesTwice, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_lists_changes_of_one_source_only_is_rejected:
        TakesOneSource, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_counts_one_sighting_of_a_change_is_rejected:
        CountsOneSighting, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_dates_a_change_by_its_first_page_is_rejected:
        DatesChangesByTheFirst, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_lets_an_older_page_rewrite_a_change_is_rejected:
        LetsOldPagesSpeakLast, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_keeps_the_first_profile_is_rejected:
        KeepsTheFirstProfile, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_clears_the_profile_where_none_comes_is_rejected:
        ClearsProfiles, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_shares_a_profile_between_endpoints_is_rejected:
        SharesProfiles, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_lists_changes_from_the_start_is_rejected:
        IgnoresDriftNumber, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_counts_one_page_of_changes_is_rejected:
        CountsOnePageOfDrift, "a_change_is_one_row_however_often_it_is_seen";
    a_store_that_takes_changes_of_a_page_that_goes_on_is_rejected:
        TakesChangesOfUnfinishedPages, "what_examining_brought_ends_its_page";
    a_store_that_takes_any_change_is_rejected:
        TakesAnyChange, "what_examining_brought_ends_its_page";
    a_store_that_forgets_why_a_page_was_refused_is_rejected:
        ForgetsDriftOfRefusedPages, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_forgets_that_a_change_refused_a_page_is_rejected:
        ForgetsWhatWasRefused, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_reopens_without_a_decision_is_rejected:
        DecidesNothing, "a_page_refused_for_a_change_is_read_after_all";
    i4_a_store_that_reopens_pages_for_anybody_is_rejected:
        ReopensForAnybody, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_reopens_what_is_not_refused_is_rejected:
        ReopensAnything, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_leaves_the_error_of_a_reopened_page_is_rejected:
        LeavesTheErrorOfReopenedPages, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_lists_pages_in_any_state_is_rejected:
        IgnoresPageState, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_lists_pages_of_one_source_only_is_rejected:
        TakesOneSource, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_counts_one_list_of_pages_is_rejected:
        CountsOneListOfPages, "a_page_refused_for_a_change_is_read_after_all";
    a_store_that_opens_an_accepted_change_again_is_rejected:
        ReopensChanges, "an_accepted_change_stays_accepted";
    a_store_that_accepts_without_a_decision_is_rejected:
        DecidesNothing, "an_accepted_change_stays_accepted";
    a_store_that_counts_changes_accepted_before_is_rejected:
        CountsEveryAcceptance, "an_accepted_change_stays_accepted";
    a_store_that_loses_anomalies_of_late_points_is_rejected:
        LosesAnomaliesOfTheLate, "what_is_unusual_stands_beside_its_point";
    a_store_that_keeps_the_first_words_of_an_anomaly_is_rejected:
        KeepsTheFirstWords, "what_is_unusual_stands_beside_its_point";
    a_store_that_marks_no_quote_is_rejected:
        MarksNothing, "what_is_unusual_stands_beside_its_point";
    a_store_that_never_removes_a_mark_is_rejected:
        NeverRemovesMarks, "what_is_unusual_stands_beside_its_point";
    a_store_that_lists_anomalies_oldest_first_is_rejected:
        ListsAnomaliesOldestFirst, "what_is_unusual_stands_beside_its_point";
    a_store_that_lists_anomalies_of_one_source_only_is_rejected:
        TakesOneSource, "what_is_unusual_stands_beside_its_point";
    a_store_that_counts_one_page_of_anomalies_is_rejected:
        CountsOnePageOfAnomalies, "what_is_unusual_stands_beside_its_point";
    a_store_that_takes_any_anomaly_is_rejected:
        TakesAnyAnomaly, "what_is_unusual_stands_beside_its_point";
    a_store_that_forgets_what_a_run_found_is_rejected:
        ForgetsFindings, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_shows_anomalies_of_other_runs_is_rejected:
        IgnoresAnomalyRun, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_delivers_an_alert_twice_is_rejected:
        DeliversAlertsTwice, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_never_gives_an_alert_up_is_rejected:
        NeverGivesAlertsUp, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_sends_alerts_of_other_sources_is_rejected:
        SendsAlertsOfOthers, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_sends_alerts_too_early_is_rejected:
        SendsAlertsTooEarly, "the_end_of_a_run_tells_what_was_unusual";
    a_store_that_sends_alerts_that_nobody_wants_is_rejected:
        SendsUnwantedAlerts, "alerts_that_nobody_wants_are_only_kept";
    a_store_that_forgets_alerts_that_nobody_wants_is_rejected:
        ForgetsUnwantedAlerts, "alerts_that_nobody_wants_are_only_kept";
    i10_a_store_that_changes_a_budget_under_its_reader_is_rejected:
        IgnoresBudgetVersions, "i10_a_budget_changes_for_whoever_read_it_last";
    i10_a_store_that_keeps_the_first_budget_is_rejected:
        KeepsTheFirstBudget, "i10_a_budget_changes_for_whoever_read_it_last";
    i10_a_store_that_lists_no_budgets_is_rejected:
        ListsNoBudgets, "i10_a_budget_changes_for_whoever_read_it_last";
    a_store_that_finds_its_tables_broken_is_rejected:
        FindsItsTablesBroken, "landing_keeps_every_byte";
}

#[tokio::test]
async fn a_twin_without_a_fault_passes() {
    let factory = || -> Arc<dyn Store> { Arc::new(Twin::new(Fault::None)) };
    assert_eq!(contract::run_all(&factory).await, Ok(()));
}

#[tokio::test]
async fn a_story_that_does_not_exist_is_a_violation() {
    let factory = || -> Arc<dyn Store> { Arc::new(Twin::new(Fault::None)) };
    assert!(contract::run_case("no such story", &factory).await.is_err());
}
