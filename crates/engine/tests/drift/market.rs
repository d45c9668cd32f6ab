//! Rows in the layouts of the vendors, made by hand from a market that moves.

use kasparro_domain::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::mutate::instant;

/// Coins of the market: more than enough rows to compare, and few enough for every mutation to have a
/// store of its own.
const COINS: u32 = 60;

/// The rows of every endpoint at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) markets: Vec<Value>,
    pub(crate) list: Vec<Value>,
    pub(crate) tickers: Vec<Value>,
    pub(crate) coins: Vec<Value>,
    pub(crate) contracts: Vec<Value>,
}

/// A number with as many significant digits as an upstream sends.
fn digits(number: f64, digits: usize) -> Value {
    json!(format!("{number:.*e}", digits - 1).parse::<f64>().unwrap())
}

/// The market at `at`; each hour has its own values, which are a function of seed and hour.
pub(crate) fn moment(seed: u64, hour: u64, at: Timestamp) -> Moment {
    let mut moment =
        Moment { markets: vec![], list: vec![], tickers: vec![], coins: vec![], contracts: vec![] };
    for number in 0..COINS {
        // The coin is the same in each hour, its moves are not.
        let mut lasting = StdRng::seed_from_u64(seed << 32 | u64::from(number));
        let mut hourly = StdRng::seed_from_u64(seed << 48 | hour << 32 | u64::from(number));
        let drift = (1..=hour).map(|_| hourly.random_range(-0.02_f64..0.02)).sum::<f64>();
        let price = 10_f64.powf(lasting.random_range(-4.0..4.0)) * drift.exp();
        let supply = 10_f64.powf(lasting.random_range(6.0..10.0));
        let cap = price * supply;
        let volume = cap * lasting.random_range(0.01..0.2) * hourly.random_range(0.8..1.25);
        let change = hourly.random_range(-8.0..8.0);
        let traded = at.as_millis() - hourly.random_range(10_000..240_000);
        let rank = number + 1;
        let symbol = format!("s{number}");
        let name = format!("Coin {number}");
        let (id, paprika) = (format!("coin-{number}"), format!("s{number}-coin-{number}"));
        let most = number % 3 == 0;
        moment.markets.push(json!({
            "id": id, "symbol": symbol, "name": name, "image": format!("https://img.example/{number}.png"),
            "current_price": digits(price, 7), "market_cap": cap.round(), "market_cap_rank": rank,
            "fully_diluted_valuation": (cap * 1.2).round(), "total_volume": digits(volume, 9),
            "price_change_percentage_24h": digits(change, 6),
            "circulating_supply": supply.round(), "total_supply": (supply * 1.1).round(),
            "max_supply": most.then(|| (supply * 1.2).round()), "ath": digits(price * 4.0, 5),
            "roi": null, "last_updated": instant(traded),
        }));
        moment.tickers.push(json!({
            "id": paprika, "symbol": symbol.to_uppercase(), "name": name, "rank": rank,
            "circulating_supply": supply.round(), "total_supply": (supply * 1.1).round(),
            "max_supply": if most { (supply * 1.2).round() } else { 0.0 }, "beta_value": 1.0237,
            "first_data_at": "2017-05-05T00:00:00Z", "last_updated": instant(traded / 1000 * 1000),
            "quotes": {"USD": {
                "price": digits(price, 12), "volume_24h": digits(volume, 12),
                "market_cap": cap.round(), "percent_change_24h": digits(change, 3),
            }},
        }));
        let address = format!("0x{:040x}", u128::from(lasting.random::<u64>()) << 32);
        let token = number % 5 != 0;
        moment.list.push(json!({
            "id": id, "symbol": symbol, "name": name,
            "platforms": if token { json!({"ethereum": address}) } else { json!({}) },
        }));
        moment.coins.push(json!({
            "id": paprika, "symbol": symbol.to_uppercase(), "name": name, "rank": rank,
            "is_new": false, "is_active": true, "type": if token { "token" } else { "coin" },
        }));
        if token {
            moment
                .contracts
                .push(json!({"address": address, "id": paprika, "type": "ERC20", "active": true}));
        }
    }
    moment
}
