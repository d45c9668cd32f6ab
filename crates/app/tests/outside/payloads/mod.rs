//! What attackers send, at every place of every request, to the program over the stores that it has: a store must
//! neither choke on a text nor take it for something else, and its database has nothing to refuse.
//!
//! Texts, places and what is judged of an answer are those of the tests of the API, which asks a store in memory and
//! sees each of its calls. `cargo test` asks with a share; with `KASPARRO_ALL_PAYLOADS=1` every text comes at
//! every place.

mod client;
mod fitting;
#[path = "../../../../api/src/tests/payloads/judge.rs"]
mod judge;
#[path = "../../../../api/src/tests/payloads/places.rs"]
mod places;
#[path = "../../../../api/src/tests/payloads/texts.rs"]
mod texts;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::served::{ADMIN, Served, Store};
use crate::{PROGRAM, tell, tools};
use client::{Answer, Client};
use judge::{Codes, judge};
use places::{Part, Place, places};
use texts::{Kind, texts};

/// Which texts a share asks where, and in which order; `KASPARRO_FUZZ_SEED` says another one.
const SEED: u64 = 1;
/// Texts at each place in a share.
const SHARE: usize = 1;
/// After so many requests the next program is begun: what valid requests leave behind makes a store slow.
const REQUESTS_PER_PROGRAM: usize = 25_000;
/// Requests at once: a decision is answered once it is carried out, which takes a while.
const CLIENTS: usize = 16;
/// Within this every request is answered. A text that makes a database wait asks for ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// What no request may change, whatever was run and decided: upstreams stand still.
const OF_THE_MARKET: [&str; 4] = ["listing", "quote", "history", "news"];

/// A file in which not all is right, so that there is a row in quarantine.
const ROWS: &str = "\
id,symbol,name,price_usd,time
mine-a,AAA,Mine A,1.10,2026-01-02T03:04:05Z
mine-b,BBB,Mine B,2.20,soon
";
/// What is added later, with a new column: so much is wrong with it that the file is refused whole. Nothing of it can
/// ever be loaded.
const MORE_ROWS: [&str; 6] = ["c", "d", "e", "f", "g", "h"];

/// A running program, and what there is to ask of it.
struct Asked {
    served: Served,
    places: Vec<Place>,
    codes: Codes,
    market: Value,
    _file: TempDir,
}

/// What is known of the market in a store, which has to hold together.
fn market(served: &Served) -> Value {
    let verified = served.call(&["verify", "--json"]).json();
    assert_eq!(verified["ok"], true, "{verified}");
    OF_THE_MARKET.iter().map(|table| verified["tables"][table].clone()).collect()
}

/// The codes of problems and their statuses, as the program explains them.
fn codes(page: &str) -> Codes {
    let entries = page.split("<dt id=\"").skip(1).filter_map(|entry| {
        let (name, rest) = entry.split_once('"')?;
        let status = rest.split_once('(')?.1.split_once(')')?.0;
        Some((name.to_owned(), status.parse().ok()?))
    });
    entries.collect()
}

