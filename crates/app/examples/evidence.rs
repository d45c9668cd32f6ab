//! Measures what the documents claim of the first load, and writes it down.
//!
//! `make evidence` runs it: real captured bodies (from the folder that `KASPARRO_REAL_DATA` names) and one
//! generated body of 100,000 rows go through the real binary, and come out of `/data` again. The result
//! is `docs/evidence/first-load.json`.

#![expect(
    clippy::unwrap_used,
    reason = "a tool that cannot measure has nothing better to do than end"
)]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use kasparro_domain::Decimal;
use kasparro_testkit::{Program, Reply, SimulatedUpstream, TinyUpstream, get};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use support::{Measured, counts, machine, output_of, run};

/// Rows of the generated body.
const GENERATED: u32 = 100_000;

/// Seed of the generated body.
const SEED: u64 = 1;

/// The fields whose digits are compared, as `/data` names them.
const FIELDS: [&str; 7] = [
    "price_usd",
    "market_cap",
    "volume_24h",
    "price_change_24h",
    "circulating_supply",
    "total_supply",
    "max_supply",
];

/// Where CoinPaprika writes them, and whether its 0 means unknown.
const IN_TICKERS: [(&str, bool); 7] = [
    ("quotes/USD/price", false),
    ("quotes/USD/market_cap", true),
    ("quotes/USD/volume_24h", false),
    ("quotes/USD/percent_change_24h", false),
    ("circulating_supply", true),
    ("total_supply", true),
    ("max_supply", true),
];

/// Where CoinGecko writes them.
const IN_MARKETS: [(&str, bool); 7] = [
    ("current_price", false),
    ("market_cap", false),
    ("total_volume", false),
    ("price_change_percentage_24h", false),
    ("circulating_supply", true),
    ("total_supply", false),
    ("max_supply", false),
];

type Object<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Object<'a>>,
    total: u64,
}

/// The text of each of [`FIELDS`] by external id; unknown is `None`.
type Values = BTreeMap<String, Vec<Option<String>>>;

fn walk(url: &str, source: &str) -> Values {
    let mut served = Values::new();
    let fields = FIELDS.join(",");
    let mut page = 1;
    loop {
        let query = format!("source={source}&limit=500&page={page}&fields=external_id,{fields}");
        let text = get(&format!("{url}/data?{query}")).unwrap().text();
        let parsed: Page<'_> = serde_json::from_str(&text).unwrap();
        if parsed.data.is_empty() {
            assert_eq!(served.len() as u64, parsed.total, "every row exactly once");
            return served;
        }
        for row in parsed.data {
            let external_id: String = serde_json::from_str(row["external_id"].get()).unwrap();
            let known =
                |name: &&str| Some(row[*name].get().to_owned()).filter(|text| text != "null");
            let values = FIELDS.iter().map(known).collect();
            assert!(served.insert(external_id.clone(), values).is_none(), "twice: {external_id}");
        }
        page += 1;
    }
}

