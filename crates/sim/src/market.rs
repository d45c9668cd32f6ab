//! One row of CoinGecko's `/coins/markets`.

use crate::chance::Purpose;
use crate::names::Identity;
use crate::text::{Number, push_go, push_instant, push_json_text, push_ruby, push_u64};
use crate::walk::{Walk, change};
use crate::world::{Coin, World, price_at};

/// `last_updated` of one page spreads over 9.7 minutes.
const SPREAD_MS: u64 = 582_000;
const DAY_MINUTES: i64 = 1_440;

/// CoinGecko sees a price that differs a little from what the others see.
fn factor(world: &World, coin: &Coin, walk: &mut Walk, step: i64) -> i64 {
    let spread = i64::try_from(world.seed.draw(Purpose::Spread, coin.index) % 601).unwrap_or(300);
    walk.factor(step) + if coin.volatility == 0 { 0 } else { spread - 300 }
}

fn knows_price(coin: &Coin) -> bool {
    coin.index < 250 || !(coin.known >> 40).is_multiple_of(200)
}

fn knows_cap(coin: &Coin) -> bool {
    knows_price(coin) && (coin.index < 250 || (coin.known >> 32) % 100 >= 12)
}

/// The market capitalisation that `/coins/markets` shows and sorts by.
pub(crate) fn market_cap(world: &World, coin: &Coin, step: u64) -> Option<i64> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let factor = factor(world, coin, &mut world.walk(coin), step);
    knows_cap(coin).then(|| coin.cap_usd * factor / Walk::UNIT)
}

/// One row of `/coins/markets`.
pub(crate) struct Market {
    coin: Coin,
    step: u64,
    rank: u32,
    walk: Walk,
    now: i64,
    before: i64,
}

impl Market {
    pub(crate) fn at(world: &World, coin: Coin, rank: u32, step: u64) -> Self {
        let at = i64::try_from(step).unwrap_or(i64::MAX);
        let mut walk = world.walk(&coin);
        let now = factor(world, &coin, &mut walk, at);
        let before = factor(world, &coin, &mut walk, world.step_before(at, DAY_MINUTES));
        Self { coin, step, rank, walk, now, before }
    }

    pub(crate) fn push(
        mut self,
        out: &mut Vec<u8>,
        world: &World,
        identity: &Identity,
        windows: &[(&str, i64)],
    ) {
        push_identity(out, world, &self.coin, identity);
        self.push_values(out, world);
        self.push_supplies(out);
        self.push_extremes(out, world);
        out.extend_from_slice(b",\"last_updated\":");
        if knows_price(&self.coin) {
            push_quoted_instant(out, world.updated_ms(&self.coin, self.step, SPREAD_MS));
        } else {
            out.extend_from_slice(b"null");
        }
        let step = i64::try_from(self.step).unwrap_or(i64::MAX);
        for (name, minutes) in windows {
            let age_days = world.age_days(&self.coin, self.step);
            let known = knows_price(&self.coin) && age_days * DAY_MINUTES >= *minutes;
            let before =
                factor(world, &self.coin, &mut self.walk, world.step_before(step, *minutes));
            let percent = Number::new(change(before, self.now, 1_000_000_000_000), -10);
            let key = format!("price_change_percentage_{name}_in_currency");
            optional(out, &key, known.then_some(percent), push_ruby);
        }
        out.push(b'}');
    }

    fn push_values(&self, out: &mut Vec<u8>, world: &World) {
        let coin = &self.coin;
        let price = knows_price(coin).then(|| price_at(coin, self.now));
        let price_before = price_at(coin, self.before);
        let cap = |factor| coin.cap_usd * factor / Walk::UNIT;
        let cap_known = knows_cap(coin);
        let days_old = world.age_days(coin, self.step) > 1;
        let percent = Number::new(change(self.before, self.now, 10_000_000), -5);
        let swing =
            i64::try_from(1_000 + world.seed.draw(Purpose::Spread, coin.index) % 20).unwrap_or(0);
        let high = Number::new(
            price_at(coin, self.now.max(self.before)).mantissa / 1_000 * swing,
            coin.price.exponent - 2,
        );
        let low = Number::new(
            price_at(coin, self.now.min(self.before)).mantissa / swing * 1_000,
            coin.price.exponent - 2,
        );
        let diluted = (coin.index < 12 || (coin.known >> 48) % 100 >= 44) && cap_known;
        let diluted_cap = i128::from(cap(self.now)) * i128::from(coin.max_supply)
            / i128::from(coin.supply.max(1));

        optional(out, "current_price", price, push_price);
        optional(out, "market_cap", cap_known.then(|| Number::new(cap(self.now), 0)), push_go);
        let rank = i64::from(self.rank);
        optional(
            out,
            "market_cap_rank",
            (cap_known && coin.ranked).then(|| Number::new(rank, 0)),
            push_go,
        );
        let diluted_cap = i64::try_from(diluted_cap).ok().filter(|_| diluted);
        optional(
            out,
            "fully_diluted_valuation",
            diluted_cap.map(|cap| Number::new(cap, 0)),
            push_go,
        );
        let volume =
            Number::new(world.volume(coin, i64::try_from(self.step).unwrap_or(i64::MAX)), -4);
        optional(out, "total_volume", price.map(|_| volume), push_volume);
        optional(out, "high_24h", price.map(|_| high), push_price);
        optional(out, "low_24h", price.map(|_| low), push_price);
        let moved = price.filter(|_| days_old).map(|price| {
            Number::new(price.mantissa - price_before.mantissa, price.exponent).cut(6)
        });
        optional(out, "price_change_24h", moved, push_ruby);
        optional(
            out,
            "price_change_percentage_24h",
            price.filter(|_| days_old).map(|_| percent),
            push_ruby,
        );
        let cap_moved =
            (cap_known && days_old).then(|| Number::new(cap(self.now) - cap(self.before), 0));
        optional(out, "market_cap_change_24h", cap_moved, push_go);
        optional(out, "market_cap_change_percentage_24h", cap_moved.map(|_| percent), push_ruby);
    }

