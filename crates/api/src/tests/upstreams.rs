//! What `/sources`, `/health` and `/metrics` tell of limits, breakers, freshness and what was found.

use std::time::Duration;

use kasparro_domain::DriftSeverity;
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::findings::changed;
use super::world::World;

fn budget(name: &str, breaker: &str, remaining: u64) -> Value {
    json!({
        "name": name, "breaker": breaker, "not_before": "2024-01-01T00:30:00Z", "requests_total": 12,
        "retries_in_last_100": 0,
        "forecast": {"credits_left": remaining, "lasts_until": null, "interval_affordable_seconds": 60},
        "windows": [
            {"window": "minute", "limit": 30, "remaining": remaining, "resets_at": "2024-01-01T00:20:00Z"},
            {"window": "month", "limit": 10_000, "remaining": 9_000 + remaining, "resets_at": "2024-02-01T00:00:00Z"},
        ],
    })
}

async fn source(world: &World, name: &str) -> Value {
    let served = world.serve().await;
    let sources = get_json(served.address, "/sources").await;
    sources["data"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn a_source_shows_its_budget_breaker_forecast_and_freshness() {
    let mut world = World::new();
    world.commit("coingecko", &[("a", "A", "a", Some("1"))]).await;
    let budgets =
        vec![budget("https://x", "closed", 9), budget("https://x key ab", "half_open", 4)];
    world.set_budgets("coingecko", budgets.clone()).await;
    let shown = source(&world, "coingecko").await;
    assert_eq!(shown["budgets"], json!(budgets));
    assert_eq!(
        shown["budget"],
        json!([
            {"window": "minute", "limit": 30, "remaining": 4, "resets_at": "2024-01-01T00:20:00Z"},
            {"window": "month", "limit": 10_000, "remaining": 9_004, "resets_at": "2024-02-01T00:00:00Z"},
        ])
    );
    assert_eq!(
        (&shown["breaker"], &shown["drift_mode"]),
        (&json!("half_open"), &json!("quarantine"))
    );
    assert_eq!(shown["not_before"], "2024-01-01T00:30:00Z");
    assert_eq!((&shown["forecast"]["credits_left"], &shown["stale"]), (&json!(4), &json!(false)));
    assert_eq!(shown["status"], "healthy", "half open is being mended");

    world.clock.advance(Duration::from_secs(4 * 3600));
    let later = source(&world, "coingecko").await;
    assert_eq!((&later["stale"], &later["lag_seconds"]), (&json!(true), &json!(4 * 3600)));
    assert_eq!((&later["status"], &later["not_before"]), (&json!("degraded"), &Value::Null));
    assert_eq!(
        later["budget"][0],
        json!({"window": "minute", "limit": 30, "remaining": 30, "resets_at": null}),
        "a minute is over"
    );
    let never = source(&world, "csv").await;
    assert_eq!((&never["budget"], &never["budgets"]), (&json!([]), &json!([])));
    for member in ["breaker", "not_before", "forecast", "stale", "drift_mode", "last_success_at"] {
        assert_eq!(never[member], Value::Null, "{member}");
    }
}

#[tokio::test]
async fn a_source_with_an_open_breaker_or_old_data_is_degraded_with_its_age_and_health_is_200() {
    let mut world = World::new();
    world.commit("coingecko", &[("a", "A", "a", Some("1"))]).await;
    world.commit("coinpaprika", &[("a", "A", "a", Some("1"))]).await;
    world.set_budgets("coinpaprika", vec![budget("https://y", "closed", 9)]).await;
    world.set_budgets("coingecko", vec![budget("https://x", "open", 9)]).await;
    let served = world.serve().await;
    let health = get_json(served.address, "/health").await;
    let told = |health: &Value, source: &str| {
        let it = &health["etl_status"][source];
        json!([it["status"], it["reason"], it["breaker"], it["stale"], it["lag_seconds"]])
    };
    assert_eq!((&health["status"], &health["etl"]), (&json!("degraded"), &json!("degraded")));
    assert_eq!(told(&health, "coingecko"), json!(["degraded", "breaker_open", "open", false, 1]));
    assert_eq!(told(&health, "coinpaprika"), json!(["healthy", null, "closed", false, 0]));
    assert_eq!(told(&health, "csv"), json!(["pending", null, null, null, null]));

    world.set_budgets("coingecko", vec![budget("https://x", "closed", 9)]).await;
    assert_eq!(get_json(served.address, "/health").await["status"], "healthy");
    world.clock.advance(Duration::from_secs(3 * 3600 + 1));
    let health = get_json(served.address, "/health").await;
    assert_eq!(told(&health, "coinpaprika"), json!(["degraded", "stale", "closed", true, 10_801]));
    world.fail("coinpaprika").await;
    let health = get_json(served.address, "/health").await;
    assert_eq!(
        told(&health, "coinpaprika"),
        json!(["degraded", "failing", "closed", true, 10_802])
    );
    world.fail("csv").await;
    let health = get_json(served.address, "/health").await;
    assert_eq!(health["etl_status"]["csv"]["reason"], "never_succeeded");
}

#[tokio::test]
async fn health_does_not_answer_200_with_the_database_down() {
    let mut world = World::new();
    world.commit("coingecko", &[("a", "A", "a", Some("1"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    assert_eq!(get(served.address, "/health").await.status, 200);
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(get(served.address, "/health").await.status, 503);
}

#[tokio::test]
async fn metrics_tell_budgets_breakers_drift_and_refused_pages() {
    let mut world = World::new();
    let change = changed("/price", DriftSeverity::Warning);
    for _ in 0..3 {
        world.examine("metered", vec![change.clone()]).await;
    }
    world.refuse("metered").await;
    world.set_budgets("metered", vec![budget("a", "open", 9), budget("b", "closed", 4)]).await;
    world.refresh().await;
    let served = world.serve().await;
    // Asking twice counts nothing twice.
    get(served.address, "/metrics").await;
    let metrics = get(served.address, "/metrics").await.body;
    for line in [
        r#"kasparro_budget_remaining{source="metered",window="minute"} 4"#,
        r#"kasparro_budget_remaining{source="metered",window="month"} 9004"#,
        r#"kasparro_breaker_state{source="metered"} 2"#,
        r#"kasparro_drift_events_total{source="metered",kind="type_changed"} 3"#,
        r#"kasparro_refused_pages{source="metered"} 1"#,
        "# TYPE kasparro_drift_events_total counter",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("https://"), "no label names an upstream");
}
