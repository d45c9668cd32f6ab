//! What is to be thought of each event that real captures bring: looked up in the captures by hand.

use crate::captures::{Event, Told};

/// Whether an event is true, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    endpoint: &'static str,
    kind: &'static str,
    pointer: &'static str,
    pub(crate) is_true: bool,
    pub(crate) why: &'static str,
}

/// A member that appeared, as the captures show.
const fn added(endpoint: &'static str, pointer: &'static str, why: &'static str) -> Verdict {
    Verdict { endpoint, kind: "field_added", pointer, is_true: true, why }
}

const VERDICTS: &[Verdict] = &[
    added(
        "coins/markets",
        "/market_cap_rank_with_rehypothecated",
        "No row of 2022 has it; a second rank is told in 2026.",
    ),
    added(
        "coins/markets",
        "/sparkline_in_7d",
        "The captures were asked for without sparklines, the example with them: the answers do differ.",
    ),
    added(
        "coins/list",
        "/platforms",
        "The captures were asked for without platforms, the example with them: the answers do differ.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/detail_platforms",
        "Neither capture of 2022 has it; the documentation of 2026 shows the contracts' decimals there.",
    ),
    added("coins/bitcoin of CoinGecko", "/has_supply_breakdown", "Neither capture of 2022 has it."),
    added(
        "coins/bitcoin of CoinGecko",
        "/links/snapshot_url",
        "The links of 2022 do not have it; it is there in 2026, though null.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/links/whitepaper",
        "The links of 2022 do not have it; in 2026 it is an address.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_cap_rank_with_rehypothecated",
        "Neither capture of 2022 has it; a second rank is told in 2026.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_data/market_cap_fdv_ratio",
        "The market data of 2022 do not have it.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_data/market_cap_rank_with_rehypothecated",
        "The market data of 2022 do not have it.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_data/max_supply_infinite",
        "The market data of 2022 do not have it.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_data/outstanding_supply",
        "The market data of 2022 do not have it.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/market_data/outstanding_token_value_usd",
        "The market data of 2022 do not have it.",
    ),
    added("coins/bitcoin of CoinGecko", "/preview_listing", "Neither capture of 2022 has it."),
    added(
        "coins/bitcoin of CoinGecko",
        "/tickers",
        "The captures were asked for without tickers, the example with them: the answers do differ.",
    ),
    added(
        "coins/bitcoin of CoinGecko",
        "/watchlist_portfolio_users",
        "Neither capture of 2022 has it.",
    ),
    added("coins/bitcoin of CoinGecko", "/web_slug", "Neither capture of 2022 has it."),
    added(
        "coins/btc-bitcoin of CoinPaprika",
        "/contract",
        "For five minutes the vendor said that Bitcoin is a token: an address on another chain appeared.",
    ),
    added(
        "coins/btc-bitcoin of CoinPaprika",
        "/contracts",
        "For five minutes the vendor said that Bitcoin is a token: a list of contracts appeared.",
    ),
    added(
        "coins/btc-bitcoin of CoinPaprika",
        "/parent",
        "For five minutes the vendor said that Bitcoin is a token: a coin it belongs to appeared.",
    ),
    added(
        "coins/btc-bitcoin of CoinPaprika",
        "/platform",
        "For five minutes the vendor said that Bitcoin is a token: its chain appeared.",
    ),
];

fn fits(verdict: &Verdict, event: &Event) -> bool {
    let key = &event.event.key;
    (verdict.endpoint, verdict.kind, verdict.pointer)
        == (event.endpoint, key.kind.name(), key.pointer.as_str())
}

/// The verdict on an event, if there is one.
pub(crate) fn of(event: &Event) -> Option<&'static Verdict> {
    VERDICTS.iter().find(|verdict| fits(verdict, event))
}

/// Events without a verdict, verdicts without an event, and events that are false.
pub(crate) fn problems(told: &Told) -> Vec<String> {
    let unjudged = told.events.iter().filter(|event| of(event).is_none());
    let unjudged = unjudged.map(|one| {
        let (key, severity) = (&one.event.key, one.event.severity.name());
        format!("no verdict: {} {severity} {} {}", one.endpoint, key.kind, key.pointer)
    });
    let fires = |verdict: &&Verdict| told.events.iter().any(|event| fits(verdict, event));
    let silent = VERDICTS.iter().filter(|verdict| !fires(verdict));
    let silent = silent.map(|one| format!("silent: {} {} {}", one.endpoint, one.kind, one.pointer));
    let wrong = VERDICTS.iter().filter(|verdict| !verdict.is_true);
    let wrong = wrong.map(|one| format!("false: {} {} {}", one.endpoint, one.kind, one.pointer));
    unjudged.chain(silent).chain(wrong).collect()
}
