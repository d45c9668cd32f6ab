//! What the values of parameters and of texts in bodies may be, said from what the code checks them by: so
//! the document promises neither more nor less.

use std::collections::BTreeSet;

use kasparro_domain::{
    AssetClass, DriftKind, DriftSeverity, DriftStatus, IdentityState, MAX_DIGITS, RejectionReason,
    RunStatus,
};
use kasparro_store::QuarantineStatus;
use utoipa::Number;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{Object, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Schema};

use super::SCHEMAS;
use crate::routes::registry::operations_of;
use crate::routes::{anomalies, compare_runs, key_body, rss_feed};
use crate::{change, data, history, represent};

/// Says of every parameter and of every body what they may be.
pub(super) fn narrow(document: &mut OpenApi) {
    let mut bodies = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        for (_, operation) in operations_of(item) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    narrow_parameter(path, parameter);
                }
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                bodies.extend(narrow_body(body));
            }
        }
    }
    for (name, schema) in document.components.iter_mut().flat_map(|all| &mut all.schemas) {
        if bodies.contains(name)
            && let RefOr::T(Schema::Object(body)) = schema
        {
            body.properties.iter_mut().for_each(|(name, member)| narrow_member(name, member));
        }
    }
}

fn narrow_parameter(path: &str, parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    // A parameter has a value or is left out; it is never null.
    if let Some(kind) = one_type(&schema.schema_type) {
        schema.schema_type = SchemaType::Type(kind);
    }
    match one_type(&schema.schema_type) {
        // They number, name by number, or count.
        Some(Type::Integer) => {
            schema.minimum.get_or_insert(Number::from(0_u64));
        }
        Some(Type::String) if parameter.parameter_in != ParameterIn::Header => {
            narrow_text(path, &parameter.name, schema);
        }
        _ => {}
    }
}

fn narrow_text(path: &str, name: &str, schema: &mut Object) {
    if let Some(choices) = choices(path, name) {
        schema.enum_values = Some(choices.into_iter().map(Into::into).collect());
    } else if run_id(path, name) {
        schema.format = Some(uuid());
    } else if schema.pattern.is_none() {
        schema.pattern = Some(pattern(name));
    }
}

/// The values of a parameter that has a few.
fn choices(path: &str, name: &str) -> Option<Vec<&'static str>> {
    fn names<T>(values: &[(&'static str, T)]) -> Vec<&'static str> {
        values.iter().map(|(name, _)| *name).collect()
    }
    Some(match (path, name) {
        (_, "sort") => names(&data::SORT_KEYS),
        (_, "order") => names(&data::ORDERS),
        (_, "numbers") => names(&data::NUMBERS),
        (_, "include") => names(&data::INCLUDED),
        (_, "interval") => names(&history::Interval::NAMES),
        (_, "revisions") => names(&history::REVISIONS),
        ("/rss-feed", "format") => names(&rss_feed::FORMATS),
        (_, "format") => names(&represent::FORMATS),
        ("/anomalies", "about") => names(&anomalies::ABOUT),
        ("/anomalies", "kind") => anomalies::kinds().collect(),
        ("/drift", "kind") => DriftKind::ALL.map(DriftKind::name).into(),
        ("/drift", "severity") => DriftSeverity::ALL.map(DriftSeverity::name).into(),
        ("/drift", "status") => DriftStatus::ALL.map(DriftStatus::name).into(),
        ("/quarantine", "reason") => RejectionReason::ALL.map(RejectionReason::code).into(),
        ("/quarantine", "status") => QuarantineStatus::ALL.map(QuarantineStatus::name).into(),
        ("/runs", "status") => RunStatus::ALL.map(RunStatus::name).into(),
        ("/assets", "class") => AssetClass::ALL.iter().map(|class| class.name()).collect(),
        ("/assets", "state") => IdentityState::ALL.iter().map(|state| state.name()).collect(),
        _ => return None,
    })
}

fn uuid() -> SchemaFormat {
    SchemaFormat::Custom("uuid".to_owned())
}

/// True for what names a run.
fn run_id(path: &str, name: &str) -> bool {
    path == "/runs/{id}" && name == "id" || name == "run_id" || run_to_compare(name)
}

/// True for the names of runs that are compared.
fn run_to_compare(name: &str) -> bool {
    compare_runs::KNOWN.contains(&name)
}

/// What a text with endless many values may be.
fn pattern(name: &str) -> String {
    match name {
        "fields" => {
            let one = data::FieldSet::names().collect::<Vec<_>>().join("|");
            format!("^({one})(,({one}))*$")
        }
        // As many digits as are read, in halves. Exponents are read too, and nobody needs them here.
        _ if name.starts_with("min_") || name.starts_with("max_") => {
            let half = MAX_DIGITS / 2;
            format!(r"^-?[0-9]{{1,{half}}}(\.[0-9]{{1,{half}}})?$")
        }
        "id" | "asset_id" => "^[0-9]{1,18}(,[0-9]{1,18})*$".to_owned(),
        _ => r"^[^\u0000-\u001f\u007f-\u009f]+$".to_owned(),
    }
}

/// One line that says something: no control character, and not only space.
const WORDS: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\u0000-\u001f\u007f-\u009f]*$"
);

