//! The figures of docs/SCALING.md.

use std::path::Path;

use kasparro_store_postgres::PostgresSettings;

use super::document::{input, number, rounds_to, rows, table};

#[test]
fn what_grows_is_computed_from_its_inputs() {
    let growth = table("growth");
    assert_eq!(growth.len(), 4);
    for row in growth {
        let listings = input("listings") * number(row[0]);
        let a_day = listings * 24.0;
        let a_year = a_day * 365.0;
        let gb = |bytes: &str| a_year * input(bytes) / 1e9;
        let expected = [
            listings,
            a_day,
            a_day / 86_400.0,
            a_year,
            gb("bytes of a row of history"),
            gb("bytes of a raw row, compressed"),
        ];
        for (shown, value) in row[1..].iter().zip(expected) {
            assert!(rounds_to(shown, value), "load {}: {shown} is {value}", row[0]);
        }
    }
}

#[test]
fn machines_are_computed_from_their_inputs() {
    let settings = PostgresSettings::from_url("postgres://u@h/d").unwrap();
    assert_eq!(settings.pool_size, 8, "the document says 8");
    let sources = include_str!("../../../app/config.default.toml").matches("\n[sources.").count();
    assert_eq!(sources, 4, "the document says four");
    let rate = input("seconds where all prices changed") / input("rows of a first load");
    let machines = table("machines");
    assert_eq!(machines.len(), 4);
    for row in machines {
        let listings = input("listings") * number(row[0]);
        let over = (listings - 100_000.0).max(0.0);
        assert!(number(row[4]) <= 4.0, "a fifth worker only stands by");
        let processes = number(row[3]) + number(row[4]);
        let connections = if row[6].starts_with("SQLite,") { 0.0 } else { processes * 9.0 };
        let expected = [listings * rate, 200.0 + over * 800.0 / 900_000.0];
        for (shown, value) in row[1..3].iter().zip(expected) {
            assert!(rounds_to(shown, value), "load {}: {shown} is {value}", row[0]);
        }
        assert!(rounds_to(row[5], connections), "load {}: {} is {connections}", row[0], row[5]);
    }
}

/// The machine of a later measurement may be another one, so times need not be the same.
#[test]
fn figures_that_name_a_file_of_evidence_are_near_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/evidence");
    let mut compared = 0;
    for row in rows() {
        let Some((file, path)) = row.get(2).and_then(|from| from.split_once(".json` `")) else {
            continue;
        };
        let text = std::fs::read_to_string(folder.join(format!("{}.json", &file[1..]))).unwrap();
        let evidence: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pointer = format!("/{}", path.trim_end_matches('`').replace('.', "/"));
        let measured = evidence.pointer(&pointer).and_then(serde_json::Value::as_f64).unwrap();
        let off = (number(row[1]) / measured - 1.0).abs();
        assert!(off < 0.3, "{}: {} in the document, {measured} in {file}", row[0], row[1]);
        compared += 1;
    }
    assert_eq!(compared, 5);
}
