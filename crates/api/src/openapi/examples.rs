//! Examples of requests and answers. They were recorded: a test asks the same again and compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Content, OpenApi, RefOr, Response};

use super::parameters;
use crate::routes::registry::operations_of;

/// What was recorded.
const RECORDED: &str = include_str!("examples.json");

/// Bodies by media type.
pub(crate) type Bodies = BTreeMap<String, Value>;

/// Requests and what was answered.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Examples {
    /// By method and path, as in `GET /data`.
    pub(crate) operations: BTreeMap<String, Example>,
    /// Answers that many operations give, by status, or by the name that the document has for them.
    pub(crate) everywhere: BTreeMap<String, Bodies>,
}

/// Requests of one operation.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Example {
    /// Parameters whose values only this operation has.
    pub(crate) parameters: BTreeMap<String, Value>,
    /// The body of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    /// The answers by status.
    pub(crate) answers: BTreeMap<String, Bodies>,
}

/// What was recorded; nothing where it cannot be read, which a test notices.
pub(crate) fn recorded() -> Examples {
    serde_json::from_str(RECORDED).unwrap_or_default()
}

/// Adds the examples to what they show.
pub(super) fn add(document: &mut OpenApi) {
    let examples = recorded();
    let Examples { operations, everywhere } = &examples;
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_of(item) {
            let own = operations.get(&format!("{method} {path}"));
            add_to_parameters(operation, path, own);
            if let (Some(own), Some(RefOr::T(body))) = (own, &mut operation.request_body) {
                for content in body.content.values_mut() {
                    show(content, own.body.as_ref());
                }
            }
            for (status, response) in &mut operation.responses.responses {
                let own = own.and_then(|own| own.answers.get(status));
                add_to_response(response, own.or_else(|| everywhere.get(status)));
            }
        }
    }
    for (name, response) in document.components.iter_mut().flat_map(|all| &mut all.responses) {
        add_to_response(response, everywhere.get(name));
    }
}

fn add_to_parameters(operation: &mut Operation, path: &str, own: Option<&Example>) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.parameter_in == ParameterIn::Header {
            continue;
        }
        let own = own.and_then(|own| own.parameters.get(&parameter.name).cloned());
        if let Some(example) = own.or_else(|| parameters::example(path, &parameter.name)) {
            let described: Parameter = std::mem::take(parameter);
            *parameter = ParameterBuilder::from(described).example(Some(example)).build();
        }
    }
}

fn add_to_response(response: &mut RefOr<Response>, bodies: Option<&Bodies>) {
    if let (RefOr::T(response), Some(bodies)) = (response, bodies) {
        for (media, content) in &mut response.content {
            show(content, bodies.get(media));
        }
    }
}

fn show(content: &mut RefOr<Content>, example: Option<&Value>) {
    if let (RefOr::T(content), Some(example)) = (content, example) {
        content.example = Some(example.clone());
    }
}
