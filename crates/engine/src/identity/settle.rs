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
use kasparro_domain::{Attributes, Contract, Timestamp};
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
}

impl<'a> Version<'a> {
    fn before(since: Timestamp, past: &'a PastStatement) -> Self {
        Self {
            since,
            attributes: &past.attributes,
            contracts: &past.contracts,
            kind: past.kind.as_ref(),
        }
    }

    /// True where another version says the same and a kind besides, which earlier versions of this program
    /// did not read.
    fn only_lacks_a_kind(&self, next: &Self) -> bool {
        self.kind.is_none()
            && next.kind.is_some()
            && (self.attributes, self.contracts) == (next.attributes, next.contracts)
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
    let nothing =
        Version { since: input.first_seen_at, attributes: &nobody, contracts: &[], kind: None };
    let mut past: BTreeMap<(&str, &str), Vec<&PastStatement>> = BTreeMap::new();
    for before in &input.past {
        past.entry((&before.endpoint, &before.part)).or_default().push(before);
    }
    let (mut pending, mut contracts, mut kind) = (false, Vec::new(), None);
    for statement in &input.statements {
        let stated = &statement.evidence;
        let (endpoint, part) = (statement.endpoint.as_str(), stated.part.as_str());
        let before = past.remove(&(endpoint, part)).unwrap_or_default();
        let now = Version {
            since: statement.first_seen_at,
            attributes: &stated.attributes,
            contracts: &stated.contracts,
            kind: stated.kind.as_ref(),
        };
        let mut versions = versions(statement.first_seen_at, &before, now);
        if came_later(input, statement.first_seen_at) {
            versions.insert(0, nothing);
        }
        let place = newest_settled(&versions, &[endpoint], sightings);
        pending |= place + 1 < versions.len();
        if let Some(version) = versions.get(place) {
            contracts.extend_from_slice(version.contracts);
            kind = kind.or(version.kind.cloned());
        }
    }
    contracts.sort_unstable();
    contracts.dedup();
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
    let now = Version { since, attributes: &input.attributes, contracts: &[], kind: None };
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
mod tests {
    use kasparro_domain::{AssetId, Evidence, ListingId, ListingKey};
    use kasparro_store::DatedStatement;

    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + hours * 3_600_000).unwrap_or_default()
    }

    fn named(name: &str) -> Attributes {
        Attributes { symbol: None, name: Some(name.into()) }
    }

    fn stated(kind: &str) -> DatedStatement {
        DatedStatement {
            endpoint: "coins".into(),
            evidence: Evidence {
                external_id: "btc".into(),
                part: "".into(),
                attributes: Attributes::default(),
                contracts: Vec::new(),
                active: None,
                kind: Some(kind.into()),
            },
            first_seen_at: hour(0),
        }
    }

    fn before(endpoint: &str, kind: Option<&str>, name: Option<&str>, until: i64) -> PastStatement {
        PastStatement {
            endpoint: endpoint.into(),
            part: "".into(),
            until_at: hour(until),
            attributes: name.map(named).unwrap_or_default(),
            contracts: Vec::new(),
            kind: kind.map(Into::into),
        }
    }

    fn input(kind: &str, past: Vec<PastStatement>) -> IdentityInput {
        IdentityInput {
            listing_id: ListingId(1),
            key: ListingKey::new("coinpaprika", "btc"),
            founded_asset_id: AssetId(1),
            first_seen_at: hour(0),
            attributes: named("Bitcoin"),
            quoted: false,
            statements: vec![stated(kind)],
            past,
        }
    }

    fn seen(hours: &[i64]) -> Vec<Sighting> {
        let seen = |at: &i64| Sighting { fetched_at: hour(*at), endpoint: "coins".into() };
        hours.iter().map(seen).collect()
    }

    fn kind_of(settled: &Settled) -> Option<&str> {
        settled.evidence.kind.as_deref()
    }

