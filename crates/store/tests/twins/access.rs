//! Stores that go wrong about keys, limits and requests with one effect.

use kasparro_store::contract;

use crate::told;
use crate::twin::Fault;

rejected! {
    a_store_that_forgets_when_keys_end_is_rejected:
        ForgetsTheEndOfKeys, "a_key_comes_back_as_it_was_made";
    a_store_that_makes_every_key_the_first_is_rejected:
        MakesEveryKeyTheFirst, "only_the_first_key_is_made_as_the_first";
    a_store_that_puts_the_end_of_a_key_off_is_rejected:
        PutsEndsOff, "a_key_ends_once_and_no_later_than_was_said";
    a_store_that_keeps_replaced_keys_is_rejected:
        KeepsReplacedKeys, "a_key_is_replaced_with_an_overlap";
    a_store_that_notes_one_use_at_a_time_is_rejected:
        NotesOneUse, "the_last_use_of_a_key_never_goes_back";
    a_store_that_does_not_tell_of_ends_is_rejected:
        MarksNewKeysAlone, "keys_are_told_again_once_they_change_and_not_when_they_are_used";
    a_store_that_tells_of_every_use_is_rejected:
        MarksUsesOfKeys, "keys_are_told_again_once_they_change_and_not_when_they_are_used";
    i11_a_store_that_grants_without_counting_is_rejected:
        GrantsWithoutCounting, "i11_what_clients_used_is_counted_by_all_together";
    i11_a_store_that_forgets_clients_too_soon_is_rejected:
        ForgetsClients, "i11_what_clients_used_is_counted_by_all_together";
    i17_a_store_that_submits_twice_is_rejected:
        SubmitsTwice, "i17_a_request_that_is_sent_again_has_one_effect";
    i17_a_store_that_takes_any_body_is_rejected:
        TakesAnyBody, "i17_a_request_that_is_sent_again_has_one_effect";
}
