//! The description of the API, made from the routes themselves.

pub(crate) mod examples;
mod parameters;
mod unused;
mod values;

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Info, License, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::problem::{FieldError, ProblemBody};
use crate::{awaited, routes};

/// What references to schemas begin with.
const SCHEMAS: &str = "#/components/schemas/";

/// The OpenAPI document of this API as indented JSON: what `/openapi.json` answers.
#[must_use]
pub fn openapi_json() -> String {
    document().to_pretty_json().unwrap_or_default()
}

/// The OpenAPI document of this API.
pub(crate) fn document() -> OpenApi {
    let mut document = routes::router().into_openapi();
    for (path, item) in &mut document.paths.paths {
        let operations = [item.get.as_mut(), item.post.as_mut()];
        for operation in operations.into_iter().flatten().filter(|_| awaited::taken_by(path)) {
            operation.parameters.get_or_insert_default().push(min_generation().into());
        }
    }
    values::narrow(&mut document);
    examples::add(&mut document);
    unused::remove(&mut document);
    document
}

/// The header by which a request asks for what a client has seen already.
fn min_generation() -> Parameter {
    ParameterBuilder::new()
        .name(awaited::NAME)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A generation, as `X-Generation` or the `generation` of a run tells it. The answer is made \
             once the read model shows it or a later one; after two seconds without it the answer is \
             503 `generation_not_reached`, with the present one in `X-Generation`",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(0)),
        ))
        .build()
}

/// The names of the two ways to send a key.
pub(crate) const API_KEY_HEADER: &str = "ApiKeyHeader";
pub(crate) const BEARER_KEY: &str = "BearerKey";
/// The names of answers that every operation may give.
pub(crate) const KEY_NEEDED: &str = "KeyNeeded";
pub(crate) const FORBIDDEN: &str = "Forbidden";
pub(crate) const TOO_MANY: &str = "TooManyRequests";
pub(crate) const UNAVAILABLE: &str = "Unavailable";

/// How a key is sent.
fn add_security(components: &mut Components) {
    let header = ApiKeyValue::with_description(
        "X-API-Key",
        "A key of this API. What it allows is its scope: `read` to see how ingestion goes, `operate` to start \
         runs and to decide about rows and changes as well, `admin` also for keys and assets. The roles that \
         an operation names are scopes; a larger one includes the smaller ones.",
    );
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The same key as `Authorization: Bearer KEY`"))
        .build();
    components.add_security_scheme(API_KEY_HEADER, SecurityScheme::ApiKey(ApiKey::Header(header)));
    components.add_security_scheme(BEARER_KEY, SecurityScheme::Http(bearer));
    let retry_after = ("Retry-After", Type::Integer, "Seconds to wait");
    let scheme = ("WWW-Authenticate", Type::String, "`Bearer`");
    let answers = [
        (KEY_NEEDED, "A key is needed, or the one that came is not good", Some(scheme)),
        (FORBIDDEN, "The scope of the key is too small", None),
        (TOO_MANY, "Too many requests", Some(retry_after.clone())),
        (UNAVAILABLE, "It cannot be answered now", Some(retry_after)),
    ];
    for (name, description, header) in answers {
        let mut response = problem_response(description);
        if let Some((name, kind, text)) = header {
            let schema = ObjectBuilder::new().schema_type(kind);
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build();
            response.headers.insert(name.to_owned(), header.into());
        }
        components.responses.insert(name.to_owned(), response.into());
    }
}

/// A response whose body is a problem.
pub(crate) fn problem_response(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

/// What the document says before any route is added.
pub(crate) fn frame() -> OpenApi {
    let mut info = Info::new("Kasparro", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Crypto market data from many sources, with every digit as it was sent. Every path is also \
         served under `/api/v1`, and one trailing slash makes no difference. Unknown and repeated \
         parameters are refused, but left aside by `/health`, `/livez`, `/readyz`, `/metrics`, `/openapi.json` \
         and what is under `/docs` and `/redoc`, which take none. Errors are RFC 9457 problems. `X-Generation` says which generation of \
         the data an answer was made from; a client that sends it back as `X-Min-Generation`, to \
         whichever server, is never shown an older one."
            .to_owned(),
    );
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(license.name.clone());
    info.license = Some(license);
    let tags = [
        ("Market data", "Listings and assets with their values, now and before"),
        ("News", "What feeds carry"),
        ("Operations", "Runs, sources, quarantine, drift, anomalies and health"),
        ("Decisions", "Starting runs, and deciding about rows, changes of upstreams and assets"),
        ("Keys", "Who may use the API"),
        ("Service", "The API itself"),
    ];
    let tags =
        tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let mut components = Components::new();
    components.schemas.insert("Problem".to_owned(), ProblemBody::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    add_security(&mut components);
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/"), Server::new("/api/v1")]))
        .tags(Some(tags))
        .components(Some(components))
        .build()
}

/// What every operation may answer instead.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = problem_response("Why the request was not answered as asked");
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
