//! CoinGecko: values from `/coins/markets`, in pages of 250 coins, and the contracts of all coins from
//! `/coins/list`.
//!
//! Habits of the vendor that the mapping rests on: null means unknown, and so does a circulating
//! supply of 0.0; no total is told, the pages end with an empty one; pages are cut from a moving
//! ranking, so a coin may stand on two of them; a coin without a contract has the platform `""`; errors
//! come in three JSON shapes and as HTML.

mod errors;
mod list;
mod markets;

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::FieldUse;
use kasparro_extract::{
    Answer, Cost, Credential, Framing, HttpRequest, Limits, OptionError, PageError, PageMeta,
    PageSummary, Purpose, Request, RowReader, RunStart, Source, SourceSpec, Target,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::options::Options;

pub(crate) static SPEC: SourceSpec = SourceSpec {
    name: "coingecko",
    title: "CoinGecko",
    documentation: "https://docs.coingecko.com/reference/coins-markets",
    default_interval: Duration::from_secs(3600),
    lists_interval: Some(Duration::from_secs(24 * 3600)),
    secret_options: &["api_key"],
};

pub(crate) const OPTION_KEYS: &[&str] = &["api_key", "key_kind", "pages"];

const MARKETS: &str = "coins_markets";
const LIST: &str = "coins_list";

/// The most rows of one page; the vendor cuts larger wishes down to it without a word.
const PER_PAGE: &str = "250";

/// Pages of a run unless configured otherwise: the 1,000 largest coins.
const DEFAULT_PAGES: u64 = 4;

/// An end for a listing that never ends; the vendor lists fewer than 20,000 coins on 80 pages.
const MAX_PAGES: u64 = 1_000;

/// How long after a broken run the next one goes on where it stopped. Later the ranking has moved on.
const RESUME_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Which host and header a key belongs to. Its text does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Demo,
    Pro,
}

#[derive(Debug)]
struct CoinGecko {
    key: Option<(KeyKind, SecretString)>,
    /// The last page to ask; `None` goes on to the end.
    depth: Option<u64>,
}

pub(crate) fn build(options: &Options<'_>) -> Result<Arc<dyn Source>, OptionError> {
    let kind = options.choice("key_kind", &[("demo", KeyKind::Demo), ("pro", KeyKind::Pro)])?;
    let key = match (options.secret("api_key")?, kind) {
        (Some(key), kind) => Some((kind.unwrap_or(KeyKind::Demo), key)),
        (None, Some(KeyKind::Pro)) => {
            return Err(options.refuse("key_kind", "set api_key too, or leave key_kind out"));
        }
        (None, _) => None,
    };
    Ok(Arc::new(CoinGecko { key, depth: depth(options)? }))
}

/// The configured depth: a number of pages, or 0 or "all" for no end.
fn depth(options: &Options<'_>) -> Result<Option<u64>, OptionError> {
    let Some(value) = options.get("pages") else {
        return Ok(Some(DEFAULT_PAGES));
    };
    let number = match value.as_str().map(str::trim) {
        Some("all") => Some(0),
        Some(text) => text.parse().ok(),
        None => value.as_u64(),
    };
    match number {
        Some(0) => Ok(None),
        Some(pages) if pages <= MAX_PAGES => Ok(Some(pages)),
        _ => Err(options.refuse("pages", "write a number from 1 to 1000, or \"all\"")),
    }
}

