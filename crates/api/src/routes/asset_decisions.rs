//! What people decided about the listings of an asset, as readers see it.

use std::sync::Arc;

use kasparro_domain::{AssetRelation, Decimal, Decision, ListingKey, Timestamp};
use kasparro_view::Row;
use serde::Serialize;
use utoipa::ToSchema;

/// What a person decided about pairs of listings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityDecision)]
pub(crate) struct DecisionBody {
    /// Its number, in the order in which decisions were made.
    id: i64,
    /// `link`, `unlink`, `merge`, `split`, `relate`, `unrelate` or `withdraw`.
    kind: &'static str,
    /// What it says of its pairs: `link` (they are one asset), `separate` (they are two), `related` (they are
    /// two, and one relates to the other), `unrelated` (they are two, and neither relates to the other) or
    /// `withdraw` (nothing any more).
    verdict: &'static str,
    /// The pairs, each two listings as `source:id`.
    pairs: Vec<[String; 2]>,
    /// How one relates to the other; `null` for every other kind than `relate`.
    relation: Option<RelationBody>,
    /// Who decided.
    who: Option<String>,
    /// Why.
    why: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    decided_at: Timestamp,
}

/// How an asset relates to another one, as a person stated it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssetRelation)]
pub(crate) struct RelationBody {
    /// A listing of the asset it is about, as `source:id`.
    from: String,
    /// `wrapped_of`, `bridged_of`, `pegged_to`, `migrated_to` or `forked_from`.
    kind: &'static str,
    /// A listing of the other asset, as `source:id`.
    to: String,
    /// Units of the other asset that one unit of this one gives; `null` where it was not said.
    #[schema(value_type = Option<f64>)]
    ratio: Option<Decimal>,
    /// The day (UTC) from which it holds; `null` where it was not said.
    #[schema(format = Date)]
    effective_on: Option<String>,
}

impl RelationBody {
    fn of(relation: AssetRelation) -> Self {
        Self {
            from: relation.from.to_string(),
            kind: relation.kind.name(),
            to: relation.to.to_string(),
            ratio: relation.terms.ratio,
            effective_on: relation.terms.effective_on.map(|day| day.to_string()),
        }
    }
}

/// The decisions about pairs that one of the listings belongs to, newest first.
pub(super) fn about(
    decisions: Vec<Decision>,
    rows: &[Arc<Row>],
    shows_who: bool,
) -> Vec<DecisionBody> {
    let own = |key: &ListingKey| {
        rows.iter()
            .any(|row| *row.source() == key.source && row.external_id() == key.external_id.as_str())
    };
    let body = |decision: Decision| {
        let verdict = decision.kind.identity_verdict()?;
        decision.pairs.iter().any(|(a, b)| own(a) || own(b)).then(|| DecisionBody {
            id: decision.decision_id.0,
            kind: decision.kind.name(),
            verdict: verdict.name(),
            pairs: decision.pairs.iter().map(|(a, b)| [a.to_string(), b.to_string()]).collect(),
            relation: decision.relation.map(RelationBody::of),
            who: shows_who.then_some(decision.who),
            why: decision.why,
            decided_at: decision.decided_at,
        })
    };
    let mut bodies: Vec<DecisionBody> = decisions.into_iter().filter_map(body).collect();
    bodies.sort_by_key(|body| std::cmp::Reverse(body.id));
    bodies
}
