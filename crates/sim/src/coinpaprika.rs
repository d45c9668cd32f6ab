//! CoinPaprika's `/v1/tickers`, `/v1/coins` with `/mappings`, and `/v1/contracts`, with the vendor's habits: one array of
//! everything in no order, 0 for unknown, Go's number notation, `{"error":...}`.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::chance::Purpose;
use crate::life::{Life, Ranks};
use crate::names::{Identity, PLATFORMS, platforms_of, push_address};
use crate::text::{Number, push_go, push_instant, push_json_text, push_u64};
use crate::walk::change;
use crate::world::{Coin, World, price_at};

const JSON: &str = "application/json; charset=UTF-8";
const CACHE: &str =
    "public, max-age=60, s-maxage=60, stale-while-revalidate=10, stale-if-error=600";

/// `last_updated` of one response spreads over 17 minutes.
const SPREAD_MS: u64 = 17 * 60_000;

/// Fields of percent changes and the minutes that they look back.
const CHANGES: [(&[u8], i64); 9] = [
    (b",\"percent_change_15m\":", 15),
    (b",\"percent_change_30m\":", 30),
    (b",\"percent_change_1h\":", 60),
    (b",\"percent_change_6h\":", 360),
    (b",\"percent_change_12h\":", 720),
    (b",\"percent_change_24h\":", DAY_MINUTES),
    (b",\"percent_change_7d\":", 7 * DAY_MINUTES),
    (b",\"percent_change_30d\":", 30 * DAY_MINUTES),
    (b",\"percent_change_1y\":", 365 * DAY_MINUTES),
];
const DAY_MINUTES: i64 = 1_440;

/// Answers a request below `/v1`.
pub(crate) fn answer(world: &Arc<World>, ask: &Ask) -> Answer {
    let path: Vec<&str> = ask.path.split('/').skip(2).collect();
    match path.as_slice() {
        ["tickers"] => tickers(world, ask),
        ["coins"] => rows(coins(world, ask.step)),
        ["coins", "mappings"] => rows(mappings(world, ask.step)),
        ["contracts"] => rows(platforms()),
        ["contracts", platform] => {
            match PLATFORMS.iter().position(|known| known.paprika_id == *platform) {
                Some(place) => rows(contracts(world, place, ask.step)),
                None => id_not_found(),
            }
        }
        ["tickers" | "coins", ..] => id_not_found(),
        _ => Answer::error(StatusCode::NOT_FOUND, JSON, "not found"),
    }
}

fn id_not_found() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, JSON, "id not found")
}

fn rows(rows: Rows) -> Answer {
    Answer {
        status: StatusCode::OK,
        content_type: JSON,
        cache_control: Some(CACHE),
        validator: Validator::LastModified,
        content: Content::Rows(rows),
    }
}

fn tickers(world: &Arc<World>, ask: &Ask) -> Answer {
    let quotes = ask.parameter("quotes").unwrap_or("USD");
    if let Some(quote) = quotes.split(',').find(|quote| !quote.eq_ignore_ascii_case("USD")) {
        let message = format!("unsupported quote {quote:?}: the simulator quotes USD only");
        return Answer::error(StatusCode::BAD_REQUEST, JSON, &message);
    }
    let (order, listed) = (Arc::clone(world), Arc::clone(world));
    let world = Arc::clone(world);
    let step = ask.step;
    let ranks = world.ranks(step);
    let mut identity = Identity::default();
    rows(Rows::json(
        (0..world.coins())
            .map(move |position| order.scattered(position))
            .filter(move |index| listed.is_listed(*index, step)),
        move |index, out, external_id| {
            identity.fill(world.seed, index);
            external_id.push_str(&identity.paprika_id);
            let coin = world.coin(index);
            push_ticker(out, &world, &coin, rank(&coin, &ranks), &identity, step);
        },
    ))
}

/// What CoinPaprika does not know about a coin it sends as 0.
struct Known {
    circulating: bool,
    total: bool,
    max: bool,
}

impl Known {
    fn of(coin: &Coin) -> Self {
        let below = |shift: u32, percent: u64| (coin.known >> shift) % 100 < percent;
        let circulating = coin.index < 50 || below(0, 46);
        Self {
            circulating,
            total: circulating || below(8, 30),
            max: coin.index < 30 || below(16, 27),
        }
    }
}

fn rank(coin: &Coin, ranks: &Ranks) -> u64 {
    if coin.ranked { u64::from(ranks.of(coin.index)) } else { 0 }
}

