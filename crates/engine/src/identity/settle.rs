//! Which statements about a listing count.
//!
//! Upstreams err for minutes: a provider once served Bitcoin as a token for five of them. A statement that
//! takes the place of another, or that comes when a listing has been known for a day, therefore counts only
//! when its endpoint was asked three times since, over a day at least; until then what was said before does.
//! What is first said of a new listing counts at once.
//!
//! Everything here is a function of what is stored about a listing and of when pages were fetched, up to a
//! week before the newest: whoever looks, whenever, sees the same.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{Attributes, Contract, ListingKey, Timestamp};
use kasparro_identity::{Former, ListingEvidence};
use kasparro_store::{IdentityInput, PastStatement, Sighting};

/// How long a statement must have stood.
const SETTLES_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What stood as long as this counts however seldom its endpoint was asked.
pub(super) const BEYOND_DOUBT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often its endpoint must have been asked since.
const SETTLES_AT_SIGHTINGS: usize = 3;

/// Pages that were fetched within this belong to one walk, which says everything once.
const ONE_WALK: Duration = Duration::from_secs(30 * 60);

/// What a listing is to the resolver now.
pub(super) struct Settled {
    pub(super) evidence: ListingEvidence,
    /// True where something that was said is too new to count.
    pub(super) pending: bool,
}

/// What was said, and since when.
#[derive(Clone, Copy)]
struct Version<'a> {
    since: Timestamp,
    attributes: &'a Attributes,
    contracts: &'a [Contract],
    kind: Option<&'a CompactString>,
    same_as: &'a [ListingKey],
}

impl<'a> Version<'a> {
    /// One that says a name and nothing else.
    fn named(since: Timestamp, attributes: &'a Attributes) -> Self {
        Self { since, attributes, contracts: &[], kind: None, same_as: &[] }
    }

    fn before(since: Timestamp, past: &'a PastStatement) -> Self {
        Self {
            since,
            attributes: &past.attributes,
            contracts: &past.contracts,
            kind: past.kind.as_ref(),
            same_as: &past.same_as,
        }
    }

    /// True where another version says the same and a kind besides, which earlier versions of this program
    /// did not read.
    fn only_lacks_a_kind(&self, next: &Self) -> bool {
        self.kind.is_none()
            && next.kind.is_some()
            && (self.attributes, self.contracts, self.same_as)
                == (next.attributes, next.contracts, next.same_as)
    }
}

/// The versions of one statement, oldest first, from those before it and the one that stands.
fn versions<'a>(
    first_seen_at: Timestamp,
    past: &[&'a PastStatement],
    now: Version<'a>,
) -> Vec<Version<'a>> {
    let mut since = first_seen_at;
    let mut versions: Vec<Version<'a>> = Vec::with_capacity(past.len() + 1);
    let mut push = |mut version: Version<'a>| {
        if let Some(last) = versions.last().filter(|last| last.only_lacks_a_kind(&version)) {
            version.since = last.since;
            versions.pop();
        }
        versions.push(version);
    };
    for before in past {
        push(Version::before(since, before));
        since = before.until_at;
    }
    push(Version { since, ..now });
    versions
}

/// When the newest page was fetched.
pub(super) fn newest(sightings: &[Sighting]) -> Option<Timestamp> {
    sightings.last().map(|seen| seen.fetched_at)
}

/// Whether what stands since then counts.
fn stands(since: Timestamp, endpoints: &[&str], sightings: &[Sighting]) -> bool {
    if newest(sightings).is_some_and(|newest| newest.since(since) >= BEYOND_DOUBT) {
        return true;
    }
    let from = sightings.partition_point(|seen| seen.fetched_at < since);
    let since_then = sightings.get(from..).unwrap_or_default();
    endpoints.iter().any(|endpoint| {
        let mut asked = 0;
        let mut last: Option<Timestamp> = None;
        for seen in since_then.iter().filter(|seen| seen.endpoint == *endpoint) {
            if last.is_none_or(|last| seen.fetched_at.since(last) >= ONE_WALK) {
                asked += 1;
                last = Some(seen.fetched_at);
            }
        }
        asked >= SETTLES_AT_SIGHTINGS && last.is_some_and(|last| last.since(since) >= SETTLES_AFTER)
    })
}

