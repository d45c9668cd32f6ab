//! CoinGecko's `/api/v3/coins/markets` and `/api/v3/coins/list`, with the vendor's habits: pages without
//! a total, a silent cap of 250, null for unknown, Ruby's number notation.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::market::Market;
use crate::names::{Identity, PLATFORMS, platforms_of, push_address};
use crate::order::Order;
use crate::text::push_json_text;
use crate::world::World;

const JSON: &str = "application/json; charset=utf-8";
const MARKETS_CACHE: &str = "max-age=30, public, must-revalidate, s-maxage=30";
const LIST_CACHE: &str = "max-age=30, public, must-revalidate, s-maxage=1800";

const DAY_MINUTES: i64 = 1_440;
const MAX_PER_PAGE: u32 = 250;

/// Windows of `price_change_percentage`, in the order in which their fields appear, and their minutes.
const WINDOWS: [(&str, i64); 7] = [
    ("14d", 14 * DAY_MINUTES),
    ("1h", 60),
    ("1y", 365 * DAY_MINUTES),
    ("200d", 200 * DAY_MINUTES),
    ("24h", DAY_MINUTES),
    ("30d", 30 * DAY_MINUTES),
    ("7d", 7 * DAY_MINUTES),
];

/// Answers a request below `/api/v3`.
pub(crate) fn answer(world: &Arc<World>, ask: &Ask) -> Answer {
    let path: Vec<&str> = ask.path.split('/').skip(3).collect();
    match path.as_slice() {
        ["coins", "markets"] => markets(world, ask),
        ["coins", "list"] => list(world, ask),
        ["coins", _, ..] => Answer::error(StatusCode::NOT_FOUND, JSON, "coin not found"),
        _ => Answer::error(StatusCode::NOT_FOUND, JSON, "Incorrect path"),
    }
}

fn rows(cache_control: &'static str, rows: Rows) -> Answer {
    Answer {
        status: StatusCode::OK,
        content_type: JSON,
        cache_control: Some(cache_control),
        validator: Validator::WeakEtag,
        content: Content::Rows(rows),
    }
}

fn markets(world: &Arc<World>, ask: &Ask) -> Answer {
    match ask.parameter("vs_currency") {
        None | Some("") => {
            let message = "Missing parameter vs_currency";
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, JSON, message);
        }
        Some(currency) if !currency.eq_ignore_ascii_case("usd") => {
            return Answer::error(StatusCode::BAD_REQUEST, JSON, "invalid vs_currency");
        }
        Some(_) => {}
    }
    let number = |name| ask.parameter(name).and_then(|text| text.trim().parse::<u32>().ok());
    let per_page = number("per_page").filter(|rows| *rows > 0).unwrap_or(100).min(MAX_PER_PAGE);
    let page = number("page").unwrap_or(1).max(1);
    let wanted = ask.parameter("price_change_percentage").unwrap_or_default();
    let windows: Vec<(&str, i64)> = WINDOWS
        .into_iter()
        .filter(|(name, _)| wanted.split(',').any(|window| window.trim() == *name))
        .collect();

    let coins = world.orders.sorted(world, Order::named(ask.parameter("order")), ask.step);
    let first = usize::try_from(u64::from(page - 1) * u64::from(per_page)).unwrap_or(usize::MAX);
    let on_page: Vec<u32> = coins.iter().skip(first).take(per_page as usize).copied().collect();
    let world = Arc::clone(world);
    let step = ask.step;
    let ranks = world.ranks(step);
    let mut identity = Identity::default();
    let write = move |index: u32, out: &mut Vec<u8>, external_id: &mut String| {
        identity.fill(world.seed, index);
        external_id.push_str(&identity.gecko_id);
        let market = Market::at(&world, world.coin(index), ranks.of(index), step);
        market.push(out, &world, &identity, &windows);
    };
    rows(MARKETS_CACHE, Rows::json(on_page.into_iter(), write))
}

/// Every coin by id, with its contracts if `include_platform` says so.
fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let with_platforms = ask.parameter("include_platform") == Some("true");
    let coins = world.orders.sorted(world, Order::IdAscending, ask.step);
    let world = Arc::clone(world);
    let mut identity = Identity::default();
    let in_order = (0..coins.len()).filter_map(move |position| coins.get(position).copied());
    let write = move |index: u32, out: &mut Vec<u8>, external_id: &mut String| {
        identity.fill(world.seed, index);
        external_id.push_str(&identity.gecko_id);
        out.extend_from_slice(b"{\"id\":");
        push_json_text(out, &identity.gecko_id);
        out.extend_from_slice(b",\"symbol\":");
        push_json_text(out, &identity.symbol.to_ascii_lowercase());
        out.extend_from_slice(b",\"name\":");
        push_json_text(out, &identity.name);
        if with_platforms {
            out.extend_from_slice(b",\"platforms\":{");
            for (count, place) in platforms_of(world.seed, index).enumerate() {
                if count > 0 {
                    out.push(b',');
                }
                push_json_text(out, PLATFORMS.get(place).map_or("", |platform| platform.gecko_id));
                out.extend_from_slice(b":\"");
                push_address(out, world.seed, index, place);
                out.push(b'"');
            }
            out.push(b'}');
        }
        out.push(b'}');
    };
    rows(LIST_CACHE, Rows::json(in_order, write))
}
