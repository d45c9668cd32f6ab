//! `/drift`, `/drift/{id}` and `/quarantine/pages`.

use kasparro_domain::DriftSeverity;
use serde_json::json;

use super::client::{get, get_json};
use super::findings::changed;
use super::world::World;

/// Two changes of `coinpaprika`, of which one was seen twice, and one of `csv`.
async fn drifted() -> World {
    let mut world = World::new();
    let (price, name) =
        (changed("/price", DriftSeverity::Breaking), changed("/name", DriftSeverity::Warning));
    world.examine("coinpaprika", vec![price.clone(), name]).await;
    world.examine("coinpaprika", vec![price]).await;
    world.examine("csv", vec![changed("/new", DriftSeverity::Info)]).await;
    world
}

#[tokio::test]
async fn changes_are_listed_with_what_they_break_and_how_often_they_were_seen() {
    let served = drifted().await.serve().await;
    let reply = get(served.address, "/drift").await;
    assert_eq!(reply.header("x-generation"), Some("3"));
    let page = reply.json();
    let first = json!({
        "id": 1, "source": "coinpaprika", "endpoint": "tickers", "kind": "type_changed",
        "pointer": "/price", "before": "number", "after": "text", "severity": "breaking",
        "rows_affected": 9, "rows_examined": 10, "confidence_percent": 90,
        "suggestion": "look at the page", "breaks": ["price_usd"], "raw_page_id": 1,
        "refused": false, "first_seen_at": "2024-01-01T00:00:01Z",
        "last_seen_at": "2024-01-01T00:00:02Z", "pages_seen": 2, "status": "open",
    });
    assert_eq!(page["data"][0], first);
    assert_eq!((&page["total"], &page["page_size"]), (&json!(3), &json!(20)));
    for (query, total, shown) in [
        ("source=csv", 1, 1),
        ("source=csv_source", 1, 1),
        ("endpoint=tickers", 3, 3),
        ("endpoint=coins", 0, 0),
        ("kind=type_changed", 3, 3),
        ("kind=unit_flip", 0, 0),
        ("severity=breaking", 1, 1),
        ("status=open&severity=info", 1, 1),
        ("status=accepted", 0, 0),
        ("limit=2&page=2", 3, 1),
        ("offset=9223372036854775807", 3, 0),
    ] {
        let page = get_json(served.address, &format!("/drift?{query}")).await;
        let rows = page["data"].as_array().unwrap().len();
        assert_eq!((&page["total"], rows), (&json!(total), shown), "{query}");
    }
    let one = get_json(served.address, "/api/v1/drift/2/").await;
    assert_eq!((&one["id"], &one["pointer"]), (&json!(2), &json!("/name")));
}

#[tokio::test]
async fn an_accepted_change_says_so() {
    use kasparro_domain::DriftId;
    use kasparro_store::DriftStore as _;

    let world = drifted().await;
    let now = kasparro_domain::Clock::now(world.clock.as_ref());
    world.kept.accept_drift(vec![DriftId(1)], "ann", "announced", now).await.unwrap();
    let served = world.serve().await;
    assert_eq!(get_json(served.address, "/drift/1").await["status"], "accepted");
    assert_eq!(get_json(served.address, "/drift?status=open").await["total"], 2);
}

#[tokio::test]
async fn i8_bad_input_to_drift_is_named() {
    let served = drifted().await.serve().await;
    for (query, field) in [
        ("source=kraken", "source"),
        ("endpoint=", "endpoint"),
        ("kind=odd", "kind"),
        ("severity=fatal", "severity"),
        ("status=closed", "status"),
        ("limit=501", "limit"),
        ("page=0", "page"),
        ("page=1&offset=1", "offset"),
    ] {
        let reply = get(served.address, &format!("/drift?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    get(served.address, "/drift?pointer=x").await.assert_problem(400, "unknown_parameter");
    get(served.address, "/drift/1?x=1").await.assert_problem(400, "unknown_parameter");
    for id in ["x", "-1", "99999999999999999999"] {
        get(served.address, &format!("/drift/{id}")).await.assert_problem(400, "invalid_id");
    }
    for id in ["0", "4", "9223372036854775807"] {
        get(served.address, &format!("/drift/{id}")).await.assert_problem(404, "drift_not_found");
    }
}

#[tokio::test]
async fn refused_pages_are_listed_with_the_reason() {
    let mut world = drifted().await;
    let (run_id, page_id) = world.refuse("csv").await;
    world.refuse("coinpaprika").await;
    let served = world.serve().await;
    let page = get_json(served.address, "/quarantine/pages").await;
    let first = json!({
        "id": page_id.0, "source": "csv", "run_id": run_id.to_string(), "sequence": 0, "request": {},
        "http_status": 200, "fetched_at": "2024-01-01T00:00:04Z", "body_bytes": 0,
        "body_sha256": "0".repeat(64),
        "error": {
            "code": "too_few_rows", "message": "3 rows came, 250 are usual", "hint": "look at the page",
        },
    });
    assert_eq!((&page["total"], &page["data"][0]), (&json!(2), &first));
    for (query, total, shown) in [
        ("source=csv".to_owned(), 1, 1),
        ("source=coingecko".to_owned(), 0, 0),
        (format!("run_id={run_id}"), 1, 1),
        ("limit=1&page=2".to_owned(), 2, 1),
        ("offset=9".to_owned(), 2, 0),
    ] {
        let page = get_json(served.address, &format!("/api/v1/quarantine/pages/?{query}")).await;
        let rows = page["data"].as_array().unwrap().len();
        assert_eq!((&page["total"], rows), (&json!(total), shown), "{query}");
    }
    for (query, field) in
        [("source=kraken", "source"), ("run_id=7", "run_id"), ("limit=0", "limit")]
    {
        let reply = get(served.address, &format!("/quarantine/pages?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    get(served.address, "/quarantine/pages?state=x").await.assert_problem(400, "unknown_parameter");
}
