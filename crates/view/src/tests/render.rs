//! What a row looks like.

use kasparro_domain::{Contract, Generation, ListingId, Quote};
use kasparro_store::ListingRow;
use serde_json::Value;

use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::Snapshot;

#[test]
fn d2_a_row_has_the_promised_keys_in_order_and_every_digit() {
    let mut listing = listing(12);
    listing.quote = Some(Quote {
        price_usd: Some(decimal("3.84e-18")),
        market_cap: Some(decimal("9223372036854775807")),
        volume_24h: None,
        price_change_24h: Some(decimal("-1.25")),
        rank: Some(3),
        total_supply: Some(decimal("1e30")),
        ..Quote::default()
    });
    listing.fetched_at = Some(instant(NOW + 247));
    let contract = Contract { platform: "ethereum".into(), address: "0x\"1".into() };
    listing.contracts = vec![contract];
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(12)).unwrap();
    assert_eq!(
        row.json(),
        concat!(
            r#"{"id":12,"asset_id":12,"source":"coinpaprika","external_id":"coin-12","symbol":"C12","#,
            r#""name":"Coin 12","price_usd":3.84e-18,"market_cap":9223372036854775807,"#,
            r#""volume_24h":null,"price_change_24h":-1.25,"rank":3,"active":true,"stale":false,"#,
            r#""updated_at":"2022-01-29T17:06:45Z","ingested_at":"2022-01-29T17:06:45.247Z"}"#,
        )
    );
    assert_eq!(
        row.extra_json(),
        concat!(
            r#""circulating_supply":null,"total_supply":1e30,"max_supply":null,"#,
            r#""fully_diluted_valuation":null,"#,
            r#""contracts":[{"platform":"ethereum","address":"0x\"1"}],"last_seen_at":null"#,
        )
    );
    assert_eq!(
        (row.external_id(), row.symbol(), row.name()),
        ("coin-12", Some("C12"), Some("Coin 12"))
    );
    assert_eq!(row.price_usd(), Some(&decimal("3.84e-18")));
}

#[test]
fn d7_texts_that_json_escapes_come_out_as_they_went_in() {
    let evil = r#"","price_usd":1,"stale":true,"symbol":"#;
    let mut listing = listing(1);
    listing.external_id = evil.into();
    listing.attributes.symbol = None;
    listing.attributes.name = Some("a\"b\\c\u{1}\n日本".into());
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(1)).unwrap();
    assert_eq!((row.external_id(), row.symbol()), (evil, None));
    assert_eq!(row.name(), Some("a\"b\\c\u{1}\n日本"));
    let json: Value = serde_json::from_str(&row.json()).unwrap();
    assert_eq!(json["external_id"], evil);
    assert_eq!(json["name"], "a\"b\\c\u{1}\n日本");
    assert_eq!(json["stale"], false);
    let judged = row.judged(true);
    let json: Value = serde_json::from_str(&judged.json()).unwrap();
    assert_eq!(json["stale"], true);
    assert_eq!((judged.external_id(), judged.name()), (row.external_id(), row.name()));
    assert_eq!(judged.extra_json(), row.extra_json());
    assert_eq!(judged.judged(false), *row);
}

#[test]
fn an_instant_that_the_source_does_not_give_is_null() {
    let mut listing = listing(1);
    listing.source_timed = false;
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(1)).unwrap();
    let json: Value = serde_json::from_str(&row.json()).unwrap();
    assert_eq!(json["updated_at"], Value::Null);
    assert_eq!(json["ingested_at"], "2022-01-29T17:06:45Z");
    assert_eq!((row.observed_at(), row.updated_at()), (None, None));
}

#[test]
fn a_row_stays_small() {
    let mut listing = listing(54_321);
    listing.external_id = "some-usual-token".into();
    listing.attributes.name = Some("Some Usual Token".into());
    listing.quote = Some(Quote {
        price_usd: Some(decimal("0.0123456789012")),
        market_cap: Some(decimal("1234567890")),
        volume_24h: Some(decimal("12345678.123456")),
        price_change_24h: Some(decimal("-12.34")),
        circulating_supply: Some(decimal("123456789")),
        total_supply: Some(decimal("1234567890")),
        max_supply: Some(decimal("1234567890")),
        rank: Some(4_321),
        ..Quote::default()
    });
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(54_321)).unwrap();
    let head = size_of_val(&*row);
    let column = size_of::<crate::render::Column>();
    println!(
        "row: {head} + {} of text ({} json, {} further); column {column}",
        row.text.len(),
        row.json().len(),
        row.extra_json().len(),
    );
    assert!(head <= 104 && column <= 64, "{head} {column}");
}

