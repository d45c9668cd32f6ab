//! Where a text can stand in a request: read from the description of the API, so that what is new there is asked as
//! well.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

/// Headers that every operation is sent.
pub(super) const HEADERS: [&str; 11] = [
    "X-Request-ID",
    "X-API-Key",
    "Authorization",
    "Idempotency-Key",
    "If-None-Match",
    "X-Min-Generation",
    "Accept",
    "Accept-Encoding",
    "Origin",
    "X-Forwarded-For",
    "Last-Event-ID",
];

/// An operation as it is described.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    /// The statuses that it names; `default` stands for problems.
    pub(super) answers: BTreeSet<String>,
    /// Parameters of the path with a value that is taken.
    in_path: Vec<(String, String)>,
    /// Parameters of the query without which it does not work.
    required: Vec<(String, String)>,
    body: Option<Value>,
}

/// Where in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Query(String),
    Path(String),
    /// A member of the body, by its pointer.
    Member(String),
    Header(String),
    /// Behind `Bearer` in `Authorization`.
    Bearer,
}

/// A place in the requests for an operation.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) operation: Arc<Operation>,
    pub(super) part: Part,
    /// True for a text that stands there as it is: not encoded in a target, a JSON value in a body.
    pub(super) as_is: bool,
}

fn members_of(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, it)| (name.as_str(), it))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Every place of every operation in the description.
pub(super) fn places(document: &Value) -> Vec<Place> {
    let operations = members_of(&document["paths"])
        .flat_map(|(path, item)| members_of(item).map(move |(method, it)| (method, path, it)));
    let mut places = Vec::new();
    for (method, path, described) in operations {
        let parameters = || described["parameters"].as_array().into_iter().flatten();
        let named = |kind: &'static str| {
            let chosen = parameters().filter(move |it| it["in"] == kind);
            chosen.map(|it| (it["name"].as_str().unwrap().to_owned(), it))
        };
        let body = described.pointer("/requestBody/content/application~1json/example").cloned();
        assert!(body.is_some() || described.get("requestBody").is_none(), "{path} has an example");
        let with_example = |(name, it): (String, &Value)| (name, plain(&it["example"]));
        let operation = Arc::new(Operation {
            method: method.to_ascii_uppercase().parse().unwrap(),
            path: path.to_owned(),
            answers: described["responses"].as_object().unwrap().keys().cloned().collect(),
            in_path: named("path").map(with_example).collect(),
            required: named("query")
                .filter(|(_, it)| it["required"] == true)
                .map(with_example)
                .collect(),
            body,
        });
        let in_path = named("path").map(|(name, _)| Part::Path(name));
        let query = named("query").map(|(name, _)| Part::Query(name));
        let own = named("header").map(|(name, _)| name);
        let headers: BTreeSet<_> = own.chain(HEADERS.map(str::to_owned)).collect();
        let members = operation.body.as_ref().map(members).unwrap_or_default();
        let encoded = in_path.chain(query).chain(members.into_iter().map(Part::Member));
        let encoded = encoded.flat_map(|part| [(part.clone(), false), (part, true)]);
        let plain = headers.into_iter().map(Part::Header).chain([Part::Bearer]);
        let parts = encoded.chain(plain.map(|part| (part, true)));
        places.extend(parts.map(|(part, as_is)| Place {
            operation: Arc::clone(&operation),
            part,
            as_is,
        }));
    }
    places
}

/// Pointers to everything inside a value.
fn members(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, it)| (place.to_string(), it)).collect()
        }
        _ => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(name, it)| {
        let deeper = members(it).into_iter().map(|rest| format!("/{name}{rest}"));
        std::iter::once(format!("/{name}")).chain(deeper.collect::<Vec<_>>())
    });
    below.collect()
}

impl Place {
    /// A request with a text here, and with this key where the text is none; `None` where no HTTP client can send
    /// it.
    pub(super) fn request(&self, text: &str, key: &'static str) -> Option<Request<Full<Bytes>>> {
        let operation = &*self.operation;
        let written = match self.as_is {
            true => text.to_owned(),
            false => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        };
        let target = self.target(&written);
        let mut request = Request::new(Full::new(self.body(text)?));
        *request.method_mut() = operation.method.clone();
        *request.uri_mut() =
            Uri::try_from(target).ok().filter(|uri| uri.path().starts_with('/'))?;
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-api-key", HeaderValue::from_static(key));
        match &self.part {
            Part::Header(name) => {
                if name.eq_ignore_ascii_case("Authorization") {
                    headers.remove("x-api-key");
                }
                let name: http::HeaderName = name.parse().unwrap();
                headers.insert(name, HeaderValue::from_bytes(text.as_bytes()).ok()?);
            }
            Part::Bearer => {
                headers.remove("x-api-key");
                let value = HeaderValue::from_bytes(format!("Bearer {text}").as_bytes()).ok()?;
                headers.insert("authorization", value);
            }
            _ => {}
        }
        Some(request)
    }

    fn target(&self, written: &str) -> String {
        let operation = &*self.operation;
        let mut target = operation.path.clone();
        for (name, example) in &operation.in_path {
            let here = self.part == Part::Path(name.clone());
            target = target.replace(&format!("{{{name}}}"), if here { written } else { example });
        }
        let mut query: Vec<String> =
            operation.required.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Part::Query(name) = &self.part {
            query.retain(|pair| !pair.starts_with(&format!("{name}=")));
            query.push(format!("{name}={written}"));
        }
        if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
    }

    fn body(&self, text: &str) -> Option<Bytes> {
        let Some(mut body) = self.operation.body.clone() else { return Some(Bytes::new()) };
        if let Part::Member(pointer) = &self.part {
            let value = match self.as_is {
                // Numbers, mostly; `1e400` is JSON, and what is made of it is for the reader to say.
                true => serde_json::from_str(text).ok()?,
                false => Value::from(text),
            };
            *body.pointer_mut(pointer).unwrap() = value;
        }
        Some(Bytes::from(serde_json::to_vec(&body).unwrap()))
    }
}
