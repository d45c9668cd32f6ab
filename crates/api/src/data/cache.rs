//! Pages that were rendered already, for as long as their snapshot is the current one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{DataQuery, Rendered};
use crate::represent::Encoding;

/// What the pages may take in all, in bytes.
pub(crate) const MAX_BYTES: usize = 32 << 20;
/// A page larger than this is not kept.
const MAX_PAGE_BYTES: usize = MAX_BYTES / 16;
/// What a page takes besides its bytes, roughly.
const OVERHEAD_BYTES: usize = 1024;

/// Rendered pages of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct PageCache(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    version: u64,
    /// How often all were dropped before: what grows later counts only where it is still kept.
    round: u64,
    bytes: usize,
    by_query: HashMap<DataQuery, Arc<Rendered>>,
}

impl Pages {
    /// Drops all at once: what is asked for often is back with the next request. Gives them back to be freed
    /// after the lock: that takes long where there are many.
    fn begin_anew(&mut self, version: u64) -> Self {
        let round = self.round + 1;
        std::mem::replace(self, Self { version, round, ..Self::default() })
    }
}

impl PageCache {
    /// The page of a query in a snapshot, if it was rendered.
    pub(crate) fn get(&self, version: u64, query: &DataQuery) -> Option<Arc<Rendered>> {
        let pages = self.pages();
        (pages.version == version).then(|| pages.by_query.get(query).cloned())?
    }

    /// Keeps a page, unless it was kept meanwhile; gives the one that is to be used. Pages of an older
    /// snapshot are dropped; a page of an older one is not kept.
    pub(crate) fn put(&self, version: u64, query: DataQuery, mut page: Rendered) -> Arc<Rendered> {
        let cost = page.body.len() + query.text_bytes() + OVERHEAD_BYTES;
        let mut guard = self.pages();
        let pages = &mut *guard;
        if page.body.len() > MAX_PAGE_BYTES || version < pages.version {
            return Arc::new(page);
        }
        let full = version > pages.version || pages.bytes + cost > MAX_BYTES;
        let dropped = full.then(|| pages.begin_anew(version));
        let kept = match pages.by_query.entry(query) {
            Entry::Occupied(kept) => Arc::clone(kept.get()),
            Entry::Vacant(place) => {
                pages.bytes += cost;
                page.kept_among = Some(pages.round);
                Arc::clone(place.insert(Arc::new(page)))
            }
        };
        drop(guard);
        drop(dropped);
        kept
    }

    /// The body of a page in an encoding behind a prefix, in pieces; none where it is not kept in that
    /// encoding. It is made when it is first asked for, and counts from then on.
    pub(crate) fn encoded(
        &self,
        page: &Rendered,
        encoding: Encoding,
        prefix: &[u8],
    ) -> Option<[Bytes; 3]> {
        let (pieces, made_bytes) = page.encoded.behind(encoding, prefix, &page.body)?;
        if made_bytes > 0 && page.kept_among.is_some() {
            self.grow(page, made_bytes);
        }
        Some(pieces)
    }

    /// Counts what a page takes more than before.
    fn grow(&self, page: &Rendered, bytes: usize) {
        let mut pages = self.pages();
        if page.kept_among != Some(pages.round) {
            return;
        }
        pages.bytes += bytes;
        let version = pages.version;
        let dropped = (pages.bytes > MAX_BYTES).then(|| pages.begin_anew(version));
        drop(pages);
        drop(dropped);
    }

    /// What the pages take now, in bytes as they are counted here and as they are.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let pages = self.pages();
        let held = pages.by_query.iter().map(|(query, page)| {
            page.body.len() + page.encoded.bytes() + query.text_bytes() + OVERHEAD_BYTES
        });
        (pages.bytes, held.sum())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::encoded::EncodedForms;

    fn page(body: impl Into<Bytes>) -> Rendered {
        Rendered {
            body: body.into(),
            total: 1,
            next_cursor: None,
            encoded: EncodedForms::default(),
            kept_among: None,
        }
    }

    fn query(symbol: u64) -> DataQuery {
        let mut query = DataQuery::default();
        query.listings.filter.symbols = vec![symbol.to_string()];
        query
    }

