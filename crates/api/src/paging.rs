//! Paging: how much of an answer, and from where.

use crate::query::{Params, whole_number};

/// The names under which the size of a page is given.
pub(crate) const LIMIT_NAMES: [&str; 3] = ["limit", "per_page", "page_size"];

/// So many rows a page holds unless asked otherwise.
const DEFAULT_LIMIT: u64 = 20;
/// So many rows a page holds at most.
const MAX_LIMIT: u64 = 500;

/// Which part of an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Paging {
    /// At most so many rows.
    pub(crate) limit: u64,
    /// Leave out the first so many.
    pub(crate) offset: u64,
}

impl Paging {
    /// Reads `limit` (or `per_page`, `page_size`), `page` and `offset`; what contradicts is noted.
    pub(crate) fn read(params: &mut Params<'_>) -> Self {
        let limit = read_limit(params);
        let page = params.read_as("page", |text| match whole_number(text)? {
            0 => Err("pages are counted from 1"),
            page => stores_count(page),
        });
        let offset = params.read_as("offset", |text| stores_count(whole_number(text)?));
        if params.get("page").is_some() && params.get("offset").is_some() {
            params.refuse("offset", "cannot be combined with page");
        }
        let offset = offset
            .or_else(|| page.map(|page| (page - 1).saturating_mul(limit)))
            .unwrap_or_default();
        Self { limit, offset }
    }

    /// At most so many rows, as stores count them.
    pub(crate) fn store_limit(&self) -> u32 {
        u32::try_from(self.limit).unwrap_or(u32::MAX)
    }

    /// Leave out the first so many, as stores count them.
    pub(crate) fn store_offset(&self) -> u64 {
        store_offset(self.offset)
    }

    /// The number of the page that the first row stands on, from 1.
    pub(crate) const fn page(&self) -> u64 {
        (self.offset / self.limit).saturating_add(1)
    }
}

/// A number that stores can count to, as the document says.
fn stores_count(number: u64) -> Result<u64, &'static str> {
    i64::try_from(number).map(|_| number).map_err(|_| "is too large")
}

/// An offset as stores take it: they count in signed numbers, and none holds that many rows.
pub(crate) fn store_offset(offset: u64) -> u64 {
    offset.min(i64::MAX as u64)
}

/// How many pages `total_items` fill.
pub(crate) const fn total_pages(total_items: u64, limit: u64) -> u64 {
    total_items.div_ceil(limit)
}

/// Reads `limit` (or `per_page`, `page_size`); what contradicts or is out of bounds is noted.
pub(crate) fn read_limit(params: &mut Params<'_>) -> u64 {
    let mut limit = None;
    for name in LIMIT_NAMES {
        let value = params.read_as(name, |text| match whole_number(text) {
            Ok(value) if (1..=MAX_LIMIT).contains(&value) => Ok(value),
            _ => Err(format!("is not a whole number from 1 to {MAX_LIMIT}")),
        });
        match (limit, value) {
            (Some(first), Some(second)) if first != second => {
                params
                    .refuse(name, "differs from a synonym given too (limit, per_page, page_size)");
            }
            (None, value) => limit = value,
            _ => {}
        }
    }
    limit.unwrap_or(DEFAULT_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["limit", "per_page", "page_size", "page", "offset"];

    fn read(query: &str) -> Result<Paging, crate::problem::Problem> {
        let mut params = Params::read(Some(query), KNOWN);
        let paging = Paging::read(&mut params);
        params.check(paging)
    }

    #[test]
    fn synonyms_pages_and_offsets_are_read() {
        for (query, limit, offset) in [
            ("", 20, 0),
            ("limit=500", 500, 0),
            ("per_page=7&page_size=7", 7, 0),
            ("page=3&limit=10", 10, 20),
            ("offset=15&limit=10", 10, 15),
            ("page=9223372036854775807&limit=500", 500, u64::MAX),
            ("offset=9223372036854775807", 20, i64::MAX as u64),
        ] {
            assert_eq!(read(query).unwrap(), Paging { limit, offset }, "{query}");
        }
    }

    #[test]
    fn a11_out_of_bounds_is_refused_and_never_clamped() {
        for query in [
            "limit=0",
            "limit=501",
            "limit=1e9",
            "limit=1000000000",
            "limit=-1",
            "limit=1.5",
            "page=0",
            "page=-1",
            "page=1e1",
            "offset=-1",
            "page=9223372036854775808",
            "offset=9223372036854775808",
            "limit=5&per_page=6",
            "page=1&offset=0",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
