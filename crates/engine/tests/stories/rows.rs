//! Rows as the vendors send them.

use kasparro_testkit::Reply;

/// A JSON answer with status 200.
pub(crate) fn json(body: &str) -> Reply {
    Reply::json(body)
}

/// One CoinPaprika ticker, after the vendor's description, with a price given as text.
pub(crate) fn ticker(id: &str, rank: u32, price: &str, last_updated: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"{id} name","symbol":"{}","rank":{rank},"circulating_supply":0,"total_supply":9223372036854775807,"max_supply":0,"beta_value":0,"last_updated":"{last_updated}","quotes":{{"USD":{{"price":{price},"volume_24h":10.5,"market_cap":0,"percent_change_24h":-1.25}}}}}}"#,
        id.to_uppercase()
    )
}

/// A JSON array of rows.
pub(crate) fn page(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}
