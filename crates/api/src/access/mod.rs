//! Who may ask for what.
//!
//! Every operation is registered with an [`Access`]; whoever asks is judged in [`authorise`] and nowhere
//! else, on the way past the router as on the way through it.

mod given;
mod journal;
mod keeping;
mod key;
mod ring;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use kasparro_domain::Scope;

pub(crate) use journal::{Asked, Journal, Named};
pub(crate) use keeping::{keep_ring, refresh};
pub use key::{
    KEY_PREFIX, KEY_RANDOM_BYTES, MAX_KEY_BYTES, NewApiKey, Pepper, cursor_key_of, derive,
    key_id_of,
};
pub(crate) use ring::{KeyRing, NoKey, Reading, RingKey};
#[cfg(test)]
pub(crate) use table::access_table;
pub(crate) use table::{Operation, of_operation, operations};

use crate::Shared;
use crate::admission::Visitor;
use crate::problem::{Code, Problem};

/// Operations that anybody may use unless the operator closes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// `/` and `/api`.
    Welcome,
    /// `/data`.
    Data,
    /// Assets, with their histories and how they were identified.
    Assets,
    /// Listings, with their histories.
    Listings,
    /// `/news`.
    News,
    /// `/rss-feed`.
    RssFeed,
    /// `/csv-data`.
    CsvData,
    /// `/stats`.
    Stats,
    /// `/livez`, `/readyz` and `/health`.
    Health,
    /// `/metrics`.
    Metrics,
    /// Answers that go on: changes as they happen.
    Stream,
    /// `/openapi.json` and the pages that explain the API.
    Docs,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 12] = [
        Self::Welcome,
        Self::Data,
        Self::Assets,
        Self::Listings,
        Self::News,
        Self::RssFeed,
        Self::CsvData,
        Self::Stats,
        Self::Health,
        Self::Metrics,
        Self::Stream,
        Self::Docs,
    ];

    /// Its name in settings, for example `rss-feed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Data => "data",
            Self::Assets => "assets",
            Self::Listings => "listings",
            Self::News => "news",
            Self::RssFeed => "rss-feed",
            Self::CsvData => "csv-data",
            Self::Stats => "stats",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Stream => "stream",
            Self::Docs => "docs",
        }
    }

    /// True where an area is closed with this one: whoever closes `data` closes what shows the same rows.
    pub(crate) const fn closes(self, other: Self) -> bool {
        match self {
            Self::Data => {
                matches!(other, Self::Data | Self::Listings | Self::CsvData | Self::Stream)
            }
            _ => self as u8 == other as u8,
        }
    }

    /// The area of a name, if it is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.name() == name)
    }
}

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody, as long as its area is not closed; then whoever has a key.
    Open(Area),
    /// Whoever has a key with this scope or a larger one.
    Needs(Scope),
}

impl Access {
    /// The scope that a caller needs here, if any.
    pub(crate) fn needed(self, closed: &[Area]) -> Option<Scope> {
        match self {
            Self::Open(area) => {
                closed.iter().any(|closed| closed.closes(area)).then_some(Scope::Read)
            }
            Self::Needs(scope) => Some(scope),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The good key that came with the request.
    pub(crate) key: Option<Arc<RingKey>>,
}

impl Caller {
    /// By which name idempotency keys belong to it.
    pub(crate) fn name(&self) -> String {
        match &self.key {
            Some(key) => key.kept.key_id.clone(),
            None => "anonymous".to_owned(),
        }
    }

    /// Who decides, for the record.
    pub(crate) fn who(&self) -> String {
        match &self.key {
            Some(key) => format!("key {} ({})", key.kept.name, key.kept.key_id),
            None => "anonymous".to_owned(),
        }
    }
}

/// Headers that a proxy adds; what comes with one does not come from this machine's own people.
const FORWARDED: [HeaderName; 3] = [
    http::header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// The key that a request brings, if any, empty where it can be none; whether it is good, the ring says.
///
/// # Errors
/// 400 where there are two.
pub(crate) fn given_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    given::key(headers)
}

/// Judges whether a visitor may use an operation. Its key is known to be good: that was found out when it was
/// let in.
///
/// # Errors
/// 401 where a key is missing, 403 where its scope is too small.
pub(crate) fn authorise(
    shared: &Shared,
    visitor: Visitor,
    headers: &HeaderMap,
    access: Access,
    asked: Asked<'_>,
) -> Result<Caller, Problem> {
    let Visitor { peer, key, .. } = visitor;
    match (access.needed(&shared.settings.closed), &key) {
        (None, _) => {}
        (Some(needed), Some(key)) if key.kept.scope >= needed => {}
        (Some(needed), Some(key)) => {
            shared.journal.refused(asked, Named::from(&**key), "its scope is too small");
            return Err(Problem::scope_missing(needed, key.kept.scope));
        }
        (Some(Scope::Read), None) if reads_at_home(shared, peer, headers) => {}
        (Some(needed), None) => {
            shared.journal.keyless(asked);
            let detail = format!("this needs a key with the scope {needed}");
            return Err(Problem::new(Code::KeyMissing, detail));
        }
    }
    Ok(Caller { key })
}

/// True where the settings let whoever sits at this machine read without a key. A request that came through
/// a proxy may be anybody's.
fn reads_at_home(shared: &Shared, peer: IpAddr, headers: &HeaderMap) -> bool {
    shared.settings.loopback_reads
        && peer.is_loopback()
        && !FORWARDED.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_found_by_their_names() {
        for area in Area::ALL {
            assert_eq!(Area::named(area.name()), Some(area));
        }
        assert_eq!(Area::named("Data"), None);
    }

    #[test]
    fn a_closed_area_needs_a_key_and_others_stay_as_they_are() {
        let closed = [Area::Data];
        assert_eq!(Access::Open(Area::Data).needed(&closed), Some(Scope::Read));
        assert_eq!(Access::Open(Area::News).needed(&closed), None);
        assert_eq!(Access::Needs(Scope::Admin).needed(&closed), Some(Scope::Admin));
    }
}
