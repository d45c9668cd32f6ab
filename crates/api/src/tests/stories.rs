//! What sources bring besides current quotes: lists, sweeps, points of the past and news.

use kasparro_domain::{Contract, Evidence, ListingId, Membership, NewsItem, Timestamp};
use kasparro_store::{EvidenceChange, EvidenceRow, ListingRef, NewsRow, RowChange, Sweep};

use super::world::{Brought, World, attributes, batch_row, known};

impl World {
    /// A list of the source states these listings: external id, symbol and name, with a contract each.
    pub(super) async fn list(&mut self, source: &str, listed: &[(&str, &str, &str)]) {
        self.bring(source, |memory, _| {
            let evidence = listed.iter().enumerate().map(|(ordinal, (id, symbol, name))| {
                let change = match known(memory, id) {
                    Some(listing_id) => {
                        EvidenceChange::Stated { listing: ListingRef::Stored(listing_id) }
                    }
                    None => EvidenceChange::New { membership: Membership::Founds },
                };
                let contract = Contract { platform: "ethereum".into(), address: "0xabc".into() };
                EvidenceRow {
                    ordinal: ordinal as u64,
                    change,
                    endpoint: "coins_list".into(),
                    evidence: Evidence {
                        external_id: (*id).into(),
                        part: "".into(),
                        attributes: attributes(symbol, name),
                        contracts: vec![contract],
                        active: None,
                        kind: None,
                        same_as: Vec::new(),
                    },
                    content_hash: ordinal as u64,
                }
            });
            Brought { evidence: evidence.collect(), ..Brought::default() }
        })
        .await;
    }

    /// A complete sweep of the source from which these listings are missing.
    pub(super) async fn sweep(&mut self, source: &str, missing: &[i64]) {
        let missing = missing.iter().map(|id| ListingId(*id)).collect();
        let sweep = Some(Sweep { missing });
        self.bring(source, |_, _| Brought { sweep, ..Brought::default() }).await;
    }

    /// Points of one listing, each an instant and a price, in the order in which they arrive.
    pub(super) async fn points(&mut self, source: &str, id: &str, points: &[(&str, Option<&str>)]) {
        self.bring(source, |memory, _| {
            let known = memory.listings.iter().find(|listing| listing.external_id == id);
            let mut quoted_at =
                known.and_then(|known| known.quote.as_ref()).map(|quote| quote.observed_at);
            let mut exists = known.is_some();
            let listing =
                known.map_or(ListingRef::InBatch, |known| ListingRef::Stored(known.listing_id));
            let rows = points.iter().enumerate().map(|(ordinal, (at, price))| {
                let at = Timestamp::parse(at).unwrap();
                let coin = (id, "SYM", id, *price);
                let mut row = batch_row(ordinal, &coin, None, at);
                row.change = match quoted_at {
                    _ if !exists => row.change,
                    Some(quoted_at) if at == quoted_at => RowChange::Correction { listing },
                    Some(quoted_at) if at < quoted_at => {
                        RowChange::Late { listing, repeated: false }
                    }
                    _ => RowChange::Newer { listing },
                };
                (exists, quoted_at) = (true, quoted_at.max(Some(at)));
                row
            });
            Brought { rows: rows.collect(), ..Brought::default() }
        })
        .await;
    }

    /// News of one feed: item id, title and time of publication.
    pub(super) async fn news(&mut self, feed: &str, items: &[(&str, &str, Option<&str>)]) {
        self.bring("feed", |_, _| {
            let news =
                items.iter().enumerate().map(|(ordinal, (id, title, published_at))| NewsRow {
                    ordinal: ordinal as u64,
                    known: false,
                    feed: feed.into(),
                    item: NewsItem {
                        item_id: (*id).into(),
                        title: (*title).to_owned(),
                        link: Some(format!("https://news.example/{id}?a=1&b=2")),
                        summary: Some(format!("About <{id}> & more")),
                        author: None,
                        published_at: published_at.map(|at| Timestamp::parse(at).unwrap()),
                    },
                    content_hash: ordinal as u64,
                });
            Brought { news: news.collect(), ..Brought::default() }
        })
        .await;
    }
}
