//! Why a listing is what it is, and where people and evidence disagree.

use compact_str::{CompactString, format_compact};
use kasparro_domain::{IdentityState, ListingKey, OverrideVerdict};

use crate::compare::ContractLevel;
use crate::resolver::RULE_VERSION;
use crate::{Candidate, Contradiction, Explanation, Resolver, Verdict};

/// How many other listings an explanation tells of.
const MAX_ALTERNATIVES: usize = 32;

pub(crate) fn explain(resolver: &Resolver, a: &ListingKey, b: Option<&ListingKey>) -> Explanation {
    let resolved = resolver.resolved(a);
    let pair = b.and_then(|b| pair(resolver, a, b));
    let alternatives = resolver.by_key.get(a).and_then(|slot| {
        let own = resolver.profile(*slot)?;
        let mut all = resolver.candidates(*slot, own, MAX_ALTERNATIVES);
        all.retain(|candidate| Some(&candidate.key) != b);
        Some(all)
    });
    let summary: CompactString = match (&resolved, b, &pair) {
        (None, _, _) => format_compact!("{a} is not known."),
        (_, Some(b), None) if b == a => format_compact!("{a} is itself."),
        (_, Some(b), None) => format_compact!("{b} is not known."),
        (_, Some(b), Some(pair)) => {
            let decided = match pair.verdict {
                Verdict::Linked => "are one asset",
                Verdict::Review => "may be one asset",
                Verdict::Rejected => "are kept apart",
            };
            format_compact!("{a} and {b} {decided}. {}", pair.why)
        }
        (Some(resolved), None, _) => match resolved.state {
            IdentityState::Linked => {
                format_compact!("{a} is one asset with listings of other sources.")
            }
            IdentityState::Ambiguous => {
                format_compact!(
                    "{a} may be one asset with others, and is kept apart until more is known."
                )
            }
            IdentityState::Single | IdentityState::Unresolved => {
                format_compact!("No other source's listing is known to be {a}.")
            }
        },
    };
    Explanation {
        rule_version: RULE_VERSION.into(),
        summary,
        a: resolved,
        b: b.and_then(|b| resolver.resolved(b)),
        pair,
        alternatives: alternatives.unwrap_or_default(),
    }
}

/// Two listings compared, whether or not they share a block.
fn pair(resolver: &Resolver, a: &ListingKey, b: &ListingKey) -> Option<Candidate> {
    let (one, two) = (*resolver.by_key.get(a)?, *resolver.by_key.get(b)?);
    if one == two {
        return None;
    }
    let own = resolver.profile(one)?;
    let pair = resolver.examine(own, two)?;
    resolver.candidate(one, own, &pair, true)
}

pub(crate) fn contradictions(resolver: &Resolver) -> Vec<Contradiction> {
    let mut found: Vec<Contradiction> =
        resolver.overrides.all().filter_map(|decided| contradiction(resolver, decided)).collect();
    found.sort_by_key(|contradiction| contradiction.decided.decision_id);
    found
}

fn contradiction(
    resolver: &Resolver,
    decided: &kasparro_domain::IdentityOverride,
) -> Option<Contradiction> {
    let (one, two) = (*resolver.by_key.get(&decided.a)?, *resolver.by_key.get(&decided.b)?);
    let together = resolver.groups.get(&one).is_some_and(|members| members.contains(&two));
    let own = resolver.profile(one)?;
    let other = resolver.profile(two)?;
    let said = |why: &str, followed: bool| {
        Some(Contradiction { decided: decided.clone(), why: why.into(), followed })
    };
    match decided.verdict {
        OverrideVerdict::Withdraw => None,
        OverrideVerdict::Link if !together => said(
            "The asset would hold two listings of one source, or a newer decision keeps them apart.",
            false,
        ),
        verdict if verdict.separates() && together => {
            said("Newer decisions make them one asset.", false)
        }
        OverrideVerdict::Link => {
            let pair = resolver.examine(own, two)?;
            if pair.comparison.veto.is_some() {
                return said("One is of another sort than the other.", true);
            }
            // Names that differ are why a person decides; another contract is news.
            match pair.comparison.contract {
                ContractLevel::Differs => {
                    said("Both are on one chain, under different contracts.", true)
                }
                _ => None,
            }
        }
        // Whatever stands for another asset may well share a contract with it.
        OverrideVerdict::Related => None,
        OverrideVerdict::Separate | OverrideVerdict::Unrelated => {
            let pair = resolver.examine(own, two)?;
            let equal = pair.shares_contract() && pair.score >= pair.bar();
            // Representations share contracts with what they represent, so a difference of class explains it.
            if equal && own.class == other.class {
                said("They share a contract.", true)
            } else {
                None
            }
        }
    }
}
