//! The resolver's word against the truth.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{IdentityState, ListingKey};

use super::Options;
use super::classes::{Classes, folded};
use super::lists::Lists;
use super::report::{Calibration, Confusion, ConfusionKind, Negatives, Report, ScoredLink};
use super::score::{Fate, Score};
use crate::{Candidate, RULE_VERSION, Resolved, Resolver};

/// The bounds of the ranges of confidence, in ten-thousandths.
const CONFIDENCES: [u16; 6] = [0, 9_000, 9_500, 9_900, 9_990, 9_999];

/// What the resolver said.
struct Said<'a> {
    resolver: Resolver,
    options: &'a Options,
    /// The listing of B in the asset of each listing of A that has one.
    links: BTreeMap<String, String>,
}

impl<'a> Said<'a> {
    fn of(lists: &Lists, dropped: &BTreeSet<String>, options: &'a Options) -> Self {
        let mut resolver = Resolver::new();
        resolver.put(lists.evidence(dropped, options));
        resolver.resolve();
        let mut in_b: BTreeMap<ListingKey, String> = BTreeMap::new();
        let mut in_a: Vec<(ListingKey, String)> = Vec::new();
        for resolved in resolver.all() {
            let Resolved { key, founder, .. } = resolved;
            let id = key.external_id.to_string();
            if key.source.as_str() == options.source_a {
                in_a.push((founder, id));
            } else {
                in_b.insert(founder, id);
            }
        }
        let links =
            in_a.into_iter().filter_map(|(founder, a)| Some((a, in_b.get(&founder)?.clone())));
        let links = links.collect();
        Self { resolver, options, links }
    }

    fn key_a(&self, id: &str) -> ListingKey {
        ListingKey::new(&self.options.source_a, id)
    }

    /// How the two compare, as the resolver explains it.
    fn pair(&self, a: &str, b: &str) -> Option<Candidate> {
        let (a, b) = (self.key_a(a), ListingKey::new(&self.options.source_b, b));
        self.resolver.explain(&a, Some(&b)).pair
    }

    fn scored_link(&self, a: &str, b: &str, right: bool) -> Option<ScoredLink> {
        let pair = self.pair(a, b)?;
        let by_contract =
            pair.features.iter().any(|one| one.name.starts_with("contract") && one.centibits > 0);
        let (id_a, id_b) = (a.to_owned(), b.to_owned());
        Some(ScoredLink { id_a, id_b, right, by_contract, centibits: pair.centibits })
    }

    fn linked(&self, a: &str, b: &str) -> bool {
        self.links.get(a).is_some_and(|link| link == b)
    }

    fn confusion(&self, kind: ConfusionKind, a: &str, b: &str, expected: &[&str]) -> Confusion {
        // Of a missed pair one wants to know why it was not linked.
        let other = if b.is_empty() { expected.first().copied() } else { Some(b) };
        let pair = other.and_then(|other| self.pair(a, other));
        let (centibits, reason) = match pair {
            Some(pair) => (Some(pair.centibits), pair.why.to_string()),
            None => {
                let open = self.resolver.resolved(&self.key_a(a));
                let best = open.and_then(|open| open.candidates.into_iter().next());
                best.map_or((None, String::new()), |best| {
                    (Some(best.centibits), format!("{}: {}", best.key, best.why))
                })
            }
        };
        let (id_a, id_b, expected) = (a.to_owned(), b.to_owned(), expected.join(" "));
        Confusion { kind, id_a, id_b, expected, centibits, reason }
    }
}

/// Scores every listing of A that the truth names.
pub(super) fn judge(
    lists: &Lists,
    dropped: &BTreeSet<String>,
    classes: &Classes<'_>,
    options: &Options,
) -> Report {
    let said = Said::of(lists, dropped, options);
    let there = |id: &String| lists.b.listings.contains_key(id) && !dropped.contains(id);
    let mut overall = Score::default();
    let mut by_class: BTreeMap<&'static str, Score> =
        Classes::ALL.iter().map(|class| (*class, Score::default())).collect();
    let mut calibration = CONFIDENCES.map(|at_least| Calibration { at_least, links: 0, right: 0 });
    let (mut confusions, mut links) = (Vec::new(), Vec::new());
    for (a, truth) in &lists.truth {
        let expected: Vec<&str> = truth.iter().filter(|id| there(id)).map(String::as_str).collect();
        let resolved = said.resolver.resolved(&said.key_a(a));
        let link = said.links.get(a);
        let fate = match link {
            Some(link) if truth.contains(link) => Fate::Right,
            Some(_) => Fate::Wrong,
            None => {
                let state = resolved.as_ref().map(|resolved| resolved.state);
                Fate::Alone(state == Some(IdentityState::Ambiguous))
            }
        };
        let present = !expected.is_empty();
        overall.add(fate, present);
        for class in classes.of(a) {
            by_class.entry(class).or_default().add(fate, present);
        }
        let stated = resolved.and_then(|resolved| resolved.confidence).unwrap_or_default();
        let range = calibration.iter_mut().rev().find(|range| range.at_least <= stated);
        if let (Some(range), Some(_)) = (range, link) {
            range.links += 1;
            range.right += usize::from(fate == Fate::Right);
        }
        links.extend(link.and_then(|link| said.scored_link(a, link, fate == Fate::Right)));
        let kind = match fate {
            Fate::Right => continue,
            Fate::Wrong => ConfusionKind::FalseLink,
            Fate::Alone(_) if present => ConfusionKind::Missed,
            Fate::Alone(true) => ConfusionKind::Abstained,
            Fate::Alone(false) => continue,
        };
        let link = link.map_or("", String::as_str);
        confusions.push(said.confusion(kind, a, link, &expected));
    }
    let (mut apart, mut joined) = (0, 0);
    for pair in &lists.negatives {
        if lists.a.listings.contains_key(&pair.a) && there(&pair.b) {
            apart += 1;
            if said.linked(&pair.a, &pair.b) {
                joined += 1;
                let kind = ConfusionKind::NegativeLinked;
                confusions.push(said.confusion(kind, &pair.a, &pair.b, &[]));
            }
        }
    }
    confusions.sort();
    Report {
        overall: overall.with_shares(),
        classes: by_class.into_iter().map(|(name, score)| (name, score.with_shares())).collect(),
        negatives: Negatives::of(apart, joined),
        same_symbol: same_symbol(lists, dropped, &said),
        calibration: calibration.to_vec(),
        lists: lists.counts.clone(),
        truth_pairs: lists.truth_pairs,
        truth_pairs_unknown: lists.truth_pairs_unknown,
        dropped: dropped.len(),
        seed: options.seed,
        rule_version: RULE_VERSION,
        confusions,
        links,
    }
}

/// What the truth says implicitly: a listing of B that bears the symbol of a listing of A, and is not what
/// that one is, is something else.
fn same_symbol(lists: &Lists, dropped: &BTreeSet<String>, said: &Said<'_>) -> Negatives {
    let mut bearers: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for (id, listing) in lists.b.listings.iter().filter(|(id, _)| !dropped.contains(*id)) {
        if let Some(symbol) = folded(listing) {
            bearers.entry(symbol).or_default().push(id);
        }
    }
    let (mut pairs, mut linked) = (0, 0);
    for (a, truth) in &lists.truth {
        let symbol = lists.a.listings.get(a).and_then(folded);
        let others = symbol.and_then(|symbol| bearers.get(&symbol));
        for b in others.into_iter().flatten().filter(|b| !truth.contains(**b)) {
            pairs += 1;
            linked += usize::from(said.linked(a, b));
        }
    }
    Negatives::of(pairs, linked)
}
