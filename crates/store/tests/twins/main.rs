//! The contract suite can fail: each rule has a store that breaks it and nothing else.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod twin;

use std::sync::Arc;

use kasparro_store::{Store, contract};
use twin::{Fault, Twin};

/// The stories that a store with this fault fails.
async fn failed(fault: Fault) -> Vec<&'static str> {
    let factory = move || -> Arc<dyn Store> { Arc::new(Twin::new(fault)) };
    let violations = contract::run_all(&factory).await.expect_err("the suite saw nothing");
    violations.into_iter().map(|violation| violation.case).collect()
}

macro_rules! rejected {
    ($($test:ident: $fault:ident, $case:literal;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                let failed = failed(Fault::$fault).await;
                assert!(failed.contains(&$case), "{failed:?}");
            }
        )*
    };
}

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
    a_store_that_hands_out_commands_twice_is_rejected:
        ClaimsTwice, "a_command_is_claimed_once_and_again_after_a_crash";
    a_store_that_never_reclaims_is_rejected:
        NeverReclaims, "a_command_is_claimed_once_and_again_after_a_crash";
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
