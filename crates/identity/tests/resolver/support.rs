//! Listings in few words.

use kasparro_domain::{
    AssetRelation, Attributes, Contract, DecisionId, EdgeKind, EdgeTerms, IdentityOverride,
    IdentityState, ListingKey, OverrideVerdict, Timestamp,
};
use kasparro_identity::{ListingEvidence, Resolved, Resolver};

pub(crate) fn key(text: &str) -> ListingKey {
    text.parse().unwrap()
}

/// `source:id`, symbol, name, and contracts as `chain address`.
pub(crate) fn listing(of: &str, symbol: &str, name: &str, contracts: &[&str]) -> ListingEvidence {
    let contract = |text: &&str| {
        let (platform, address) = text.split_once(' ').unwrap();
        Contract { platform: platform.into(), address: address.into() }
    };
    ListingEvidence {
        key: key(of),
        first_seen_at: Timestamp::EPOCH,
        attributes: Attributes { symbol: Some(symbol.into()), name: Some(name.into()) },
        former: Vec::new(),
        contracts: contracts.iter().map(contract).collect(),
        kind: None,
        rank: None,
        same_as: Vec::new(),
    }
}

pub(crate) fn resolver(listings: &[(&str, &str, &str, &[&str])]) -> Resolver {
    let mut resolver = Resolver::new();
    resolver
        .put(listings.iter().map(|(of, symbol, name, at)| listing(of, symbol, name, at)).collect());
    resolver.resolve();
    resolver
}

pub(crate) fn said(a: &str, b: &str, verdict: OverrideVerdict, number: i64) -> IdentityOverride {
    let relation = (verdict == OverrideVerdict::Related).then(|| AssetRelation {
        from: key(a),
        kind: EdgeKind::ForkedFrom,
        to: key(b),
        terms: EdgeTerms::default(),
    });
    let decision_id = DecisionId(number);
    IdentityOverride { a: key(a), b: key(b), verdict, relation, decision_id }
}

pub(crate) fn of(resolver: &Resolver, text: &str) -> Resolved {
    resolver.resolved(&key(text)).unwrap()
}

pub(crate) fn are_one(resolver: &Resolver, a: &str, b: &str) -> bool {
    let (a, b) = (of(resolver, a), of(resolver, b));
    a.founder == b.founder && a.state == IdentityState::Linked
}
