//! Under which names the columns of tables are followed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use kasparro_domain::Timestamp;
use kasparro_extract::{PageMeta, RunStart};
use serde_json::{Value, json};

/// The members of the first record of a table.
fn members(header: &str, record: &str) -> Option<Value> {
    let source = kasparro_sources::build("csv", json!({"paths": ["a.csv"]})).unwrap();
    let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let request = source.first(RunStart { checkpoint: None, now, values: true }).remove(0);
    let table = format!("{header}\n{record}\n");
    let context = source.survey(&request, &mut table.as_bytes()).unwrap();
    let described = request.describe();
    let page = PageMeta { request: &described, context: &context, fetched_at: now };
    source.reader(page).unwrap().members(record.as_bytes())
}

#[test]
fn columns_that_are_read_go_by_our_names_and_others_by_their_headers() {
    let read = members("slug;Last;date;Exchange Name", "btc; 60000 ;2024-06-01;Somewhere");
    let expected = json!({"id": "btc", "price_usd": "60000", "time": "2024-06-01", "Exchange Name": "Somewhere"});
    assert_eq!(read, Some(expected.clone()));
    // Another known header of the same column is no change.
    let read = members("id;price;date;Exchange Name", "btc;60000;2024-06-01;Somewhere");
    assert_eq!(read, Some(expected));
}

#[test]
fn no_column_takes_the_name_of_another() {
    let read = members("id,date,time,,x,x,", "btc,2024-06-01,12:30,a,b,c,d");
    let expected = json!({
        "id": "btc", "time": "2024-06-01", "time (column 3)": "12:30", "(column 4)": "a",
        "x": "b", "x (column 6)": "c", "(column 7)": "d",
    });
    assert_eq!(read, Some(expected));
}

#[test]
fn what_says_that_nothing_is_known_is_null_but_not_in_names() {
    let read = members("id,name,price,note", "none,N/A,-,n/a");
    let expected = json!({"id": "none", "name": "N/A", "price_usd": null, "note": null});
    assert_eq!(read, Some(expected));
}

#[test]
fn a_record_of_another_width_has_no_members() {
    assert_eq!(members("id,price", "btc,1,2"), None);
    assert_eq!(members("id,price", "btc"), None);
    assert_eq!(members("id,price", "b\0,1"), None);
}

#[test]
fn a_table_of_very_many_columns_is_followed_in_part() {
    let header: Vec<String> = (0..2_000).map(|column| format!("c{column}")).collect();
    let wide = format!("id,{},{}", "h".repeat(500), header.join(","));
    let record = format!("btc,1{}", ",1".repeat(2_000));
    let members = members(&wide, &record).unwrap();
    let members = members.as_object().unwrap();
    assert_eq!(members.len(), 1 + 256);
    assert!(members.contains_key("c255") && !members.contains_key("c256"));
}