fn field(out: &mut Vec<u8>, key: &[u8], number: Number) {
    out.extend_from_slice(key);
    push_go(out, number);
}

fn push_ticker(
    out: &mut Vec<u8>,
    world: &World,
    coin: &Coin,
    rank: u64,
    identity: &Identity,
    step: u64,
) {
    let known = Known::of(coin);
    let seed = world.seed;
    let supply = |is_known: bool, units: i64| Number::new(if is_known { units } else { 0 }, 0);

    out.extend_from_slice(b"{\"id\":");
    push_json_text(out, &identity.paprika_id);
    out.extend_from_slice(b",\"name\":");
    push_json_text(out, &identity.name);
    out.extend_from_slice(b",\"symbol\":");
    push_json_text(out, &identity.symbol);
    out.extend_from_slice(b",\"rank\":");
    push_u64(out, rank);
    field(out, b",\"circulating_supply\":", supply(known.circulating, coin.supply));
    field(out, b",\"total_supply\":", supply(known.total, coin.total_supply));
    field(out, b",\"max_supply\":", supply(known.max, coin.max_supply));
    let beta = seed.draw(Purpose::Beta, coin.index);
    let beta = if beta.is_multiple_of(33) {
        0
    } else {
        i64::try_from((beta >> 8) % 3_500_000).unwrap_or(0) - 500_000
    };
    field(out, b",\"beta_value\":", Number::new(beta, -6));
    out.extend_from_slice(b",\"first_data_at\":\"");
    // CoinPaprika sends the epoch for a few coins whose beginning it does not know.
    let first_data_ms =
        if (coin.known >> 32).is_multiple_of(1_900) { 0 } else { world.first_data_ms(coin) };
    push_instant(out, first_data_ms, false);
    out.extend_from_slice(b"\",\"last_updated\":\"");
    push_instant(out, world.updated_ms(coin, step, SPREAD_MS), false);
    out.extend_from_slice(b"\",\"quotes\":{\"USD\":");
    push_quote(out, world, coin, &known, step);
    out.extend_from_slice(b"}}");
}

fn push_quote(out: &mut Vec<u8>, world: &World, coin: &Coin, known: &Known, step: u64) {
    let age_days = world.age_days(coin, step);
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let yesterday = world.step_before(step, DAY_MINUTES);
    let mut walk = world.walk(coin);
    let now = walk.factor(step);
    let changes = CHANGES.map(|(key, minutes)| {
        let existed = age_days * DAY_MINUTES >= minutes;
        let before = if existed { walk.factor(world.step_before(step, minutes)) } else { now };
        (key, minutes, change(before, now, 10_000))
    });
    let price = price_at(coin, now);
    let volume = world.volume(coin, step);
    let volume_before = world.volume(coin, yesterday);

    field(out, b"{\"price\":", price.cut(14));
    field(out, b",\"volume_24h\":", Number::new(volume, -4));
    let volume_change = change(volume_before / 10_000, volume / 10_000, 10_000);
    field(out, b",\"volume_24h_change_24h\":", Number::new(volume_change, -2));
    let cap = if known.circulating { coin.cap_usd * now / crate::walk::Walk::UNIT } else { 0 };
    field(out, b",\"market_cap\":", Number::new(cap, 0));
    let day_change = changes.iter().find(|(_, minutes, _)| *minutes == DAY_MINUTES);
    let cap_change =
        day_change.filter(|_| known.circulating).map_or(0, |(.., hundredths)| *hundredths);
    field(out, b",\"market_cap_change_24h\":", Number::new(cap_change, -2));
    for (key, _, hundredths) in changes {
        field(out, key, Number::new(hundredths, -2));
    }
    let ath = world.seed.draw(Purpose::Ath, coin.index);
    if coin.index > 50 && ath.is_multiple_of(4_000) {
        out.extend_from_slice(
            b",\"ath_price\":null,\"ath_date\":null,\"percent_from_price_ath\":null}",
        );
        return;
    }
    let multiple = world.ath_multiple(coin);
    let ath_price = Number::new(coin.price.mantissa * multiple, coin.price.exponent - 2);
    field(out, b",\"ath_price\":", ath_price.cut(9));
    out.extend_from_slice(b",\"ath_date\":\"");
    push_instant(out, world.past_ms(coin, ath >> 20), false);
    // `now / multiple` with the units of both taken out, in hundredths of a percent.
    let from_ath = now / multiple - 10_000;
    field(out, b"\",\"percent_from_price_ath\":", Number::new(from_ath, -2));
    out.push(b'}');
}

