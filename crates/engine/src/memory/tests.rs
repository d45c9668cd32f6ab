//! What is remembered decides what a row means.

use super::*;
use kasparro_domain::{Decimal, Evidence, NewsItem, Observation};
use kasparro_store::EvidenceChange;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minute * 60_000).unwrap()
}

fn row(id: &str, price: u64, observed_at: Timestamp, source_timed: bool) -> Believed {
    let quote = Quote { price_usd: Some(Decimal::from(price)), ..Quote::default() };
    Believed {
        observation: Observation {
            external_id: id.into(),
            attributes: Attributes::default(),
            quote,
            observed_at: source_timed.then_some(observed_at),
        },
        observed_at,
        source_timed,
    }
}

struct World {
    memory: Memory,
    raw: u64,
    listings: i64,
}

impl World {
    fn new() -> Self {
        let mut memory = Memory::new(SourceMemory::default(), 7);
        memory.begin_run();
        Self { memory, raw: 0, listings: 0 }
    }

    /// Judges a row with bytes of its own; a new listing is committed at once.
    fn judge(&mut self, row: &Believed) -> Verdict<RowChange> {
        self.raw += 1;
        let verdict = self.memory.judge(row, self.raw, Membership::Founds);
        if let Verdict::Write(RowChange::New { .. }) = verdict {
            self.listings += 1;
            let ids = [ListingId(self.listings)];
            self.memory.committed(std::slice::from_ref(&row.observation.external_id), &ids);
        }
        verdict
    }
}

const FIRST: ListingRef = ListingRef::Stored(ListingId(1));

const REPEATED: Verdict<RowChange> =
    Verdict::Write(RowChange::Late { listing: FIRST, repeated: true });

#[test]
fn what_is_remembered_of_a_listing_fits_64_bytes() {
    assert_eq!(size_of::<Known>(), 64);
}

#[test]
fn a_row_is_judged_by_its_point() {
    let mut world = World::new();
    assert!(matches!(
        world.judge(&row("a", 1, at(5), true)),
        Verdict::Write(RowChange::New { .. })
    ));
    world.memory.begin_run();
    assert_eq!(world.judge(&row("a", 1, at(5), true)), Verdict::Unchanged);
    assert_eq!(world.judge(&row("a", 2, at(5), true)), Verdict::Duplicate);
    world.memory.begin_run();
    let correction = Verdict::Write(RowChange::Correction { listing: FIRST });
    assert_eq!(world.judge(&row("a", 2, at(5), true)), correction);
    let newer = Verdict::Write(RowChange::Newer { listing: FIRST });
    assert_eq!(world.judge(&row("a", 3, at(6), true)), newer);
    let late = Verdict::Write(RowChange::Late { listing: FIRST, repeated: false });
    assert_eq!(world.judge(&row("a", 3, at(4), true)), late);
    assert_eq!(world.judge(&row("a", 9, at(4), true)), REPEATED);
    assert_eq!(world.judge(&row("a", 9, at(5), true)), REPEATED);
}

#[test]
fn without_a_source_time_equal_values_are_unchanged_and_others_newer() {
    let mut world = World::new();
    world.memory.begin_page(at(5));
    world.judge(&row("a", 1, at(5), false));
    assert_eq!(world.judge(&row("a", 2, at(5), false)), Verdict::Duplicate);
    world.memory.begin_run();
    world.memory.begin_page(at(6));
    assert_eq!(world.judge(&row("a", 1, at(6), false)), Verdict::Unchanged);
    assert_eq!(world.judge(&row("a", 3, at(6), false)), Verdict::Duplicate);
    world.memory.begin_run();
    world.memory.begin_page(at(7));
    let newer = Verdict::Write(RowChange::Newer { listing: FIRST });
    assert_eq!(world.judge(&row("a", 2, at(7), false)), newer);
}

#[test]
fn further_rows_of_a_listing_that_the_batch_brings_belong_to_that_batch() {
    let mut world = World::new();
    let mut judge = |row: &Believed, raw| world.memory.judge(row, raw, Membership::Founds);
    judge(&row("a", 1, at(5), true), 1);
    let listing = ListingRef::InBatch;
    let newer = Verdict::Write(RowChange::Newer { listing });
    assert_eq!(judge(&row("a", 2, at(6), true), 2), newer);
    assert_eq!(judge(&row("a", 2, at(6), true), 3), Verdict::Duplicate);
    let late = Verdict::Write(RowChange::Late { listing, repeated: false });
    assert_eq!(judge(&row("a", 2, at(4), true), 4), late);
    world.memory.committed(&["a".into()], &[ListingId(1)]);
    let newer = Verdict::Write(RowChange::Newer { listing: FIRST });
    assert_eq!(world.memory.judge(&row("a", 2, at(7), true), 5, Membership::Founds), newer);
}

fn stated(id: &str, name: &str) -> Evidence {
    Evidence {
        external_id: id.into(),
        part: "".into(),
        attributes: Attributes { symbol: None, name: Some(name.into()) },
        contracts: Vec::new(),
        active: None,
        kind: None,
        same_as: Vec::new(),
    }
}

