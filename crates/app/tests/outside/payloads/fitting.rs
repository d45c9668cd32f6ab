//! Examples of the description, which are of another store, made to fit the one that is asked: otherwise most of what
//! is sent is told that there is no such thing, and no text gets as far as the store.

use serde_json::{Value, json};

use crate::served::{ADMIN, Served};

/// What there is to ask for.
struct Known {
    /// Listings of two assets and two sources, as `source:external_id`.
    listings: [String; 2],
    /// Runs of one source.
    runs: [String; 2],
    key: String,
    /// A quarantined row, a refused page and a finding of drift; `null` where there is none.
    row: Value,
    page: Value,
    drift: Value,
}

fn rows(served: &Served, path: &str) -> Vec<Value> {
    let url = format!("{}{path}", served.server.url);
    let answer = kasparro_testkit::send("GET", &url, &[("X-API-Key", ADMIN)], "").unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

fn known(served: &Served) -> Known {
    let own = rows(served, "/data?limit=1&source=coingecko").remove(0);
    let others = rows(served, "/data?limit=20&source=coinpaprika");
    let other = others.iter().find(|other| other["asset_id"] != own["asset_id"]).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listing = |row: &Value| format!("{}:{}", text(&row["source"]), text(&row["external_id"]));
    served.call(&["run", "coingecko"]);
    let url = format!("{}/trigger-etl?source=csv", served.server.url);
    let answer = kasparro_testkit::send("POST", &url, &[("X-API-Key", ADMIN)], "").unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
    kasparro_testkit::wait_for("the refused file", || rows(served, "/quarantine/pages").pop());
    let runs = rows(served, "/runs?limit=2&source=coingecko");
    let key = served.call(&["keys", "create", "--name", "payloads", "--scope", "read", "--json"]);
    let id = |path: &str| rows(served, path).first().map_or(Value::Null, |row| row["id"].clone());
    Known {
        listings: [listing(&own), listing(other)],
        runs: [text(&runs[0]["run_id"]), text(&runs[1]["run_id"])],
        key: text(&key.json()["key_id"]),
        row: id("/quarantine?limit=1"),
        page: id("/quarantine/pages?limit=1"),
        drift: id("/drift?limit=1"),
    }
}

impl Known {
    /// What a parameter or a member of a body is to be; `None` where its example fits any store.
    fn fitting(&self, path: &str, name: &str, example: &Value) -> Option<Value> {
        let begins = |part: &str| name == "id" && path.starts_with(part);
        let found = match name {
            "listings" if path == "/assets/merge" => json!(["csv:mine-a", self.listings[0]]),
            "listings" => json!(self.listings[..example.as_array()?.len().min(2)]),
            "from" if path == "/assets/relate" => json!(self.listings[0]),
            "to" if path == "/assets/relate" => json!(self.listings[1]),
            "run1_id" | "run_id_1" => json!(self.runs[0]),
            "run2_id" | "run_id_2" => json!(self.runs[1]),
            "rows" => json!([self.row]),
            "drift" => json!([self.drift]),
            _ if begins("/runs/") => json!(self.runs[0]),
            _ if begins("/keys/") => json!(self.key),
            _ if begins("/quarantine/pages/") => self.page.clone(),
            _ if begins("/quarantine/") => self.row.clone(),
            _ if begins("/drift/") => self.drift.clone(),
            _ => Value::Null,
        };
        let there = !found.is_null() && found != json!([null]);
        there.then_some(found)
    }
}

/// The description with examples of this store, as far as it has them.
pub(super) fn fit(mut document: Value, served: &Served) -> Value {
    let known = known(served);
    for (path, item) in document["paths"].as_object_mut().unwrap() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap().to_owned();
                if let Some(fitting) = known.fitting(path, &name, &parameter["example"]) {
                    parameter["example"] = fitting;
                    // The shorter of two names; without either nothing else is looked at.
                    parameter["required"] = json!(!name.starts_with("run_id_"));
                }
            }
            let body = operation.pointer_mut("/requestBody/content/application~1json/example");
            for (name, member) in body.and_then(Value::as_object_mut).into_iter().flatten() {
                if let Some(fitting) = known.fitting(path, name, member) {
                    *member = fitting;
                }
            }
        }
    }
    document
}
