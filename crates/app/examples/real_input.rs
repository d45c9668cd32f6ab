//! Loads real captured bodies through the simulator, and writes down what became of every row.
//!
//! `make real-input` runs it on the folder that `KASPARRO_REAL_DATA` names: prices and lists of both vendors
//! in the order of their capture, a small CSV and a year of daily prices of 2,496 coins. Rows are counted
//! against the ledger of the simulator, numbers are compared digit by digit with what the API serves, and
//! the store is verified and rebuilt from its raw pages. The result is `docs/evidence/real-input.json`.

#![expect(
    clippy::unwrap_used,
    reason = "a tool that cannot measure has nothing better to do than end"
)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use kasparro_domain::{Decimal, Timestamp};
use kasparro_testkit::{Program, Server, get, wait_for};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use support::{Measured, counts, machine, output_of, run};

/// Steps of the simulator: as many as the longest series of captures, the lists of CoinGecko.
const STEPS: usize = 5;

/// A year of daily prices, one row for each coin and day.
const DAILY: &str = "coingecko_market_chart_2021_daily_2496_coins.csv";

/// The smallest price in it.
const SMALLEST: &str = "8.895747791031493e-46";

/// Prices of 500 coins on one day; its changes are fractions.
const SMALL: &str = "coin_gecko_2022-03-16.csv";

const DATABASE: &str = "sqlite:real.db";

/// Rows that the simulator served completely, by path.
fn ledger(url: &str) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    let text = get(&format!("{url}/_sim/ledger")).unwrap().text();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["completed"] == true && line["status"] == 200 {
            let served = line["rows"].as_array().map_or(0, |rows| rows.len() as u64);
            *rows.entry(line["path"].as_str().unwrap().to_owned()).or_default() += served;
        }
    }
    rows
}

fn post(url: &str) {
    kasparro_testkit::request("POST", url).unwrap();
}

/// Rows of some paths that were served since `before`.
fn since(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
    of: impl Fn(&str) -> bool,
) -> u64 {
    let grown = |(path, rows): (&String, &u64)| rows - before.get(path).copied().unwrap_or(0);
    after.iter().filter(|(path, _)| of(path)).map(grown).sum()
}

/// The vendors' prices and lists, step by step.
fn vendors(program: &Program, url: &str) -> Value {
    let mut steps = Vec::new();
    for step in 0..STEPS {
        if step > 0 {
            post(&format!("{url}/_sim/step"));
        }
        let before = ledger(url);
        let measured = run(
            program,
            &[
                "run",
                "coinpaprika",
                "coingecko",
                "--json",
                "--database",
                DATABASE,
                "--upstream",
                url,
            ],
        );
        let after = ledger(url);
        let sources = [("coinpaprika", "/v1/"), ("coingecko", "/api/v3/")].map(|(source, root)| {
            let mut counted = counts(&measured.document, source);
            let served = since(&before, &after, |path| path.starts_with(root));
            assert_eq!(counted["received"], served, "{source}, step {step}");
            counted["rows_in_ledger"] = json!(served);
            (source.to_owned(), counted)
        });
        let sources: serde_json::Map<_, _> = sources.into_iter().collect();
        steps.push(json!({"step": step, "sources": sources, "process": measured.figures}));
    }
    json!(steps)
}

/// Both CSV texts, fetched from the simulator.
fn texts(program: &Program, url: &str) -> (Value, Measured) {
    let before = ledger(url);
    let arguments = ["run", "csv", "--json", "--database", DATABASE];
    let measured = run(program, &arguments);
    let after = ledger(url);
    let mut first = counts(&measured.document, "csv");
    let served = since(&before, &after, |path| path.starts_with("/csv/"));
    // The ledger keeps the rows of one answer up to its cap; the counts of whole answers are on record.
    first["rows_in_ledger"] = json!(served);
    (first, measured)
}

#[derive(Deserialize)]
struct History<'a> {
    #[serde(borrow)]
    data: Vec<Point<'a>>,
    pagination: Paging,
}

#[derive(Deserialize)]
struct Paging {
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Point<'a> {
    observed_at: String,
    #[serde(borrow)]
    price_usd: &'a RawValue,
    #[serde(borrow)]
    market_cap: &'a RawValue,
    #[serde(borrow)]
    volume_24h: &'a RawValue,
}

/// The numbers of a row, as canonical text.
type Numbers = [Option<String>; 3];

fn canonical(text: &str) -> Option<String> {
    (!text.is_empty() && text != "null").then(|| Decimal::parse(text).unwrap().to_string())
}

/// Every point of one listing as the API serves it, by instant.
fn served(server: &Server, listing: u64) -> HashMap<i64, Numbers> {
    let mut points = HashMap::new();
    let mut cursor = String::new();
    loop {
        let url = format!("{}/listings/{listing}/history?limit=500{cursor}", server.url);
        let text = get(&url).unwrap().text();
        let page: History<'_> = serde_json::from_str(&text).unwrap();
        for point in &page.data {
            let at = Timestamp::parse(&point.observed_at).unwrap().as_millis();
            let numbers = [point.price_usd, point.market_cap, point.volume_24h];
            points.insert(at, numbers.map(|number| canonical(number.get())));
        }
        match page.pagination.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return points,
        }
    }
}

/// Listings of a source by external id.
fn listings(server: &Server, source: &str) -> HashMap<String, u64> {
    let mut ids = HashMap::new();
    for page in 1.. {
        let url = format!("{}/listings?source={source}&limit=500&page={page}", server.url);
        let body: Value = serde_json::from_str(&get(&url).unwrap().text()).unwrap();
        let rows = body["data"].as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let id = row["external_id"].as_str().unwrap().to_owned();
            ids.insert(id, row["id"].as_u64().unwrap());
        }
    }
    ids
}

