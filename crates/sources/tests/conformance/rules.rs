//! The rules of the contract. Each says what is wrong, or nothing.

mod asking;
mod mapping;
mod statements;

use std::panic::{AssertUnwindSafe, catch_unwind};

use kasparro_domain::{Rejection, RejectionReason};
use kasparro_extract::frame::check;
use kasparro_extract::{
    Answer, Framing, PageMeta, PageSummary, Remedy, Request, RowReader, Source, Target,
};
use serde_json::Value;

use crate::fixtures::{CANARY, Fixture, Page, Reached, now, outcome, read_page};

pub(crate) type Rule = fn(&Fixture) -> Result<(), String>;

pub(crate) const RULES: [(&str, Rule); 15] = [
    ("rows read as the fixtures say", rows_read_as_expected),
    ("no secret leaves the credential", no_secret_leaves_the_credential),
    ("the same bytes read the same", same_bytes_read_the_same),
    ("garbage never panics", garbage_never_panics),
    ("asking comes to an end", asking::comes_to_an_end),
    ("lists never move the position", asking::lists_never_move_the_position),
    ("lists are asked for with and without values", asking::lists_are_always_asked_for),
    ("a sweep is complete once", asking::a_sweep_is_complete_once),
    ("one bad row costs one row", one_bad_row_costs_one_row),
    ("errors are recognised", errors_are_recognised),
    ("a damaged page is no page", damaged_pages_are_refused),
    ("every fault names its field", every_fault_names_its_field),
    ("lists and values name the same listings", statements::name_the_same_listings),
    ("news is plain text", statements::news_is_plain_text),
    ("what is mapped is what is read", mapping::what_is_mapped_is_what_is_read),
];

fn pages(fixture: &Fixture, rule: impl Fn(&Page) -> Result<(), String>) -> Result<(), String> {
    fixture
        .pages
        .iter()
        .try_for_each(|page| rule(page).map_err(|fault| format!("{}: {fault}", page.name)))
}

fn outcomes(source: &dyn Source, request: &Request, body: &[u8]) -> Result<Vec<Value>, String> {
    let rows = read_page(source, request, body).map_err(|error| format!("refused: {error}"))?;
    Ok(rows.iter().map(outcome).collect())
}

/// Digits are kept, unknown is unknown, and what is refused is refused for the right reason.
fn rows_read_as_expected(fixture: &Fixture) -> Result<(), String> {
    pages(fixture, |page| {
        let seen = outcomes(fixture.source.as_ref(), &page.request, &page.body)?;
        for (ordinal, (seen, expected)) in seen.iter().zip(&page.expected).enumerate() {
            if seen != expected {
                return Err(format!("row {ordinal}: expected {expected}, got {seen}"));
            }
        }
        if seen.len() != page.expected.len() {
            return Err(format!("{} rows in place of {}", seen.len(), page.expected.len()));
        }
        Ok(())
    })
}

fn no_secret_leaves_the_credential(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let hidden = |place: &str, text: String| {
        if text.contains(CANARY) { Err(format!("the key is in {place}")) } else { Ok(()) }
    };
    hidden("the debug form of the source", format!("{source:?}"))?;
    for Reached { request, survey } in fixture.reachable() {
        hidden("the description", request.describe().to_string())?;
        hidden("the debug form of a request", format!("{request:?}"))?;
        hidden("the notes about a page", survey.to_string())?;
        let page = PageSummary { rows: 250, pages: 1, survey: &survey };
        hidden("the position", format!("{:?}", source.position_after(&request, page)))?;
        if let Target::Http(http) = &request.target {
            hidden("the address", format!("{}{}{:?}", http.origin, http.path, http.query))?;
        }
    }
    for case in &fixture.errors {
        let answer = Answer {
            status: case.status,
            content_type: Some(&case.content_type),
            retry_after: None,
            head: case.body.as_bytes(),
        };
        if let Err(error) = source.judge(answer) {
            hidden("an error", format!("{error:?}"))?;
        }
    }
    Ok(())
}

fn survey(source: &dyn Source, page: &Page) -> Result<Value, String> {
    source.survey(&page.request, &mut page.body.as_slice()).map_err(|error| error.to_string())
}

fn same_bytes_read_the_same(fixture: &Fixture) -> Result<(), String> {
    pages(fixture, |page| {
        let read = || outcomes(fixture.source.as_ref(), &page.request, &page.body);
        if read()? == read()? { Ok(()) } else { Err("two readings differ".to_owned()) }
    })
}

const GARBAGE: [&[u8]; 14] = [
    b"",
    b"\0",
    b"\xff\xfe\xfd",
    b"{",
    b"{}",
    b"[]",
    b"null",
    b"\"\\ud800\"",
    b"{\"id\":",
    b"{\"\\ud800\":1}",
    b"{\"id\":{\"id\":[]},\"quotes\":1e999}",
    b"\",\",\"\n\r\"",
    b",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
    b"<html>",
];