/// Every coin ever listed, those without a market included.
fn coins(world: &Arc<World>, step: u64) -> Rows {
    let known = Arc::clone(world);
    let world = Arc::clone(world);
    let ranks = world.ranks(step);
    let active = world.coins();
    let mut identity = Identity::default();
    let subjects = (0..active + world.inactive_coins())
        .filter(move |index| known.life(*index, step) != Life::NotYet);
    Rows::json(subjects, move |index, out, external_id| {
        let is_active = index < active && world.is_listed(index, step);
        identity.fill(world.seed, index);
        external_id.push_str(&identity.paprika_id);
        let coin = world.coin(index);
        out.extend_from_slice(b"{\"id\":");
        push_json_text(out, &identity.paprika_id);
        out.extend_from_slice(b",\"name\":");
        push_json_text(out, &identity.name);
        out.extend_from_slice(b",\"symbol\":");
        push_json_text(out, &identity.symbol);
        out.extend_from_slice(b",\"rank\":");
        push_u64(out, if is_active { rank(&coin, &ranks) } else { 0 });
        let is_new = world.age_days(&coin, step) < 5;
        let new: &[u8] = if is_new { b",\"is_new\":true" } else { b",\"is_new\":false" };
        out.extend_from_slice(new);
        let alive: &[u8] = if is_active { b",\"is_active\":true" } else { b",\"is_active\":false" };
        out.extend_from_slice(alive);
        let token = platforms_of(world.seed, index).next().is_some();
        out.extend_from_slice(if token { b",\"type\":\"token\"}" } else { b",\"type\":\"coin\"}" });
    })
}

/// Which coins of other vendors the listed coins are. Asked without a filter, as the vendor's own command
/// line does, and without a look at the key.
fn mappings(world: &Arc<World>, step: u64) -> Rows {
    let listed = Arc::clone(world);
    let world = Arc::clone(world);
    let mut identity = Identity::default();
    let subjects = (0..world.coins()).filter(move |index| listed.is_listed(*index, step));
    Rows::json(subjects, move |index, out, external_id| {
        identity.fill(world.seed, index);
        external_id.push_str(&identity.paprika_id);
        out.extend_from_slice(b"{\"coinpaprika\":");
        push_json_text(out, &identity.paprika_id);
        out.extend_from_slice(b",\"coinmarketcap\":\"");
        push_u64(out, u64::from(index) + 1);
        out.extend_from_slice(b"\",\"coingecko\":");
        push_json_text(out, &identity.gecko_id);
        out.extend_from_slice(
            b",\"cryptocompare\":\"\",\"isin\":\"\",\"dti\":\"\",\"updated_at\":\"",
        );
        push_instant(out, world.first_data_ms(&world.coin(index)), false);
        out.extend_from_slice(b"\"}");
    })
}

/// The ids of the chains, which are no rows: they say only where to ask on.
fn platforms() -> Rows {
    let mut body = b"[".to_vec();
    for (place, platform) in PLATFORMS.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        push_json_text(&mut body, platform.paprika_id);
    }
    body.push(b']');
    Rows { prefix: body, suffix: "", ..Rows::json(std::iter::empty(), |_, _, _| {}) }
}

/// The contracts on one chain; a row is about the coin that has the contract.
fn contracts(world: &Arc<World>, place: usize, step: u64) -> Rows {
    let known = Arc::clone(world);
    let world = Arc::clone(world);
    let (seed, active) = (world.seed, world.coins());
    let token_type = PLATFORMS.get(place).map_or("", |platform| platform.token_type);
    let mut identity = Identity::default();
    let mut address = Vec::new();
    let there = move |index: &u32| {
        platforms_of(seed, *index).any(|found| found == place)
            && known.life(*index, step) != Life::NotYet
    };
    Rows::json(
        (0..active + world.inactive_coins()).filter(there),
        move |index, out, external_id| {
            identity.fill(seed, index);
            address.clear();
            push_address(&mut address, seed, index, place);
            external_id.push_str(&identity.paprika_id);
            out.extend_from_slice(b"{\"address\":\"");
            out.extend_from_slice(&address);
            out.extend_from_slice(b"\",\"type\":");
            push_json_text(out, token_type);
            out.extend_from_slice(b",\"id\":");
            push_json_text(out, &identity.paprika_id);
            let alive: &[u8] = if index < active && world.is_listed(index, step) {
                b",\"active\":true}"
            } else {
                b",\"active\":false}"
            };
            out.extend_from_slice(alive);
        },
    )
}
