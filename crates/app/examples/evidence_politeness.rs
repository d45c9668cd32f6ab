//! Lets a week pass for upstreams with hidden limits, and writes down what was asked of them.
//!
//! `make evidence` runs it: the scenarios of `crates/engine/tests/politeness`, there lived through in part,
//! for seven simulated days each. The result is `docs/evidence/politeness.json`.

#![expect(
    clippy::unwrap_used,
    reason = "a tool that cannot measure has nothing better to do than end"
)]

#[path = "../../engine/tests/politeness/days/mod.rs"]
mod days;
#[path = "support/machine.rs"]
mod machine;

use std::path::PathBuf;

use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

use days::catalogue;
use days::judge::judge;
use days::live::live;
use days::scenario::{DAY, Scenario};
use machine::{machine, output_of};

/// Scenarios that are simulated side by side.
const AT_ONCE: usize = 2;

async fn judged(scenario: Scenario) -> (String, Value) {
    let scenario = scenario.during(7 * DAY);
    let lived = live(&scenario).await;
    let judgement = judge(&scenario, &lived);
    let mut told = judgement.figures;
    told["complaints"] = json!(judgement.complaints);
    (scenario.name.to_owned(), told)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (scenarios, forgetful) = runtime.block_on(async {
        let all = stream::iter(catalogue::all());
        let all = all.map(|scenario| async { tokio::spawn(judged(scenario)).await.unwrap() });
        let scenarios: Map<String, Value> = all.buffered(AT_ONCE).collect().await;
        (scenarios, judged(catalogue::forgetful()).await.1)
    });
    let unheard = |told: &Value| told["complaints"] == json!([]);
    let well = scenarios.values().all(unheard) && !unheard(&forgetful);
    let evidence = json!({
        "command": "make evidence",
        "commit": output_of("git", &["rev-parse", "HEAD"]),
        "machine": machine(),
        "scenarios": scenarios,
        "workers_that_forget_their_budgets": forgetful,
    });
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = format!("{evidence:#}\n");
    std::fs::write(root.join("docs/evidence/politeness.json"), text).unwrap();
    assert!(well, "see the complaints in docs/evidence/politeness.json");
}