/// What a body says of every row, each number as canonical text.
fn sent(body: &str, places: &[(&str, bool)]) -> Values {
    let rows: Vec<&RawValue> = serde_json::from_str(body).unwrap();
    let number = |row: &RawValue, place: &str, zero_is_unknown: bool| {
        let mut value = row.get().to_owned();
        for key in place.split('/') {
            let object: Object<'_> = serde_json::from_str(&value).unwrap();
            value = object[key].get().to_owned();
        }
        let known = value != "null" && !(zero_is_unknown && value.parse() == Ok(0.0));
        known.then(|| Decimal::parse(&value).unwrap().to_string())
    };
    rows.into_iter()
        .map(|row| {
            let object: Object<'_> = serde_json::from_str(row.get()).unwrap();
            let external_id: String = serde_json::from_str(object["id"].get()).unwrap();
            let values = places.iter().map(|(place, zero)| number(row, place, *zero)).collect();
            (external_id, values)
        })
        .collect()
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// The program, asking for prices and no lists.
fn tickers_only(binary: &Path, folder: &Path) -> Program {
    Program::new(binary, folder)
        .with("KASPARRO_LIMITS__ANONYMOUS", "off")
        .with("KASPARRO_SOURCES__COINPAPRIKA__LISTS", "off")
        .with("KASPARRO_SOURCES__COINGECKO__LISTS", "off")
}

fn real_bodies(binary: &Path, data: &Path, folder: &Path) -> Value {
    let tickers = gunzip(&data.join("coinpaprika/tickers/2021-08-12_all_usd.json.gz"));
    let markets = gunzip(&data.join("coingecko/coins_markets/2022-01-29_page1_250.json.gz"));
    let (tickers_body, markets_body) = (tickers.clone(), markets.clone());
    let upstream = TinyUpstream::start(move |target| {
        if target.starts_with("/v1/tickers") {
            Reply::json(tickers_body.clone())
        } else if target.starts_with("/api/v3/coins/markets")
            && target.contains("page=1")
            && !target.contains("page=10")
        {
            Reply::json(markets_body.clone())
        } else {
            Reply::json("[]")
        }
    });
    let program = tickers_only(binary, folder);
    let arguments = [
        "run",
        "coinpaprika",
        "coingecko",
        "--json",
        "--database",
        "sqlite:real.db",
        "--upstream",
        &upstream.url,
    ];
    let first = run(&program, &arguments);
    let second = run(&program, &arguments);
    let server = program.serve(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        "sqlite:real.db",
        "--upstream",
        &kasparro_testkit::closed_port(),
    ]);
    let mut digits = serde_json::Map::new();
    for (source, expected) in
        [("coinpaprika", sent(&tickers, &IN_TICKERS)), ("coingecko", sent(&markets, &IN_MARKETS))]
    {
        let served = walk(&server.url, source);
        let numbers = expected.values().flatten().flatten();
        let holds = |text: &str| served.values().flatten().flatten().any(|served| served == text);
        digits.insert(
            source.to_owned(),
            json!({
                "rows_sent": expected.len(),
                "rows_served": served.len(),
                "numbers_sent": numbers.count(),
                "rows_with_other_digits":
                    expected.iter().filter(|(id, values)| served.get(*id) != Some(*values)).count(),
                "serves_3.84e-18": holds("3.84e-18"),
                "serves_9223372036854775807": holds("9223372036854775807"),
            }),
        );
    }
    let _ = server.stop();
    json!({
        "first": {"coinpaprika": counts(&first.document, "coinpaprika"), "coingecko": counts(&first.document, "coingecko"), "process": first.figures},
        "second": {"coinpaprika": counts(&second.document, "coinpaprika"), "coingecko": counts(&second.document, "coingecko"), "process": second.figures},
        "digits": digits,
    })
}

fn generated_body(binary: &Path, folder: &Path) -> Value {
    let program = tickers_only(binary, folder);
    let idle = run(&program, &["run", "csv", "--json", "--database", "sqlite:idle.db"]);
    let upstream = SimulatedUpstream::start(SEED, GENERATED);
    let body = get(&format!("{}/v1/tickers", upstream.url)).unwrap().body.len();
    let arguments = [
        "run",
        "coinpaprika",
        "--json",
        "--database",
        "sqlite:generated.db",
        "--upstream",
        &upstream.url,
    ];
    let first = run(&program, &arguments);
    let second = run(&program, &arguments);
    upstream.step();
    let changed = run(&program, &arguments);
    let kilobytes = |measured: &Measured| measured.figures["peak_rss_kilobytes"].as_u64().unwrap();
    let grown = kilobytes(&first).saturating_sub(kilobytes(&idle));
    let database = std::fs::metadata(folder.join("generated.db")).unwrap().len();
    json!({
        "rows": GENERATED, "seed": SEED, "body_bytes": body,
        "first": {"coinpaprika": counts(&first.document, "coinpaprika"), "process": first.figures},
        "second": {"coinpaprika": counts(&second.document, "coinpaprika"), "process": second.figures},
        "all_prices_changed": {"coinpaprika": counts(&changed.document, "coinpaprika"), "process": changed.figures},
        "process_that_loads_12_rows": idle.figures,
        "first_load_adds_kilobytes": grown,
        "database_bytes": database,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool, not the product, that is told where the captures lie"
)]
fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary = root.join("target/release/kasparro").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let real = match std::env::var("KASPARRO_REAL_DATA") {
        Ok(data) => real_bodies(&binary, Path::new(&data), folder.path()),
        Err(_) => json!("skipped: KASPARRO_REAL_DATA is not set"),
    };
    let document = json!({
        "command": "make evidence",
        "commit": output_of("git", &["rev-parse", "HEAD"]),
        "machine": machine(),
        "real_bodies": real,
        "generated_body": generated_body(&binary, folder.path()),
    });
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    std::fs::write(root.join("docs/evidence/first-load.json"), &text).unwrap();
    #[expect(clippy::print_stdout, reason = "the tool's own output")]
    {
        print!("{text}");
    }
}
