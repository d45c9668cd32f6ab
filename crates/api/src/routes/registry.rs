//! Registering operations: none without saying who may ask.

use std::sync::Arc;

use utoipa::openapi::path::{Operation as Described, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, Ref};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::Shared;
use crate::access::{Access, Operation};
use crate::openapi::{API_KEY_HEADER, BEARER_KEY, FORBIDDEN, KEY_NEEDED, TOO_MANY, UNAVAILABLE};

/// Operations, with who may ask for each. Nothing else reaches the router.
pub(crate) struct Registry {
    router: OpenApiRouter<Arc<Shared>>,
    operations: Vec<Operation>,
}

impl Registry {
    /// No operations yet, and a document that describes none.
    pub(super) fn new(document: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(document), operations: Vec::new() }
    }

    /// Adds operations that the same callers may ask for.
    pub(super) fn routes(
        mut self,
        access: Access,
        mut routes: UtoipaMethodRouter<Arc<Shared>>,
    ) -> Self {
        for (path, item) in &mut routes.1.paths {
            for (method, described) in operations_of(item) {
                describe(described, access);
                self.operations.push(Operation {
                    path: path.clone(),
                    method,
                    access,
                    summary: described.summary.clone().unwrap_or_default().replace('\n', " "),
                });
            }
        }
        self.router = self.router.routes(routes);
        self
    }

    /// What was registered: as a router with its document, and as a list.
    pub(super) fn finish(self) -> (OpenApiRouter<Arc<Shared>>, Vec<Operation>) {
        (self.router, self.operations)
    }
}

/// The operations at a path; no other methods are used.
pub(crate) fn operations_of(
    item: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut Described)> {
    let operations = [("GET", item.get.as_mut()), ("POST", item.post.as_mut())];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}

/// Says in the document who may ask, and what others are told.
fn describe(operation: &mut Described, access: Access) {
    let (optional, scope) = match access {
        Access::Open(_) => (true, None),
        Access::Needs(scope) => (false, Some(scope.name())),
    };
    let either = [API_KEY_HEADER, BEARER_KEY].map(|name| SecurityRequirement::new(name, scope));
    let nothing = optional.then(SecurityRequirement::default);
    operation.security = Some(nothing.into_iter().chain(either).collect());
    let answers =
        [("401", KEY_NEEDED), ("403", FORBIDDEN), ("429", TOO_MANY), ("503", UNAVAILABLE)];
    for (status, name) in answers {
        let known = &mut operation.responses.responses;
        known.entry(status.to_owned()).or_insert_with(|| Ref::from_response_name(name).into());
    }
}