    #[test]
    fn the_first_thing_that_is_said_counts_at_once() {
        let settled = settle(&input("coin", Vec::new()), &[]);
        assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), false));
    }

    #[test]
    fn bitcoin_is_no_token_after_five_minutes_and_after_a_day_it_would_be() {
        let token = input("token", vec![before("coins", Some("coin"), None, 100)]);
        let kinds = [
            (vec![], "coin"),
            (vec![100], "coin"),
            // Three sightings within an hour, or two over two days.
            (vec![100, 100, 101], "coin"),
            (vec![100, 148], "coin"),
            // What was seen before it was said does not count.
            (vec![10, 50, 99, 124], "coin"),
            // Four pages of one walk, and one a day later.
            (vec![100, 100, 100, 124], "coin"),
            (vec![100, 110, 124], "token"),
        ];
        for (hours, expected) in kinds {
            let settled = settle(&token, &seen(&hours));
            assert_eq!(kind_of(&settled), Some(expected), "{hours:?}");
            assert_eq!(settled.pending, expected == "coin", "{hours:?}");
        }
    }

    #[test]
    fn what_was_said_for_a_moment_leaves_what_stood_before() {
        let past = vec![
            before("coins", Some("coin"), None, 100),
            before("coins", Some("token"), None, 101),
        ];
        let settled = settle(&input("coin", past.clone()), &seen(&[100, 101]));
        assert_eq!(kind_of(&settled), Some("coin"));
        // A third word that does not count yet leaves the first, not the one of a moment.
        let settled = settle(&input("fund", past), &seen(&[100, 101]));
        assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), true));
    }

    #[test]
    fn what_stood_for_a_week_is_beyond_doubt_and_asks_for_no_pages() {
        let token = input("token", vec![before("coins", Some("coin"), None, 100)]);
        let settled = settle(&token, &seen(&[100 + 7 * 24]));
        assert_eq!((kind_of(&settled), settled.pending), (Some("token"), false));
        assert!(in_doubt(&token) && !in_doubt(&input("coin", Vec::new())));
    }

    #[test]
    fn a_contract_that_shows_up_late_counts_like_a_change() {
        let contract = Contract { platform: "eth-ethereum".into(), address: "0x1".into() };
        let shown = |first_seen: i64| {
            let mut input = input("coin", Vec::new());
            let mut later = stated("token");
            later.evidence.kind = None;
            later.evidence.part = "eth-ethereum:0x1".into();
            later.evidence.contracts = vec![contract.clone()];
            later.first_seen_at = hour(first_seen);
            input.statements.push(later);
            input
        };
        let settled = settle(&shown(23), &seen(&[23]));
        assert_eq!((settled.evidence.contracts.len(), settled.pending), (1, false));
        let settled = settle(&shown(1000), &seen(&[1000, 1001, 1002]));
        assert_eq!((settled.evidence.contracts.len(), settled.pending), (0, true));
        let settled = settle(&shown(1000), &seen(&[1000, 1001, 1024]));
        assert_eq!((settled.evidence.contracts.len(), settled.pending), (1, false));
    }

    #[test]
    fn a_kind_that_an_earlier_version_did_not_read_is_no_change() {
        let input = input("coin", vec![before("coins", None, None, 100)]);
        let settled = settle(&input, &seen(&[100]));
        assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), false));
    }

    #[test]
    fn what_counts_does_not_hang_on_which_older_pages_are_known() {
        let past = vec![
            before("", None, Some("A"), 240),
            before("", None, Some("B"), 288),
            before("", None, Some("C"), 300),
        ];
        let input = input("coin", past);
        let all: Vec<i64> = (0..800).step_by(8).collect();
        let whole = settle(&input, &seen(&all));
        for from in [0, 200, 290, 800 - 7 * 24 - 8] {
            let known: Vec<i64> = all.iter().copied().filter(|at| *at >= from).collect();
            let settled = settle(&input, &seen(&known));
            assert_eq!(settled.evidence, whole.evidence, "from {from}");
        }
        let names: Vec<_> = whole.evidence.former.iter().map(|one| &one.attributes).collect();
        assert_eq!(names, [&named("B"), &named("A")], "C was one for half a day");
    }

    #[test]
    fn a_name_of_a_moment_was_never_one() {
        let past = vec![
            before("", None, Some("Bitcoin"), 10),
            before("", None, Some("BitcoinCash"), 11),
            before("", None, Some("XBT"), 300),
        ];
        let settled = settle(&input("coin", past), &seen(&[10, 11, 300, 310, 500]));
        let former = Former { attributes: named("XBT"), until_at: hour(300) };
        assert_eq!((settled.evidence.former, settled.pending), (vec![former], false));
    }

    #[test]
    fn a_name_counts_when_it_stood_and_the_one_before_is_kept() {
        let renamed = input("coin", vec![before("", None, Some("Bytecoin"), 10)]);
        let settled = settle(&renamed, &seen(&[10, 11]));
        assert_eq!((settled.evidence.attributes, settled.pending), (named("Bytecoin"), true));
        assert_eq!(settled.evidence.former, []);
        let settled = settle(&renamed, &seen(&[10, 20, 34]));
        assert_eq!((settled.evidence.attributes, settled.pending), (named("Bitcoin"), false));
        let former = Former { attributes: named("Bytecoin"), until_at: hour(10) };
        assert_eq!(settled.evidence.former, [former]);
    }
}
