//! What an upstream may do overnight, and what is to be found.

mod lists;
mod markets;
mod tickers;

use kasparro_domain::{DriftKind, DriftSeverity};
use kasparro_testkit::Reply;
use serde_json::Value;

/// The endpoint whose page is mutated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// CoinGecko's markets.
    Markets,
    /// CoinGecko's list.
    List,
    /// CoinPaprika's tickers.
    Tickers,
    /// CoinPaprika's coins.
    Coins,
    /// CoinPaprika's contracts of one platform.
    Contracts,
}

impl Shape {
    pub(crate) const ALL: [Self; 5] =
        [Self::Markets, Self::List, Self::Tickers, Self::Coins, Self::Contracts];

    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::Markets | Self::List => "coingecko",
            Self::Tickers | Self::Coins | Self::Contracts => "coinpaprika",
        }
    }

    /// Where the upstream has it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Markets => "/api/v3/coins/markets",
            Self::List => "/api/v3/coins/list",
            Self::Tickers => "/v1/tickers",
            Self::Coins => "/v1/coins",
            Self::Contracts => "/v1/contracts/eth-ethereum",
        }
    }

    pub(crate) const fn values(self) -> bool {
        matches!(self, Self::Markets | Self::Tickers)
    }
}

/// What is done to the right page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Rows(fn(&mut Vec<Value>)),
    /// Another answer in its place; given is the right body.
    Answer(fn(&str) -> Reply),
    /// The page before comes again for so many hours.
    Standstill(u64),
}

/// How a mutation is to be found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// By a change on record; a breaking one also refuses the page.
    Drift {
        kind: DriftKind,
        pointer: &'static str,
        severity: DriftSeverity,
        /// What is there now; empty for whatever is said.
        after: &'static str,
    },
    /// By a page that is refused with this code.
    Refused(&'static str),
    /// By an answer that is not taken for a page: the run ends with this code.
    NoPage(&'static str),
    /// By a change on record that an error came in place of rows; it is refused as it came with this code.
    ErrorPage {
        code: &'static str,
        /// What came.
        after: &'static str,
    },
    /// By so many quarantined rows in a hundred, for this reason.
    Rows(usize, &'static str),
}

/// One change of a page, and what is to be said of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) change: Change,
    pub(crate) found: Found,
    /// Other members that may be named: what follows from the same change.
    pub(crate) also: &'static [&'static str],
    /// True where the page may well be right that values are unknown: they are, after a warning.
    pub(crate) unknown: bool,
}

fn rows(shape: Shape, name: &'static str, change: fn(&mut Vec<Value>), found: Found) -> Mutation {
    Mutation { name, shape, change: Change::Rows(change), found, also: &[], unknown: false }
}

fn answer(
    shape: Shape,
    name: &'static str,
    change: fn(&str) -> Reply,
    code: &'static str,
) -> Mutation {
    let (change, found) = (Change::Answer(change), Found::NoPage(code));
    Mutation { name, shape, change, found, also: &[], unknown: false }
}

fn error_page(
    shape: Shape,
    name: &'static str,
    change: fn(&str) -> Reply,
    code: &'static str,
    after: &'static str,
) -> Mutation {
    let found = Found::ErrorPage { code, after };
    Mutation { found, ..answer(shape, name, change, code) }
}

const fn drift(
    kind: DriftKind,
    pointer: &'static str,
    severity: DriftSeverity,
    after: &'static str,
) -> Found {
    Found::Drift { kind, pointer, severity, after }
}

const fn breaking(kind: DriftKind, pointer: &'static str, after: &'static str) -> Found {
    drift(kind, pointer, DriftSeverity::Breaking, after)
}

fn web_page(_: &str) -> Reply {
    Reply::of("200 OK", "text/html", "<!DOCTYPE html><html><body>Be right back</body></html>")
}

fn error_object(_: &str) -> Reply {
    Reply::json(r#"{"error":"internal error"}"#)
}

/// The first half of a body, whose length is that of the half.
fn half(body: &str) -> Reply {
    Reply::json(&body[..body.len() / 2])
}

/// The first 40 % of the rows.
fn few(rows: &mut Vec<Value>) {
    rows.truncate(rows.len() * 2 / 5);
}

pub(crate) fn catalogue() -> Vec<Mutation> {
    [markets::all(), tickers::all(), lists::all()].into_iter().flatten().collect()
}
