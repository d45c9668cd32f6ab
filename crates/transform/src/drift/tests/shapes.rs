//! Rows in the layouts of the upstreams, made by hand from a market.

use kasparro_domain::{FieldRole, FieldUse, Timestamp};
use serde_json::{Value, json};

use super::super::PageSample;
use super::market::{Coin, Market};

const fn read(pointer: &'static str, field: &'static str, role: FieldRole) -> FieldUse {
    FieldUse { pointer, field, role }
}

const MARKETS: &[FieldUse] = &[
    read("/id", "external_id", FieldRole::Id),
    read("/symbol", "symbol", FieldRole::Text),
    read("/name", "name", FieldRole::Text),
    read("/current_price", "price_usd", FieldRole::Price),
    read("/market_cap", "market_cap_usd", FieldRole::Amount),
    read("/market_cap_rank", "rank", FieldRole::Rank),
    read("/total_volume", "volume_24h_usd", FieldRole::Amount),
    read("/price_change_percentage_24h", "price_change_24h", FieldRole::Percent),
    read("/circulating_supply", "circulating_supply", FieldRole::Amount),
    read("/total_supply", "total_supply", FieldRole::Amount),
    read("/max_supply", "max_supply", FieldRole::Amount),
    read("/last_updated", "observed_at", FieldRole::Instant),
];
const TICKERS: &[FieldUse] = &[
    read("/id", "external_id", FieldRole::Id),
    read("/symbol", "symbol", FieldRole::Text),
    read("/name", "name", FieldRole::Text),
    read("/rank", "rank", FieldRole::Rank),
    read("/quotes/USD/price", "price_usd", FieldRole::Price),
    read("/quotes/USD/market_cap", "market_cap_usd", FieldRole::Amount),
    read("/quotes/USD/volume_24h", "volume_24h_usd", FieldRole::Amount),
    read("/quotes/USD/percent_change_24h", "price_change_24h", FieldRole::Percent),
    read("/circulating_supply", "circulating_supply", FieldRole::Amount),
    read("/total_supply", "total_supply", FieldRole::Amount),
    read("/max_supply", "max_supply", FieldRole::Amount),
    read("/last_updated", "observed_at", FieldRole::Instant),
];
const LIST: &[FieldUse] = &[
    read("/id", "external_id", FieldRole::Id),
    read("/symbol", "symbol", FieldRole::Text),
    read("/name", "name", FieldRole::Text),
    read("/platforms", "contracts", FieldRole::Other),
];
const COINS: &[FieldUse] = &[
    read("/id", "external_id", FieldRole::Id),
    read("/symbol", "symbol", FieldRole::Text),
    read("/name", "name", FieldRole::Text),
    read("/is_active", "active", FieldRole::Other),
    read("/type", "kind", FieldRole::Other),
];
const CONTRACTS: &[FieldUse] =
    &[read("/id", "external_id", FieldRole::Id), read("/address", "address", FieldRole::Other)];
const TABLE: &[FieldUse] = &[
    read("/slug", "external_id", FieldRole::Id),
    read("/symbol", "symbol", FieldRole::Text),
    read("/price", "price_usd", FieldRole::Price),
    read("/market cap", "market_cap_usd", FieldRole::Amount),
    read("/volume", "volume_24h_usd", FieldRole::Amount),
    read("/updated", "observed_at", FieldRole::Instant),
];

/// The layouts: CoinGecko markets and list, CoinPaprika tickers, coins and contracts, a CSV table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Markets,
    Tickers,
    List,
    Coins,
    Contracts,
    Table,
}

pub(super) const SHAPES: [Shape; 6] =
    [Shape::Markets, Shape::Tickers, Shape::List, Shape::Coins, Shape::Contracts, Shape::Table];

/// A number with as many significant digits as an upstream sends.
fn digits(number: f64, digits: usize) -> Value {
    let text = format!("{number:.*e}", digits - 1);
    json!(text.parse::<f64>().unwrap())
}

pub(super) fn instant(seconds: i64) -> String {
    Timestamp::from_millis(seconds * 1000 + 247).unwrap().to_string()
}