/// Compares every row of the daily file with the history that the API serves.
fn digits(server: &Server, data: &Path) -> Value {
    let file = std::fs::File::open(data.join(format!("csv/{DAILY}.gz"))).unwrap();
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines().skip(1);
    let ids = listings(server, "csv");
    let (mut coin, mut points) = (String::new(), HashMap::new());
    let (mut rows, mut equal, mut negative, mut missing, mut other) =
        (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut smallest_served = false;
    for line in lines {
        let line = line.unwrap();
        rows += 1;
        // The readable time is quoted and holds a comma; nothing else is quoted.
        let (at, rest) = line.split_once(',').unwrap();
        let rest = rest.rsplit('"').next().unwrap().trim_start_matches(',');
        let fields: Vec<&str> = rest.split(',').collect();
        if fields[0] != coin {
            coin = fields[0].to_owned();
            points = ids.get(&coin).map(|id| served(server, *id)).unwrap_or_default();
        }
        let numbers = [fields[1], fields[2], fields[3]];
        if numbers.iter().any(|number| number.starts_with('-')) {
            negative += 1;
            continue;
        }
        let sent: Numbers = numbers.map(canonical);
        match points.get(&at.parse::<i64>().unwrap()) {
            Some(served) if *served == sent => equal += 1,
            Some(_) => other += 1,
            None => missing += 1,
        }
        smallest_served |= sent[0].as_deref() == Some(SMALLEST)
            && points.values().any(|served| served[0].as_deref() == Some(SMALLEST));
    }
    json!({
        "rows_sent": rows,
        "rows_served_digit_by_digit": equal,
        "rows_with_other_digits": other,
        "rows_not_served": missing,
        "rows_with_a_negative_number": negative,
        "smallest_price": SMALLEST,
        "smallest_price_is_served": smallest_served,
    })
}

fn quarantine(program: &Program) -> Value {
    let arguments = [
        "quarantine",
        "list",
        "--json",
        "--status",
        "all",
        "--limit",
        "500",
        "--database",
        DATABASE,
    ];
    let listed = program.call(&arguments);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let rows = listed.json();
    for row in rows.as_array().unwrap() {
        let name =
            format!("{} {}", row["source"].as_str().unwrap(), row["reason"].as_str().unwrap());
        *reasons.entry(name).or_default() += 1;
    }
    json!(reasons)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool, not the product, that is told where the captures lie"
)]
fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary = root.join("target/release/kasparro").canonicalize().unwrap();
    let data = PathBuf::from(std::env::var("KASPARRO_REAL_DATA").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let simulator = Program::new(&binary, folder.path()).serve(&[
        "sim",
        "--listen",
        "127.0.0.1:0",
        "--replay",
        &data.display().to_string(),
    ]);
    let url = simulator.url.clone();
    let files = format!(r#"[{{ path = "{url}/csv/{SMALL}", change = "fraction" }}]"#);
    let program = Program::new(&binary, folder.path())
        .with("KASPARRO_SOURCES__COINPAPRIKA__REQUESTS_PER_MINUTE", "60000")
        .with("KASPARRO_SOURCES__COINGECKO__REQUESTS_PER_MINUTE", "60000")
        .with("KASPARRO_SOURCES__CSV__PATHS", &format!("{url}/csv/{SMALL},{url}/csv/{DAILY}"))
        .with("KASPARRO_SOURCES__CSV__FILES", &files);
    let small_program = Program::new(&binary, folder.path());
    let idle = run(&small_program, &["run", "csv", "--json", "--database", "sqlite:idle.db"]);

    let steps = vendors(&program, &url);
    let (first, first_process) = texts(&program, &url);
    let (second, second_process) = texts(&program, &url);
    let grown = {
        let kilobytes = |figures: &Value| figures["peak_rss_kilobytes"].as_u64().unwrap();
        kilobytes(&first_process.figures).saturating_sub(kilobytes(&idle.figures))
    };

    let verified = run(&program, &["verify", "--json", "--database", DATABASE]);
    let again = "sqlite:again.db";
    let replayed = run(&program, &["replay", "--from", DATABASE, "--into", again, "--json"]);
    let server = program.serve(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        again,
        "--upstream",
        &kasparro_testkit::closed_port(),
    ]);
    wait_for("the read model", || {
        let answer = get(&format!("{}/listings?limit=1", server.url)).ok()?;
        (answer.status == 200 && answer.json()["total"].as_u64()? > 0).then_some(())
    });
    let digits = digits(&server, &data);
    let _ = server.stop();

    let document = json!({
        "command": "make real-input",
        "commit": output_of("git", &["rev-parse", "HEAD"]),
        "machine": machine(),
        "prices_and_lists": steps,
        "csv": {
            "first": first, "first_process": first_process.figures,
            "second": second, "second_process": second_process.figures,
            "process_that_loads_12_rows": idle.figures,
            "first_load_adds_kilobytes": grown,
            "digits_served_from_the_replayed_store": digits,
        },
        "quarantine": quarantine(&program),
        "verify": {"document": verified.document, "process": verified.figures},
        "replay": {"document": replayed.document, "process": replayed.figures},
        "database_bytes": std::fs::metadata(folder.path().join("real.db")).unwrap().len(),
    });
    let _ = simulator.stop();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    std::fs::write(root.join("docs/evidence/real-input.json"), &text).unwrap();
    #[expect(clippy::print_stdout, reason = "the tool's own output")]
    {
        print!("{text}");
    }
}
