//! The document of `assets explain --json`.

use kasparro_domain::ListingKey;
use kasparro_identity::{Candidate, Explanation, Resolved, Verdict};
use kasparro_store::ListingRow;
use serde::Serialize;

use super::super::DecisionDocument;
use super::super::known::Known;

/// Why a listing is what it is, or what two listings are to each other.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    rule_version: String,
    /// What is decided, in one sentence.
    pub(super) summary: String,
    pub(super) a: Option<Listing>,
    pub(super) b: Option<Listing>,
    /// How the two compare; absent where one is asked about.
    pub(super) pair: Option<Compared>,
    /// What else was looked at for the first listing, best first, and why not that.
    pub(super) alternatives: Vec<Compared>,
    /// What people decided about one of the listings, oldest first.
    pub(super) decisions: Vec<DecisionDocument>,
}

/// A listing that was asked about.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    source: String,
    external_id: String,
    symbol: Option<String>,
    name: Option<String>,
    /// The asset it is in now.
    asset_id: Option<i64>,
    class: &'static str,
    identity: &'static str,
    /// How likely that is right, from 0 to 1.
    confidence: Option<f64>,
}

/// Another listing, compared.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    source: String,
    external_id: String,
    symbol: Option<String>,
    name: Option<String>,
    asset_id: Option<i64>,
    /// `linked`, `review` or `rejected`.
    pub(super) verdict: &'static str,
    pub(super) why: String,
    /// How much speaks for it: the sum of the features.
    pub(super) bits: f64,
    pub(super) features: Vec<Feature>,
}

/// One thing that speaks for or against.
#[derive(Debug, Serialize)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) bits: f64,
}

impl Explained {
    pub(super) fn new(
        explanation: Explanation,
        known: &Known,
        decisions: Vec<DecisionDocument>,
    ) -> Self {
        let listing = |resolved: Resolved| listing(resolved, known);
        let compared = |candidate: Candidate| compared(candidate, known);
        Self {
            rule_version: explanation.rule_version.to_string(),
            summary: explanation.summary.to_string(),
            a: explanation.a.map(listing),
            b: explanation.b.map(listing),
            pair: explanation.pair.map(compared),
            alternatives: explanation.alternatives.into_iter().map(compared).collect(),
            decisions,
        }
    }

    pub(super) fn rules(&self) -> &str {
        &self.rule_version
    }
}

impl Listing {
    pub(super) fn words(&self) -> String {
        let Self { source, external_id, asset_id, class, identity, confidence, .. } = self;
        let called = called(self.symbol.as_deref(), self.name.as_deref());
        let asset = asset_id.map_or_else(String::new, |id| format!(" asset {id},"));
        let sure =
            confidence.map_or_else(String::new, |share| format!(", {:.2} % sure", share * 100.0));
        format!("{source}:{external_id}{called}:{asset} {class}, {identity}{sure}")
    }
}

impl Compared {
    pub(super) fn words(&self) -> String {
        let called = called(self.symbol.as_deref(), self.name.as_deref());
        format!("{}:{}{called}", self.source, self.external_id)
    }
}

/// Symbol and name in brackets.
fn called(symbol: Option<&str>, name: Option<&str>) -> String {
    let words: Vec<_> = symbol.into_iter().chain(name).collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(" ({})", words.join(", ")),
    }
}

/// Symbol, name and asset of a listing.
fn facts(key: &ListingKey, known: &Known) -> (Option<String>, Option<String>, Option<i64>) {
    let row: Option<&ListingRow> = known.row(key);
    let symbol = row.and_then(|row| row.attributes.symbol.as_deref());
    let name = row.and_then(|row| row.attributes.name.as_deref());
    (symbol.map(str::to_owned), name.map(str::to_owned), row.map(|row| row.asset_id.0))
}

fn listing(resolved: Resolved, known: &Known) -> Listing {
    let (symbol, name, asset_id) = facts(&resolved.key, known);
    Listing {
        source: resolved.key.source.to_string(),
        external_id: resolved.key.external_id.into(),
        symbol,
        name,
        asset_id,
        class: resolved.class.name(),
        identity: resolved.state.name(),
        confidence: resolved.confidence.map(|share| f64::from(share) / 10_000.0),
    }
}

fn compared(candidate: Candidate, known: &Known) -> Compared {
    let (symbol, name, asset_id) = facts(&candidate.key, known);
    let features = candidate.features.into_iter().map(|feature| Feature {
        name: feature.name.into(),
        detail: feature.detail.into(),
        bits: bits(feature.centibits),
    });
    Compared {
        source: candidate.key.source.to_string(),
        external_id: candidate.key.external_id.into(),
        symbol,
        name,
        asset_id,
        verdict: match candidate.verdict {
            Verdict::Linked => "linked",
            Verdict::Review => "review",
            Verdict::Rejected => "rejected",
        },
        why: candidate.why.into(),
        bits: bits(candidate.centibits),
        features: features.collect(),
    }
}

fn bits(centibits: i32) -> f64 {
    f64::from(centibits) / 100.0
}