impl Asked {
    /// Under settings with which every header that is sent is also looked at.
    fn start(store: Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("mine.csv");
        std::fs::write(&rows, ROWS).unwrap();
        let settings = [
            ("KASPARRO_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
            ("KASPARRO_CORS__ORIGINS", "https://wallet.example"),
            ("KASPARRO_SOURCES__CSV__PATHS", rows.to_str().unwrap()),
        ];
        let served = Served::start(Path::new(PROGRAM), store, false, &settings);
        let more: String =
            MORE_ROWS.iter().map(|id| format!("mine-{id},X,X,none,soon\n")).collect();
        let known = ROWS.replace("time\n", "time,seen\n").replace("Z\n", "Z,yes\n");
        std::fs::write(&rows, format!("{known}{more}")).unwrap();
        let get =
            |path: &str| kasparro_testkit::get(&format!("{}{path}", served.server.url)).unwrap();
        let places = places(&fitting::fit(get("/openapi.json").json(), &served));
        let codes = codes(&get("/docs/problems").text());
        let market = market(&served);
        Self { served, places, codes, market, _file: folder }
    }

    /// Asks in any order, several at once; every answer that may not be given.
    async fn ask(&self, cases: &[Case<'_>], done: &Mutex<Done>) {
        let left = Mutex::new(cases.iter());
        let next = || left.lock().unwrap().next();
        let client = async || {
            let mut client = Client::new(&self.served.server.url);
            while let Some(case) = next() {
                let place = &self.places[case.place];
                let Some(request) = place.request(case.text, ADMIN) else { continue };
                let answer = client.ask(request);
                let answer = tokio::time::timeout(PATIENCE, answer).await;
                let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
                done.lock().unwrap().note(place, case, answer, &self.codes);
            }
        };
        join_all((0..CLIENTS).map(|_| client())).await;
    }

    fn stop(self) {
        assert_eq!(market(&self.served), self.market, "what is known of the market");
        self.served.stop();
    }
}

/// A text at a place.
struct Case<'a> {
    place: usize,
    kind: Kind,
    text: &'a str,
}

/// What came of all requests.
#[derive(Default)]
struct Done {
    requests: usize,
    /// Operations that did at least once what they are there for.
    worked: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Done {
    fn note(
        &mut self,
        place: &Place,
        case: &Case<'_>,
        answer: Result<Answer, String>,
        codes: &Codes,
    ) {
        let name = format!("{} {}", place.operation.method, place.operation.path);
        self.requests += 1;
        let judged = match &answer {
            Ok(answer) => judge(place, case.text, answer, codes),
            Err(why) => Err(why.clone()),
        };
        if answer.as_ref().is_ok_and(|answer| answer.status < 300) {
            self.worked.insert(name.clone());
        }
        if let Err(why) = judged {
            let told = answer.map_or_else(
                |_| String::new(),
                |answer| format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            );
            let told: String = told.chars().take(300).collect();
            let (part, kind, text) = (&place.part, case.kind, case.text);
            self.wrong.push(format!("{name} {part:?} {kind:?} {text:?}: {why}\n  {told}"));
        }
    }
}

/// A request for a generation that may still come is answered after two seconds, on purpose and without the store.
fn waits(place: &Place, text: &str) -> bool {
    place.part == Part::Header("X-Min-Generation".to_owned()) && text.parse::<u64>().is_ok()
}

fn seed() -> u64 {
    tools::variable("KASPARRO_FUZZ_SEED").map_or(SEED, |seed| seed.parse().unwrap())
}

fn ask_everything(store: Store) {
    let begun = Instant::now();
    let mut random = StdRng::seed_from_u64(seed());
    let mut texts = texts();
    texts.shuffle(&mut random);
    let all = tools::variable("KASPARRO_ALL_PAYLOADS").is_some_and(|it| it == "1");
    let share = if all { texts.len() } else { SHARE };
    let mut next = texts.iter().cycle();
    let mut asked = Asked::start(store);
    let mut cases = Vec::new();
    for (number, place) in asked.places.iter().enumerate() {
        let here = next.by_ref().take(share).filter(|(_, text)| !waits(place, text));
        cases.extend(here.map(|(kind, text)| Case { place: number, kind: *kind, text }));
    }
    // Operations that change something come among the others, not one after the other.
    cases.shuffle(&mut random);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = Mutex::new(Done::default());
    for (number, cases) in cases.chunks(REQUESTS_PER_PROGRAM).enumerate() {
        if number > 0 {
            tell(&format!(
                "payloads over {}: {} requests",
                store.name(),
                done.lock().unwrap().requests
            ));
            asked.stop();
            asked = Asked::start(store);
        }
        runtime.block_on(asked.ask(cases, &done));
    }
    let operations: BTreeSet<_> = asked
        .places
        .iter()
        .map(|place| format!("{} {}", place.operation.method, place.operation.path))
        .collect();
    asked.stop();
    let mut done = done.into_inner().unwrap();
    let (requests, seconds) = (done.requests, begun.elapsed().as_secs_f64());
    tell(&format!("payloads over {}: {requests} requests, {seconds:.1} s", store.name()));
    // Some are told that what they ask is done already.
    let idle: Vec<_> = operations.difference(&done.worked).collect();
    assert!(idle.len() * 10 < operations.len(), "never answered with what was asked: {idle:?}");
    let wrong = done.wrong.len();
    done.wrong.truncate(40);
    assert_eq!(wrong, 0, "answers that may not be given:\n{}", done.wrong.join("\n"));
    assert!(requests > 500, "{requests}");
}

#[test]
fn i8_no_payload_at_any_place_gets_the_better_of_sqlite() {
    ask_everything(Store::Sqlite);
}

#[test]
fn i8_no_payload_at_any_place_gets_the_better_of_postgres() {
    ask_everything(Store::Postgres);
}
