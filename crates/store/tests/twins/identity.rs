//! Stores that go wrong about which listings are one asset.

use kasparro_store::contract;

use crate::told;
use crate::twin::Fault;

rejected! {
    a_store_that_counts_prices_as_evidence_is_rejected:
        CountsPricesAsEvidence, "evidence_counts_its_changes_and_keeps_what_was_said";
    a_store_that_counts_evidence_once_is_rejected:
        CountsEvidenceOnce, "evidence_counts_its_changes_and_keeps_what_was_said";
    a_store_that_forgets_what_readers_saw_is_rejected:
        ForgetsWhatReadersSaw, "evidence_counts_its_changes_and_keeps_what_was_said";
    a_store_that_forgets_where_it_read_is_rejected:
        ForgetsWhereItRead, "evidence_counts_its_changes_and_keeps_what_was_said";
    a_store_that_counts_late_statements_as_evidence_is_rejected:
        ReplacesByLateStatements, "what_speaks_for_a_listing_comes_whole";
    a_store_that_sends_what_speaks_for_every_listing_is_rejected:
        SendsEveryInput, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_the_kinds_of_statements_is_rejected:
        ForgetsKinds, "what_speaks_for_a_listing_comes_whole";
    a_store_that_dates_statements_by_their_listings_is_rejected:
        DatesStatementsByListings, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_which_asset_a_listing_founded_is_rejected:
        ForgetsFounded, "what_speaks_for_a_listing_comes_whole";
    a_store_that_takes_any_name_for_that_of_a_quote_is_rejected:
        TakesAnyNameForThatOfAQuote, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_what_lists_said_is_rejected:
        ForgetsWhatListsSaid, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_what_a_listing_without_a_quote_was_called_is_rejected:
        ForgetsWhatReadersSaw, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_contracts_of_the_past_is_rejected:
        ForgetsPastContracts, "what_speaks_for_a_listing_comes_whole";
    a_store_that_forgets_what_is_the_same_is_rejected:
        ForgetsWhatIsTheSame, "what_a_list_holds_for_the_same_is_evidence_and_kept";
    a_store_that_forgets_what_was_the_same_is_rejected:
        ForgetsWhatWasTheSame, "what_a_list_holds_for_the_same_is_evidence_and_kept";
    a_store_that_takes_another_same_for_no_evidence_is_rejected:
        CountsEvidenceOnce, "what_a_list_holds_for_the_same_is_evidence_and_kept";
    a_store_that_announces_no_resolution_is_rejected:
        AnnouncesNothing, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_sends_every_listing_as_resolved_is_rejected:
        SendsEverything, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_keeps_assets_apart_is_rejected:
        KeepsAssetsApart, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_gives_founded_assets_away_is_rejected:
        GivesFoundedAssetsAway, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_forgets_how_far_it_is_decided_is_rejected:
        ForgetsStates, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_unresolves_what_gets_a_price_is_rejected:
        UnresolvesWhatIsPriced, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_forgets_its_resolutions_is_rejected:
        ForgetsItsResolutions, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_lists_resolutions_oldest_first_is_rejected:
        ListsResolutionsOldestFirst, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_lists_resolutions_without_limit_is_rejected:
        IgnoresResolutionLimit, "a_resolution_moves_listings_and_readers_follow";
    a_store_that_takes_resolutions_of_old_evidence_is_rejected:
        ResolvesOldEvidence, "a_stale_resolution_is_refused";
    a_store_that_takes_resolutions_of_evidence_that_nobody_has_is_rejected:
        ResolvesEvidenceAhead, "a_stale_resolution_is_refused";
    a_store_that_takes_a_resolution_behind_another_is_rejected:
        ResolvesBehindAnother, "a_stale_resolution_is_refused";
    a_store_that_writes_a_refused_resolution_down_is_rejected:
        NotesRefusedResolutions, "a_stale_resolution_is_refused";
    a_store_that_lets_two_listings_of_a_source_share_an_asset_is_rejected:
        LetsListingsOfASourceShare, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_lets_founders_leave_is_rejected:
        LetsFoundersLeave, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_resolves_listings_that_it_does_not_know_is_rejected:
        ResolvesTheUnknown, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_resolves_listings_in_any_order_is_rejected:
        ResolvesInAnyOrder, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_is_more_than_certain_is_rejected:
        TakesSharesAboveOne, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_moves_nobody_to_another_asset_is_rejected:
        KeepsAssetsApart, "an_asset_has_its_founder_and_one_listing_of_a_source";
    a_store_that_forgets_the_asset_of_a_record_is_rejected:
        ForgetsAssets, "reasons_and_edges_come_back";
    a_store_that_forgets_reasons_is_rejected:
        ForgetsReasons, "reasons_and_edges_come_back";
    a_store_that_takes_a_share_of_zero_for_none_is_rejected:
        TakesNoShareForNone, "reasons_and_edges_come_back";
    a_store_that_answers_each_time_a_listing_is_asked_for_is_rejected:
        AnswersEachListing, "reasons_and_edges_come_back";
    a_store_that_finds_edges_from_their_start_only_is_rejected:
        FindsEdgesFromTheirStart, "reasons_and_edges_come_back";
    a_store_that_finds_edges_from_their_end_only_is_rejected:
        FindsEdgesFromTheirEnd, "reasons_and_edges_come_back";
    a_store_that_finds_an_edge_at_each_of_its_ends_is_rejected:
        FindsEdgesAtEachEnd, "reasons_and_edges_come_back";
    a_store_that_keeps_old_edges_is_rejected:
        KeepsOldEdges, "reasons_and_edges_come_back";
    a_store_that_forgets_what_is_known_of_edges_is_rejected:
        ForgetsTermsOfEdges, "reasons_and_edges_come_back";
    a_store_that_orders_edges_otherwise_than_by_name_is_rejected:
        OrdersEdgesByTheOrderOfKinds, "reasons_and_edges_come_back";
    a_store_that_relates_listings_to_themselves_is_rejected:
        RelatesListingsToThemselves, "reasons_and_edges_come_back";
    a_store_that_relates_listings_to_nobody_is_rejected:
        RelatesListingsToNobody, "reasons_and_edges_come_back";
    a_store_that_forgets_alerts_of_resolutions_is_rejected:
        ForgetsAlertsOfResolutions, "reasons_and_edges_come_back";
    a_store_that_forgets_what_people_say_of_listings_is_rejected:
        DecidesNothing, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_does_not_count_what_people_say_is_rejected:
        CountsNoDecisions, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_moves_readers_by_what_people_say_is_rejected:
        MovesReadersByDecisions, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_forgets_which_listings_a_decision_is_about_is_rejected:
        ForgetsPairs, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_puts_decisions_before_all_pages_is_rejected:
        PutsDecisionsBeforePages, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_decisions_about_listings_of_nobody_is_rejected:
        TakesDecisionsAboutNobody, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_decisions_about_rows_for_those_about_listings_is_rejected:
        TakesDecisionsAboutRows, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_decisions_about_no_pair_is_rejected:
        TakesNoPairs, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_pairs_in_any_order_is_rejected:
        TakesPairsInAnyOrder, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_forgets_how_listings_relate_is_rejected:
        ForgetsRelations, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_forgets_ratios_and_days_of_relations_is_rejected:
        ForgetsTermsOfRelations, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_relations_without_their_kind_is_rejected:
        TakesRelationsWithoutTheirKind, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_takes_relations_of_other_listings_is_rejected:
        TakesRelationsOfOthers, "what_people_say_of_listings_is_kept_and_counts_as_evidence";
    a_store_that_sights_pages_that_are_only_landed_is_rejected:
        SightsLandedPages, "loaded_pages_are_sightings";
    a_store_that_sights_pages_in_the_order_of_landing_is_rejected:
        SightsInTheOrderOfLanding, "loaded_pages_are_sightings";
    a_store_that_sights_pages_from_the_start_is_rejected:
        SightsFromTheStart, "loaded_pages_are_sightings";
    a_store_that_sights_nothing_at_the_instant_itself_is_rejected:
        SightsBehindAnInstant, "loaded_pages_are_sightings";
    a_store_that_sights_pages_of_other_sources_is_rejected:
        SightsWhatOthersLoaded, "loaded_pages_are_sightings";
}
