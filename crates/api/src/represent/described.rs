//! How the document of the API describes answers in several forms.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response, ResponseBuilder};

/// The answer to a client that has the present one already.
pub(crate) struct NotModified;

impl IntoResponses for NotModified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = ResponseBuilder::new()
            .description("What `If-None-Match` names is still the answer")
            .build();
        BTreeMap::from([("304".to_owned(), RefOr::T(response))])
    }
}
