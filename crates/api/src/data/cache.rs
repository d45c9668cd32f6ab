//! Pages that were rendered already, for as long as their snapshot is the current one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{DataQuery, Rendered};

/// What the pages may take in all, in bytes.
pub(crate) const MAX_BYTES: usize = 32 << 20;
/// A page larger than this is not kept.
const MAX_PAGE_BYTES: usize = MAX_BYTES / 16;
/// What a page takes besides its bytes, roughly.
const OVERHEAD_BYTES: usize = 512;

/// Rendered pages of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct PageCache(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    version: u64,
    bytes: usize,
    by_query: HashMap<DataQuery, Rendered>,
}

impl PageCache {
    /// The page of a query in a snapshot, if it was rendered.
    pub(crate) fn get(&self, version: u64, query: &DataQuery) -> Option<Rendered> {
        let pages = self.pages();
        (pages.version == version).then(|| pages.by_query.get(query).cloned())?
    }

    /// Keeps a page. Pages of an older snapshot are dropped; a page of an older one is not kept.
    pub(crate) fn put(&self, version: u64, query: DataQuery, page: Rendered) {
        let cost = page.body.len() + query.text_bytes() + OVERHEAD_BYTES;
        // Dropped after the lock: that takes long where there are many.
        let mut old = Pages::default();
        let mut pages = self.pages();
        if page.body.len() > MAX_PAGE_BYTES || version < pages.version {
            return;
        }
        if version > pages.version || pages.bytes + cost > MAX_BYTES {
            // All at once: what is asked for often is back with the next request.
            old = std::mem::replace(&mut *pages, Pages { version, ..Pages::default() });
        }
        if pages.by_query.insert(query, page).is_none() {
            pages.bytes += cost;
        }
        drop(pages);
        drop(old);
    }

    /// What the pages take now, in bytes as they are counted here and as they are.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let pages = self.pages();
        let held = pages.by_query.iter();
        let held =
            held.map(|(query, page)| page.body.len() + query.text_bytes() + OVERHEAD_BYTES).sum();
        (pages.bytes, held)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn page(body: impl Into<Bytes>) -> Rendered {
        Rendered { body: body.into(), total: 1, next_cursor: None }
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
        let large = page(vec![0; 100_000]);
        for symbol in 0..1_000 {
            cache.put(1, query(symbol), large.clone());
            assert!(cache.pages().bytes <= MAX_BYTES);
        }
        cache.put(1, query(0), page(vec![0; MAX_PAGE_BYTES + 1]));
        assert_eq!(cache.get(1, &query(999)).unwrap().body.len(), 100_000);
        let (counted, held) = cache.bytes();
        assert_eq!(counted, held);
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
