//! `assets`: which listings are one asset, why, and what people decide about it.

mod decide;
mod explain;
mod known;
mod list;
mod merge;
mod overrides;
mod pair;
mod relate;
mod relation;
mod resolve;
mod show;
mod split;
mod standing;

pub(super) use standing::Standing;

use kasparro_domain::{AssetId, Decision, ListingKey, Timestamp};
use kasparro_store::Store;
use serde::Serialize;

use super::Context;
use crate::failure::{Exit, Failure};
use relation::RelationDocument;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List the assets with their listings.
    List(list::Arguments),
    /// Show one asset: its listings, how it relates to others, and what was decided about it.
    Show(show::Arguments),
    /// Explain why a listing is what it is, or why two are one asset or not.
    Explain(explain::Arguments),
    /// Say that two listings are one asset; beside a server, the server does it.
    #[command(after_help = pair::LINK_EXPLAINED)]
    Link(pair::Arguments),
    /// Say that two listings are different assets; beside a server, the server does it.
    #[command(after_help = pair::UNLINK_EXPLAINED)]
    Unlink(pair::Arguments),
    /// Make two assets one; beside a server, the server does it.
    Merge(merge::Arguments),
    /// Take listings out of an asset; beside a server, the server does it.
    Split(split::Arguments),
    /// Say how one asset relates to another that it is not; beside a server, the server does it.
    Relate(relate::Arguments),
    /// Say that two listings are different assets that do not relate; beside a server, the server does it.
    #[command(after_help = pair::UNRELATE_EXPLAINED)]
    Unrelate(pair::Arguments),
    /// Take back what was said of two listings; beside a server, the server does it.
    #[command(after_help = pair::WITHDRAW_EXPLAINED)]
    Withdraw(pair::Arguments),
    /// Decide anew which listings are one asset, where evidence has come since; beside a server, wait for it.
    #[command(after_help = resolve::EXPLAINED)]
    Resolve,
    /// Keep what people decided in a file under version control.
    #[command(subcommand)]
    Overrides(overrides::Action),
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    use kasparro_domain::DecisionKind::{Link, Unlink, Unrelate, Withdraw};
    match action {
        Action::List(arguments) => list::execute(context, arguments).await,
        Action::Show(arguments) => show::execute(context, arguments).await,
        Action::Explain(arguments) => explain::execute(context, arguments).await,
        Action::Link(arguments) => pair::execute(context, Link, arguments).await,
        Action::Unlink(arguments) => pair::execute(context, Unlink, arguments).await,
        Action::Merge(arguments) => merge::execute(context, arguments).await,
        Action::Split(arguments) => split::execute(context, arguments).await,
        Action::Relate(arguments) => relate::execute(context, arguments).await,
        Action::Unrelate(arguments) => pair::execute(context, Unrelate, arguments).await,
        Action::Withdraw(arguments) => pair::execute(context, Withdraw, arguments).await,
        Action::Resolve => resolve::execute(context).await,
        Action::Overrides(action) => overrides::execute(context, action).await,
    }
}

/// An asset as somebody names it: by its id, or by one of its listings.
#[derive(Debug, Clone)]
enum AssetName {
    Id(AssetId),
    Of(ListingKey),
}

fn read_asset(text: &str) -> Result<AssetName, &'static str> {
    if let Ok(id) = text.parse() {
        return Ok(AssetName::Id(AssetId(id)));
    }
    let listing = text.parse().map(AssetName::Of);
    listing.map_err(|_| "write an asset by its id, or by a listing as source:id")
}

/// A decision about listings as the documents of these commands give it.
#[derive(Debug, Serialize)]
struct DecisionDocument {
    id: i64,
    /// `link`, `unlink`, `merge`, `split`, `relate`, `unrelate` or `withdraw`.
    kind: &'static str,
    /// What it says of its pairs: `link`, `separate`, `related`, `unrelated` or `withdraw`.
    verdict: Option<&'static str>,
    /// The pairs of listings it is about, as `source:id`.
    pairs: Vec<(String, String)>,
    /// How one listing of its only pair relates to the other; null unless its kind is `relate`.
    relation: Option<RelationDocument>,
    who: String,
    why: String,
    decided_at: Timestamp,
}

impl DecisionDocument {
    fn words(&self) -> String {
        let Self { id, kind, relation, who, why, decided_at, .. } = self;
        let about = match relation {
            // Its pair is sorted and does not tell which one relates.
            Some(relation) => relation.words(),
            None => {
                let pairs: Vec<_> = self.pairs.iter().map(|(a, b)| format!("{a} {b}")).collect();
                pairs.join(", ")
            }
        };
        format!("{id}: {kind} {about} by {who} at {decided_at}: {why}")
    }
}

impl From<Decision> for DecisionDocument {
    fn from(decision: Decision) -> Self {
        let pairs = decision.pairs.iter().map(|(a, b)| (a.to_string(), b.to_string()));
        Self {
            id: decision.decision_id.0,
            kind: decision.kind.name(),
            verdict: decision.kind.identity_verdict().map(|verdict| verdict.name()),
            pairs: pairs.collect(),
            relation: decision.relation.map(Into::into),
            who: decision.who,
            why: decision.why,
            decided_at: decision.decided_at,
        }
    }
}

/// What people decided about listings, oldest first.
///
/// # Errors
/// A [`Failure`] where the store cannot be used.
async fn decisions(context: &Context, store: &dyn Store) -> Result<Vec<Decision>, Failure> {
    let decisions = store.decisions().await;
    let mut decisions =
        decisions.map_err(|error| Failure::store(&error, &context.config.database))?;
    decisions.retain(|decision| decision.kind.identity_verdict().is_some());
    Ok(decisions)
}

/// The decisions about one of these listings, oldest first.
fn about(decisions: Vec<Decision>, listings: &[&ListingKey]) -> Vec<DecisionDocument> {
    let named = |decision: &Decision| {
        decision.pairs.iter().any(|(a, b)| listings.contains(&a) || listings.contains(&b))
    };
    decisions.into_iter().filter(named).map(Into::into).collect()
}
