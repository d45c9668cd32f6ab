//! A page of which too many rows are bad is refused as a whole, and loaded when a person says so.

use kasparro_testkit::wait_for;
use serde_json::json;

use crate::drift::{change, listed};
use crate::world::{World, all_rows, assert_balanced, run_of, simulator};

const COINS: u64 = 60;

#[test]
fn a_page_of_many_bad_rows_waits_and_loads_its_good_rows_by_force() {
    let upstream = simulator(60);
    let world = World::new().upstream(&upstream.url).nothing_by_itself();
    let price = "/quotes/USD/price";
    change(&upstream, json!({"mutation": "bad_rows", "member": price, "share": 0.4}));
    let run = run_of(&world.call(&["run", "coinpaprika", "--json"]).json(), "coinpaprika");
    assert_balanced(&run);
    assert_ne!(run["status"], "success", "{run}");
    assert_eq!(run["error"]["code"], "too_many_bad_rows", "{run}");
    let pages = listed(&world, &["quarantine", "list", "--pages", "--source", "coinpaprika"]);
    assert_eq!((pages.len(), &pages[0]["rows"]), (1, &json!(COINS)), "{pages:?}");
    assert!(listed(&world, &["quarantine", "list"]).is_empty(), "nothing of it was taken");
    let page = pages[0]["id"].to_string();

    let unforced = world.call(&["quarantine", "retry", "--page", &page]);
    assert_eq!(unforced.code, Some(1), "{unforced:?}");
    assert!(unforced.stdout.contains("refused once more; --force"), "{unforced:?}");
    let why = ["--why", "the vendor knows and will not mend it"];
    let forced =
        world.call(&[&["quarantine", "retry", "--page", &page, "--force"][..], &why].concat());
    assert_eq!(forced.code, Some(0), "{forced:?}");
    let bad = listed(&world, &["quarantine", "list", "--source", "coinpaprika"]).len() as u64;
    assert!((5..COINS).contains(&bad), "{bad} of {COINS}");
    let told = format!("page {page} is loaded; {bad} of its rows are in quarantine");
    assert!(forced.stdout.contains(&told), "{forced:?}");
    assert!(listed(&world, &["quarantine", "list", "--pages"]).is_empty());

    let server = world.serve();
    assert_eq!(all_rows(&server, "&source=coinpaprika").len() as u64, COINS - bad);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn the_status_shows_what_is_left_of_the_limits() {
    let upstream = simulator(30);
    let world = World::new()
        .upstream(&upstream.url)
        .nothing_by_itself()
        .with("KASPARRO_SOURCES__COINPAPRIKA__ENABLED", "true")
        .with("KASPARRO_SOURCES__COINPAPRIKA__CREDITS_PER_MONTH", "100");
    let server = world.serve();
    let paprika = wait_for("the budget", || {
        let status = world.call(&["status", "--json"]).json();
        let sources = status["sources"].as_array()?.clone();
        let paprika = sources.into_iter().find(|source| source["source"] == "coinpaprika")?;
        (paprika["status"] == "success" && !paprika["breaker"].is_null()).then_some(paprika)
    });
    let budget = paprika["budget"].as_array().unwrap();
    let names: Vec<_> = budget.iter().map(|window| window["window"].as_str().unwrap()).collect();
    assert_eq!(names, ["minute", "month"]);
    let month = &budget[1];
    assert_eq!(month["limit"], 100, "{paprika}");
    let left = month["remaining"].as_u64().unwrap();
    assert!((1..100).contains(&left), "{paprika}");
    assert!(month["resets_at"].is_string(), "{paprika}");
    assert_eq!(
        (&paprika["breaker"], &paprika["forecast"]["credits_left"]),
        (&json!("closed"), &json!(left))
    );
    let text = world.call(&["status"]).stdout;
    for part in ["budget left", &format!("month {left} of 100"), "closed", "credits are left"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(server.stop().code, Some(0));
}
