//! What was decided about a listing, with everything that was looked at.

use compact_str::{CompactString, format_compact};
use kasparro_domain::{IdentityState, ListingKey, SourceName};
use smallvec::SmallVec;

use crate::calibration;
use crate::compare::{RankLevel, Veto};
use crate::edges;
use crate::index::Slot;
use crate::markers;
use crate::pairs::{self, Pair};
use crate::profile::Profile;
use crate::weights;
use crate::{Candidate, Feature, Resolved, Resolver, Verdict};

/// How many other listings are told of.
const MAX_CANDIDATES: usize = 8;
/// What a person's word is worth, in ten-thousandths.
const CERTAIN: u16 = 10_000;

impl Resolver {
    /// What is decided about the listing in a place.
    pub(crate) fn outcome(&self, slot: Slot) -> Option<Resolved> {
        let own = self.profile(slot)?;
        let members = self.groups.get(&slot);
        let founder = members
            .iter()
            .flat_map(|members| members.iter())
            .filter_map(|member| self.profile(*member))
            .min_by_key(|member| (member.first_seen_at, &member.key))
            .unwrap_or(own);
        let candidates = self.candidates(slot, own, MAX_CANDIDATES);
        let in_doubt = candidates.iter().any(|candidate| candidate.verdict == Verdict::Review);
        let state = match members {
            Some(_) => IdentityState::Linked,
            None if in_doubt => IdentityState::Ambiguous,
            None => IdentityState::Single,
        };
        Some(Resolved {
            key: own.key.clone(),
            founder: founder.key.clone(),
            class: own.class,
            state,
            confidence: members.and_then(|members| self.confidence(slot, own, members)),
            candidates,
            edges: edges::edges(self, slot, own),
        })
    }

    /// How likely it is right that a listing belongs to its asset: by its strongest link.
    fn confidence(&self, slot: Slot, own: &Profile, members: &[Slot]) -> Option<u16> {
        let by_person = members.iter().filter_map(|member| self.profile(*member));
        if by_person.into_iter().any(|member| self.overrides.link(&own.key, &member.key)) {
            return Some(CERTAIN);
        }
        let best = self.choices.links(slot).find(|pair| members.contains(&pair.other))?;
        Some(calibration::confidence(best))
    }

    /// What a listing was compared with, best first; members of its asset always come first.
    pub(crate) fn candidates(&self, slot: Slot, own: &Profile, most: usize) -> Vec<Candidate> {
        let members = self.groups.get(&slot).map_or(&[][..], |members| members);
        let compared = self.choices.of(slot);
        // A member that no block brought together with this one belongs to it through others.
        let through_others: Vec<Pair> = members
            .iter()
            .filter(|member| {
                **member != slot && !compared.iter().any(|pair| pair.other == **member)
            })
            .filter_map(|member| self.examine(own, *member))
            .collect();
        let mut pairs: SmallVec<[&Pair; 16]> = through_others.iter().chain(compared).collect();
        let is_member = |pair: &Pair| members.contains(&pair.other);
        let key = |pair: &Pair| self.profile(pair.other).map(|other| &other.key);
        pairs.sort_by(|a, b| {
            let (one, two) = (is_member(a), is_member(b));
            two.cmp(&one).then(b.score.cmp(&a.score)).then_with(|| key(a).cmp(&key(b)))
        });
        pairs.truncate(most);
        pairs.iter().filter_map(|pair| self.candidate(slot, own, pair, false)).collect()
    }

    /// Compares a listing with any other one.
    pub(crate) fn examine(&self, own: &Profile, other: Slot) -> Option<Pair> {
        let theirs = self.profile(other)?;
        let comparison = pairs::examine(own, theirs, &self.index, &self.overrides);
        let (source, score) = (theirs.source, weights::score(&comparison));
        Some(Pair { other, source, score, comparison })
    }

    /// One pair in words, with all features or with those that weigh something.
    pub(crate) fn candidate(
        &self,
        slot: Slot,
        own: &Profile,
        pair: &Pair,
        all: bool,
    ) -> Option<Candidate> {
        let other = self.profile(pair.other)?;
        let (verdict, why) = self.verdict(slot, own, pair, other);
        Some(Candidate {
            key: other.key.clone(),
            verdict,
            why,
            centibits: pair.score,
            features: features(own, other, pair, all),
        })
    }

    fn verdict(
        &self,
        slot: Slot,
        own: &Profile,
        pair: &Pair,
        other: &Profile,
    ) -> (Verdict, CompactString) {
        if self.groups.get(&slot).is_some_and(|members| members.contains(&pair.other)) {
            return (Verdict::Linked, self.why_linked(slot, own, pair, other));
        }
        let rejected = |why: &str| (Verdict::Rejected, why.into());
        let review = |why: &str| (Verdict::Review, why.into());
        if own.source == other.source {
            return rejected("A source lists an asset once, and both are listings of one source.");
        }
        if let Some(veto) = pair.comparison.veto {
            return rejected(why_not(veto));
        }
        if pair.score < weights::REVIEW {
            return rejected("Too little speaks for it.");
        }
        if let Some(rival) = self.member_of_source(slot, other.source) {
            return (Verdict::Rejected, format_compact!("This listing is one with {rival}."));
        }
        if let Some(rival) = self.member_of_source(pair.other, own.source) {
            return (Verdict::Rejected, format_compact!("That listing is one with {rival}."));
        }
        if self.choices.linked(slot, pair.other) {
            return rejected(
                "Its asset would hold two listings of one source, or a person keeps them apart.",
            );
        }
        if !weights::may_link(&pair.comparison) {
            return review(
                "Neither a symbol nor a contract is equal, or the id was another listing's.",
            );
        }
        if pair.score < pair.bar() {
            return review("What speaks for it does not suffice.");
        }
        review("Another listing is about as likely.")
    }

