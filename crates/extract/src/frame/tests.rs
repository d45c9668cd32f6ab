mod xml;

use std::io::{self, Read};

use kasparro_domain::RejectionReason;
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

use super::{CsvChunks, Found, FrameError, MAX_ROW_BYTES, MAX_ROW_DEPTH, RowCutter, check};
use crate::{Framing, Remedy};

/// Hands out at most `step` bytes at a time, as a network does.
struct Drip<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.step);
        Read::read(&mut self.bytes, &mut buffer[..length])
    }
}

type Cut = Vec<Result<Vec<u8>, RejectionReason>>;

fn array(pointer: &'static str) -> Framing {
    Framing::JsonArray { pointer: pointer.into() }
}

fn cut_with(framing: &Framing, context: &Value, body: impl Read) -> (Cut, Result<(), FrameError>) {
    let mut cutter = RowCutter::new(framing, context, body);
    let mut rows = Cut::new();
    loop {
        match cutter.next_row() {
            Ok(Some(cut)) => {
                assert_eq!(cut.ordinal, rows.len() as u64);
                rows.push(cut.row.map(<[u8]>::to_vec).map_err(|rejection| rejection.reason));
            }
            Ok(None) => return (rows, Ok(())),
            Err(error) => {
                assert!(matches!(cutter.next_row(), Ok(None)), "nothing comes after an error");
                return (rows, Err(error));
            }
        }
    }
}

fn cut(body: &[u8]) -> Cut {
    let (rows, end) = cut_with(&array(""), &Value::Null, body);
    end.unwrap();
    rows
}

fn error(pointer: &'static str, body: &[u8]) -> FrameError {
    check(&array(pointer), &Value::Null, body).unwrap_err()
}

fn texts(rows: &[&str]) -> Cut {
    rows.iter().map(|row| Ok(row.as_bytes().to_vec())).collect()
}

fn records(body: &str) -> Cut {
    let (rows, end) = cut_with(&Framing::Csv, &json!({"delimiter": ","}), body.as_bytes());
    end.unwrap();
    rows
}

#[test]
fn elements_are_cut_without_the_separators_around_them() {
    let body = b" [ {\"a\": [1, \"]}\"]} ,\t2\n, \"x,\\\"]\" , [] ]\n";
    assert_eq!(cut(body), texts(&["{\"a\": [1, \"]}\"]}", "2", "\"x,\\\"]\"", "[]"]));
    assert_eq!(cut(b"[]"), Cut::new());
    assert_eq!(cut(b"[ ]"), Cut::new());
}

#[test]
fn f1_what_a_parser_would_refuse_costs_its_own_row_only() {
    let odd: [&[u8]; 8] = [
        b"{\"p\":1e400}",
        b"{\"p\":NaN}",
        b"{\"p\":\"\\ud800\"}",
        b"{\"p\":\"a\0b\"}",
        b"{\"p\":1,\"p\":2}",
        b"{\"p\":\"\xff\xfe\"}",
        b"-Infinity",
        b"{\"p\":'x'}",
    ];
    for element in odd {
        let body = [b"[{\"a\":1},", element, b",{\"b\":2}]"].concat();
        let expected =
            vec![Ok(b"{\"a\":1}".to_vec()), Ok(element.to_vec()), Ok(b"{\"b\":2}".to_vec())];
        assert_eq!(cut(&body), expected);
    }
}

#[test]
fn d10_the_byte_order_mark_is_dropped_once() {
    assert_eq!(cut(b"\xef\xbb\xbf[1]"), texts(&["1"]));
    let (rows, _) =
        cut_with(&Framing::Csv, &Value::Null, &b"\xef\xbb\xbf\"a\"\n\xef\xbb\xbf1\n"[..]);
    assert_eq!(rows, texts(&["\u{feff}1"]));
    assert_eq!(error("", b"\xef\xbb\xbf\xef\xbb\xbf[1]").code(), "not_json");
}

