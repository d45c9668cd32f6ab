//! What every store must do, as stories.
//!
//! A story is told to a fresh store; then it is told to a [`MemoryStore`], and every table of the two
//! must hold the same, none of their invariants broken. A store's tests run them all with [`store_contract!`](crate::store_contract).

mod access;
mod batches;
mod changes;
mod commands;
mod digests;
mod evidence;
mod examined;
mod failing;
mod fixture;
mod identity;
mod leases;
mod news;
mod pages;
mod points;
mod quarantine;
mod retries;
mod runs;
mod stated;
mod sweeps;
pub mod transfer;
mod unusual;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::{AuditReport, MemoryStore, Store, StoreError, TableDump};

pub use failing::FailingStore;

/// The detail of a [`Violation`] when there is no story of the name.
pub const UNKNOWN_CASE: &str = "there is no such story";

/// A store that did not keep the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The story in which it showed.
    pub case: &'static str,
    /// What was expected and what came.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.detail)
    }
}

/// Why a story could not be told to its end.
#[derive(Debug)]
struct Broken(String);

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(format!("an error where none was expected: {error}"))
    }
}

/// The outcome of a story.
type Told = Result<(), Broken>;

/// Fails the story unless `holds`.
fn ensure(holds: bool, what: &str) -> Told {
    if holds { Ok(()) } else { Err(Broken(format!("{what} does not hold"))) }
}

/// Fails the story unless both are equal.
fn expect_eq<T: PartialEq + fmt::Debug>(what: &str, got: T, expected: T) -> Told {
    if got == expected {
        Ok(())
    } else {
        Err(Broken(format!("{what}: got {got:?}, expected {expected:?}")))
    }
}

/// Fails the story unless the call was refused as the caller's defect.
fn expect_conflict<T: fmt::Debug>(what: &str, outcome: crate::StoreResult<T>) -> Told {
    match outcome {
        Err(StoreError::Conflict(_)) => Ok(()),
        other => Err(Broken(format!("{what}: got {other:?}, expected a conflict"))),
    }
}

/// A story being told.
type Telling = Pin<Box<dyn Future<Output = Told> + Send>>;

/// A story about a store.
struct Case {
    name: &'static str,
    tell: fn(Arc<dyn Store>) -> Telling,
}