#[test]
fn a_statement_is_judged_by_what_the_same_list_said_before() {
    let mut world = World::new();
    let mut judge = |list: &str, evidence: &Evidence, late| {
        world.memory.judge_evidence(list, evidence, late, Membership::Founds)
    };
    let new = Verdict::Write(EvidenceChange::New { membership: Membership::Founds });
    assert_eq!(judge("list", &stated("a", "A"), false), new);
    assert_eq!(judge("list", &stated("a", "B"), false), Verdict::Duplicate);
    let listing = ListingRef::InBatch;
    let other_list = Verdict::Write(EvidenceChange::Stated { listing });
    assert_eq!(judge("coins", &stated("a", "A"), false), other_list);
    world.memory.committed(&["a".into()], &[ListingId(1)]);
    world.memory.begin_run();
    let mut judge = |evidence: &Evidence, late| {
        world.memory.judge_evidence("list", evidence, late, Membership::Founds)
    };
    assert_eq!(judge(&stated("a", "A"), false), Verdict::Unchanged);
    world.memory.begin_run();
    let mut judge = |evidence: &Evidence, late| {
        world.memory.judge_evidence("list", evidence, late, Membership::Founds)
    };
    assert_eq!(
        judge(&stated("a", "B"), true),
        Verdict::Write(EvidenceChange::Late { listing: FIRST })
    );
    world.memory.begin_run();
    let again = world.memory.judge_evidence("list", &stated("a", "A"), false, Membership::Founds);
    assert_eq!(again, Verdict::Unchanged, "a late statement changes nothing that is remembered");
}

#[test]
fn the_first_values_of_a_listing_known_from_a_list_are_newer_than_none() {
    let mut world = World::new();
    world.memory.judge_evidence("list", &stated("a", "A"), false, Membership::Founds);
    world.memory.committed(&["a".into()], &[ListingId(1)]);
    let newer = Verdict::Write(RowChange::Newer { listing: FIRST });
    assert_eq!(world.judge(&row("a", 1, at(5), true)), newer);
    world.memory.begin_run();
    assert_eq!(world.judge(&row("a", 1, at(5), true)), Verdict::Unchanged);
}

#[test]
fn who_is_missing_from_a_sweep_is_counted_until_it_comes_back() {
    let mut world = World::new();
    world.judge(&row("a", 1, at(5), true));
    world.judge(&row("b", 1, at(5), true));
    assert_eq!(world.memory.end_sweep(), []);
    for _ in 0..3 {
        world.memory.begin_run();
        world.judge(&row("a", 1, at(5), true));
        assert_eq!(world.memory.end_sweep(), [ListingId(2)]);
        assert!(world.memory.misses_any());
    }
    world.memory.begin_run();
    world.judge(&row("a", 1, at(5), true));
    assert_eq!(world.memory.end_sweep(), [], "three missed sweeps are as good as four");
    world.memory.begin_run();
    assert_eq!(world.memory.take_returned(), []);
    world.judge(&row("b", 1, at(5), true));
    assert_eq!(world.memory.take_returned(), [ListingId(2)]);
    assert!(!world.memory.misses_any());
}

#[test]
fn news_is_known_by_feed_and_id() {
    let item = |title: &str| NewsItem {
        item_id: "1".into(),
        title: title.to_owned(),
        link: None,
        summary: None,
        author: None,
        published_at: None,
    };
    let mut memory = Memory::new(SourceMemory::default(), 7);
    memory.begin_run();
    assert_eq!(memory.judge_news("x", &item("A"), false), Verdict::Write(false));
    assert_eq!(memory.judge_news("y", &item("A"), false), Verdict::Write(false));
    assert_eq!(memory.judge_news("x", &item("B"), false), Verdict::Duplicate);
    memory.begin_run();
    assert_eq!(memory.judge_news("x", &item("A"), false), Verdict::Unchanged);
    memory.begin_run();
    assert_eq!(memory.judge_news("x", &item("B"), false), Verdict::Write(true));
    memory.begin_run();
    assert_eq!(memory.judge_news("x", &item("A"), true), Verdict::Unchanged);
}

#[test]
fn identical_bytes_are_recognised_until_the_listing_changes() {
    let mut world = World::new();
    world.judge(&row("a", 1, at(5), true));
    assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Duplicate));
    world.memory.begin_run();
    assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Unchanged));
    assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Duplicate));
    assert_eq!(world.memory.judge_bytes(99), None);
    world.judge(&row("a", 2, at(6), true));
    assert_eq!(world.memory.judge_bytes(1), None);
    assert_eq!(world.memory.judge_bytes(2), Some(Verdict::Duplicate));
}

#[test]
fn the_same_bytes_mean_something_else_under_another_header() {
    let survey = |header: &str, chunk: u32| serde_json::json!({"columns": header, "chunk": chunk});
    let meanings =
        [meaning(&survey("a,b", 0)), meaning(&survey("a,b", 1)), meaning(&survey("b,a", 0))];
    assert_eq!(meanings[0], meanings[1]);
    assert_ne!(raw_hash(b"1,2", meanings[0]), raw_hash(b"1,2", meanings[2]));
    assert_eq!(meaning(&Value::Null), 0);
}

#[test]
fn i3_rows_committed_before_a_crash_are_still_recognised() {
    let mut world = World::new();
    world.judge(&row("a", 1, at(5), true));
    world.memory.begin_run();
    world.memory.note_seen(&row("a", 1, at(5), true));
    world.memory.note_seen(&row("a", 1, at(3), true));
    assert_eq!(world.judge(&row("a", 2, at(5), true)), Verdict::Duplicate);
    assert_eq!(world.judge(&row("a", 2, at(3), true)), REPEATED);
}

#[test]
fn a_list_is_one_while_most_of_its_rows_name_something() {
    let mut world = World::new();
    world.judge(&row("a", 1, at(5), true));
    world.memory.begin_run();
    world.memory.note_refused(Some("a"));
    world.memory.note_refused(None);
    assert!(world.memory.names_most());
    world.memory.note_refused(None);
    assert!(!world.memory.names_most(), "a row that names a known listing counts once");
    world.memory.note_refused(Some("b"));
    assert!(world.memory.names_most());
}
