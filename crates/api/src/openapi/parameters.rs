//! Examples of parameters by name. A test asks with each of them.

use serde_json::{Value, json};

/// A value that the parameter of an operation takes; `None` for those whose values have to be found first.
pub(super) fn example(path: &str, name: &str) -> Option<Value> {
    Some(match (path, name) {
        ("/anomalies", "kind") => json!("price_jump"),
        ("/drift", "kind") => json!("type_changed"),
        ("/csv-data" | "/trigger-etl", "source") => json!("csv"),
        ("/news" | "/rss-feed", "source") => json!("feed"),
        ("/news" | "/rss-feed", "search") => json!("bitcoin"),
        ("/runs", "status") => json!("success"),
        ("/assets" | "/csv-data" | "/data" | "/listings" | "/stream", "id" | "asset_id") => {
            json!("1,2")
        }
        (_, "limit" | "per_page" | "page_size") => json!(2),
        (_, "page") => json!(1),
        (_, "offset") => json!(0),
        (_, "id") => json!(1),
        (_, "symbol") => json!("BTC,USDC"),
        (_, "name") => json!("bitcoin"),
        (_, "search") => json!("usd"),
        (_, "contract") => json!("eip155:1:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),
        (_, "class") => json!("stablecoin"),
        (_, "state") => json!("linked"),
        (_, "min_price") => json!("0.01"),
        (_, "max_price") => json!("50000"),
        (_, "min_market_cap" | "min_volume_24h") => json!("1000000"),
        (_, "max_market_cap" | "max_volume_24h") => json!("1000000000000"),
        (_, "min_price_change_24h") => json!("-5"),
        (_, "max_price_change_24h") => json!("2.5"),
        (_, "updated_since") => json!("2024-01-01T00:00:00Z"),
        (_, "sort") => json!("market_cap"),
        (_, "order") => json!("desc"),
        (_, "fields") => json!("id,symbol,price_usd"),
        (_, "numbers") => json!("string"),
        (_, "format") => json!("json"),
        (_, "source") => json!("coinpaprika"),
        (_, "include") => json!("unpriced"),
        (_, "from") => json!("2023-12-31"),
        (_, "to") => json!("2024-02-01T00:00:00Z"),
        (_, "interval") => json!("1h"),
        (_, "revisions") => json!("newest"),
        (_, "feed") => json!("https://news.example/rss"),
        (_, "about") => json!("values"),
        (_, "external_id") => json!("btc-bitcoin"),
        (_, "endpoint") => json!("tickers"),
        (_, "severity") => json!("warning"),
        (_, "status") => json!("open"),
        (_, "reason") => json!("bad_number"),
        (_, "last_event_id") => json!("2-0"),
        _ => return None,
    })
}
