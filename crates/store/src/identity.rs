//! What deciding about identity reads and writes.

use compact_str::CompactString;
use kasparro_domain::{
    AssetClass, AssetId, AssetRelation, Attributes, Contract, DecisionKind, EdgeKind, EdgeTerms,
    Evidence, Generation, IdentityState, ListingId, ListingKey, NewAlert, RunId, SourceName,
    Timestamp,
};
use serde_json::Value;

use crate::{StoreError, StoreResult};

/// Which evidence was read, and what was resolved last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityPosition {
    /// The newest generation.
    pub generation: Generation,
    /// How often evidence of identity has changed: a listing was inserted, what it is called has changed, a
    /// list stated something new of it, or a person decided.
    pub evidence_version: u64,
    /// The newest resolution; absent before the first.
    pub resolved: Option<ResolutionRow>,
}

/// A resolution as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionRow {
    /// The generation it made.
    pub generation: Generation,
    /// The evidence it was made of.
    pub evidence_version: u64,
    /// Name and version of its rules.
    pub rule_version: String,
    /// When it was made.
    pub resolved_at: Timestamp,
    /// How things stood after it.
    pub totals: IdentityTotals,
    /// True where some evidence was too new to count.
    pub pending: bool,
}

/// How many listings stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdentityTotals {
    /// Listings looked at.
    pub listings: u64,
    /// Assets they form.
    pub assets: u64,
    /// Listings that share their asset with another one.
    pub linked: u64,
    /// Listings of which it stays open what they are.
    pub ambiguous: u64,
}

/// Everything stored that speaks for what a listing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityInput {
    /// The listing.
    pub listing_id: ListingId,
    /// Its names.
    pub key: ListingKey,
    /// The asset that it founded.
    pub founded_asset_id: AssetId,
    /// When it was first fetched.
    pub first_seen_at: Timestamp,
    /// Symbol and name as readers see them.
    pub attributes: Attributes,
    /// True where those are the ones of its quote.
    pub quoted: bool,
    /// What its lists state, by endpoint and part.
    pub statements: Vec<DatedStatement>,
    /// What was said before and is not any more, by endpoint, part and instant.
    pub past: Vec<PastStatement>,
}

/// A statement of a list that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedStatement {
    /// The endpoint that states it.
    pub endpoint: CompactString,
    /// What it says.
    pub evidence: Evidence,
    /// When the endpoint first said anything about this listing and part.
    pub first_seen_at: Timestamp,
}

/// A statement until another one took its place.
///
/// One with an empty endpoint and part is what readers saw as symbol and name, whatever said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastStatement {
    /// The endpoint that stated it.
    pub endpoint: CompactString,
    /// Which of several statements it was.
    pub part: CompactString,
    /// When the page was fetched that said something else.
    pub until_at: Timestamp,
    /// Symbol and name.
    pub attributes: Attributes,
    /// The contracts it stated.
    pub contracts: Vec<Contract>,
    /// The sort of thing it stated.
    pub kind: Option<CompactString>,
    /// The listings of other sources that it said are the same.
    pub same_as: Vec<ListingKey>,
}

/// That a page of an endpoint was loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// The endpoint.
    pub endpoint: CompactString,
}

/// What was decided about one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRow {
    /// The listing.
    pub listing_id: ListingId,
    /// The founding listing of its asset, whose own asset number it has; itself where it stands alone.
    pub founder: ListingId,
    /// What sort of thing it is.
    pub class: AssetClass,
    /// How far it is decided.
    pub state: IdentityState,
    /// How likely that is right, in ten-thousandths.
    pub confidence: Option<u16>,
    /// What else it might be, and why not (JSON array).
    pub candidates: Value,
    /// How its asset relates to others.
    pub edges: Vec<EdgeRow>,
}

/// That the asset of one listing relates to that of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EdgeRow {
    /// How.
    pub kind: EdgeKind,
    /// A listing of the other asset.
    pub to: ListingId,
    /// What says so.
    pub why: CompactString,
    /// What is known of it besides.
    pub terms: EdgeTerms,
}

