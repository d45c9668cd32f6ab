//! The hashes by which a statement or a piece of news that says the same is recognised.

use kasparro_domain::{Attributes, Evidence, NewsItem};
use xxhash_rust::xxh3::xxh3_64;

/// XXH3-64 over everything that a statement says: symbol, name, contracts in their order, whether the
/// listing is active and, where it says so, its kind and what it is the same as. What it is about (listing,
/// endpoint, part) is not in it.
#[must_use]
pub fn evidence_hash(evidence: &Evidence) -> u64 {
    let Evidence { external_id: _, part: _, attributes, contracts, active, kind, same_as } =
        evidence;
    let Attributes { symbol, name } = attributes;
    // What is not said is left out at the end, as it was before lists said it, so that what stores hold
    // stays right.
    let text = match (kind, same_as.as_slice()) {
        (None, []) => serde_json::json!([symbol, name, contracts, active]),
        (Some(kind), []) => serde_json::json!([symbol, name, contracts, active, kind]),
        (kind, same_as) => serde_json::json!([symbol, name, contracts, active, kind, same_as]),
    };
    xxh3_64(text.to_string().as_bytes())
}

/// XXH3-64 over everything that an item says: title, link, summary, author and time of publication. Its
/// id is not in it.
#[must_use]
pub fn news_hash(item: &NewsItem) -> u64 {
    let NewsItem { item_id: _, title, link, summary, author, published_at } = item;
    let text = serde_json::json!([title, link, summary, author, published_at]);
    xxh3_64(text.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{Contract, ListingKey, Timestamp};

    use super::*;

    /// Hashes are stored: another text under the same words would make every stored one wrong.
    #[test]
    fn the_hashes_are_those_that_stores_hold() {
        let evidence = Evidence {
            external_id: "dai".into(),
            part: "0x6b".into(),
            attributes: Attributes { symbol: Some("DAI".into()), name: None },
            contracts: vec![Contract { platform: "ethereum".into(), address: "0x6b".into() }],
            active: Some(true),
            kind: None,
            same_as: Vec::new(),
        };
        let text = r#"["DAI",null,[{"address":"0x6b","platform":"ethereum"}],true]"#;
        assert_eq!(evidence_hash(&evidence), xxh3_64(text.as_bytes()));
        let other = Evidence { external_id: "usdc".into(), part: "".into(), ..evidence.clone() };
        assert_eq!(evidence_hash(&other), evidence_hash(&evidence));
        let token = Evidence { kind: Some("token".into()), ..evidence.clone() };
        let text = r#"["DAI",null,[{"address":"0x6b","platform":"ethereum"}],true,"token"]"#;
        assert_eq!(evidence_hash(&token), xxh3_64(text.as_bytes()));
        let same_as = vec![ListingKey::new("coingecko", "dai")];
        let text = r#"["DAI",null,[{"address":"0x6b","platform":"ethereum"}],true,null,[{"external_id":"dai","source":"coingecko"}]]"#;
        assert_eq!(evidence_hash(&Evidence { same_as, ..evidence }), xxh3_64(text.as_bytes()));

        let item = NewsItem {
            item_id: "1".into(),
            title: "a headline".to_owned(),
            link: Some("https://news.example.com/1".to_owned()),
            summary: None,
            author: None,
            published_at: Timestamp::from_millis(0).ok(),
        };
        let text =
            r#"["a headline","https://news.example.com/1",null,null,"1970-01-01T00:00:00Z"]"#;
        assert_eq!(news_hash(&item), xxh3_64(text.as_bytes()));
        assert_eq!(news_hash(&NewsItem { item_id: "2".into(), ..item.clone() }), news_hash(&item));
    }
}
