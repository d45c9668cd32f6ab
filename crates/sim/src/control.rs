//! The paths below `/_sim`: moving the step, reading what was served and asked.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ledger::EntryText;
use crate::{FaultPlan, HiddenLimits, Simulator};

/// The optional body of `POST /_sim/step`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTo {
    /// The step to stand at; without it the next one.
    step: Option<u64>,
}

/// `POST /_sim/step`: the next step, or with `{"step": N}` step N; answers `{step, at}`.
pub(crate) async fn step(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    let wanted = if body.trim_ascii().is_empty() {
        None
    } else {
        match serde_json::from_slice::<StepTo>(&body) {
            Ok(StepTo { step: Some(step) }) if step > Simulator::MAX_STEP => {
                let detail = format!("step is {step}, the last one is {}", Simulator::MAX_STEP);
                return problem(StatusCode::BAD_REQUEST, "step_out_of_range", &detail, STEP_HINT);
            }
            Ok(StepTo { step }) => step,
            Err(error) => {
                let detail = format!("the body is not understood: {error}");
                return problem(StatusCode::BAD_REQUEST, "bad_body", &detail, STEP_HINT);
            }
        }
    };
    if simulator.settings.step_by_clock {
        let detail = "the step follows the clock";
        let hint = "move the clock that the simulator was given";
        return problem(StatusCode::CONFLICT, "step_by_clock", detail, hint);
    }
    let step = match wanted {
        Some(step) => simulator.set_step(step),
        None => simulator.step(),
    };
    Json(json!({ "step": step, "at": simulator.world.now(step) })).into_response()
}

const STEP_HINT: &str = "send no body for the next step, or {\"step\": N}";

/// `GET /_sim/ledger`: JSON lines, oldest first.
pub(crate) async fn ledger(State(simulator): State<Arc<Simulator>>) -> Response {
    let (entries, dropped) = simulator.ledger.entries();
    let pieces = entries.into_iter().flat_map(EntryText::new).map(Ok::<_, Infallible>);
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::HeaderName::from_static("x-sim-entries-dropped"), dropped.to_string()),
    ];
    (headers, Body::from_stream(stream::iter(pieces))).into_response()
}

/// `GET /_sim/requests`: how many there were, and the last ones.
pub(crate) async fn requests(State(simulator): State<Arc<Simulator>>) -> Response {
    let (_, dropped) = simulator.ledger.entries();
    Json(simulator.requests.show(dropped)).into_response()
}

/// `GET /_sim/faults`: the plan, and how often each rule matched and fired.
pub(crate) async fn faults(State(simulator): State<Arc<Simulator>>) -> Response {
    Json(simulator.faults.show()).into_response()
}

/// `PUT /_sim/faults`: this plan in place of the one before; answers `{rules}`, their number.
pub(crate) async fn put_faults(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    match FaultPlan::parse(&body) {
        Ok(plan) => {
            let rules = plan.rule_count();
            simulator.set_faults(plan);
            Json(json!({ "rules": rules })).into_response()
        }
        Err(error) => refused("bad_fault_plan", &error.field, &error.message, error.hint),
    }
}

/// `GET /_sim/limits`: the limits, what each rule allowed and refused, and the violations.
pub(crate) async fn limits(State(simulator): State<Arc<Simulator>>) -> Response {
    Json(simulator.limits.show()).into_response()
}

/// `PUT /_sim/limits`: these limits in place of the ones before; answers `{rules}`, their number.
pub(crate) async fn put_limits(State(simulator): State<Arc<Simulator>>, body: Bytes) -> Response {
    match HiddenLimits::parse(&body) {
        Ok(limits) => {
            let rules = limits.rule_count();
            simulator.set_limits(limits);
            Json(json!({ "rules": rules })).into_response()
        }
        Err(error) => refused("bad_limits", &error.field, &error.message, error.hint),
    }
}

/// A plan that is not understood.
fn refused(code: &str, field: &str, message: &str, hint: &str) -> Response {
    let detail = format!("{field} {message}");
    let mut body = problem_body(StatusCode::BAD_REQUEST, code, &detail, hint);
    body["errors"] = json!([{ "field": field, "message": message }]);
    problem_response(StatusCode::BAD_REQUEST, &body)
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, code: &str, detail: &str, hint: &str) -> Response {
    problem_response(status, &problem_body(status, code, detail, hint))
}

fn problem_body(status: StatusCode, code: &str, detail: &str, hint: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
        "hint": hint,
    })
}

fn problem_response(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, headers, body.to_string()).into_response()
}
