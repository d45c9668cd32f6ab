//! Single rules at their borders.

use std::time::{Duration, Instant};

use kasparro_domain::{DriftKind, DriftSeverity, Timestamp};
use serde_json::{Value, json};

use super::super::{PageSample, Profile, error_page};
use super::market::Market;
use super::mutate::{remove, rename, scale, set, text};
use super::shapes::{Shape, sample};

type Change = fn(&mut Vec<Value>);

const G: Shape = Shape::Markets;

fn page(market: &Market, change: impl Fn(&mut Vec<Value>)) -> PageSample {
    let mut rows = G.rows(market, 0, 250);
    change(&mut rows);
    sample(G, &rows, market.at_s)
}

/// A profile after six hourly pages, and the market an hour later.
fn taught() -> (Profile, Market) {
    let (mut profile, mut market) = (Profile::new("markets"), Market::new(7, 260));
    for _ in 0..6 {
        profile.learn(&page(&market, |_| {}));
        market.pass(3600);
    }
    (profile, market)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000).unwrap()
}

#[test]
fn the_first_page_only_teaches() {
    let market = Market::new(7, 260);
    assert_eq!(Profile::new("markets").compare(&page(&market, |_| {})), Vec::new());
}

#[test]
fn a_page_without_rows_says_and_teaches_nothing() {
    let (mut profile, market) = taught();
    let before = profile.clone();
    let empty = sample(G, &[], market.at_s);
    assert_eq!(profile.compare(&empty), Vec::new());
    profile.learn(&empty);
    assert_eq!(profile, before);
}

#[test]
fn one_page_is_enough_to_find_what_breaks() {
    let mut market = Market::new(7, 260);
    let mut profile = Profile::new("markets");
    profile.learn(&page(&market, |_| {}));
    market.pass(3600);
    let changes: [(DriftKind, Change); 4] = [
        (DriftKind::FieldRenamed, |rows| rename(rows, "/current_price", "price")),
        (DriftKind::FieldRemoved, |rows| remove(rows, "/current_price")),
        (DriftKind::UnitFlip, |rows| scale(rows, "/current_price", 100.0)),
        (DriftKind::NullRate, |rows| set(rows, "/current_price", |_, _| Value::Null)),
    ];
    for (kind, change) in changes {
        let events = profile.compare(&page(&market, change));
        assert_eq!(events.len(), 1, "{kind}: {events:?}");
        assert_eq!((events[0].key.kind, events[0].severity), (kind, DriftSeverity::Breaking));
        assert_eq!(events[0].breaks, ["price_usd"]);
        assert_eq!(events[0].key.endpoint, "markets");
    }
}

#[test]
fn an_old_sibling_is_never_taken_for_the_member_that_is_gone() {
    let (profile, market) = taught();
    // The sibling even holds the very same values on this page.
    let events = profile.compare(&page(&market, |rows| {
        for row in rows.iter_mut() {
            row["fully_diluted_valuation"] = row["market_cap"].clone();
        }
        remove(rows, "/market_cap");
    }));
    assert!(events.iter().all(|event| event.key.kind != DriftKind::FieldRenamed), "{events:?}");
    assert!(
        events
            .iter()
            .any(|e| e.key.kind == DriftKind::FieldRemoved && e.key.pointer == "/market_cap")
    );
}

#[test]
fn a_change_that_is_believed_is_the_new_normal_within_three_pages() {
    let (mut profile, mut market) = taught();
    let change = |rows: &mut Vec<Value>| {
        rename(rows, "/current_price", "price");
        text(rows, "/market_cap");
    };
    assert!(!profile.compare(&page(&market, change)).is_empty());
    for _ in 0..3 {
        profile.learn(&page(&market, change));
        market.pass(3600);
    }
    assert_eq!(profile.compare(&page(&market, change)), Vec::new());
}

#[test]
fn the_identity_of_an_event_does_not_vary_from_page_to_page() {
    let (profile, mut market) = taught();
    let keys = |market: &Market| -> Vec<_> {
        let change = |rows: &mut Vec<Value>| {
            scale(rows, "/current_price", 100.0);
            rename(rows, "/symbol", "ticker");
        };
        profile.compare(&page(market, change)).into_iter().map(|event| event.key).collect()
    };
    let first = keys(&market);
    market.pass(3600);
    assert_eq!(first.len(), 2);
    assert_eq!(keys(&market), first);
}

#[test]
fn the_same_pages_give_the_same_profile_in_the_same_words() {
    let (one, _) = taught();
    let (other, _) = taught();
    assert_eq!(one.to_json(), other.to_json());
}

#[test]
fn a_profile_survives_its_json_with_members_it_does_not_know() {
    let (profile, market) = taught();
    let mut json = profile.to_json();
    assert_eq!(json.to_string().len(), profile.json_bytes(), "numbers have few digits there too");
    json["later"] = json!({"a": 1});
    json["cadence"]["later"] = json!(true);
    let read = Profile::from_json("markets", &json);
    assert_eq!(read, profile);
    let flipped = page(&market, |rows| scale(rows, "/current_price", 100.0));
    assert_eq!(read.compare(&flipped), profile.compare(&flipped));
}