impl Shape {
    pub(super) fn mapped(self) -> &'static [FieldUse] {
        match self {
            Self::Markets => MARKETS,
            Self::Tickers => TICKERS,
            Self::List => LIST,
            Self::Coins => COINS,
            Self::Contracts => CONTRACTS,
            Self::Table => TABLE,
        }
    }

    /// The rows of the coins with these ranks.
    pub(super) fn rows(self, market: &Market, from: usize, count: usize) -> Vec<Value> {
        let coins = market.coins.iter().enumerate().skip(from).take(count);
        coins.map(|(rank, coin)| self.row(coin, rank + 1)).collect()
    }

    fn row(self, coin: &Coin, rank: usize) -> Value {
        let id = coin.id();
        let odd = coin.number;
        let symbol = id[..id.len().min(5)].to_owned();
        let name = format!("Coin {}", id.to_uppercase());
        let change = (coin.price / coin.yesterday - 1.0) * 100.0;
        // The smaller a coin, the less is known of it.
        let unknown = odd % 100 < (rank as u64 / 40).min(60);
        let supply = if unknown { Value::Null } else { digits(coin.supply, 12) };
        let most =
            if odd.is_multiple_of(3) { json!((coin.supply * 1.5).round()) } else { Value::Null };
        match self {
            Self::Markets => {
                let roi = match odd % 40 {
                    0 => json!({"times": change / 7.0, "currency": "usd", "percentage": change}),
                    1 => json!({"times": change / 9.0, "currency": "btc", "percentage": change}),
                    _ => Value::Null,
                };
                // Two rounds prices to whole dollars, as upstreams do for dear coins.
                let price = digits(coin.price, if coin.price > 5000.0 { 5 } else { 6 });
                json!({
                    "id": id, "symbol": symbol, "name": name,
                    "image": format!("https://images.example/{odd}/large.png"),
                    "current_price": price, "market_cap": coin.cap().round(), "market_cap_rank": rank,
                    "fully_diluted_valuation": if unknown { Value::Null } else { json!((coin.cap() * 1.2).round()) },
                    "total_volume": digits(coin.volume, 9),
                    "high_24h": digits(coin.price * 1.03, 6), "low_24h": digits(coin.price * 0.97, 6),
                    "price_change_percentage_24h": (change * 1e5).round() / 1e5,
                    "circulating_supply": supply, "total_supply": digits(coin.supply * 1.1, 12), "max_supply": most,
                    "ath": digits(coin.price * 4.0, 5), "ath_change_percentage": -75.5,
                    "ath_date": instant(1_600_000_000 + odd as i64 * 1000),
                    "roi": roi, "last_updated": instant(coin.traded_at),
                })
            }
            Self::Tickers => {
                let mut row = json!({
                    "id": id, "name": name, "symbol": symbol.to_uppercase(), "rank": rank,
                    "circulating_supply": supply, "total_supply": digits(coin.supply * 1.1, 12).as_f64().map(f64::round),
                    "max_supply": if most.is_null() { json!(0) } else { most },
                    "beta_value": digits(1.0 + (odd % 17) as f64 / 20.0, 6),
                    "first_data_at": "2017-05-05T00:00:00Z", "last_updated": instant(coin.traded_at),
                    "quotes": {"USD": {
                        "price": digits(coin.price, 14), "volume_24h": digits(coin.volume, 14),
                        "volume_24h_change_24h": (change * 50.0).round() / 10.0, "market_cap": coin.cap().round(),
                        "market_cap_change_24h": (change * 100.0).round() / 100.0,
                        "percent_change_1h": (change * 10.0).round() / 100.0,
                        "percent_change_24h": (change * 100.0).round() / 100.0,
                        "ath_price": digits(coin.price * 4.0, 13), "ath_date": "2021-04-14T08:53:23Z",
                    }},
                });
                if odd.is_multiple_of(30) {
                    row["parent"] = json!({"id": "eth-ethereum", "name": "Ethereum"});
                }
                row
            }
            Self::List => {
                let chains = ["ethereum", "solana", "base", "tron", "near", "sui", "ton", "aptos"];
                let mut platforms = json!({});
                for chain in 0..odd % 3 {
                    let name = chains[(odd + chain) as usize % 8];
                    let name = if odd.is_multiple_of(5) {
                        format!("{name}-{}", odd % 30)
                    } else {
                        name.to_owned()
                    };
                    platforms[name] = json!(format!("0x{:040x}", odd * 7919));
                }
                json!({"id": id, "symbol": symbol, "name": name, "platforms": platforms})
            }
            Self::Coins => json!({
                "id": id, "name": name, "symbol": symbol.to_uppercase(), "rank": rank, "is_new": odd.is_multiple_of(50),
                "is_active": !odd.is_multiple_of(4), "type": if odd.is_multiple_of(3) { "coin" } else { "token" },
            }),
            Self::Contracts => json!({
                "address": format!("0x{:040x}", odd * 7919), "id": id, "active": odd.is_multiple_of(2),
                "type": if odd.is_multiple_of(9) { "Other" } else { "ERC20" },
            }),
            Self::Table => json!({
                "slug": id, "symbol": symbol, "price": digits(coin.price, 9).to_string(),
                "market cap": coin.cap().round().to_string(),
                "volume": if unknown { String::new() } else { digits(coin.volume, 8).to_string() },
                "updated": (coin.traded_at).to_string(),
            }),
        }
    }
}

pub(super) fn sample(shape: Shape, rows: &[Value], at_s: i64) -> PageSample {
    let fetched_at = Timestamp::from_millis(at_s * 1000).unwrap();
    let mut sample = PageSample::new(fetched_at, shape.mapped());
    for row in rows {
        sample.add(row);
    }
    sample.finish(rows.len() as u64)
}