/// Makes a `#[tokio::test]` of every story. The argument is a factory, `Fn() -> Arc<dyn Store>`, that
/// makes a fresh, empty store at each call; it is written out in each test, so it may own a folder.
#[macro_export]
macro_rules! store_contract {
    (@all [$($to:tt)*]) => {
        $crate::store_contract! { @each [$($to)*]
            pages::landing_keeps_every_byte,
            pages::an_equal_body_is_kept_once,
            pages::an_empty_body_can_be_landed,
            pages::landed_pages_are_listed_until_they_are_loaded,
            pages::a_refused_page_keeps_its_reason_and_does_not_come_back,
            pages::the_last_loaded_page_of_a_request_is_found,
            pages::a_body_that_cannot_be_read_leaves_nothing,
            pages::a_page_of_an_unknown_run_is_refused,
            batches::i1_every_row_has_exactly_one_disposition,
            batches::i1_a_batch_that_loses_or_doubles_a_row_is_refused,
            batches::values_that_no_store_may_hold_are_refused,
            batches::i2_the_checkpoint_moves_with_its_batch_and_never_without,
            batches::a_failing_batch_leaves_every_table_as_it_was,
            batches::a_batch_that_is_sent_twice_is_applied_once,
            batches::i4_an_old_epoch_is_fenced_and_writes_nothing,
            batches::ids_are_given_in_row_order_and_never_again,
            batches::generations_rise_by_one_and_are_announced,
            batches::quarantined_rows_are_kept_once_and_counted_each_time,
            batches::d2_every_digit_comes_back,
            batches::a_listing_takes_rows_of_its_own_source_and_id_only,
            batches::memory_holds_what_judging_the_next_row_needs,
            batches::a_page_is_settled_until_a_later_run_writes,
            batches::an_older_page_never_sets_the_checkpoint_back,
            batches::loaded_pages_of_a_run_are_found_in_landing_order,
            points::a_newer_point_replaces_the_quote_and_is_kept,
            points::a_correction_keeps_both_values,
            points::a_correction_of_anything_else_adds_no_point,
            points::a_late_point_is_kept_and_leaves_the_quote,
            points::a_point_in_the_wrong_place_is_refused,
            points::one_batch_may_hold_several_points_of_a_listing,
            points::history_is_read_by_range_order_and_limit,
            points::a_point_repeated_in_a_run_is_counted_once,
            evidence::a_list_makes_a_listing_known_without_a_quote,
            evidence::a_listing_shows_the_contracts_of_all_its_lists,
            evidence::names_are_those_of_the_quote_once_there_is_one,
            evidence::a_listing_known_from_a_list_gets_its_first_quote,
            evidence::a_late_statement_never_replaces_one,
            evidence::a_listing_is_not_active_while_a_list_says_so,
            evidence::a_batch_may_go_on_with_the_listings_it_brings,
            evidence::a_batch_goes_on_with_nothing_that_it_did_not_bring,
            evidence::statements_that_no_store_may_hold_are_refused,
            news::news_is_kept_once_with_its_present_text,
            news::a_batch_with_news_is_applied_once,
            news::news_comes_newest_first_in_pages,
            news::news_is_found_by_what_a_filter_says,
            news::news_keeps_a_page_from_being_settled,
            sweeps::a_listing_missing_from_three_sweeps_is_not_active,
            sweeps::a_listing_was_seen_last_by_its_latest_sign,
            sweeps::a_listing_that_returns_is_active_again,
            sweeps::a_sweep_is_about_listings_of_its_source_only,
            quarantine::quarantined_rows_are_listed_by_filter_and_page,
            quarantine::a_discard_is_written_down_for_each_source,
            quarantine::a_row_that_comes_again_stays_as_it_was_decided,
            retries::a_retry_loads_rows_and_is_written_down,
            retries::what_is_not_open_is_not_read_again,
            retries::a_retry_accounts_for_its_rows_and_moves_nothing_else,
            retries::a_retry_that_writes_unsettles_a_page,
            retries::equal_bytes_of_two_requests_are_read_again_apart,
            digests::the_digest_is_of_what_is_known_and_not_of_how_it_came,
            digests::the_digest_changes_with_one_digit,
            pages::pages_are_read_behind_a_number,
            changes::everything_comes_by_ascending_id_in_pieces,
            changes::exactly_the_changed_rows_come_once_with_current_values,
            changes::a_reader_that_goes_away_is_no_success,
            runs::a_second_trigger_finds_the_open_run,
            runs::a_run_moves_forward_only,
            runs::runs_are_listed_newest_first,
            runs::counters_of_a_run_are_the_sum_of_its_batches,
            runs::totals_and_latest_runs_of_each_source,
            runs::runs_that_fetch_nothing_say_nothing_of_their_source,
            runs::the_options_of_a_run_are_kept,
            runs::the_state_of_a_source_is_replaced,
            examined::a_change_is_one_row_however_often_it_is_seen,
            examined::what_examining_brought_ends_its_page,
            examined::a_page_refused_for_a_change_is_read_after_all,
            examined::an_accepted_change_stays_accepted,
            unusual::what_is_unusual_stands_beside_its_point,
            unusual::the_end_of_a_run_tells_what_was_unusual,
            unusual::alerts_that_nobody_wants_are_only_kept,
            unusual::i10_a_budget_changes_for_whoever_read_it_last,
            identity::evidence_counts_its_changes_and_keeps_what_was_said,
            identity::what_speaks_for_a_listing_comes_whole,
            identity::what_a_list_holds_for_the_same_is_evidence_and_kept,
            identity::a_resolution_moves_listings_and_readers_follow,
            identity::a_stale_resolution_is_refused,
            identity::an_asset_has_its_founder_and_one_listing_of_a_source,
            identity::reasons_and_edges_come_back,
            identity::what_people_say_of_listings_is_kept_and_counts_as_evidence,
            identity::loaded_pages_are_sightings,
            leases::i4_a_source_is_held_by_one_at_a_time,
            leases::i4_an_ended_lease_is_taken_once,
            leases::an_ended_lease_that_nobody_took_may_be_renewed,
            leases::a_source_that_is_given_up_is_free_at_once,
            leases::i4_an_old_epoch_lands_refuses_and_ends_nothing,
            leases::commands_go_to_whoever_holds_their_source,
            commands::a_command_is_claimed_once_and_again_after_a_crash,
            commands::a_command_has_one_outcome,
            commands::every_kind_of_command_comes_back,
            access::a_key_comes_back_as_it_was_made,
            access::only_the_first_key_is_made_as_the_first,
            access::a_key_ends_once_and_no_later_than_was_said,
            access::a_key_is_replaced_with_an_overlap,
            access::the_last_use_of_a_key_never_goes_back,
            access::keys_are_told_again_once_they_change_and_not_when_they_are_used,
            access::i11_what_clients_used_is_counted_by_all_together,
            access::i17_a_request_that_is_sent_again_has_one_effect,
        }
    };
    (@each [list] $($module:ident::$name:ident,)*) => {
        /// Every story.
        const CASES: &[Case] = &[
            $(Case { name: stringify!($name), tell: |store| Box::pin($module::$name(store)) },)*
        ];
    };
    (@each [tests $factory:expr] $($module:ident::$name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let factory = $factory;
                let outcome = $crate::contract::run_case(stringify!($name), &factory).await;
                outcome.unwrap_or_else(|violation| panic!("{violation}"));
            }
        )*
    };
    ($factory:expr) => {
        $crate::store_contract! { @all [tests $factory] }
    };
}