fn garbage_never_panics(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let attempt = |page: &Page, row: &[u8]| {
        let context = survey(source, page)?;
        let described = page.request.describe();
        let meta = PageMeta { request: &described, context: &context, fetched_at: now() };
        let mut reader = source.reader(meta).map_err(|error| error.to_string())?;
        let refused = catch_unwind(AssertUnwindSafe(|| reader.read(row)));
        let refused = refused.map_err(|_| format!("panics on {}", row.escape_ascii()))?;
        match refused {
            Ok(_) => Err(format!("takes {} for a row", row.escape_ascii())),
            Err(rejection) => bounded(&rejection),
        }
    };
    pages(fixture, |page| {
        GARBAGE.iter().try_for_each(|row| attempt(page, row))?;
        // Beginnings of a page must also be survived by survey and cutter.
        for length in (0..page.body.len()).step_by(7.max(page.body.len() / 300)) {
            let body = page.body.get(..length).unwrap_or_default();
            let survived =
                catch_unwind(AssertUnwindSafe(|| read_page(source, &page.request, body)));
            survived.map_err(|_| format!("panics on the first {length} bytes"))?.ok();
        }
        let context = Value::String("garbage".to_owned());
        let described = page.request.describe();
        let meta = PageMeta { request: &described, context: &context, fetched_at: now() };
        let survived = catch_unwind(AssertUnwindSafe(|| source.reader(meta).is_ok()));
        survived.map(|_| ()).map_err(|_| "panics on a foreign context".to_owned())
    })
}

fn bounded(rejection: &Rejection) -> Result<(), String> {
    let long = rejection.value.chars().count() > Rejection::MAX_VALUE_CHARS;
    if long || rejection.value.contains('\0') {
        return Err(format!("an unbounded value in {rejection:?}"));
    }
    Ok(())
}

/// Puts a broken row between all rows of a page; the others must read as before.
fn one_bad_row_costs_one_row(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    pages(fixture, |page| {
        let expected = outcomes(source, &page.request, &page.body)?;
        let context = survey(source, page)?;
        let text = || std::str::from_utf8(&page.body).map_err(|error| error.to_string());
        let broken = match source.framing(&page.request, &context) {
            Framing::JsonArray { .. } => {
                text()?.replace("\n {", "\n {\"id\":1e400,\u{1}},\n {").into_bytes()
            }
            Framing::Csv => {
                let mut lines = page.body.clone();
                if lines.last() != Some(&b'\n') {
                    lines.push(b'\n');
                }
                lines.extend_from_slice(b"\"broken\n");
                lines
            }
            // Only its own encoding tells the characters of such a text.
            Framing::XmlItems if text().is_err() => return Ok(()),
            Framing::XmlItems => {
                let rows = ["item", "entry", "a:entry"].map(|name| format!("\n <{name}"));
                let broken = |body: String, row: &String| {
                    body.replace(row, &format!("{row}><br>&x</{}>{row}", &row[3..]))
                };
                rows.iter().fold(text()?.to_owned(), broken).into_bytes()
            }
            Framing::Whole => return Ok(()),
        };
        let seen = outcomes(source, &page.request, &broken)?;
        let malformed = |outcome: &&Value| {
            outcome["rejected"] == "malformed" && outcome.get("external_id").is_none()
        };
        let kept = |outcomes: &[Value]| -> Vec<Value> {
            outcomes.iter().filter(|outcome| !malformed(outcome)).cloned().collect()
        };
        if seen.len() <= expected.len() {
            return Err("the broken rows are missing".to_owned());
        }
        if kept(&seen) != kept(&expected) {
            return Err("a broken row changed its neighbours".to_owned());
        }
        Ok(())
    })
}

fn errors_are_recognised(fixture: &Fixture) -> Result<(), String> {
    for case in &fixture.errors {
        let answer = Answer {
            status: case.status,
            content_type: Some(&case.content_type),
            retry_after: case.retry_after(),
            head: case.body.as_bytes(),
        };
        let told = format!("{} {}", case.status, case.body);
        let Err(error) = fixture.source.judge(answer) else {
            return Err(format!("{told} passes for an answer"));
        };
        let remedy = match case.remedy.as_str() {
            "retry" => Remedy::Retry { after: case.retry_after() },
            _ => Remedy::Stop,
        };
        if error.code != case.code || error.remedy != remedy || Some(error.class) != case.class() {
            return Err(format!("{told} gives {error:?}"));
        }
        if error.hint.is_empty() || error.message.is_empty() {
            return Err(format!("{told} gives no hint"));
        }
    }
    for page in &fixture.pages {
        let head = page.body.get(..4096).unwrap_or(&page.body);
        let answer = Answer { status: 200, content_type: None, retry_after: None, head };
        fixture.source.judge(answer).map_err(|error| format!("{}: {error}", page.name))?;
    }
    Ok(())
}

