//! CSV files as people export them: the same coins in three dialects.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::names::Identity;
use crate::text::{Number, push_go, push_instant};
use crate::walk::{Walk, change};
use crate::world::{Coin, World, price_at};

const DAY_MINUTES: i64 = 1_440;
const SPREAD_MS: u64 = 60_000;
const NOT_FOUND: &str = "the simulator serves assets.csv, markets.csv and prices.csv";

/// Which columns a file has, and how they are written.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    header: &'static str,
    delimiter: u8,
    line_end: &'static str,
    columns: &'static [Column],
    /// The column that is the row's external id.
    key: Column,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Symbol,
    Name,
    Price,
    MarketCap,
    Volume,
    Change,
    Supply,
    UpdatedAt,
}

/// Plain: commas, line feeds, an id column.
const ASSETS: Dialect = Dialect {
    header: "id,symbol,name,price_usd,market_cap,volume_24h,percent_change_24h,circulating_supply,last_updated",
    delimiter: b',',
    line_end: "\n",
    columns: &[
        Column::Id,
        Column::Symbol,
        Column::Name,
        Column::Price,
        Column::MarketCap,
        Column::Volume,
        Column::Change,
        Column::Supply,
        Column::UpdatedAt,
    ],
    key: Column::Id,
};

/// As spreadsheets save it: a byte order mark, semicolons, CRLF, capitals in the header.
const MARKETS: Dialect = Dialect {
    header: "\u{feff}slug;Symbol;Name;Price;Market Cap;Volume 24h;Last Updated",
    delimiter: b';',
    line_end: "\r\n",
    columns: &[
        Column::Id,
        Column::Symbol,
        Column::Name,
        Column::Price,
        Column::MarketCap,
        Column::Volume,
        Column::UpdatedAt,
    ],
    key: Column::Id,
};

/// Only tickers, which repeat.
const PRICES: Dialect = Dialect {
    header: "ticker,close,time",
    delimiter: b',',
    line_end: "\n",
    columns: &[Column::Symbol, Column::Price, Column::UpdatedAt],
    key: Column::Symbol,
};

/// Answers a request below `/csv`.
pub(crate) fn answer(world: &Arc<World>, ask: &Ask) -> Answer {
    let dialect = match ask.path.as_str() {
        "/csv/assets.csv" => ASSETS,
        "/csv/markets.csv" => MARKETS,
        "/csv/prices.csv" => PRICES,
        _ => {
            return Answer {
                status: StatusCode::NOT_FOUND,
                content_type: "text/plain; charset=utf-8",
                cache_control: None,
                validator: Validator::None,
                content: Content::Text(NOT_FOUND.as_bytes().to_vec()),
            };
        }
    };
    let world = Arc::clone(world);
    let step = ask.step;
    let mut identity = Identity::default();
    let coins = Arc::clone(&world);
    let listed = move |index: &u32| coins.is_listed(*index, step);
    let subjects = Box::new((0..world.coins()).filter(listed));
    let write = Box::new(move |index: u32, out: &mut Vec<u8>, external_id: &mut String| {
        identity.fill(world.seed, index);
        external_id.push_str(match dialect.key {
            Column::Symbol => &identity.symbol,
            _ => &identity.gecko_id,
        });
        push_record(out, &dialect, &world, &identity, index, step);
    });
    let rows = Rows {
        prefix: dialect.header.as_bytes().to_vec(),
        lead: dialect.line_end,
        separator: dialect.line_end,
        suffix: dialect.line_end,
        subjects,
        write,
    };
    Answer {
        status: StatusCode::OK,
        content_type: "text/csv; charset=utf-8",
        cache_control: Some("no-cache"),
        validator: Validator::WeakEtag,
        content: Content::Rows(rows),
    }
}

fn push_record(
    out: &mut Vec<u8>,
    dialect: &Dialect,
    world: &World,
    identity: &Identity,
    index: u32,
    step: u64,
) {
    let coin = world.coin(index);
    let at = i64::try_from(step).unwrap_or(i64::MAX);
    let mut walk = world.walk(&coin);
    let now = walk.factor(at);
    let before = walk.factor(world.step_before(at, DAY_MINUTES));
    for (place, column) in dialect.columns.iter().enumerate() {
        if place > 0 {
            out.push(dialect.delimiter);
        }
        match column {
            Column::Id => push_text(out, dialect.delimiter, &identity.gecko_id),
            Column::Symbol => push_text(out, dialect.delimiter, &identity.symbol),
            Column::Name => push_text(out, dialect.delimiter, &identity.name),
            Column::Price => push_go(out, price_at(&coin, now).cut(10)),
            Column::MarketCap => {
                push_known(out, knows(&coin, 0), Number::new(coin.cap_usd * now / Walk::UNIT, 0));
            }
            Column::Volume => push_go(out, Number::new(world.volume(&coin, at), -4)),
            Column::Change => push_go(out, Number::new(change(before, now, 10_000), -2)),
            Column::Supply => push_known(out, knows(&coin, 8), Number::new(coin.supply, 0)),
            Column::UpdatedAt => push_instant(out, world.updated_ms(&coin, step, SPREAD_MS), false),
        }
    }
}

/// Whether whoever keeps the file knows a value; unknown cells are empty.
fn knows(coin: &Coin, shift: u32) -> bool {
    coin.index < 50 || (coin.known >> shift) % 100 < 70
}

fn push_known(out: &mut Vec<u8>, known: bool, number: Number) {
    if known {
        push_go(out, number);
    }
}

/// Writes a cell, in quotes where the text would otherwise end it or lose its blanks.
fn push_text(out: &mut Vec<u8>, delimiter: u8, text: &str) {
    let special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    if !text.bytes().any(special) && !text.ends_with(' ') {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