/// The changed part of a resolution, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The evidence it was made of: it is refused where there is newer.
    pub evidence_version: u64,
    /// The resolution that it follows: it is refused where another one does.
    pub follows: Option<Generation>,
    /// Name and version of its rules.
    pub rule_version: String,
    /// When it was made.
    pub resolved_at: Timestamp,
    /// Listings of which something else is decided than before, ascending, each once.
    pub rows: Vec<IdentityRow>,
    /// How things stand after it.
    pub totals: IdentityTotals,
    /// True where some evidence is too new to count.
    pub pending: bool,
    /// What operators should hear of, with the source and the run that it is told with.
    pub alerts: Vec<(SourceName, RunId, NewAlert)>,
    /// True when alerts are to be sent; otherwise they are only kept.
    pub send_alerts: bool,
}

impl Resolution {
    /// Refuses rows out of order, edges that lead nowhere or repeat, and shares above one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with what is wrong.
    pub fn check(&self) -> StoreResult<()> {
        let wrong = |what: String| Err(StoreError::Conflict(what));
        for pair in self.rows.windows(2) {
            if pair[0].listing_id >= pair[1].listing_id {
                return wrong(format!("listing {} is out of order", pair[1].listing_id));
            }
        }
        for row in &self.rows {
            if row.confidence.is_some_and(|confidence| confidence > 10_000) {
                return wrong(format!("listing {} is more than certain", row.listing_id));
            }
            if row
                .edges
                .windows(2)
                .any(|pair| (pair[0].kind, pair[0].to) >= (pair[1].kind, pair[1].to))
            {
                return wrong(format!("edges of listing {} are out of order", row.listing_id));
            }
            if row.edges.iter().any(|edge| edge.to == row.listing_id) {
                return wrong(format!("listing {} relates to itself", row.listing_id));
            }
        }
        Ok(())
    }
}

/// What a person decided about pairs of listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDecision {
    /// What: one of the kinds that are about listings.
    pub kind: DecisionKind,
    /// The source under which it is kept: that of the first listing.
    pub source: SourceName,
    /// The pairs, each sorted, all sorted, each once.
    pub pairs: Vec<(ListingKey, ListingKey)>,
    /// How one listing of the only pair relates to the other; there exactly where the kind is
    /// [`DecisionKind::Relate`].
    pub relation: Option<AssetRelation>,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    pub decided_at: Timestamp,
}

impl IdentityDecision {
    /// Refuses kinds that are about rows, no pairs, pairs of one listing or out of order, and relations of
    /// other listings or without their kind.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with what is wrong.
    pub fn check(&self) -> StoreResult<()> {
        let wrong = |what: &str| Err(StoreError::Conflict(what.to_owned()));
        if self.kind.identity_verdict().is_none() {
            return wrong("the decision is not about what listings are");
        }
        if self.pairs.is_empty() || self.pairs.windows(2).any(|two| two[0] >= two[1]) {
            return wrong("the pairs are none or out of order");
        }
        if self.pairs.iter().any(|(a, b)| a >= b) {
            return wrong("a pair is out of order or of one listing");
        }
        if self.relation.is_some() != (self.kind == DecisionKind::Relate) {
            return wrong("a relation is there exactly where the decision relates two listings");
        }
        if self.relation.as_ref().is_some_and(|relation| self.pairs != [relation.pair()]) {
            return wrong("the relation is of other listings than the pair");
        }
        Ok(())
    }
}

/// What is stored of a decided listing, with what readers ask of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// The listing.
    pub listing_id: ListingId,
    /// Its names.
    pub key: ListingKey,
    /// The asset it belongs to.
    pub asset_id: AssetId,
    /// What was decided.
    pub class: AssetClass,
    /// How far.
    pub state: IdentityState,
    /// How likely that is right, in ten-thousandths.
    pub confidence: Option<u16>,
    /// What else it might be, and why not (JSON array).
    pub candidates: Value,
    /// What it was called before, newest first.
    pub past: Vec<PastStatement>,
}

/// An edge as stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredEdge {
    /// The listing whose asset it is about.
    pub from: ListingId,
    /// How.
    pub kind: EdgeKind,
    /// A listing of the other asset.
    pub to: ListingId,
    /// What says so.
    pub why: CompactString,
    /// What is known of it besides.
    pub terms: EdgeTerms,
}