    #[test]
    fn i5_a_page_is_found_only_in_its_own_snapshot() {
        let cache = PageCache::default();
        cache.put(2, query(1), page("two"));
        assert_eq!(cache.get(2, &query(1)).unwrap().body, "two");
        assert!(cache.get(3, &query(1)).is_none());
        cache.put(1, query(1), page("one"));
        assert_eq!(cache.get(2, &query(1)).unwrap().body, "two");
        cache.put(3, query(2), page("three"));
        assert!(cache.get(2, &query(1)).is_none());
    }

    #[test]
    fn i12_memory_is_bounded_whatever_is_asked() {
        let cache = PageCache::default();
        let large = Bytes::from(vec![0; 100_000]);
        for symbol in 0..1_000 {
            cache.put(1, query(symbol), page(large.clone()));
            assert!(cache.pages().bytes <= MAX_BYTES);
        }
        cache.put(1, query(0), page(vec![0; MAX_PAGE_BYTES + 1]));
        assert_eq!(cache.get(1, &query(999)).unwrap().body.len(), 100_000);
        let (counted, held) = cache.bytes();
        assert_eq!(counted, held);
    }

    /// A body that no encoding makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|_| rand::random()).collect()
    }

    #[test]
    fn i12_encoded_forms_count_as_well_as_plain_ones() {
        // So large that what is full is noticed by an encoded form now and then, and not by the next page.
        let (cache, body) = (PageCache::default(), Bytes::from(noise(290_000)));
        let (mut most_pages, mut dropped) = (0, 0);
        for symbol in 0..200 {
            let kept = cache.put(1, query(symbol), page(body.clone()));
            most_pages = most_pages.max(cache.pages().by_query.len());
            for encoding in [Encoding::Gzip, Encoding::Zstd] {
                let before = cache.bytes().0;
                cache.encoded(&kept, encoding, b"prefix").unwrap();
                let (counted, held) = cache.bytes();
                assert_eq!(counted, held);
                assert!(counted <= MAX_BYTES);
                dropped += usize::from(counted < before);
                cache.encoded(&kept, encoding, b"prefix").unwrap();
                assert_eq!(cache.bytes().0, counted, "it was made before");
            }
        }
        assert!((20..=MAX_BYTES / (3 * 290_000) + 1).contains(&most_pages), "{most_pages}");
        assert!(dropped > 0, "the bound was never reached by an encoded form");
    }

    #[test]
    fn i12_what_is_no_longer_kept_does_not_count_when_it_grows() {
        let cache = PageCache::default();
        let old = cache.put(1, query(1), page(noise(5_000)));
        let too_large = cache.put(1, query(2), page(vec![0; MAX_PAGE_BYTES + 1]));
        let new = cache.put(2, query(1), page(noise(5_000)));
        let late = cache.put(1, query(3), page(noise(5_000)));
        let before = cache.bytes();
        for page in [&old, &too_large, &late] {
            assert!(cache.encoded(page, Encoding::Gzip, b"").is_some());
            assert_eq!(cache.bytes(), before);
        }
        assert!(cache.encoded(&new, Encoding::Gzip, b"").is_some());
        let (counted, held) = cache.bytes();
        assert!(counted == held && counted > before.0 + 5_000, "{counted}");
    }

    #[test]
    fn two_who_render_the_same_page_use_one() {
        let cache = PageCache::default();
        let first = cache.put(1, query(1), page("a"));
        let second = cache.put(1, query(1), page("a"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&first, &cache.get(1, &query(1)).unwrap()));
        let (counted, held) = cache.bytes();
        assert_eq!(counted, held);
    }

    #[test]
    fn i12_what_a_page_takes_besides_its_bytes_is_counted() {
        let parts = size_of::<DataQuery>() + size_of::<Rendered>();
        assert!(parts * 3 / 2 < OVERHEAD_BYTES, "{parts}");
    }

    #[test]
    fn i12_questions_count_as_well_as_their_pages() {
        let cache = PageCache::default();
        for symbol in 0..20_000_u64 {
            let mut query = query(symbol);
            query.listings.filter.name = Some("x".repeat(2_000));
            query.listings.filter.search = Some("y".repeat(2_000));
            cache.put(1, query, page(""));
            assert!(cache.pages().by_query.len() * 4_000 <= MAX_BYTES);
        }
    }
}