impl CoinGecko {
    /// To a depth the largest coins are wanted; to the end, an order in which nothing moves between
    /// pages.
    const fn order(&self) -> &'static str {
        if self.depth.is_some() { "market_cap_desc" } else { "id_asc" }
    }

    fn last_page(&self) -> u64 {
        self.depth.unwrap_or(MAX_PAGES)
    }

    fn ask_markets(&self, page: u64) -> Request {
        let query = [
            ("vs_currency", "usd"),
            ("order", self.order()),
            ("per_page", PER_PAGE),
            ("page", &page.to_string()),
        ];
        Request {
            endpoint: MARKETS,
            purpose: Purpose::Values,
            completes_sweep: false,
            target: self.target("/api/v3/coins/markets", &query),
        }
    }

    fn ask_list(&self) -> Request {
        Request {
            endpoint: LIST,
            purpose: Purpose::List,
            completes_sweep: true,
            target: self.target("/api/v3/coins/list", &[("include_platform", "true")]),
        }
    }

    fn target(&self, path: &str, query: &[(&str, &str)]) -> Target {
        let origin = match self.key {
            Some((KeyKind::Pro, _)) => "https://pro-api.coingecko.com",
            _ => "https://api.coingecko.com",
        };
        let credential = self.key.clone().map(|(kind, value)| {
            let header = match kind {
                KeyKind::Demo => "x-cg-demo-api-key",
                KeyKind::Pro => "x-cg-pro-api-key",
            };
            Credential { header, value }
        });
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Target::Http(HttpRequest {
            origin: origin.to_owned(),
            path: path.to_owned(),
            query: query.iter().map(owned).collect(),
            secret_query: Vec::new(),
            origin_matters: false,
            conditional: false,
            cost: Cost::ONE,
            credential,
        })
    }

    /// The page that a run begins with: where a broken one stopped, as long as the ranking holds.
    fn resumed(&self, start: &RunStart<'_>) -> Option<u64> {
        let checkpoint = start.checkpoint.filter(|checkpoint| {
            checkpoint.moved_at <= start.now
                && start.now.since(checkpoint.moved_at) < RESUME_WITHIN
                && checkpoint.position.get("order").and_then(Value::as_str) == Some(self.order())
        })?;
        let page = checkpoint.position.get("next_page")?.as_u64()?;
        (1..=self.last_page()).contains(&page).then_some(page)
    }

    /// The page after `request`, unless that was the last.
    fn following(&self, request: &Request, page: PageSummary<'_>) -> Option<u64> {
        let following = page_of(request)? + 1;
        (page.rows > 0 && following <= self.last_page()).then_some(following)
    }
}

fn page_of(request: &Request) -> Option<u64> {
    let Target::Http(http) = &request.target else {
        return None;
    };
    if request.endpoint != MARKETS {
        return None;
    }
    let (_, number) = http.query.iter().find(|(name, _)| name == "page")?;
    number.parse().ok()
}

impl Source for CoinGecko {
    fn spec(&self) -> &'static SourceSpec {
        &SPEC
    }

    fn limits(&self) -> Limits {
        match self.key {
            // Not published; 5 to 15 a minute have been seen to pass.
            None => Limits::per_minute(5),
            // The vendor tells of 100 a minute today and told of 30 before; the lower number holds of both.
            Some((KeyKind::Demo, _)) => {
                Limits { credits_per_month: Some(10_000), ..Limits::per_minute(30) }
            }
            // Below the smallest plan's 300 a minute. The month's credits differ from plan to plan.
            Some((KeyKind::Pro, _)) => Limits::per_minute(250),
        }
    }

    fn mapped(&self, endpoint: &str) -> &'static [FieldUse] {
        match endpoint {
            MARKETS => markets::MAPPED,
            LIST => list::MAPPED,
            _ => &[],
        }
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        let markets = start.values.then(|| self.ask_markets(self.resumed(&start).unwrap_or(1)));
        markets.into_iter().chain([self.ask_list()]).collect()
    }

    fn next(&self, request: &Request, page: PageSummary<'_>) -> Vec<Request> {
        let following = self.following(request, page);
        following.map(|page| self.ask_markets(page)).into_iter().collect()
    }

    fn position_after(&self, request: &Request, page: PageSummary<'_>) -> Option<Value> {
        if request.purpose == Purpose::List {
            return None;
        }
        let next_page = self.following(request, page).unwrap_or(1);
        Some(json!({"next_page": next_page, "order": self.order()}))
    }

    fn framing(&self, _: &Request, _: &Value) -> Framing {
        Framing::JsonArray { pointer: "".into() }
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        errors::judge(&answer, self.key.as_ref().map(|(_, key)| key))
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        Ok(match page.request.get("endpoint").and_then(Value::as_str) {
            Some(LIST) => Box::new(list::ListReader),
            _ => Box::new(markets::MarketReader),
        })
    }
}
