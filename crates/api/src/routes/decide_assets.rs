//! `POST /assets/link`, `/assets/unlink`, `/assets/merge`, `/assets/split`, `/assets/withdraw`

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{AssetRelation, CommandKind, DecisionKind, ListingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::asset_pairs::{Pair, leaving_pairs, pairs, sorted};
use super::change_params::ChangeParams;
use super::decide_rows::{done, numbers};
use crate::Shared;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::{self, Change, CommandsPending, Decided};
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::no_params;

/// At most so many listings leave an asset at once.
const MAX_LISTINGS: usize = 100;

/// Two listings to decide about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairRequest {
    /// Two listings, each as `source:external_id`
    #[schema(min_items = 2, max_items = 2)]
    listings: Vec<String>,
    /// Why, for the record
    why: String,
}

/// Listings that leave their asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitRequest {
    /// Listings of one asset, each as `source:external_id`
    #[schema(min_items = 1, max_items = 100)]
    listings: Vec<String>,
    /// Why, for the record
    why: String,
}

/// A decision that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decision {
    /// The commands by which it was done.
    command_ids: Vec<i64>,
    /// Its id. `GET /assets/{id}` with the `X-Generation` of this answer as `X-Min-Generation` shows what
    /// came of it.
    decision_id: Option<i64>,
}

/// Says that two listings are one asset. What people decide wins over all evidence.
#[utoipa::path(
    post, path = "/assets/link", tag = "Decisions",
    params(ChangeParams),
    request_body(content = PairRequest, description = "The listings"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn link(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    of_pair(&shared, &context, query.as_deref(), &change, DecisionKind::Link).await
}

/// Says that two listings are different assets, whatever speaks for one.
#[utoipa::path(
    post, path = "/assets/unlink", tag = "Decisions",
    params(ChangeParams),
    request_body(content = PairRequest, description = "The listings"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn unlink(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    of_pair(&shared, &context, query.as_deref(), &change, DecisionKind::Unlink).await
}

/// Takes back what was decided about two listings: evidence decides about them again.
#[utoipa::path(
    post, path = "/assets/withdraw", tag = "Decisions",
    params(ChangeParams),
    request_body(content = PairRequest, description = "The listings"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn withdraw(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    of_pair(&shared, &context, query.as_deref(), &change, DecisionKind::Withdraw).await
}

/// Says that two assets are one, each named by one of its listings.
///
/// The asset whose first listing is the older one keeps its id, and the other id leads to it.
#[utoipa::path(
    post, path = "/assets/merge", tag = "Decisions",
    params(ChangeParams),
    request_body(content = PairRequest, description = "A listing of each"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn merge(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    of_pair(&shared, &context, query.as_deref(), &change, DecisionKind::Merge).await
}

/// Takes listings out of their asset: what leaves and what stays are different assets from now on.
#[utoipa::path(
    post, path = "/assets/split", tag = "Decisions",
    params(ChangeParams),
    request_body(content = SplitRequest, description = "The listings that leave"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn split(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let SplitRequest { listings, why } = change.body()?;
    let (leaving, why) = read(&listings, 1..=MAX_LISTINGS, &why)?;
    let decided = leaving_pairs(&shared, &leaving)
        .map(|pairs| command(DecisionKind::Split, pairs, None, &change, why));
    decide(&shared, &context, &change, decided).await
}

/// Decides about the two listings of a body.
///
/// # Errors
/// 400, 404 and 409 for what is wrong with them.
pub(super) async fn of_pair(
    shared: &Arc<Shared>,
    context: &RequestContext,
    query: Option<&str>,
    change: &Change,
    kind: DecisionKind,
) -> Result<Response, Problem> {
    no_params(query)?;
    let PairRequest { listings, why } = change.body()?;
    let (listings, why) = read(&listings, 2..=2, &why)?;
    let [a, b] = listings.as_slice() else {
        return Err(Problem::new(Code::InvalidBody, "listings: holds not two listings"));
    };
    let decided = pairs(shared, kind, a, b).await;
    let decided = decided.map(|pairs| command(kind, pairs, None, change, why));
    decide(shared, context, change, decided).await
}

/// Has what was decided carried out, and says what came of it.
///
/// # Errors
/// The problem that was decided, and what the process says that carries it out.
pub(super) async fn decide(
    shared: &Arc<Shared>,
    context: &RequestContext,
    change: &Change,
    decided: Decided,
) -> Result<Response, Problem> {
    let commands = change.hand_in(shared, decided).await?.commands;
    let Some(results) = change::results(shared, &commands).await? else {
        return Ok(change::pending(context, change, &commands));
    };
    let decision_id = results.iter().find_map(|result| result.get("decision_id")?.as_i64());
    done(shared, context, Decision { command_ids: numbers(&commands), decision_id }).await
}

/// The listings that a body names, each once, and why.
fn read(
    listings: &[String],
    allowed: std::ops::RangeInclusive<usize>,
    why: &str,
) -> Result<(Vec<ListingKey>, String), Problem> {
    let mut mistakes = Mistakes::default();
    let mut keys: Vec<ListingKey> = Vec::with_capacity(listings.len());
    if !allowed.contains(&listings.len()) {
        let (least, most) = (allowed.start(), allowed.end());
        let message = match least == most {
            true => format!("holds {} listings, not {least}", listings.len()),
            false => format!("holds {} listings; {least} to {most} are allowed", listings.len()),
        };
        mistakes.add(Code::InvalidBody, "listings", message);
    } else {
        for (place, text) in listings.iter().enumerate() {
            let field = format!("listings[{place}]");
            match listing(text) {
                Ok(key) if keys.contains(&key) => {
                    mistakes.add(Code::InvalidBody, &field, "is named twice; name different ones");
                }
                Ok(key) => keys.push(key),
                Err(message) => mistakes.add(Code::InvalidBody, &field, message),
            }
        }
    }
    let why = change::why(&mut mistakes, why);
    mistakes.check((keys, why))
}

/// Reads the name of a listing.
///
/// # Errors
/// What to write instead.
pub(super) fn listing(text: &str) -> Result<ListingKey, &'static str> {
    text.parse().map_err(|_| "is no listing; write it as source:external_id")
}

/// The command of a decision about these pairs.
pub(super) fn command(
    decision: DecisionKind,
    pairs: Vec<Pair>,
    relation: Option<AssetRelation>,
    change: &Change,
    why: String,
) -> (Vec<CommandKind>, Value) {
    let mut pairs: Vec<_> = pairs.into_iter().map(sorted).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let source = pairs.first().map(|(a, _)| a.source.clone());
    let who = change.caller.who();
    let command = source.map(|source| CommandKind::DecideIdentity {
        source,
        decision,
        pairs,
        relation,
        who,
        why,
    });
    (command.into_iter().collect(), json!(null))
}