#[test]
fn d10_nesting_and_size_are_bounded_and_the_stream_goes_on() {
    let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let allowed = MAX_ROW_DEPTH as usize;
    let body = [b"[".as_slice(), &deep(allowed), b",", &deep(100_000), b",7]"].concat();
    let expected = vec![Ok(deep(allowed)), Err(RejectionReason::Malformed), Ok(b"7".to_vec())];
    assert_eq!(cut(&body), expected);

    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2)).into_bytes();
    let body = [
        b"[",
        &text(MAX_ROW_BYTES)[..],
        b",",
        &text(MAX_ROW_BYTES + 1),
        b",",
        &text(5 << 20),
        b",7]",
    ];
    let expected = vec![
        Ok(text(MAX_ROW_BYTES)),
        Err(RejectionReason::RowTooLarge),
        Err(RejectionReason::RowTooLarge),
        Ok(b"7".to_vec()),
    ];
    assert_eq!(cut(&body.concat()), expected);
}

#[test]
fn a_missing_element_is_a_malformed_row_and_a_last_comma_is_none() {
    assert_eq!(
        cut(b"[1,,2,]"),
        vec![Ok(b"1".to_vec()), Err(RejectionReason::Malformed), Ok(b"2".to_vec())]
    );
}

#[test]
fn an_array_is_found_by_its_pointer_and_the_rest_of_the_object_is_skipped() {
    for body in [
        r#"{"data":[1,{"data":[3]}]}"#,
        r#" { "status" : {"data":[9],"x":"}"} , "n":1e999, "data" : [1,{"data":[3]}] , "more":[{"a":"}"}] } "#,
        r#"{"d\u0061ta":[1,{"data":[3]}]}"#,
    ] {
        let (rows, end) = cut_with(&array("/data"), &Value::Null, body.as_bytes());
        end.unwrap();
        assert_eq!(rows, texts(&["1", r#"{"data":[3]}"#]), "{body}");
    }
    for (body, code) in [
        (r#"{"error":"x"}"#, "wrong_shape"),
        (r#"{"data":{"a":1}}"#, "wrong_shape"),
        (r#"{"data":null}"#, "wrong_shape"),
        (r#"[{"data":[1]}]"#, "wrong_shape"),
        (r#"{"data":[1]"#, "truncated"),
        (r#"{"data":[1"#, "truncated"),
        (r#"{"dat"#, "truncated"),
        (r#"{"data":"#, "truncated"),
        (r#"{"data":[1]}}"#, "trailing_garbage"),
        (r#"{"data"}"#, "wrong_shape"),
        ("<html>", "not_json"),
    ] {
        assert_eq!(error("/data", body.as_bytes()).code(), code, "{body}");
    }
}

#[test]
fn n9_a_body_that_is_no_array_is_refused_by_what_it_is() {
    for (body, code, retried) in [
        ("", "empty_body", true),
        (" \n", "empty_body", true),
        ("<!DOCTYPE html><html></html>", "not_json", true),
        ("error code: 1020", "not_json", true),
        ("nothing here", "not_json", true),
        ("{\"error\":\"x\"}", "wrong_shape", false),
        ("null", "wrong_shape", false),
        ("-1", "wrong_shape", false),
        ("\"x\"", "wrong_shape", false),
        ("[1,2", "truncated", true),
        ("[1,2,", "truncated", true),
        ("[\"1]", "truncated", true),
        ("[", "truncated", true),
        ("[1]]", "trailing_garbage", true),
        ("[1][2]", "trailing_garbage", true),
        ("[]<html>", "trailing_garbage", true),
    ] {
        let error = error("", body.as_bytes());
        assert_eq!(error.code(), code, "{body}");
        let page = error.to_page_error();
        assert_eq!(page.code, code);
        assert_eq!(matches!(page.remedy, Remedy::Retry { .. }), retried, "{body}");
    }
    let found = error("", b"{}");
    assert!(matches!(found, FrameError::NotAnArray { found: Found::Object, .. }));
    assert_eq!(found.to_string(), "expected a JSON array, found a JSON object");
}

#[test]
fn n5_a_body_cut_off_anywhere_is_truncated_and_keeps_its_whole_rows() {
    let body = br#"[{"a":"x\"]"},[1,2],3]"#;
    for length in 1..body.len() {
        let (rows, end) = cut_with(&array(""), &Value::Null, &body[..length]);
        assert!(matches!(end, Err(FrameError::Truncated { .. })), "{length}");
        assert!(rows.len() <= 3);
    }
}

#[test]
fn reading_errors_are_told_from_bad_bodies() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk"))
        }
    }
    let error = check(&array(""), &Value::Null, Broken).unwrap_err();
    assert_eq!(error.code(), "body_unreadable");
    assert_eq!(error.to_page_error().remedy, Remedy::Stop);
    assert!(CsvChunks::new(Broken, 8).next_chunk().is_err());
}

#[test]
fn d12_records_end_at_line_ends_outside_quotes() {
    let body = "id,name\r\n1,\"a\nb\"\r\n\n\r\n2,c\"d\n3,\"e\"\"\n,\"\n4,f";
    assert_eq!(records(body), texts(&["1,\"a\nb\"", "2,c\"d", "3,\"e\"\"\n,\"", "4,f"]));
    assert_eq!(records("id\n"), Cut::new());
    assert_eq!(records("id\n1\r"), texts(&["1"]));
    let chunk = json!({"delimiter": ",", "first": false});
    let (rows, _) = cut_with(&Framing::Csv, &chunk, &b"1,a\n2,b\n"[..]);
    assert_eq!(rows, texts(&["1,a", "2,b"]));
}

#[test]
fn d12_a_stray_quote_costs_its_own_line() {
    let at_the_end = "h,h\n1,\"open\n2,b\n3,c\n";
    assert_eq!(records(at_the_end), texts(&["1,\"open", "2,b", "3,c"]));
    let before_another = "h,h\n1,\"open\n2,b\n3,\"x, y\"\n4,\"p\nq\"\n";
    assert_eq!(records(before_another), texts(&["1,\"open", "2,b", "3,\"x, y\"", "4,\"p\nq\""]));
    let lines = "7,x\n".repeat(MAX_ROW_BYTES);
    let rows = records(&format!("h,h\n1,\"open\n{lines}"));
    assert_eq!(rows.len(), MAX_ROW_BYTES + 1);
    assert!(rows.iter().all(Result::is_ok));
}

#[test]
fn d12_a_line_above_the_cap_is_one_rejected_row() {
    let line = |length: usize| "x".repeat(length);
    let (fits, over, far_over) =
        (line(MAX_ROW_BYTES), line(MAX_ROW_BYTES + 1), line(3 * MAX_ROW_BYTES));
    let body = format!("h\n{fits}\r\n{over}\n{far_over}\n1\n{far_over}");
    assert_eq!(
        records(&body),
        vec![
            Ok(fits.into_bytes()),
            Err(RejectionReason::RowTooLarge),
            Err(RejectionReason::RowTooLarge),
            Ok(b"1".to_vec()),
            Err(RejectionReason::RowTooLarge),
        ]
    );
}

#[test]
fn d12_quotes_that_never_match_take_linear_time() {
    let lines = "b\",\"\n".repeat(400_000);
    assert!(!records(&format!("h,h\n{lines}")).is_empty());
}

#[test]
fn chunks_end_at_record_boundaries_and_a_long_record_is_its_own_chunk() {
    let body = "id,n\n1,a\n2,\"b\nc\"\n3,dddddddddddddddddddd\n4,e";
    let mut chunks = CsvChunks::new(body.as_bytes(), 10);
    let mut cut = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        cut.push(String::from_utf8(chunk).unwrap());
    }
    assert_eq!(cut, ["id,n\n1,a\n", "2,\"b\nc\"\n", "3,dddddddddddddddddddd\n", "4,e"]);
    assert!(CsvChunks::new(&b""[..], 10).next_chunk().unwrap().is_none());
}

#[test]
fn a_record_above_the_cap_of_a_chunk_is_an_error() {
    let body = io::repeat(b'x').take(65 << 20);
    let error = CsvChunks::new(body, 8 << 20).next_chunk().unwrap_err();
    assert_eq!(error.code(), "record_too_large");
    assert_eq!(error.to_page_error().remedy, Remedy::Stop);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\\x00-\\x7f\\PC]{0,12}".prop_map(Value::from),
        "[\\[\\]{},:\"\\\\ \n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z\"\\]\\\\]{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn csv_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\""),
        Just("\"\""),
        Just(","),
        Just("\n"),
        Just("\r\n"),
        Just("a"),
        Just("\r"),
        Just("é"),
        Just("\"x\ny\""),
        Just(";")
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cutting_an_array_equals_parsing_it(
        values in prop::collection::vec(json_value(), 0..8),
        pretty in any::<bool>(),
        wrapped in any::<bool>(),
    ) {
        let value = if wrapped { json!({"a": values, "data": values, "z": values}) } else { json!(values) };
        let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let (body, framing) = (body.unwrap(), array(if wrapped { "/data" } else { "" }));
        let (rows, end) = cut_with(&framing, &Value::Null, body.as_bytes());
        prop_assert!(end.is_ok());
        let parsed: Vec<Value> =
            rows.into_iter().map(|row| serde_json::from_slice(&row.unwrap()).unwrap()).collect();
        prop_assert_eq!(parsed, values);
        if !wrapped {
            let raw: Vec<Box<RawValue>> = serde_json::from_str(&body).unwrap();
            let raw: Cut = raw.iter().map(|row| Ok(row.get().as_bytes().to_vec())).collect();
            prop_assert_eq!(cut(body.as_bytes()), raw);
        }
    }

    #[test]
    fn d10_no_bytes_make_it_panic_and_read_sizes_do_not_matter(
        bytes in prop::collection::vec(
            prop_oneof![Just(b'['), Just(b']'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b','),
                Just(b':'), Just(b'\\'), Just(b'\n'), Just(b' '), any::<u8>()],
            0..80,
        ),
        step in 1_usize..9,
        pointer in prop_oneof![Just(""), Just("/a")],
    ) {
        for body in [bytes.clone(), [b"[", &bytes[..]].concat(), [b"{\"a\":[", &bytes[..]].concat()] {
            for framing in [array(pointer), Framing::Csv] {
                let (whole, end) = cut_with(&framing, &Value::Null, &body[..]);
                let drip = Drip { bytes: &body, step };
                let (dripped, dripped_end) = cut_with(&framing, &Value::Null, drip);
                prop_assert_eq!(whole, dripped);
                let code = |end: Result<(), FrameError>| end.err().map(|error| error.to_string());
                prop_assert_eq!(code(end), code(dripped_end));
            }
        }
    }

    #[test]
    fn chunks_make_up_the_text_and_cut_into_the_same_records(
        text in csv_text(),
        chunk_bytes in 1_usize..40,
        step in 1_usize..9,
    ) {
        let drip = Drip { bytes: text.as_bytes(), step };
        let mut chunks = CsvChunks::new(drip, chunk_bytes);
        let mut together = Vec::new();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            prop_assert!(!chunk.is_empty());
            together.extend_from_slice(&chunk);
        }
        prop_assert_eq!(together, text.as_bytes());
    }

    #[test]
    fn chunks_of_well_formed_text_hold_the_records_of_the_whole(
        fields in prop::collection::vec(("[a-z\"\n;,]{0,6}", "[a-z]{1,3}"), 1..12),
        chunk_bytes in 1_usize..40,
    ) {
        let line = |(odd, plain): &(String, String)| format!("\"{}\",{plain}\r\n", odd.replace('"', "\"\""));
        let text: String = fields.iter().map(line).collect();
        let context = json!({"delimiter": ",", "first": false});
        let (whole, _) = cut_with(&Framing::Csv, &context, text.as_bytes());
        prop_assert_eq!(whole.len(), fields.len());
        let mut chunks = CsvChunks::new(text.as_bytes(), chunk_bytes);
        let mut pieces = Cut::new();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            pieces.extend(cut_with(&Framing::Csv, &context, &chunk[..]).0);
        }
        prop_assert_eq!(whole, pieces);
    }
}
