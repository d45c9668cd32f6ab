//! The description of the API, made from the routes themselves.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Info, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::problem::{FieldError, ProblemBody};
use crate::{awaited, routes};

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

/// What the document says before any route is added.
pub(crate) fn frame() -> OpenApi {
    let mut info = Info::new("Kasparro", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Crypto market data from many sources, with every digit as it was sent. Every path is also \
         served under `/api/v1`, and one trailing slash makes no difference. Unknown and repeated \
         parameters are refused. Errors are RFC 9457 problems. `X-Generation` says which generation of \
         the data an answer was made from; a client that sends it back as `X-Min-Generation`, to \
         whichever server, is never shown an older one."
            .to_owned(),
    );
    let tags = [
        ("Market data", "Listings and assets with their values, now and before"),
        ("News", "What feeds carry"),
        ("Operations", "Runs, sources, quarantine, drift, anomalies and health"),
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