    fn push_supplies(&self, out: &mut Vec<u8>) {
        let coin = &self.coin;
        out.extend_from_slice(b",\"circulating_supply\":");
        // Unknown is 0.0 here, even beside a market cap.
        let circulating =
            if (coin.known >> 24) % 100 >= 2 || coin.index < 24 { coin.supply } else { 0 };
        push_ruby(out, Number::new(circulating, 0));
        let total = (coin.index < 30 || (coin.known >> 8) % 100 >= 6).then_some(coin.total_supply);
        optional(out, "total_supply", total.map(|units| Number::new(units, 0)), push_ruby);
        let max = (coin.index < 30 || (coin.known >> 16) % 100 >= 44).then_some(coin.max_supply);
        optional(out, "max_supply", max.map(|units| Number::new(units, 0)), push_ruby);
    }

    fn push_extremes(&self, out: &mut Vec<u8>, world: &World) {
        let coin = &self.coin;
        let drawn = world.seed.draw(Purpose::Ath, coin.index);
        let multiple = world.ath_multiple(coin);
        let divisor = i64::try_from(20 + (drawn >> 24) % 9_000).unwrap_or(20);
        let known = knows_price(coin);
        let price = |mantissa| Number::new(mantissa, coin.price.exponent - 2);
        let ath = price(coin.price.mantissa * multiple);
        let atl = price(coin.price.mantissa / divisor * 100);

        optional(out, "ath", known.then_some(ath), push_price);
        // Both sides in units of the base price: the factor in millionths, the multiple in hundredths.
        let from_ath = self.now * 1_000 / multiple - 10_000_000;
        optional(out, "ath_change_percentage", known.then(|| Number::new(from_ath, -5)), push_ruby);
        out.extend_from_slice(b",\"ath_date\":");
        push_quoted_instant(out, world.past_ms(coin, drawn >> 20));
        optional(out, "atl", known.then_some(atl), push_price);
        let from_atl = self.now * 10 * divisor - 10_000_000;
        optional(out, "atl_change_percentage", known.then(|| Number::new(from_atl, -5)), push_ruby);
        out.extend_from_slice(b",\"atl_date\":");
        push_quoted_instant(out, world.past_ms(coin, drawn >> 30));
        if (drawn >> 40).is_multiple_of(5) {
            out.extend_from_slice(b",\"roi\":{\"times\":");
            let times = i64::try_from(drawn >> 44).unwrap_or(0) - 90_000;
            push_ruby(out, Number::new(times, -5));
            out.extend_from_slice(b",\"currency\":\"usd\",\"percentage\":");
            push_ruby(out, Number::new(times, -3));
            out.push(b'}');
        } else {
            out.extend_from_slice(b",\"roi\":null");
        }
    }
}

fn push_identity(out: &mut Vec<u8>, world: &World, coin: &Coin, identity: &Identity) {
    out.extend_from_slice(b"{\"id\":");
    push_json_text(out, &identity.gecko_id);
    out.extend_from_slice(b",\"symbol\":");
    push_json_text(out, &identity.symbol.to_ascii_lowercase());
    out.extend_from_slice(b",\"name\":");
    push_json_text(out, &identity.name);
    out.extend_from_slice(b",\"image\":\"https://assets.coingecko.com/coins/images/");
    push_u64(out, u64::from(coin.index) + 1);
    out.extend_from_slice(b"/large/");
    out.extend(identity.gecko_id.bytes().map(|byte| if byte == b' ' { b'_' } else { byte }));
    out.extend_from_slice(b".png?");
    push_u64(out, u64::try_from(world.first_data_ms(coin) / 1_000).unwrap_or(0));
    out.push(b'"');
}

/// Writes a member that may be `null`.
fn optional(out: &mut Vec<u8>, key: &str, value: Option<Number>, push: fn(&mut Vec<u8>, Number)) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        Some(number) => push(out, number),
        None => out.extend_from_slice(b"null"),
    }
}

/// Prices are integers from 10,000 on and otherwise floats of at most 7 digits.
fn push_price(out: &mut Vec<u8>, number: Number) {
    match number.whole() {
        Some(whole) if whole >= 10_000 => push_go(out, Number::new(whole, 0)),
        _ => push_ruby(out, number.cut(7)),
    }
}

/// Volumes are integers unless they are tiny.
fn push_volume(out: &mut Vec<u8>, number: Number) {
    match number.whole() {
        Some(whole) if whole >= 100 || number.mantissa == 0 => push_go(out, Number::new(whole, 0)),
        _ => push_ruby(out, number),
    }
}

fn push_quoted_instant(out: &mut Vec<u8>, millis: i64) {
    out.push(b'"');
    push_instant(out, millis, true);
    out.push(b'"');
}