fn narrow_member(name: &str, member: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(member)) = member else { return };
    let longest = match name {
        "why" => change::MAX_WORDS_CHARS,
        "name" => key_body::MAX_NAME_CHARS,
        _ if run_to_compare(name) => {
            member.format = Some(uuid());
            return;
        }
        _ => return,
    };
    (member.min_length, member.max_length) = (Some(1), Some(longest));
    member.pattern = Some(WORDS.to_owned());
}

/// Says of a body that may be left out just that, where it is described as one that may be null. Returns the
/// names of the schemas of the body.
fn narrow_body(body: &mut RequestBody) -> Vec<String> {
    let mut named = Vec::new();
    let mut optional = false;
    for content in body.content.values_mut() {
        let RefOr::T(Content { schema: Some(schema), .. }) = content else { continue };
        if let RefOr::T(Schema::OneOf(either)) = schema
            && let Some(found) = either.items.iter().find_map(reference)
        {
            optional = true;
            *schema = RefOr::Ref(found.clone());
        }
        let name = reference(schema).and_then(|found| found.ref_location.strip_prefix(SCHEMAS));
        named.extend(name.map(str::to_owned));
    }
    if optional {
        body.required = Some(Required::False);
    }
    named
}

fn reference(schema: &RefOr<Schema>) -> Option<&Ref> {
    match schema {
        RefOr::Ref(found) => Some(found),
        RefOr::T(_) => None,
    }
}

/// The type of a value, where it is one besides null.
fn one_type(kind: &SchemaType) -> Option<Type> {
    match kind {
        SchemaType::Type(kind) => Some(kind.clone()),
        SchemaType::Array(kinds) => {
            let mut kinds = kinds.iter().filter(|kind| **kind != Type::Null);
            kinds.next().filter(|_| kinds.next().is_none()).cloned()
        }
        SchemaType::AnyValue => None,
    }
}

#[cfg(test)]
mod tests {
    use kasparro_domain::Decimal;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_parameter_says_what_it_may_be() {
        let document = serde_json::to_value(crate::openapi::document()).unwrap();
        let operations = document["paths"].as_object().unwrap().values();
        let operations = operations.flat_map(|item| item.as_object().unwrap().values());
        let mut seen = 0;
        for parameter in operations.flat_map(|operation| operation["parameters"].as_array()) {
            for one in parameter.iter().filter(|one| one["in"] != "header") {
                let schema = &one["schema"];
                let said = match schema["type"].as_str().unwrap_or("several types") {
                    "integer" => schema["minimum"].as_u64().is_some(),
                    "string" => {
                        ["enum", "pattern", "format"].iter().any(|word| schema[word] != Value::Null)
                    }
                    _ => false,
                };
                assert!(said, "{one}");
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn a_body_that_may_be_left_out_is_never_null() {
        let document = serde_json::to_value(crate::openapi::document()).unwrap();
        let body = &document["paths"]["/keys/{id}/rotate"]["post"]["requestBody"];
        assert_ne!(body["required"], json!(true));
        let schema = &body["content"]["application/json"]["schema"];
        assert_eq!(*schema, json!({"$ref": "#/components/schemas/RotateRequest"}));
        let why = &document["components"]["schemas"]["RowsRequest"]["properties"]["why"];
        assert_eq!((&why["minLength"], &why["maxLength"]), (&json!(1), &json!(500)));
    }

    #[test]
    fn the_longest_number_that_a_range_may_have_is_taken() {
        let half = "9".repeat(MAX_DIGITS / 2);
        let described = pattern("min_price");
        assert_eq!(described.matches(&format!("{{1,{}}}", half.len())).count(), 2, "{described}");
        let taken = |text: &str| Decimal::parse(text).is_ok();
        assert!(taken(&format!("-{half}.{half}")) && !taken(&format!("{half}9.{half}")));
    }
}