store_contract! { @all [list] }

/// Makes a fresh, empty store at each call.
pub type Factory<'a> = &'a (dyn Fn() -> Arc<dyn Store> + Send + Sync);

/// Tells every story, and returns everything that went wrong.
///
/// # Errors
/// The violations, in the order of the stories.
pub async fn run_all(factory: Factory<'_>) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    for case in CASES {
        violations.extend(run(case, factory).await.err());
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Tells the story of this name.
///
/// # Errors
/// The violation; also when there is no such story.
pub async fn run_case(name: &'static str, factory: Factory<'_>) -> Result<(), Violation> {
    match CASES.iter().find(|case| case.name == name) {
        Some(case) => run(case, factory).await,
        None => Err(Violation { case: name, detail: UNKNOWN_CASE.to_owned() }),
    }
}

async fn run(case: &Case, factory: Factory<'_>) -> Result<(), Violation> {
    let told = tell_both(case, factory).await;
    told.map_err(|Broken(detail)| Violation { case: case.name, detail })
}

/// Tells a story to the store and to its model, and compares every table.
async fn tell_both(case: &Case, factory: Factory<'_>) -> Told {
    let subject = factory();
    (case.tell)(Arc::clone(&subject)).await?;
    let model: Arc<dyn Store> = Arc::new(MemoryStore::new());
    (case.tell)(Arc::clone(&model))
        .await
        .map_err(|Broken(why)| Broken(format!("the model itself: {why}")))?;
    let (digest, expected) = (verify(&subject).await?, verify(&model).await?);
    let (subject, model) = (subject.dump().await?, model.dump().await?);
    let names = |tables: &[TableDump]| -> Vec<&str> { tables.iter().map(|one| one.name).collect() };
    expect_eq("tables", names(&subject), names(&model))?;
    for (ours, theirs) in subject.iter().zip(&model) {
        expect_eq(&format!("table {}", ours.name), ours, theirs)?;
    }
    expect_eq("digest", digest, expected)
}

/// What a store tells of itself, in which nothing may be wrong.
async fn verify(store: &Arc<dyn Store>) -> Result<AuditReport, Broken> {
    let report = store.verify().await?;
    expect_eq("violations", &report.violations, &Vec::new())?;
    Ok(report)
}
