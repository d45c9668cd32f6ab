//! `/quarantine` and `/quarantine/{id}`.

use serde_json::json;

use super::client::{get, get_json};
use super::world::World;

#[tokio::test]
async fn quarantined_rows_are_listed_with_reason_place_and_status() {
    let mut world = World::new();
    let run_id = world.commit("coinpaprika", &[("a", "A", "a", Some("1"))]).await;
    world.commit("csv", &[]).await;
    let served = world.serve().await;
    let page = get_json(served.address, "/quarantine").await;
    let row = json!({
        "id": 1, "source": "coinpaprika", "run_id": run_id.to_string(), "raw_page_id": 1, "ordinal": 1,
        "external_id": null, "reason": "bad_number", "field": "/price", "value": "x", "rule": "test/1",
        "status": "open", "first_seen_at": "2024-01-01T00:00:01Z",
    });
    assert_eq!(page["data"][0], row);
    assert_eq!((&page["total"], &page["pagination"]["total_pages"]), (&json!(2), &json!(1)));
    for (query, total, shown) in [
        ("source=csv", 1, 1),
        ("reason=bad_number", 2, 2),
        ("reason=malformed", 0, 0),
        ("status=open", 2, 2),
        ("status=discarded", 0, 0),
        ("limit=1&page=2", 2, 1),
        ("offset=9223372036854775807", 2, 0),
    ] {
        let page = get_json(served.address, &format!("/quarantine?{query}")).await;
        let rows = page["data"].as_array().unwrap().len();
        assert_eq!((&page["total"], rows), (&json!(total), shown), "{query}");
    }
    let of_run = get_json(served.address, &format!("/quarantine?run_id={run_id}")).await;
    assert_eq!(of_run["data"], json!([row]));

    let one = get_json(served.address, "/api/v1/quarantine/1/").await;
    assert_eq!((&one["id"], &one["value"]), (&json!(1), &json!("x")));
    assert_eq!(one["body_sha256"], "0".repeat(64));
}

#[tokio::test]
async fn i8_bad_input_to_quarantine_is_named() {
    let mut world = World::new();
    world.commit("csv", &[]).await;
    let served = world.serve().await;
    for (query, field) in [
        ("source=kraken", "source"),
        ("reason=ugly", "reason"),
        ("status=lost", "status"),
        ("run_id=7", "run_id"),
        ("limit=501", "limit"),
        ("page=0", "page"),
        ("page=1&offset=1", "offset"),
    ] {
        let reply = get(served.address, &format!("/quarantine?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    get(served.address, "/quarantine?who=me").await.assert_problem(400, "unknown_parameter");
    for id in ["x", "-1", "99999999999999999999"] {
        get(served.address, &format!("/quarantine/{id}")).await.assert_problem(400, "invalid_id");
    }
    for id in ["0", "2", "9223372036854775807"] {
        let reply = get(served.address, &format!("/quarantine/{id}")).await;
        reply.assert_problem(404, "quarantine_row_not_found");
    }
    get(served.address, "/quarantine/1?x=1").await.assert_problem(400, "unknown_parameter");
}