/// A page that is cut off, empty or something else is refused as a whole by judge, survey or framing.
fn damaged_pages_are_refused(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let taken = |page: &Page, body: &[u8]| {
        let head = body.get(..4096).unwrap_or(body);
        let answer = Answer { status: 200, content_type: None, retry_after: None, head };
        let context = source.survey(&page.request, &mut { body });
        source.judge(answer).is_ok()
            && context.is_ok_and(|context| {
                check(&source.framing(&page.request, &context), &context, body).is_ok()
            })
    };
    pages(fixture, |page| {
        if !taken(page, &page.body) {
            return Err("the page itself is refused".to_owned());
        }
        let mut damaged: Vec<&[u8]> =
            vec![b"", b" \n", b"<html><body>Log in</body></html>", b"{\"unexpected\":true}"];
        if source.framing(&page.request, &survey(source, page)?) != Framing::Csv {
            let whole = page.body.trim_ascii_end();
            damaged.extend((0..whole.len()).step_by(31).filter_map(|length| whole.get(..length)));
            damaged.push(b"null");
        }
        match damaged.into_iter().find(|body| taken(page, body)) {
            Some(body) => Err(format!("{} bytes of damage pass for a page", body.len())),
            None => Ok(()),
        }
    })
}

/// Replaces each value of each good JSON row by something wrong: either nothing changes, because no
/// mapping names the value, or the rejection names it.
fn every_fault_names_its_field(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    pages(fixture, |page| {
        let context = survey(source, page)?;
        let Framing::JsonArray { .. } = source.framing(&page.request, &context) else {
            return Ok(());
        };
        let text = std::str::from_utf8(&page.body).map_err(|error| error.to_string())?;
        let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
        let described = page.request.describe();
        let meta = PageMeta { request: &described, context: &context, fetched_at: now() };
        let mut reader = source.reader(meta).map_err(|error| error.to_string())?;
        for line in lines {
            // Rows with tokens that are no JSON are not taken apart.
            let Ok(row) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let Ok(before) = reader.read(row.to_string().as_bytes()) else {
                continue;
            };
            let mut pointers = Vec::new();
            leaves(&row, String::new(), &mut pointers);
            for pointer in pointers {
                let replaced = row.pointer(&pointer).unwrap_or(&Value::Null);
                for (wrong, reasons) in WRONG {
                    // Another value of a fitting type is no fault.
                    let fits = (replaced.is_boolean() && wrong == "true")
                        || (replaced.is_array() && wrong == "[]");
                    if fits {
                        continue;
                    }
                    let Some(broken) = with(&row, &pointer, wrong) else {
                        continue;
                    };
                    match reader.read(broken.as_bytes()) {
                        Ok(after) if after == before => break,
                        // What is unknown in the fixture may be a flag, of which `true` is a value.
                        Ok(_)
                            if replaced.is_null()
                                && wrong == "true"
                                && takes_no_text_or_number(reader.as_mut(), &row, &pointer) => {}
                        Ok(_) => return Err(format!("{wrong} at {pointer} is taken for a value")),
                        Err(rejection) => {
                            let inside = wrong.starts_with('{')
                                && rejection.field.starts_with(&format!("{pointer}/"));
                            let named = rejection.field == pointer || inside;
                            if !named || !reasons.contains(&rejection.reason) {
                                return Err(format!("{wrong} at {pointer} gives {rejection:?}"));
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    })
}

/// True where a text and a number in place of the value at `pointer` are refused for their type.
fn takes_no_text_or_number(reader: &mut dyn RowReader, row: &Value, pointer: &str) -> bool {
    ["\"true\"", "1"].iter().all(|other| {
        let row = with(row, pointer, other).unwrap_or_default();
        reader.read(row.as_bytes()).is_err_and(|rejection| {
            rejection.field == pointer && rejection.reason == RejectionReason::WrongType
        })
    })
}

const WRONG: [(&str, &[RejectionReason]); 4] = [
    ("{\"a\":[1]}", &[RejectionReason::WrongType]),
    ("[]", &[RejectionReason::WrongType]),
    ("true", &[RejectionReason::WrongType]),
    (
        "\"\\u0000\"",
        &[
            RejectionReason::NulInText,
            RejectionReason::BadNumber,
            RejectionReason::BadTimestamp,
            RejectionReason::WrongType,
        ],
    ),
];

fn leaves(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(member, format!("{pointer}/{name}"), found);
            }
        }
        _ => found.push(pointer),
    }
}

/// The row with the value at `pointer` replaced, by way of a marker, since `wrong` need not survive a
/// round trip.
fn with(row: &Value, pointer: &str, wrong: &str) -> Option<String> {
    const MARK: &str = "the value that is replaced";
    let mut row = row.clone();
    *row.pointer_mut(pointer)? = Value::from(MARK);
    Some(row.to_string().replace(&format!("\"{MARK}\""), wrong))
}
