//! Decisions about which listings are one asset, here and by the worker that holds their source.

use serde_json::Value;

use super::Shared;
use crate::assets::{Call, SOURCES, decided_and_taken_back, fill, with_listings};
use crate::relations::stated_and_taken_back;
use crate::world::{World, simulator};

/// Everything that people may decide, and takes it back.
fn everything(call: Call<'_>) -> Vec<Value> {
    [decided_and_taken_back(call), stated_and_taken_back(call)].concat()
}

#[test]
fn i14_decisions_about_listings_are_the_same_on_a_file_alone_and_beside_a_worker() {
    let upstream = simulator(40);
    let of_file = with_listings(World::new(), &upstream);
    fill(&|arguments| of_file.call(arguments));
    let on_file = everything(&|arguments| of_file.call(arguments));

    let filled = || {
        let shared = Shared::new().map(|world| with_listings(world, &upstream).nothing_by_itself());
        fill(&|arguments| shared.call(arguments));
        shared
    };
    let alone = filled();
    assert_eq!(everything(&|arguments| alone.call(arguments)), on_file);

    let beside = filled();
    let worker = beside.work(&SOURCES);
    assert_eq!(everything(&|arguments| beside.call(arguments)), on_file);
    let done = "SELECT count(*) FROM kasparro.command WHERE result::text LIKE '%decision_id%'";
    assert_eq!(beside.cell(done), Some(on_file.len().to_string()), "the worker did every one");
    assert_eq!(worker.stop().code, Some(0));
}