/// The place of the newest version that counts. What something else replaced counts by how long it stood.
fn newest_settled(versions: &[Version<'_>], endpoints: &[&str], sightings: &[Sighting]) -> usize {
    let counts = |place: &usize| match versions.get(*place..) {
        Some([version, next, ..]) => stood(version, next),
        Some([version]) => stands(version.since, endpoints, sightings),
        _ => false,
    };
    (1..versions.len()).rev().find(counts).unwrap_or(0)
}

fn stood(version: &Version<'_>, next: &Version<'_>) -> bool {
    next.since.since(version.since) >= SETTLES_AFTER
}

/// What counts of everything that is stored about a listing. `sightings` are the loaded pages of its source,
/// in their order, at least from [`BEYOND_DOUBT`] before the newest on.
pub(super) fn settle(input: &IdentityInput, sightings: &[Sighting]) -> Settled {
    let nobody = Attributes::default();
    let nothing = Version::named(input.first_seen_at, &nobody);
    let mut past: BTreeMap<(&str, &str), Vec<&PastStatement>> = BTreeMap::new();
    for before in &input.past {
        past.entry((&before.endpoint, &before.part)).or_default().push(before);
    }
    let (mut pending, mut kind) = (false, None);
    let (mut contracts, mut same_as) = (Vec::new(), Vec::new());
    for statement in &input.statements {
        let stated = &statement.evidence;
        let (endpoint, part) = (statement.endpoint.as_str(), stated.part.as_str());
        let before = past.remove(&(endpoint, part)).unwrap_or_default();
        let now = Version {
            since: statement.first_seen_at,
            attributes: &stated.attributes,
            contracts: &stated.contracts,
            kind: stated.kind.as_ref(),
            same_as: &stated.same_as,
        };
        let mut versions = versions(statement.first_seen_at, &before, now);
        if came_later(input, statement.first_seen_at) {
            versions.insert(0, nothing);
        }
        let place = newest_settled(&versions, &[endpoint], sightings);
        pending |= place + 1 < versions.len();
        if let Some(version) = versions.get(place) {
            contracts.extend_from_slice(version.contracts);
            same_as.extend_from_slice(version.same_as);
            kind = kind.or(version.kind.cloned());
        }
    }
    contracts.sort_unstable();
    contracts.dedup();
    same_as.sort_unstable();
    same_as.dedup();
    let named = past.remove(&("", "")).unwrap_or_default();
    let (attributes, former, waits) = names(input, &named, sightings);
    let evidence = ListingEvidence {
        key: input.key.clone(),
        first_seen_at: input.first_seen_at,
        attributes,
        former,
        contracts,
        kind,
        rank: None,
        same_as,
    };
    Settled { evidence, pending: pending | waits }
}

/// True for a statement about a listing that had been known for long without it.
fn came_later(input: &IdentityInput, first_seen_at: Timestamp) -> bool {
    first_seen_at.since(input.first_seen_at) >= SETTLES_AFTER
}

/// What a listing is called, what it was called before, newest first, and whether a newer name waits.
fn names(
    input: &IdentityInput,
    past: &[&PastStatement],
    sightings: &[Sighting],
) -> (Attributes, Vec<Former>, bool) {
    if past.is_empty() {
        return (input.attributes.clone(), Vec::new(), false);
    }
    // Names are said by the pages with values once there are some, by lists until then.
    let mut endpoints: Vec<&str> = match input.quoted {
        true => sightings.iter().map(|seen| seen.endpoint.as_str()).collect(),
        false => input.statements.iter().map(|said| said.endpoint.as_str()).collect(),
    };
    endpoints.sort_unstable();
    endpoints.dedup();
    let since = input.first_seen_at;
    let now = Version::named(since, &input.attributes);
    let versions = versions(since, past, now);
    let place = newest_settled(&versions, &endpoints, sightings);
    let attributes =
        versions.get(place).map_or_else(Attributes::default, |said| said.attributes.clone());
    let mut former: Vec<Former> = Vec::new();
    for (earlier, pair) in versions.windows(2).enumerate().take(place).rev() {
        let [version, next] = pair else { continue };
        // A name of a moment was never one.
        if (earlier == 0 || stood(version, next)) && *version.attributes != attributes {
            former.push(Former { attributes: version.attributes.clone(), until_at: next.since });
        }
    }
    (attributes, former, place + 1 < versions.len())
}

/// True where it takes the pages of its source to settle a listing.
pub(super) fn in_doubt(input: &IdentityInput) -> bool {
    !input.past.is_empty()
        || input.statements.iter().any(|said| came_later(input, said.first_seen_at))
}

#[cfg(test)]
mod tests;
