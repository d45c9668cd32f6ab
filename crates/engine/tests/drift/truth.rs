//! What a store says of listings, held against what the right pages say.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{Generation, Quote, QuoteField, Timestamp};
use kasparro_store::{HistoryRange, ListingRow, Store};

/// What stands for a value that is not known.
const UNKNOWN: &str = "unknown";

/// Values of one listing by what they are called.
pub(crate) type Fields = BTreeMap<&'static str, String>;

/// What a store says at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) listings: BTreeMap<String, Listing>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) fields: Fields,
    observed_at: Option<Timestamp>,
    /// Every value of price, cap and volume that history holds.
    history: BTreeSet<(&'static str, String)>,
}

/// What the right pages make of a store.
pub(crate) struct Truth {
    /// Before the page that is mutated.
    pub(crate) before: Said,
    /// After it, had it come as it should.
    pub(crate) right: Said,
    /// After the healthy page behind it.
    pub(crate) healed: Said,
}

/// What is wrong with a store, and how many values of it are unknown that were known.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) values: Vec<String>,
    pub(crate) unknown: usize,
}

impl Said {
    pub(crate) async fn by(store: &dyn Store) -> Self {
        // One piece holds 1,000 listings and more; nobody takes them while they are sent.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1_000);
        store.changes(Generation(0), sender).await.unwrap();
        let mut listings = BTreeMap::new();
        while let Some(piece) = receiver.recv().await {
            for row in piece {
                let history = history(store, &row).await;
                let (fields, observed_at) = (fields(&row), row.observed_at);
                let listing = Listing { fields, observed_at, history };
                listings.insert(row.external_id.to_string(), listing);
            }
        }
        Self { listings }
    }
}

impl Truth {
    /// Values that are neither what they were nor what the right page says.
    pub(crate) fn wrong(&self, now: &Said) -> Wrong {
        let mut wrong = Wrong::default();
        for id in self.before.listings.keys().filter(|id| !now.listings.contains_key(*id)) {
            wrong.values.push(format!("{id} is gone"));
        }
        for (id, listing) in &now.listings {
            let known = [&self.before, &self.right].map(|said| said.listings.get(id));
            if known.iter().all(Option::is_none) {
                wrong.values.push(format!("{id} is made up"));
            }
            for (field, value) in &listing.fields {
                let right = known.iter().flatten().any(|one| one.fields[field] == *value);
                if !right && value == UNKNOWN {
                    wrong.unknown += 1;
                } else if !right {
                    let should = known[1].map(|one| one.fields[field].clone());
                    wrong.values.push(format!("{id} {field}: {value} for {should:?}"));
                }
            }
        }
        wrong
    }

    /// Points of the past with values that no right page has.
    pub(crate) fn wrong_history(&self, now: &Said) -> Vec<String> {
        let right = |id: &String, point: &(&'static str, String)| {
            let told = [&self.right, &self.healed].map(|said| said.listings.get(id));
            point.1 == UNKNOWN || told.iter().flatten().any(|one| one.history.contains(point))
        };
        let points = now
            .listings
            .iter()
            .flat_map(|(id, listing)| listing.history.iter().map(move |point| (id, point)));
        let wrong = points.filter(|(id, point)| !right(id, point));
        wrong.map(|(id, (field, value))| format!("{id} {field} of the past: {value}")).collect()
    }

    /// Listings that are not as the healthy page behind it says.
    pub(crate) fn not_healed(&self, now: &Said) -> Vec<String> {
        let as_told = |id: &&String| {
            let (now, told) = (now.listings.get(*id), self.healed.listings.get(*id));
            let parts = |listing: &Listing| (listing.fields.clone(), listing.observed_at);
            now.map(parts) == told.map(parts)
        };
        let ids: BTreeSet<&String> =
            now.listings.keys().chain(self.healed.listings.keys()).collect();
        ids.into_iter().filter(|id| !as_told(id)).cloned().collect()
    }
}

fn fields(row: &ListingRow) -> Fields {
    let quote = row.quote.clone().unwrap_or_default();
    let mut fields: Fields = numbers(&quote);
    fields.insert("rank", text(quote.rank));
    fields.insert("symbol", text(row.attributes.symbol.as_ref()));
    fields.insert("name", text(row.attributes.name.as_ref()));
    fields.insert("active", row.active.to_string());
    let contracts = row.contracts.iter().map(|one| format!("{} {}", one.platform, one.address));
    fields.insert("contracts", contracts.collect::<Vec<_>>().join(", "));
    fields
}

fn numbers(quote: &Quote) -> Fields {
    QuoteField::ALL.into_iter().map(|field| (field.name(), text(quote.get(field)))).collect()
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

async fn history(store: &dyn Store, row: &ListingRow) -> BTreeSet<(&'static str, String)> {
    let points = store.history(row.listing_id, HistoryRange::default()).await.unwrap();
    let values = points.into_iter().flat_map(|point| {
        [
            ("price", text(point.price_usd)),
            ("cap", text(point.market_cap)),
            ("volume", text(point.volume_24h)),
        ]
    });
    values.collect()
}