#[test]
fn a_profile_of_another_form_is_begun_anew() {
    let (profile, _) = taught();
    let mut json = profile.to_json();
    json["format"] = json!(99);
    for json in [json, json!("{"), Value::Null, json!({})] {
        assert_eq!(Profile::from_json("markets", &json), Profile::new("markets"), "{json}");
    }
}

#[test]
fn the_same_bytes_are_a_standstill_only_after_hours_and_where_values_move() {
    let (mut profile, market) = taught();
    let last = market.at_s - 3600;
    let mut said = Vec::new();
    for hour in 1..10 {
        if profile.same_bytes(at(last + hour * 3600)).is_some() {
            said.push(hour);
        }
    }
    // Six times the usual hour between moves.
    assert_eq!(said, [6, 7, 8, 9]);
    // A list has no instants: it may stay as it is.
    let mut list = Profile::new("list");
    let mut market = Market::new(7, 260);
    for _ in 0..6 {
        list.learn(&sample(Shape::List, &Shape::List.rows(&market, 0, 250), market.at_s));
        market.pass(3600);
    }
    assert!((1..100).all(|hour| list.same_bytes(at(market.at_s + hour * 3600)).is_none()));
}

#[test]
fn pages_of_one_run_that_come_again_count_as_one_fetch() {
    let (mut profile, market) = taught();
    let later = market.at_s + 24 * 3600;
    let said = (0..30).filter(|page| profile.same_bytes(at(later + page)).is_some()).count();
    assert_eq!(said, 0);
}

#[test]
fn a_daily_file_that_is_asked_for_every_hour_does_not_stand_still() {
    let mut profile = Profile::new("table");
    let mut market = Market::new(7, 260);
    for day in 0..20 {
        let rows = Shape::Table.rows(&market, 0, 250);
        let today = sample(Shape::Table, &rows, market.at_s);
        assert_eq!(profile.compare(&today), Vec::new());
        profile.learn(&today);
        for hour in 1..24 {
            assert_eq!(profile.same_bytes(at(market.at_s + hour * 3600)), None, "day {day}");
        }
        market.pass(24 * 3600);
    }
}

#[test]
fn usual_rows_are_the_median_of_the_last_ten_walks() {
    let mut profile = Profile::new("markets");
    assert_eq!(profile.usual_rows("all"), None);
    for rows in [1, 1, 1, 1, 500, 500, 510, 490, 500, 5, 500, 500, 500] {
        profile.note_rows("all", rows);
    }
    assert_eq!(profile.usual_rows("all"), Some(500));
    assert_eq!(profile.usual_rows("other"), None);
    let read = Profile::from_json("markets", &profile.to_json());
    assert_eq!(read.usual_rows("all"), Some(500));
}

#[test]
fn keys_that_are_data_are_no_members() {
    let rows: Vec<Value> = (0..40)
        .map(|n| json!({"id": format!("c{n}"), "platforms": {format!("chain{n}"): "0x1"}}))
        .collect();
    let page = sample(Shape::List, &rows, 0);
    let pointers: Vec<&str> = page.iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["", "/id", "/platforms", "/platforms/*"]);
    // The keys of what is read by name are names.
    let rows: Vec<Value> = (0..40)
        .map(|n| json!({"id": format!("c{n}"), "quotes": {format!("Q{n}"): {"price": 1}}}))
        .collect();
    let page = sample(Shape::Tickers, &rows, 0);
    assert!(page.place("/quotes/Q7/price").is_some());
}

#[test]
fn keys_with_slashes_and_tildes_are_escaped_in_pointers() {
    let page = sample(G, &[json!({"id": "a", "x/y": {"~": 1}})], 0);
    assert!(page.place("/x~1y/~0").is_some());
}

#[test]
fn a_huge_page_gives_a_bounded_profile() {
    let mut profile = Profile::new("huge");
    for turn in 0..4_u64 {
        let rows: Vec<Value> = (0..300)
            .map(|n| {
                let mut row = json!({"id": format!("c{}", n + turn * 300)});
                for key in 0..400 {
                    row[format!("member_number_{}_{}", key, turn % 2)] =
                        json!({"value": n, "text": "some state"});
                }
                row
            })
            .collect();
        let page = sample(G, &rows, turn as i64 * 3600);
        assert!(profile.compare(&page).len() <= 800);
        profile.learn(&page);
        assert!(profile.json_bytes() <= 64 * 1024, "{}", profile.json_bytes());
    }
}

#[test]
fn an_error_page_breaks_and_says_what_came() {
    let event = error_page("markets", "HTML", 1);
    assert_eq!((event.key.kind, event.severity), (DriftKind::ErrorPage, DriftSeverity::Breaking));
    assert_eq!(event.key.after, "HTML");
}

#[test]
fn examining_a_page_takes_little_time() {
    let (mut profile, market) = taught();
    let rows = G.rows(&market, 0, 250);
    let best = (0..5)
        .map(|_| {
            let begin = Instant::now();
            let page = sample(G, &rows, market.at_s);
            assert_eq!(profile.compare(&page), Vec::new());
            profile.learn(&page);
            begin.elapsed()
        })
        .min()
        .unwrap();
    println!("a page of 250 rows: {best:?} without optimisation");
    // Unoptimised code is some ten times slower than the 5 ms allowed.
    assert!(best < Duration::from_millis(150), "{best:?}");
}
