//! Fault plans that are not understood: the field is named, and the plan before stays.

use kasparro_sim::{SimError, SimSettings, Simulator};
use serde_json::json;

use crate::client::start_with;

const BAD: [(&str, &str); 35] = [
    ("", "the plan"),
    ("{", "the plan"),
    ("7", "the plan"),
    ("{}", "rules"),
    (r#"{"rules":{}}"#, "rules"),
    (r#"{"rules":[],"name":"x"}"#, "name"),
    (r#"{"seed":-1,"rules":[]}"#, "seed"),
    ("[7]", "rules[0]"),
    (r#"[{"status":500}]"#, "rules[0].path"),
    (r#"[{"path":5,"status":500}]"#, "rules[0].path"),
    (r#"[{"path":"v1","status":500}]"#, "rules[0].path"),
    (r#"[{"path":"/v1/*/x","status":500}]"#, "rules[0].path"),
    (r#"[{"path":"/v1/coins?x=1","status":500}]"#, "rules[0].path"),
    (r#"[{"path":"/_sim/ledger","status":500}]"#, "rules[0].path"),
    (r#"[{"path":"*"}]"#, "rules[0]"),
    (r#"[{"path":"*","statos":500}]"#, "rules[0].statos"),
    (r#"[{"path":"*","status":500,"extra":1}]"#, "rules[0].extra"),
    (r#"[{"path":"*","status":500,"reset":true}]"#, "rules[0].reset"),
    (r#"[{"path":"*","status":"500"}]"#, "rules[0].status"),
    (r#"[{"path":"*","status":100}]"#, "rules[0].status"),
    (r#"[{"path":"*","status":500,"headers":{"a b":"c"}}]"#, "rules[0].headers.a b"),
    (
        r#"[{"path":"*","status":500,"headers":{"Content-Length":"3"}}]"#,
        "rules[0].headers.Content-Length",
    ),
    (r#"[{"path":"*","status":500,"body":{}}]"#, "rules[0].body"),
    (r#"[{"path":"*","reset":true,"body":"x"}]"#, "rules[0].body"),
    (r#"[{"path":"*","reset":false}]"#, "rules[0].reset"),
    (r#"[{"path":"*","html":1}]"#, "rules[0].html"),
    (r#"[{"path":"*","delay_ms":1.5}]"#, "rules[0].delay_ms"),
    (r#"[{"path":"*","truncate_bytes":-1}]"#, "rules[0].truncate_bytes"),
    (r#"[{"path":"*","empty":true,"from":"2"}]"#, "rules[0].from"),
    (r#"[{"path":"*","empty":true,"times":null}]"#, "rules[0].times"),
    (r#"[{"path":"*","empty":true,"probability":1.1}]"#, "rules[0].probability"),
    (r#"[{"path":"*","empty":true,"query":{"page":[1]}}]"#, "rules[0].query.page"),
    (r#"[{"path":"*","replace":{"find":"","with":"x"}}]"#, "rules[0].replace.find"),
    (r#"[{"path":"*","replace":{"find":"x"}}]"#, "rules[0].replace.with"),
    (
        r#"[{"path":"*","empty":true},{"path":"*","replace":{"find":"x","with":"y","all":1}}]"#,
        "rules[1].replace.all",
    ),
];

#[tokio::test]
async fn a_bad_plan_is_a_problem_that_names_its_field_and_changes_nothing() {
    let running = start_with(1, 20).await;
    running.play(json!([{"path": "/v1/coins", "status": 500}])).await;
    running.get("/v1/coins").await;
    for (plan, field) in BAD {
        let reply = running.ask("PUT", "/_sim/faults", "", plan).await;
        assert_eq!(reply.status, 400, "{plan}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        let problem = reply.json();
        assert_eq!(problem["code"], "bad_fault_plan");
        assert_eq!(problem["errors"][0]["field"], field, "{plan}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(field), "{problem}");
        assert!(problem["hint"].as_str().unwrap().len() > 10, "{problem}");
    }
    assert_eq!(running.fired().await, [1]);
    assert_eq!(running.get("/v1/coins").await.status, 500);
}

#[test]
fn a_bad_file_is_named_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let open = || {
        let settings = SimSettings { faults: Some(path.clone()), ..SimSettings::default() };
        Simulator::open(settings)
    };
    assert!(matches!(open().unwrap_err(), SimError::FaultsUnreadable { .. }));
    for (plan, field) in BAD {
        std::fs::write(&path, plan).unwrap();
        let error = open().unwrap_err();
        let told = error.to_string();
        assert!(told.contains("plan.json") && told.contains(field), "{told}");
        assert_eq!(error.code(), "bad_fault_plan");
    }
    std::fs::write(&path, "[]").unwrap();
    open().unwrap();
}
