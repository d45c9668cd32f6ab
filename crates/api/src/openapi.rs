//! The description of the API, made from the routes themselves.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Info, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::problem::{FieldError, ProblemBody};
use crate::routes;

/// The OpenAPI document of this API as indented JSON: what `/openapi.json` answers.
#[must_use]
pub fn openapi_json() -> String {
    document().to_pretty_json().unwrap_or_default()
}

/// The OpenAPI document of this API.
pub(crate) fn document() -> OpenApi {
    routes::router().into_openapi()
}

/// What the document says before any route is added.
pub(crate) fn frame() -> OpenApi {
    let mut info = Info::new("Kasparro", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Crypto market data from many sources, with every digit as it was sent. Every path is also \
         served under `/api/v1`, and one trailing slash makes no difference. Unknown and repeated \
         parameters are refused. Errors are RFC 9457 problems."
            .to_owned(),
    );
    let tags = [
        ("Market data", "Listings and assets with their values, now and before"),
        ("News", "What feeds carry"),
        ("Operations", "Runs, sources, quarantine and health"),
        ("Service", "The API itself"),
    ];
    let tags =
        tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let mut components = Components::new();
    components.schemas.insert("Problem".to_owned(), ProblemBody::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
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
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description("Why the request was not answered as asked")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
