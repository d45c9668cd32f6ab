//! CoinPaprika: the values of every active coin in one answer of `/v1/tickers`; lists of all coins and,
//! platform by platform, of their contracts; and, for paid plans, which coins of other vendors they are.
//!
//! Habits of the vendor that the mapping rests on: 0 means unknown in ranks, supplies and market
//! capitalisations; a missing value is said to be an empty text; numbers reach from 3.84e-18 to the
//! largest 64-bit integer; addresses have line ends around them; errors are `{"error":"…"}`.

mod lists;
mod mappings;
mod tickers;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::FieldUse;
use kasparro_extract::{
    Answer, Cost, Credential, Framing, HttpRequest, Limits, OptionError, PageError, PageMeta,
    PageSummary, Purpose, Request, RowReader, RunStart, Source, SourceSpec, Target,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::answers;
use crate::options::Options;

pub(crate) static SPEC: SourceSpec = SourceSpec {
    name: "coinpaprika",
    title: "CoinPaprika",
    documentation: "https://api.coinpaprika.com/",
    default_interval: Duration::from_secs(3600),
    lists_interval: Some(Duration::from_secs(24 * 3600)),
    secret_options: &["api_key"],
};

pub(crate) const OPTION_KEYS: &[&str] = &["api_key", "mappings", "plan"];

const TICKERS: &str = "tickers";
const COINS: &str = "coins";
const PLATFORMS: &str = "contract_platforms";
const CONTRACTS: &str = "contracts";
const MAPPINGS: &str = "mappings";

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
    /// Whether to ask which coins of other vendors its coins are; only plans with a key tell.
    mappings: bool,
}

pub(crate) fn build(options: &Options<'_>) -> Result<Arc<dyn Source>, OptionError> {
    let key = options.secret("api_key")?;
    let plan = options.choice("plan", &[("free", Plan::Free), ("pro", Plan::Pro)])?;
    let plan = plan.unwrap_or(if key.is_some() { Plan::Pro } else { Plan::Free });
    if plan == Plan::Pro && key.is_none() {
        return Err(options.refuse("plan", "set api_key too, or write \"free\""));
    }
    let mappings = options.flag("mappings")?.unwrap_or(false) && plan == Plan::Pro;
    Ok(Arc::new(CoinPaprika { plan, key: key.filter(|_| plan == Plan::Pro), mappings }))
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
                cost: Cost::ONE,
                credential,
            }),
        }
    }
}

impl Source for CoinPaprika {
    fn spec(&self) -> &'static SourceSpec {
        &SPEC
    }

    fn limits(&self) -> Limits {
        let credits = match self.plan {
            Plan::Free => 20_000,
            // Of the smallest plan with a key.
            Plan::Pro => 400_000,
        };
        Limits { credits_per_month: Some(credits), ..Limits::per_minute(REQUESTS_PER_MINUTE) }
    }

    fn mapped(&self, endpoint: &str) -> &'static [FieldUse] {
        match endpoint {
            TICKERS => tickers::MAPPED,
            COINS => lists::COINS_MAPPED,
            CONTRACTS => lists::CONTRACTS_MAPPED,
            MAPPINGS => mappings::MAPPED,
            _ => &[],
        }
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        let tickers = start.values.then(|| self.ask(TICKERS, "/v1/tickers", &[("quotes", "USD")]));
        let lists =
            [self.ask(COINS, "/v1/coins", &[]), self.ask(PLATFORMS, lists::CONTRACTS_PATH, &[])];
        // Last: a plan that does not cover it refuses it, and everything else is known by then.
        let mappings = self.mappings.then(|| self.ask(MAPPINGS, "/v1/coins/mappings", &[]));
        tickers.into_iter().chain(lists).chain(mappings).collect()
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
        let error = object.as_ref().and_then(|object| object.get("error"));
        let said = error.and_then(Value::as_str).unwrap_or_default();
        let message = answers::shown(said, self.key.as_ref());
        match (answer.status, error) {
            (200, None) if answers::html(&answer) => Err(answers::page_for_answer(SPEC.title)),
            (200, None) => Ok(()),
            (200, Some(_)) if said.to_ascii_lowercase().contains("limit") => {
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
            Some(MAPPINGS) => Box::new(mappings::MappingReader),
            Some(CONTRACTS) => Box::new(lists::ContractReader::of(page.request)?),
            _ => Box::new(tickers::TickerReader),
        })
    }
}
