//! Errors as readers see them: RFC 9457 problems.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kasparro_domain::{Generation, Scope};
use kasparro_store::StoreError;
use serde::Serialize;

/// At most so many field errors are listed.
const MAX_FIELD_ERRORS: usize = 20;

macro_rules! codes {
    ($($variant:ident, $code:literal, $status:ident, $title:literal, $hint:literal;)*) => {
        /// The stable code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($variant),* }

        impl Code {
            /// Every code.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as readers see it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Its HTTP status.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// What it means, in a few words that never change.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What to do about it.
            pub(crate) const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint),* }
            }
        }
    };
}

codes! {
    InvalidParameter, "invalid_parameter", BAD_REQUEST, "A parameter has a value that is not allowed",
        "correct the parameters listed under errors; /docs describes each";
    UnknownParameter, "unknown_parameter", BAD_REQUEST, "A parameter is not known here",
        "leave the parameter out or correct its name";
    RepeatedParameter, "repeated_parameter", BAD_REQUEST, "A parameter is given more than once",
        "give each parameter once";
    InvalidHeader, "invalid_header", BAD_REQUEST, "A header has a value that is not allowed",
        "correct the headers listed under errors";
    AmbiguousKey, "ambiguous_key", BAD_REQUEST, "The request brings more than one key",
        "send one key once: in X-API-Key, or as Authorization: Bearer";
    KeyMissing, "key_missing", UNAUTHORIZED, "This needs a key",
        "send a key in X-API-Key, or as Authorization: Bearer; `kasparro keys create` makes one";
    KeyInvalid, "key_invalid", UNAUTHORIZED, "The key is not good",
        "send a key that is neither revoked nor expired, whole as it was shown; without a key, send no header for one";
    ScopeMissing, "scope_missing", FORBIDDEN, "The key does not allow this",
        "ask with a key of the scope that detail names; GET /api tells what each path needs";
    InvalidCursor, "invalid_cursor", BAD_REQUEST, "The cursor does not belong to this query",
        "start again without cursor; send a next_cursor unchanged and with the same filters";
    CursorExpired, "cursor_expired", GONE, "The cursor goes over a generation that is not kept any more",
        "start again without cursor, at the address in detail; cursors of the default order never expire";
    InvalidId, "invalid_id", BAD_REQUEST, "The id is malformed",
        "take ids from the answers of this API";
    InvalidBody, "invalid_body", BAD_REQUEST, "The request body has a form that is not allowed",
        "send a JSON object with the members that /docs describes";
    SourcesDiffer, "different_sources", BAD_REQUEST, "The runs are of different sources",
        "compare runs of one source; GET /runs?source=NAME lists them";
    BadRequest, "bad_request", BAD_REQUEST, "The request cannot be read",
        "send a well-formed HTTP request";
    NotFound, "not_found", NOT_FOUND, "There is nothing at this path",
        "GET /api lists every path";
    RunNotFound, "run_not_found", NOT_FOUND, "No run has this id",
        "GET /runs lists the runs";
    ListingNotFound, "listing_not_found", NOT_FOUND, "No listing has this id",
        "GET /listings lists the listings";
    AssetNotFound, "asset_not_found", NOT_FOUND, "No asset has this id",
        "GET /assets lists the assets";
    QuarantineNotFound, "quarantine_row_not_found", NOT_FOUND, "No quarantined row has this id",
        "GET /quarantine lists the rows";
    DriftNotFound, "drift_not_found", NOT_FOUND, "No change has this id",
        "GET /drift lists the changes";
    PageNotFound, "page_not_found", NOT_FOUND, "No page has this id",
        "GET /quarantine/pages lists the pages that were refused";
    CommandNotFound, "command_not_found", NOT_FOUND, "No command has this id",
        "take ids from the answers with status 202";
    KeyNotFound, "key_not_found", NOT_FOUND, "No key has this id",
        "GET /keys lists the keys";
    UnknownListing, "unknown_listing", NOT_FOUND, "A listing that is named is not known",
        "GET /listings?search=TEXT finds listings; name one as source:external_id";
    NotOpen, "not_open", CONFLICT, "It is decided already",
        "ask for it again to see what was decided";
    NotDecided, "not_decided", CONFLICT, "Nothing that was decided is in force",
        "GET /assets/{id}/identity shows what was decided";
    ListingsConflict, "listings_conflict", CONFLICT, "The listings do not allow this",
        "GET /assets/{id} shows which listings an asset has";
    KeyEnded, "key_ended", CONFLICT, "The key has ended",
        "POST /keys makes a new one";
    CommandRefused, "command_refused", CONFLICT, "The process that works on the source refused",
        "detail says why; where it does not know the source, give it the same configuration as this server";
    IdempotencyConflict, "idempotency_conflict", UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for something else",
        "send a new Idempotency-Key with each new request, and the same one only with the same request";
    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed at this path",
        "the header Allow lists the methods";
    BodyTooLarge, "body_too_large", PAYLOAD_TOO_LARGE, "The request body is too large",
        "send at most 64 KiB";
    UriTooLong, "uri_too_long", URI_TOO_LONG, "The request target is too long",
        "send at most 8 KiB of path and query";
    HeadersTooLarge, "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The request head is too large",
        "send at most 64 headers and 16 KiB of head, of which 8 KiB may be path and query";
    BodyTimeout, "body_timeout", REQUEST_TIMEOUT, "The request body came too slowly",
        "send the whole body at once, on a new connection";
    RateLimited, "rate_limited", TOO_MANY_REQUESTS, "The limit of requests is used up",
        "wait as long as Retry-After says; RateLimit tells what is left, and a key may ask for more";
    TooManyFailures, "too_many_failures", TOO_MANY_REQUESTS, "Too many keys were sent that are not good",
        "wait as long as Retry-After says, and send a key that is good, or none";
    Internal, "internal_error", INTERNAL_SERVER_ERROR, "Something went wrong here",
        "report it with the request_id; the log has the details";
    StoreUnavailable, "store_unavailable", SERVICE_UNAVAILABLE, "The database cannot be read now",
        "try again later; where it lasts, the log of this process says why: check that the database runs, that user and password are right, and that `kasparro db migrate` was run";
    Loading, "loading", SERVICE_UNAVAILABLE, "The read model is not loaded yet",
        "try again in a moment";
    Draining, "draining", SERVICE_UNAVAILABLE, "The server is shutting down",
        "send requests to another instance";
    NoData, "no_data", SERVICE_UNAVAILABLE, "Nothing was fetched yet",
        "wait for the first run to end; /sources tells how each source is";
    StaleData, "stale_data", SERVICE_UNAVAILABLE, "The data are too old",
        "see /sources for the reason";
    GenerationNotReached, "generation_not_reached", SERVICE_UNAVAILABLE, "The read model does not show this generation yet",
        "send the request again; X-Generation tells what is shown now: leave X-Min-Generation out where that stays behind";
    RequestTimeout, "request_timeout", SERVICE_UNAVAILABLE, "The request took too long",
        "try again later";
    Overloaded, "overloaded", SERVICE_UNAVAILABLE, "The server has too much to do",
        "try again in a moment, and reuse connections";
}

