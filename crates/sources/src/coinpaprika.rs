//! CoinPaprika: the values of every active coin in one answer of `/v1/tickers`; lists of all coins and,
//! platform by platform, of their contracts.
//!
//! Habits of the vendor that the mapping rests on: 0 means unknown in ranks, supplies and market
//! capitalisations; a missing value is said to be an empty text; numbers reach from 3.84e-18 to the
//! largest 64-bit integer; addresses have line ends around them; errors are `{"error":"…"}`.

mod lists;

use std::io::Read;
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
use crate::fields::{self, Field, Object};
use crate::options::Options;

pub(crate) static SPEC: SourceSpec = SourceSpec {
    name: "coinpaprika",
    title: "CoinPaprika",
    documentation: "https://api.coinpaprika.com/",
    default_interval: Duration::from_secs(3600),
    lists_interval: Some(Duration::from_secs(24 * 3600)),
    secret_options: &["api_key"],
};

pub(crate) const OPTION_KEYS: &[&str] = &["api_key", "plan"];

const TICKERS: &str = "tickers";
const COINS: &str = "coins";
const PLATFORMS: &str = "contract_platforms";
const CONTRACTS: &str = "contracts";

/// The vendor publishes no limit by the minute; one request a second is polite.
const REQUESTS_PER_MINUTE: u32 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Free,
    Pro,
}

#[derive(Debug)]
struct CoinPaprika {
    plan: Plan,
    key: Option<SecretString>,
}

pub(crate) fn build(options: &Options<'_>) -> Result<Arc<dyn Source>, OptionError> {
    let key = options.secret("api_key")?;
    let plan = options.choice("plan", &[("free", Plan::Free), ("pro", Plan::Pro)])?;
    let plan = plan.unwrap_or(if key.is_some() { Plan::Pro } else { Plan::Free });
    if plan == Plan::Pro && key.is_none() {
        return Err(options.refuse("plan", "set api_key too, or write \"free\""));
    }
    Ok(Arc::new(CoinPaprika { plan, key: key.filter(|_| plan == Plan::Pro) }))
}

impl CoinPaprika {
    fn ask(&self, endpoint: &'static str, path: &str, query: &[(&str, &str)]) -> Request {
        let origin = match self.plan {
            Plan::Free => "https://api.coinpaprika.com",
            Plan::Pro => "https://api-pro.coinpaprika.com",
        };
        // The vendor's own clients send the bare key, without a scheme before it.
        let credential =
            self.key.clone().map(|value| Credential { header: "authorization", value });
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Request {
            endpoint,
            purpose: if endpoint == TICKERS { Purpose::Values } else { Purpose::List },
            completes_sweep: endpoint == COINS,
            target: Target::Http(HttpRequest {
                origin: origin.to_owned(),
                path: path.to_owned(),
                query: query.iter().map(owned).collect(),
                secret_query: Vec::new(),
                origin_matters: false,
                conditional: false,
                credential,
            }),
        }
    }
}