    fn why_linked(&self, slot: Slot, own: &Profile, pair: &Pair, other: &Profile) -> CompactString {
        if self.overrides.link(&own.key, &other.key) {
            return "A person said so.".into();
        }
        if !self.choices.linked(slot, pair.other) {
            return "Both are one with a third listing.".into();
        }
        if pair.shares_contract() {
            return "They share a contract.".into();
        }
        match who_says(own, other).filter(|_| weights::says_same(&pair.comparison)) {
            Some((source, _)) => format_compact!("{source} says that they are the same."),
            None => "Symbol and name agree.".into(),
        }
    }

    /// The listing of a source that is one with this one.
    fn member_of_source(&self, slot: Slot, source: u16) -> Option<&ListingKey> {
        let members = self.groups.get(&slot)?;
        let mut profiles = members.iter().filter_map(|member| self.profile(*member));
        profiles.find(|member| member.source == source).map(|member| &member.key)
    }
}

fn why_not(veto: Veto) -> &'static str {
    match veto {
        Veto::Derived => "One is wrapped, bridged or pegged, the other is not or otherwise.",
        Veto::Sort => "Only one is staked, lent, leveraged, a pool's share or of a test network.",
        Veto::Stock => "Only one follows a share.",
        Veto::Version => "They state different versions.",
        Veto::Old => "Only one is marked as old.",
        Veto::Native => "Only one is a chain's native coin.",
        Veto::Person => "A person keeps them apart.",
    }
}

/// What speaks for and against a pair, and what forbids it; what weighs nothing only where all is asked for.
fn features(a: &Profile, b: &Profile, pair: &Pair, all: bool) -> Vec<Feature> {
    let parts = weights::parts(&pair.comparison);
    let told = parts.iter().filter(|(_, weight)| all || *weight != 0);
    let veto = pair.comparison.veto.map(|veto| Feature {
        name: "veto".into(),
        detail: veto.name().into(),
        centibits: 0,
    });
    let mut features = Vec::with_capacity(told.clone().count() + usize::from(veto.is_some()));
    features.extend(told.map(|(name, weight)| Feature {
        name: (*name).into(),
        detail: detail(name, a, b, pair),
        centibits: *weight,
    }));
    features.extend(veto);
    features
}

/// The source that says what one of the two is the same as, and what that is; of several the best.
fn who_says<'a>(a: &'a Profile, b: &'a Profile) -> Option<(&'a SourceName, &'a ListingKey)> {
    let named = |one: &'a Profile, two: &'a Profile| {
        let of_source = one.same_as.iter().filter(|named| named.source == two.key.source);
        of_source.map(|named| (&one.key.source, named, *named == two.key))
    };
    let all = named(a, b).chain(named(b, a));
    let best = all.min_by_key(|(_, named, is_same)| (!is_same, *named));
    best.map(|(source, named, _)| (source, named))
}

fn detail(feature: &str, a: &Profile, b: &Profile, pair: &Pair) -> CompactString {
    let text = |text: &Option<CompactString>| text.clone().unwrap_or_default();
    let is = |names: &[&str]| names.contains(&feature);
    if feature == "name_shared_by_others" {
        return format_compact!("at least {} of one source", pair.comparison.name_df);
    }
    if feature.starts_with("said") {
        return match who_says(a, b) {
            Some((source, named)) => format_compact!("{source} says {named}"),
            None => "neither source says".into(),
        };
    }
    if feature == "version_on_one_side" {
        return format_compact!("{} and {}", a.marks.version, b.marks.version);
    }
    if feature == "name_of_a_successor" {
        return "a namesake at the same source states a version or is marked as old".into();
    }
    if feature == "native_coin" {
        return "both are the native coin of one chain".into();
    }
    if feature == "old_on_one_side" {
        return if a.marks.sorts & markers::OLD != 0 { "the first" } else { "the second" }.into();
    }
    if feature.starts_with("symbol") {
        let (one, two) = (text(&a.attributes.symbol), text(&b.attributes.symbol));
        return format_compact!(
            "{one} and {two}, at least {} of one source",
            pair.comparison.symbol_df
        );
    }
    if feature.starts_with("name") {
        return format_compact!("{} and {}", text(&a.attributes.name), text(&b.attributes.name));
    }
    if feature.starts_with("id") {
        return format_compact!("{} and {}", a.key.external_id, b.key.external_id);
    }
    if is(&[RankLevel::Near.name(), RankLevel::Apart.name(), RankLevel::Far.name()]) {
        return format_compact!("{} and {}", a.rank.unwrap_or(0), b.rank.unwrap_or(0));
    }
    let equal =
        a.deployments.iter().filter(|deployment| b.deployments.contains(deployment)).count();
    format_compact!("{equal} equal, of {} and {}", a.deployments.len(), b.deployments.len())
}
