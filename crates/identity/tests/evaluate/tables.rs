//! The tables of `docs/IDENTITY.md`, made from `docs/evidence/identity.json`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// A share in percent, cut and not rounded: 100.00 means all of them.
fn percent(share: &Value) -> String {
    share.as_f64().map_or_else(
        || "-".to_owned(),
        |share| format!("{:.2}", (share * 10_000.0).floor() / 100.0),
    )
}

fn within(score: &Value, share: &str) -> String {
    let bounds = &score[format!("{share}_95")];
    match bounds.as_array() {
        Some(_) => {
            let [low, high] = [&bounds[0], &bounds[1]].map(percent);
            format!("{} ({low} to {high})", percent(&score[share]))
        }
        None => "-".to_owned(),
    }
}

fn score_cells(score: &Value) -> String {
    let counts = ["scored", "tp", "fp", "fn", "abstained"].map(|count| score[count].to_string());
    let shares = ["precision", "recall"].map(|share| within(score, share));
    format!("{} | {}", counts.join(" | "), shares.join(" | "))
}

const SCORE_HEADINGS: &str = "scored | tp | fp | fn | abstained | precision % | recall %";
const SCORE_RULE: &str = "---:|---:|---:|---:|---:|---|---";

fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn of_generated(evidence: &Value) -> String {
    let mut text = format!("| contracts | class | {SCORE_HEADINGS} |\n|---|---|{SCORE_RULE}|\n");
    for run in rows(&evidence["generated"]["runs"]) {
        let contracts = run["contracts"].as_str().unwrap();
        let classes = run["classes"].as_object().unwrap();
        let all = std::iter::once(("overall", &run["overall"]))
            .chain(classes.iter().map(|(name, score)| (name.as_str(), score)));
        for (class, score) in all.filter(|(_, score)| score["scored"] != 0) {
            writeln!(text, "| {contracts} | {class} | {} |", score_cells(score)).unwrap();
        }
    }
    text
}

fn of_pairs_apart(evidence: &Value) -> String {
    let mut text =
        "| lists | contracts | pairs | linked | share % |\n|---|---|---:|---:|---:|\n".to_owned();
    let mut row = |what: &str, run: &Value, pairs: &Value| {
        let contracts = run["contracts"].as_str().unwrap();
        let share = percent(&pairs["share"]);
        let counts = format!("{} | {}", pairs["n"], pairs["linked"]);
        writeln!(text, "| {what} | {contracts} | {counts} | {share} |").unwrap();
    };
    for run in rows(&evidence["generated"]["runs"]) {
        row("generated: same symbol, another asset", run, &run["same_symbol"]);
        row("generated: an asset and its forms and copies", run, &run["negatives"]);
    }
    for run in rows(&evidence["real"]).iter().filter(|run| run["world"] == "open") {
        let name = run["case"].as_str().unwrap();
        row(&format!("{name}: same symbol, another asset"), run, &run["same_symbol"]);
    }
    text
}

fn of_real(evidence: &Value) -> String {
    let mut text =
        format!("| case | world | contracts | {SCORE_HEADINGS} |\n|---|---|---|{SCORE_RULE}|\n");
    for run in rows(&evidence["real"]) {
        let [case, world, contracts] =
            ["case", "world", "contracts"].map(|field| run[field].as_str().unwrap());
        writeln!(text, "| {case} | {world} | {contracts} | {} |", score_cells(&run["overall"]))
            .unwrap();
    }
    text
}

fn of_false_links(evidence: &Value) -> String {
    let mut text = "| A | linked to | is | cases, with contracts known | what is there |\n|---|---|---|---|---|\n".to_owned();
    let mut links: BTreeMap<[&str; 4], Vec<String>> = BTreeMap::new();
    for link in rows(&evidence["false_links"]) {
        let [a, b, expected, why, case, contracts] =
            ["id_a", "id_b", "expected", "looked_up", "case", "contracts"]
                .map(|field| link[field].as_str().unwrap());
        let expected = if expected.is_empty() { "dropped" } else { expected };
        links.entry([a, b, expected, why]).or_default().push(format!("{case} {contracts}"));
    }
    for ([a, b, expected, why], cases) in links {
        writeln!(text, "| {a} | {b} | {expected} | {} | {why} |", cases.join(", ")).unwrap();
    }
    text
}

fn of_calibration(evidence: &Value) -> String {
    let mut text =
        "| confidence at least | links | right | right % |\n|---:|---:|---:|---:|\n".to_owned();
    for range in rows(&evidence["calibration"]) {
        let least = range["at_least"].as_f64().unwrap() / 100.0;
        let (links, right) = (range["links"].as_f64().unwrap(), range["right"].as_f64().unwrap());
        let share = if links > 0.0 { percent(&(right / links).into()) } else { "-".to_owned() };
        writeln!(text, "| {least:.2} % | {links} | {right} | {share} |").unwrap();
    }
    text
}

fn of_size(evidence: &Value) -> String {
    let size = &evidence["size"];
    let mut text = "| what | measured |\n|---|---:|\n".to_owned();
    for (what, field) in [
        ("listings of both sources", "listings"),
        ("seconds to decide about all", "all_seconds"),
        ("listings of an update", "updated_listings"),
        ("seconds to decide about those", "update_seconds"),
        (
            "kilobytes of memory at most, with what made the lists",
            "peak_rss_kilobytes_with_generating",
        ),
    ] {
        let value = &size[field];
        let measured = match value {
            Value::Array(several) => {
                several.iter().map(Value::to_string).collect::<Vec<_>>().join(" and ")
            }
            Value::Number(number) if number.is_f64() => {
                format!("{:.2}", number.as_f64().unwrap_or_default())
            }
            Value::Null => "not measured: no release build".to_owned(),
            other => other.to_string(),
        };
        writeln!(text, "| {what} | {measured} |").unwrap();
    }
    text
}

/// Every table by the name of its markers.
fn tables(evidence: &Value) -> [(&'static str, String); 6] {
    [
        ("generated", of_generated(evidence)),
        ("apart", of_pairs_apart(evidence)),
        ("real", of_real(evidence)),
        ("false-links", of_false_links(evidence)),
        ("calibration", of_calibration(evidence)),
        ("size", of_size(evidence)),
    ]
}

/// The document with its tables made anew; what stands outside the markers is left as it is.
pub(crate) fn with_tables(document: &str, evidence: &Value) -> String {
    let mut document = document.to_owned();
    for (name, table) in tables(evidence) {
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
        let from = document.find(&begin).unwrap() + begin.len();
        let to = document.find(&end).unwrap();
        document.replace_range(from..to, &table);
    }
    document
}