/// A listing known only from a list.
fn bare(id: i64) -> kasparro_store::ListingRow {
    let mut listing = listing(id);
    (listing.quote, listing.observed_at, listing.fetched_at) = (None, None, None);
    listing
}

#[test]
fn a_row_without_a_quote_has_every_key_and_null_for_what_is_unknown() {
    let mut listing = bare(7);
    let contract = Contract { platform: "solana".into(), address: "So1\\\"".into() };
    listing.contracts = vec![contract];
    listing.active = false;
    listing.last_seen_at = Some(instant(NOW - 500));
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(7)).unwrap();
    assert_eq!(
        row.json(),
        concat!(
            r#"{"id":7,"asset_id":7,"source":"coinpaprika","external_id":"coin-7","symbol":"C7","#,
            r#""name":"Coin 7","price_usd":null,"market_cap":null,"volume_24h":null,"#,
            r#""price_change_24h":null,"rank":null,"active":false,"stale":false,"#,
            r#""updated_at":null,"ingested_at":null}"#,
        )
    );
    let listed = concat!(
        r#""contracts":[{"platform":"solana","address":"So1\\\""}],"#,
        r#""last_seen_at":"2022-01-29T17:06:44.500Z""#,
    );
    assert_eq!(row.listed_json(), listed);
    let supplies = concat!(
        r#""circulating_supply":null,"total_supply":null,"max_supply":null,"#,
        r#""fully_diluted_valuation":null,"#,
    );
    assert_eq!(row.extra_json(), format!("{supplies}{listed}"));
    assert_eq!(
        (row.external_id(), row.symbol(), row.name()),
        ("coin-7", Some("C7"), Some("Coin 7"))
    );
}

#[test]
fn texts_of_a_row_without_a_quote_come_out_as_they_went_in() {
    let evil = r#"","contracts":[],"symbol":"x"#;
    let mut listing = bare(1);
    listing.external_id = evil.into();
    (listing.attributes.symbol, listing.attributes.name) = (None, Some("a\"b\n".into()));
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(1)).unwrap();
    assert_eq!((row.external_id(), row.symbol(), row.name()), (evil, None, Some("a\"b\n")));
    let json: Value = serde_json::from_str(&row.json()).unwrap();
    assert_eq!((&json["external_id"], &json["symbol"]), (&Value::from(evil), &Value::Null));
}

#[test]
fn a_listing_that_sweeps_miss_says_when_it_was_seen_last() {
    let mut listing = listing(1);
    listing.active = false;
    listing.last_seen_at = Some(instant(NOW));
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(1)).unwrap();
    assert!(!row.active() && row.json().contains(r#""active":false"#));
    assert_eq!(row.listed_json(), r#""contracts":[],"last_seen_at":"2022-01-29T17:06:45Z""#);
    assert!(row.extra_json().ends_with(row.listed_json()));
    assert!(!row.json().contains("last_seen_at"));
}

#[test]
fn a_row_without_a_quote_keeps_only_what_is_its_own() {
    let mut listing = bare(54_321);
    listing.external_id = "some-usual-token".into();
    listing.attributes.name = Some("Some Usual Token".into());
    let row = snapshot(vec![listing]).listing(kasparro_domain::ListingId(54_321)).unwrap();
    assert!(row.text.len() < 140, "{}: {}", row.text.len(), row.text);
}

#[test]
fn a_quote_with_unusual_values_is_marked_and_stays_so_when_it_grows_old() {
    let snapshot = snapshot(vec![ListingRow { unusual: true, ..listing(1) }, listing(2)]);
    let unusual = |snapshot: &Snapshot| {
        [1, 2].map(|id| snapshot.listing(ListingId(id)).is_some_and(|row| row.unusual()))
    };
    assert_eq!(unusual(&snapshot), [true, false]);
    let later = snapshot.next(Vec::new(), Generation(1), 2, &settings(), instant(NOW + 7_200_000));
    assert!(later.listing(ListingId(1)).is_some_and(|row| row.stale()));
    assert_eq!(unusual(&later), [true, false]);
}