/// One parameter, header or field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldError {
    /// The parameter, or the header.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Why a request was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// The generation of the read model that it was found in, where it was looked for there.
    pub(crate) generation: Option<Generation>,
    /// After how many seconds the request may be sent again, where that is known.
    pub(crate) retry_after_s: Option<u64>,
}

/// A problem as it goes over the wire.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Where the code is described, relative to this server.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means; never changes.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: &'a str,
    /// What happened this time.
    detail: &'a str,
    /// What to do about it.
    hint: &'a str,
    /// The id of the request.
    request_id: &'a str,
    /// Milliseconds the request took.
    api_latency_ms: f64,
    /// `unhealthy` where the database is why; left out elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    database: Option<&'a str>,
    /// The parameters or headers that are wrong, where some are.
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with a detail in one sentence.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            generation: None,
            retry_after_s: None,
        }
    }

    /// The same problem, which is over after so many seconds.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The same problem, as found in one generation of the read model.
    pub(crate) fn at_generation(self, generation: Generation) -> Self {
        Self { generation: Some(generation), ..self }
    }

    /// The database does not answer, now.
    pub(crate) fn store_silent() -> Self {
        Self::new(Code::StoreUnavailable, "the database did not answer")
    }

    /// Nothing is loaded yet, and nothing will be until the database answers.
    pub(crate) fn never_loaded() -> Self {
        Self::new(Code::StoreUnavailable, "nothing is loaded yet, and the database does not answer")
    }

    /// The key that came allows less than is asked.
    pub(crate) fn scope_missing(needed: Scope, given: Scope) -> Self {
        let detail = format!("this needs the scope {needed}; the key has the scope {given}");
        Self::new(Code::ScopeMissing, detail)
    }

    /// The body on the wire.
    pub(crate) fn to_json(&self, request_id: &str, api_latency_ms: f64) -> Vec<u8> {
        let body = ProblemBody {
            kind: format!("/docs/problems#{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.name(),
            detail: &self.detail,
            hint: self.code.hint(),
            request_id,
            api_latency_ms,
            database: (self.code == Code::StoreUnavailable).then_some("unhealthy"),
            errors: &self.errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    /// Hands the problem on; it is written where the request's id is known.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    /// Says what to do, never what the database said. That it is away is logged where it is asked.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Locked { .. } => Self::store_silent(),
            _ => {
                tracing::error!(%error, "reading the store failed");
                Self::new(Code::Internal, "the store could not answer")
            }
        }
    }
}

/// The mistakes found in one request, so that all are named at once.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    code: Option<Code>,
    errors: Vec<FieldError>,
}

impl Mistakes {
    /// Notes a mistake; the first one gives the problem its code.
    pub(crate) fn add(&mut self, code: Code, field: &str, message: impl Into<String>) {
        self.code.get_or_insert(code);
        if self.errors.len() < MAX_FIELD_ERRORS {
            let field = field.chars().take(100).collect();
            self.errors.push(FieldError { field, message: message.into() });
        }
    }

    /// True when a mistake was noted.
    pub(crate) const fn any(&self) -> bool {
        self.code.is_some()
    }

    /// `value`, unless a mistake was noted.
    pub(crate) fn check<T>(self, value: T) -> Result<T, Problem> {
        let Some(code) = self.code else {
            return Ok(value);
        };
        let detail = self
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        Err(Problem { errors: self.errors, ..Problem::new(code, detail) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn every_mistake_is_named_but_no_flood_of_them() {
        let mut mistakes = Mistakes::default();
        for index in 0..1000 {
            mistakes.add(Code::UnknownParameter, &format!("p{index}"), "is not known");
        }
        let problem = mistakes.check(()).unwrap_err();
        assert_eq!(problem.code, Code::UnknownParameter);
        assert_eq!(problem.errors.len(), MAX_FIELD_ERRORS);
    }
}
