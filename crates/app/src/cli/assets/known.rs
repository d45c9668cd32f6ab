//! The listings of a store and the assets that they form.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{
    AssetClass, AssetId, Attributes, Generation, IdentityState, ListingId, ListingKey,
};
use kasparro_store::{ListingRow, Store, StoreError};
use tokio::sync::mpsc;

use super::AssetName;
use crate::config::Database;
use crate::failure::{Exit, Failure};

/// Pieces of listings on their way at a time.
const PIECES_AHEAD: usize = 2;

/// Names that are proposed in place of one that is not known.
const PROPOSED: usize = 5;

/// From how alike on two ids are proposed for each other; 1 is the same.
const ALIKE: f64 = 0.75;

/// Every listing of a store, by its asset.
pub(super) struct Known {
    rows: Vec<ListingRow>,
    by_key: BTreeMap<ListingKey, usize>,
    by_asset: BTreeMap<AssetId, Vec<usize>>,
}

/// The names of a listing that outlive every store.
pub(super) fn key_of(row: &ListingRow) -> ListingKey {
    ListingKey { source: row.source.clone(), external_id: row.external_id.clone() }
}

/// An asset with its listings, the one that founded it first.
pub(super) struct Asset<'a> {
    pub(super) id: AssetId,
    pub(super) listings: Vec<&'a ListingRow>,
}

impl Asset<'_> {
    /// How far it is decided, as the API says it: as for the listing that founded it.
    pub(super) fn state(&self) -> IdentityState {
        self.listings.first().map_or(IdentityState::Unresolved, |row| row.identity)
    }

    /// What sort of thing it is, as the API says it: the first that is known of one of its listings.
    pub(super) fn class(&self) -> AssetClass {
        let mut classes = self.listings.iter().map(|row| row.class);
        classes.find(|class| *class != AssetClass::Other).unwrap_or(AssetClass::Other)
    }

    pub(super) fn keys(&self) -> Vec<ListingKey> {
        self.listings.iter().map(|row| key_of(row)).collect()
    }

    /// Its listings in words.
    pub(super) fn words(&self) -> String {
        let keys: Vec<_> = self.keys().iter().map(ToString::to_string).collect();
        keys.join(", ")
    }
}

impl Known {
    /// Reads every listing.
    ///
    /// # Errors
    /// A [`Failure`] where the store cannot be used.
    pub(super) async fn read(store: &dyn Store, database: &Database) -> Result<Self, Failure> {
        let rows = rows(store).await.map_err(|error| Failure::store(&error, database))?;
        let mut known = Self { rows, by_key: BTreeMap::new(), by_asset: BTreeMap::new() };
        for (place, row) in known.rows.iter().enumerate() {
            known.by_key.insert(key_of(row), place);
            known.by_asset.entry(row.asset_id).or_default().push(place);
        }
        Ok(known)
    }

    /// A listing by its key.
    pub(super) fn row(&self, key: &ListingKey) -> Option<&ListingRow> {
        self.rows.get(*self.by_key.get(key)?)
    }

    /// A listing by its key.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 1 and names that are near where there is none.
    pub(super) fn listing(&self, key: &ListingKey) -> Result<&ListingRow, Failure> {
        self.row(key).ok_or_else(|| {
            let unknown = format!("there is no listing {key}");
            Failure::new(Exit::Failed, "unknown_listing", unknown, self.near(key))
        })
    }

    /// A listing by its number.
    pub(super) fn by_id(&self, id: ListingId) -> Option<&ListingRow> {
        let place = self.rows.binary_search_by_key(&id, |row| row.listing_id).ok()?;
        self.rows.get(place)
    }

    /// Every asset, by ascending id.
    pub(super) fn assets(&self) -> impl Iterator<Item = Asset<'_>> {
        self.by_asset.keys().filter_map(|id| self.asset(*id))
    }

    fn asset(&self, id: AssetId) -> Option<Asset<'_>> {
        let places = self.by_asset.get(&id)?;
        let mut listings: Vec<_> =
            places.iter().filter_map(|place| self.rows.get(*place)).collect();
        // The others stand by the order in which they came.
        listings.sort_by_key(|row| (row.founded_asset_id != id, row.listing_id));
        Some(Asset { id, listings })
    }

    /// The asset of a listing.
    ///
    /// # Errors
    /// As [`Known::listing`].
    pub(super) fn asset_of(&self, key: &ListingKey) -> Result<Asset<'_>, Failure> {
        let id = self.listing(key)?.asset_id;
        self.asset(id).ok_or_else(|| unknown_asset(id))
    }

    /// An asset as somebody names it; an id that was found to be another asset leads to that one.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 1 where there is none.
    pub(super) fn named(&self, name: &AssetName) -> Result<Asset<'_>, Failure> {
        let id = match name {
            AssetName::Of(key) => return self.asset_of(key),
            AssetName::Id(id) => *id,
        };
        let founding = || self.rows.iter().find(|row| row.founded_asset_id == id);
        let found = self.asset(id).or_else(|| self.asset(founding()?.asset_id));
        found.ok_or_else(|| unknown_asset(id))
    }

    /// What might be meant in place of a listing that is not known.
    fn near(&self, key: &ListingKey) -> String {
        let sources: BTreeSet<_> = self.rows.iter().map(|row| row.source.as_str()).collect();
        if sources.is_empty() {
            return "the store holds no listings yet; `kasparro run` fetches them".to_owned();
        }
        if !sources.contains(key.source.as_str()) {
            let sources: Vec<_> = sources.into_iter().collect();
            return format!("there are listings of {}; write one as source:id", sources.join(", "));
        }
        let wanted = key.external_id.to_lowercase();
        let likeness = |row: &ListingRow| {
            let Attributes { symbol, name } = &row.attributes;
            let mut called = symbol.iter().chain(name);
            match called.any(|text| text.to_lowercase() == wanted) {
                true => 1.0,
                false => strsim::jaro_winkler(&row.external_id, &wanted),
            }
        };
        let of_source = self.rows.iter().filter(|row| row.source == key.source);
        let mut near: Vec<_> = of_source.map(|row| (likeness(row), row)).collect();
        near.retain(|(likeness, _)| *likeness >= ALIKE);
        near.sort_by(|(a, one), (b, two)| {
            b.total_cmp(a).then_with(|| one.external_id.cmp(&two.external_id))
        });
        let near: Vec<_> =
            near.iter().take(PROPOSED).map(|(_, row)| key_of(row).to_string()).collect();
        match near.is_empty() {
            true => {
                "`kasparro assets list --symbol SYMBOL` finds listings by their symbol".to_owned()
            }
            false => format!("near are {}", near.join(", ")),
        }
    }
}

fn unknown_asset(id: AssetId) -> Failure {
    Failure::new(
        Exit::Failed,
        "unknown_asset",
        format!("there is no asset {}", id.0),
        "`kasparro assets list` shows the ids; one of its listings, as source:id, names an asset too",
    )
}

async fn rows(store: &dyn Store) -> Result<Vec<ListingRow>, StoreError> {
    let (sender, mut pieces) = mpsc::channel(PIECES_AHEAD);
    let receive = async {
        let mut rows = Vec::new();
        while let Some(piece) = pieces.recv().await {
            rows.extend(piece);
        }
        rows
    };
    let (read, rows) = tokio::join!(store.changes(Generation(0), sender), receive);
    read.map(|_| rows)
}
