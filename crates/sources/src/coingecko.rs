//! CoinGecko: values from `/coins/markets`, in pages of 250 coins, and the contracts of all coins from
//! `/coins/list`.
//!
//! Habits of the vendor that the mapping rests on: null means unknown, and so does a circulating
//! supply of 0.0; no total is told, the pages end with an empty one; pages are cut from a moving
//! ranking, so a coin may stand on two of them; a coin without a contract has the platform `""`; errors
//! come in three JSON shapes and as HTML.

mod list;

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Attributes, Observation, Quote, Rejection, Statement};
use kasparro_extract::{
    Answer, Credential, Framing, HttpRequest, OptionError, PageError, PageMeta, PageSummary,
    Purpose, Request, RowReader, RunStart, Source, SourceSpec, Target,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers;
use crate::fields::{self, Field};
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

    fn requests_per_minute(&self) -> Option<u32> {
        Some(match self.key {
            // Not published; 5 to 15 a minute have been seen to pass.
            None => 5,
            Some((KeyKind::Demo, _)) => 30,
            Some((KeyKind::Pro, _)) => 250,
        })
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
        let object = answers::object(&answer);
        let stated = object.as_ref().and_then(StatedError::of);
        match (answer.status, stated) {
            (200, None) if answers::html(&answer) => Err(answers::page_for_answer(SPEC.title)),
            (200, None) => Ok(()),
            (_, None) => Err(answers::status(SPEC.title, &answer, "")),
            (_, Some(stated)) => Err(self.stated_error(&answer, stated)),
        }
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        Ok(match page.request.get("endpoint").and_then(Value::as_str) {
            Some(LIST) => Box::new(list::ListReader),
            _ => Box::new(MarketReader),
        })
    }
}

/// An error as the vendor states it.
struct StatedError<'a> {
    code: Option<u64>,
    message: &'a str,
}

impl<'a> StatedError<'a> {
    /// Finds `{"status":{"error_code",…}}`, `{"error":{"status":{"error_code",…}}}` or
    /// `{"error":"…"}`.
    fn of(object: &'a Value) -> Option<Self> {
        let status =
            object.get("status").or_else(|| object.pointer("/error/status")).unwrap_or(object);
        let message = status.get("error_message").or_else(|| object.get("error"));
        let code = status.get("error_code").and_then(Value::as_u64);
        if code.is_none() && message.is_none() {
            return None;
        }
        Some(Self { code, message: message.and_then(Value::as_str).unwrap_or_default() })
    }
}

impl CoinGecko {
    fn stated_error(&self, answer: &Answer<'_>, stated: StatedError<'_>) -> PageError {
        let key = self.key.as_ref().map(|(_, key)| key);
        let message = answers::shown(stated.message, key);
        let stop = |code, what: &str, hint: &str| {
            PageError::stop(code, answers::said(SPEC.title, what, &message), hint)
        };
        match stated.code {
            Some(429) => answers::too_many_requests(SPEC.title, answer, &message),
            Some(1020) => {
                let hint = "a firewall refuses this network; wait a while or try from another one";
                stop("blocked", "access is blocked", hint)
            }
            Some(10002) => stop("key_missing", "a key is needed", "set api_key"),
            Some(10005) => {
                let hint = "use a key of a plan that covers it";
                stop("plan_too_small", "the plan does not cover the request", hint)
            }
            Some(10010) => stop("wrong_key_kind", "this is a pro key", "set key_kind to \"pro\""),
            Some(10011) => stop("wrong_key_kind", "this is a demo key", "set key_kind to \"demo\""),
            Some(10012) => {
                let hint = "neither waiting nor another key of the same plan helps";
                stop("plan_too_small", "the time range is not in the plan", hint)
            }
            _ if answer.status != 200 => answers::status(SPEC.title, answer, &message),
            Some(500..=599) => {
                let hint = "the upstream has a problem; the schedule asks again";
                let what = answers::said(SPEC.title, "the server failed", &message);
                PageError::retry("server_error", what, hint).after(answer.retry_after)
            }
            _ => {
                let hint = "the vendor's message says what is wrong";
                stop("upstream_error", "an error instead of a page", hint)
            }
        }
    }
}

#[derive(Deserialize)]
struct Market<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    current_price: Field<'a>,
    #[serde(borrow)]
    market_cap: Field<'a>,
    #[serde(borrow)]
    market_cap_rank: Field<'a>,
    #[serde(borrow)]
    fully_diluted_valuation: Field<'a>,
    #[serde(borrow)]
    total_volume: Field<'a>,
    #[serde(borrow)]
    price_change_percentage_24h: Field<'a>,
    #[serde(borrow)]
    circulating_supply: Field<'a>,
    #[serde(borrow)]
    total_supply: Field<'a>,
    #[serde(borrow)]
    max_supply: Field<'a>,
    #[serde(borrow)]
    last_updated: Field<'a>,
}

struct MarketReader;

impl RowReader for MarketReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let market: Market<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(market.id, "/id")?;
        let observed = observe(&market, &external_id);
        observed.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

fn observe(market: &Market<'_>, external_id: &str) -> Result<Observation, Rejection> {
    Ok(Observation {
        external_id: external_id.into(),
        attributes: Attributes {
            symbol: fields::text(market.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
            name: fields::text(market.name, "/name", fields::MAX_NAME_CHARS)?,
        },
        quote: Quote {
            price_usd: fields::number(market.current_price, "/current_price")?,
            market_cap: fields::number(market.market_cap, "/market_cap")?,
            volume_24h: fields::number(market.total_volume, "/total_volume")?,
            price_change_24h: fields::number(
                market.price_change_percentage_24h,
                "/price_change_percentage_24h",
            )?,
            circulating_supply: fields::number_or_zero(
                market.circulating_supply,
                "/circulating_supply",
            )?,
            total_supply: fields::number(market.total_supply, "/total_supply")?,
            max_supply: fields::number(market.max_supply, "/max_supply")?,
            fully_diluted_valuation: fields::number(
                market.fully_diluted_valuation,
                "/fully_diluted_valuation",
            )?,
            rank: fields::rank(market.market_cap_rank, "/market_cap_rank")?,
        },
        observed_at: fields::instant(market.last_updated, "/last_updated")?,
    })
}
