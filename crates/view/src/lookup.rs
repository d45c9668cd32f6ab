//! Finding listings by what names them.

use std::sync::Arc;

use kasparro_domain::{AssetId, ListingId, ListingKey, SourceName};

use crate::fold::{Needle, Place};
use crate::key::{Exact, Field, signed_key, text_key};
use crate::rows::slot;
use crate::{Row, Snapshot};

impl Snapshot {
    /// A listing by its id, also one without a quote.
    #[must_use]
    pub fn listing(&self, id: ListingId) -> Option<Arc<Row>> {
        self.rows.row(self.rows.find(id)?).map(Arc::clone)
    }

    /// A listing by its source and the source's id, found by one pass over the texts of all.
    #[must_use]
    pub fn named(&self, key: &ListingKey) -> Option<Arc<Row>> {
        let needle = Needle::new(&key.external_id, Place::Anywhere).filter(|it| !it.hopeless())?;
        let named = |row: &&Arc<Row>| {
            *row.source() == key.source && row.external_id() == key.external_id.as_str()
        };
        self.rows.folded(true).find_map(|(first, chunk)| {
            let mut found = None;
            chunk.search(&needle, |place| {
                let row = self.rows.row(first + slot(place)).filter(named);
                found = found.take().or_else(|| row.map(Arc::clone));
            });
            found
        })
    }

    /// The listings of an asset by ascending id, also those without a quote.
    #[must_use]
    pub fn asset(&self, id: AssetId) -> Vec<Arc<Row>> {
        let Some(index) = self.index(Field::Asset) else {
            return Vec::new();
        };
        let span = index.equal(signed_key(id.0), Exact::Key, &self.rows);
        let rows = index.tags(span).filter_map(|tag| self.rows.row(tag.slot()));
        rows.map(Arc::clone).collect()
    }

    /// How many listings there are, those without a quote included.
    #[must_use]
    pub fn listings(&self) -> usize {
        self.rows.len()
    }

    /// How many listings each source has, those without a quote included, by ascending name.
    #[must_use]
    pub fn listings_by_source(&self) -> Vec<(SourceName, u64)> {
        let Some(index) = self.index(Field::Source) else {
            return Vec::new();
        };
        let mut counts: Vec<(SourceName, u64)> = self
            .sources
            .iter()
            .map(|(_, name)| {
                let text = Exact::Text(name.as_str());
                let span = index.equal(text_key(name.as_str()), text, &self.rows);
                (name.clone(), index.count(&span, true) as u64)
            })
            .collect();
        counts.retain(|(_, count)| *count > 0);
        counts.sort();
        counts
    }
}