impl Source for CoinPaprika {
    fn spec(&self) -> &'static SourceSpec {
        &SPEC
    }

    fn requests_per_minute(&self) -> Option<u32> {
        Some(REQUESTS_PER_MINUTE)
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        let tickers = start.values.then(|| self.ask(TICKERS, "/v1/tickers", &[("quotes", "USD")]));
        let lists =
            [self.ask(COINS, "/v1/coins", &[]), self.ask(PLATFORMS, lists::CONTRACTS_PATH, &[])];
        tickers.into_iter().chain(lists).collect()
    }

    fn next(&self, request: &Request, page: PageSummary<'_>) -> Vec<Request> {
        if request.endpoint != PLATFORMS {
            return Vec::new();
        }
        let paths = lists::platform_paths(page.survey);
        paths.map(|path| self.ask(CONTRACTS, &path, &[])).collect()
    }

    fn position_after(&self, request: &Request, _: PageSummary<'_>) -> Option<Value> {
        (request.purpose == Purpose::Values).then(|| json!({}))
    }

    fn framing(&self, request: &Request, _: &Value) -> Framing {
        match request.endpoint {
            PLATFORMS => Framing::Whole,
            _ => Framing::JsonArray { pointer: "".into() },
        }
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        let object = answers::object(&answer);
        let error = object.as_ref().and_then(|object| object.get("error")).and_then(Value::as_str);
        let message = answers::shown(error.unwrap_or_default(), self.key.as_ref());
        match (answer.status, error) {
            (200, None) if answers::html(&answer) => Err(answers::page_for_answer(SPEC.title)),
            (200, None) => Ok(()),
            (200, Some(error)) if error.contains("limit") => {
                Err(answers::too_many_requests(SPEC.title, &answer, &message))
            }
            (200, Some(_)) => {
                let hint = "check plan and api_key; the vendor's message says what is wrong";
                let what = answers::said(SPEC.title, "an error instead of a page", &message);
                Err(PageError::stop("upstream_error", what, hint))
            }
            _ => Err(answers::status(SPEC.title, &answer, &message)),
        }
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        if request.endpoint == PLATFORMS { lists::survey(body) } else { Ok(Value::Null) }
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        Ok(match page.request.get("endpoint").and_then(Value::as_str) {
            Some(COINS) => Box::new(lists::CoinReader),
            Some(PLATFORMS) => Box::new(lists::NoReader),
            Some(CONTRACTS) => Box::new(lists::ContractReader::of(page.request)?),
            _ => Box::new(TickerReader),
        })
    }
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    rank: Field<'a>,
    #[serde(borrow)]
    circulating_supply: Field<'a>,
    #[serde(borrow)]
    total_supply: Field<'a>,
    #[serde(borrow)]
    max_supply: Field<'a>,
    #[serde(borrow)]
    last_updated: Field<'a>,
    #[serde(borrow)]
    quotes: Option<Object<Quotes<'a>>>,
}

#[derive(Deserialize)]
struct Quotes<'a> {
    #[serde(borrow, rename = "USD")]
    usd: Option<Object<InUsd<'a>>>,
}

#[derive(Deserialize, Default)]
struct InUsd<'a> {
    #[serde(borrow)]
    price: Field<'a>,
    #[serde(borrow)]
    volume_24h: Field<'a>,
    #[serde(borrow)]
    market_cap: Field<'a>,
    #[serde(borrow)]
    percent_change_24h: Field<'a>,
}

struct TickerReader;

impl RowReader for TickerReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let ticker: Ticker<'_> = fields::read_row(row, &["quotes", "USD"])?;
        let external_id = fields::id(ticker.id, "/id")?;
        let observed = observe(&ticker, &external_id);
        observed.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

fn observe(ticker: &Ticker<'_>, external_id: &str) -> Result<Observation, Rejection> {
    let unpriced = InUsd::default();
    let quotes = ticker.quotes.as_ref().and_then(|Object(quotes)| quotes.usd.as_ref());
    let usd = quotes.map_or(&unpriced, |Object(usd)| usd);
    Ok(Observation {
        external_id: external_id.into(),
        attributes: Attributes {
            symbol: fields::text(ticker.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
            name: fields::text(ticker.name, "/name", fields::MAX_NAME_CHARS)?,
        },
        quote: Quote {
            price_usd: fields::number(usd.price, "/quotes/USD/price")?,
            market_cap: fields::number_or_zero(usd.market_cap, "/quotes/USD/market_cap")?,
            volume_24h: fields::number(usd.volume_24h, "/quotes/USD/volume_24h")?,
            price_change_24h: fields::number(
                usd.percent_change_24h,
                "/quotes/USD/percent_change_24h",
            )?,
            circulating_supply: fields::number_or_zero(
                ticker.circulating_supply,
                "/circulating_supply",
            )?,
            total_supply: fields::number_or_zero(ticker.total_supply, "/total_supply")?,
            max_supply: fields::number_or_zero(ticker.max_supply, "/max_supply")?,
            fully_diluted_valuation: None,
            rank: fields::rank(ticker.rank, "/rank")?,
        },
        observed_at: fields::instant(ticker.last_updated, "/last_updated")?,
    })
}
