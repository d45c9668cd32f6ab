//! `GET /keys`, `POST /keys`, `POST /keys/{id}/revoke`, `POST /keys/{id}/rotate`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use kasparro_domain::{ApiKey, Scope, Timestamp};
use kasparro_store::{KeyEnd, NewKey, StoreError};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::change_params::ChangeParams;
use super::key_body::{KeyBody, KeyRequest, Made, NewKeyBody, RotateRequest, duration};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::Change;
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::no_params;
use crate::{Shared, access, respond};

/// How long a key stays good beside the one that replaces it, unless told otherwise.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// Every key that was ever made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The keys, by instant of making. The key of `ADMIN_API_KEY` is in no store and not among them.
    data: Vec<KeyBody>,
    /// How many there are.
    total: u64,
}

/// A key that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// Its public id.
    key_id: String,
    /// Since when no process lets it in any more, to two seconds.
    #[schema(value_type = String, format = DateTime)]
    revoked_at: Timestamp,
}

/// Lists keys: what they allow, until when they are good, when they were used last. Never a key itself.
#[utoipa::path(
    get, path = "/keys", tag = "Keys",
    responses((status = 200, description = "The keys", body = Enveloped<KeyList>), Problems),
)]
pub(crate) async fn keys(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let keys = shared.ask(shared.store.keys()).await?;
    let now = shared.clock.now();
    let data: Vec<_> = keys.into_iter().map(|key| KeyBody::of(key, now)).collect();
    let total = u64::try_from(data.len()).unwrap_or(u64::MAX);
    Ok(private(respond::json(&context, KeyList { data, total })))
}

/// Makes a key. The answer is the only place that ever shows it.
#[utoipa::path(
    post, path = "/keys", tag = "Keys",
    params(ChangeParams),
    request_body(content = KeyRequest, description = "The key"),
    responses((status = 201, description = "The key", body = Enveloped<NewKeyBody>), Problems),
)]
pub(crate) async fn create(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let asked: KeyRequest = change.body()?;
    let now = shared.clock.now();
    let made = asked.made(now)?;
    give(&shared, &context, &change, Ok(made)).await
}

/// Takes a key back: no process lets it in any more, within two seconds.
#[utoipa::path(
    post, path = "/keys/{id}/revoke", tag = "Keys",
    params(("id" = String, Path, description = "The key's public id", pattern = "^[0-9A-Za-z]{8}$"), ChangeParams),
    responses((status = 200, description = "It is not good any more", body = Enveloped<Revoked>), Problems),
)]
pub(crate) async fn revoke(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    change.no_body()?;
    let known = known(&shared, &id).await;
    change.hand_in(&shared, known.map(|_| (Vec::new(), json!(null)))).await?;
    let end = KeyEnd::Revoked(shared.clock.now());
    shared.ask(shared.store.end_key(&id, end)).await?;
    // The rest of the processes reads it within a second.
    access::refresh(&shared).await?;
    let key = self::known(&shared, &id).await?;
    let revoked_at = key.revoked_at.unwrap_or_else(|| shared.clock.now());
    Ok(respond::json(&context, Revoked { key_id: id, revoked_at }))
}

/// Makes a key that replaces another: of the same name, scope and limit, and for as long. The old one stays
/// good for the overlap, so that nobody has to change both sides at once.
#[utoipa::path(
    post, path = "/keys/{id}/rotate", tag = "Keys",
    params(("id" = String, Path, description = "The public id of the key to replace", pattern = "^[0-9A-Za-z]{8}$"), ChangeParams),
    request_body(content = Option<RotateRequest>, description = "How long both are good"),
    responses((status = 201, description = "The new key", body = Enveloped<NewKeyBody>), Problems),
)]
pub(crate) async fn rotate(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let overlap = match change.no_body() {
        Ok(()) => OVERLAP,
        Err(_) => {
            let RotateRequest { overlap } = change.body()?;
            let mut mistakes = Mistakes::default();
            let overlap = overlap.as_deref().map_or(Ok(OVERLAP), duration);
            let overlap = overlap.map_err(|message| {
                mistakes.add(Code::InvalidBody, "overlap", message);
            });
            mistakes.check(overlap.unwrap_or(OVERLAP))?
        }
    };
    let now = shared.clock.now();
    let made = known(&shared, &id).await.and_then(|old| {
        if !old.good_at(now) {
            return Err(Problem::new(Code::KeyEnded, format!("key {id} is not good any more")));
        }
        Ok(Made::replacing(old, now, overlap))
    });
    give(&shared, &context, &change, made).await
}

/// Hands a key over that is made now, or was made when the request came first.
///
/// Only a salt is kept of it; with the secret of this server that gives the key again.
async fn give(
    shared: &Arc<Shared>,
    context: &RequestContext,
    change: &Change,
    made: Result<Made, Problem>,
) -> Result<Response, Problem> {
    let handed_in = change.hand_in(shared, made.map(|made| (Vec::new(), json!(made)))).await?;
    let made: Made = serde_json::from_value(handed_in.answer).map_err(|error| {
        tracing::error!(%error, "what is kept of a key cannot be read");
        Problem::new(Code::Internal, "what is kept of the key cannot be read")
    })?;
    let new = shared.keys.pepper().key_of(made.salt.as_bytes());
    let text = new.text.expose_secret();
    let hmac = shared.keys.pepper().hmac(text);
    let key = made.key(new.key_id.clone(), hmac);
    let adding = NewKey { key: key.clone(), replaces: made.replaces() };
    let added = shared.ask(async {
        match shared.store.add_key(adding).await {
            Err(StoreError::Conflict(_)) => Ok(false),
            added => added.map(|()| true),
        }
    });
    // One that was added when the request came first is there already.
    if !added.await? && known(shared, &new.key_id).await.is_err() {
        let detail = "the key to replace ended before it was replaced";
        return Err(Problem::new(Code::KeyEnded, detail));
    }
    // It is good here at once; what cannot be read now is read within a second.
    let _ = access::refresh(shared).await;
    let body = NewKeyBody::of(key, text, &made);
    Ok(private(respond::json_with(context, StatusCode::CREATED, body)))
}

/// A key by its public id.
async fn known(shared: &Shared, id: &str) -> Result<ApiKey, Problem> {
    if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let detail = "the id of a key is eight letters and digits; the key of ADMIN_API_KEY is in no \
                      store, it goes with its setting";
        return Err(Problem::new(Code::InvalidId, detail));
    }
    let keys = shared.ask(shared.store.keys()).await?;
    let found = keys.into_iter().find(|key| key.key_id == id);
    found.ok_or_else(|| Problem::new(Code::KeyNotFound, format!("there is no key {id}")))
}

/// The same answer, which nobody may keep.
fn private(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Every scope by name, for what is read from bodies.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    Scope::named(text).ok_or_else(|| {
        let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        format!("is none of {}", names.join(", "))
    })
}
