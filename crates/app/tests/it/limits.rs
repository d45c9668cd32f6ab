//! Limits of requests, as they are set.

use kasparro_testkit::{HttpAnswer, Server, get, wait_for};

use crate::keys::done;
use crate::world::{ADMIN, World, get_as};

/// A world with the limits of the default file.
fn limited() -> World {
    World::new().with("KASPARRO_LIMITS__ANONYMOUS", "").nothing_by_itself()
}

/// Waits without being counted.
fn wait_until_ready(server: &Server) {
    wait_for("the read model", || {
        (get(&format!("{}/readyz", server.url)).ok()?.status == 200).then_some(())
    });
}

fn data(server: &Server) -> HttpAnswer {
    get(&format!("{}/data?limit=1", server.url)).unwrap()
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}"))
}

#[test]
fn i11_a_client_may_ask_100_times_and_a_restart_forgets_none_of_them() {
    let world = limited();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let server = world.serve();
    wait_until_ready(&server);
    for number in 1..=100_u32 {
        let answer = data(&server);
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        assert_eq!(header(&answer, "ratelimit-policy"), "\"anonymous\";q=100;w=900");
        let left = format!("\"anonymous\";r={};t=", 100 - number);
        assert!(header(&answer, "ratelimit").starts_with(&left), "{answer:?}");
    }
    let refused = |server: &Server| {
        let answer = data(server);
        assert_eq!((answer.status, &answer.json()["code"]), (429, &"rate_limited".into()));
        let wait: u64 = header(&answer, "retry-after").parse().unwrap();
        assert!((1..=960).contains(&wait), "{wait}");
    };
    refused(&server);
    for free in ["/health", "/metrics", "/openapi.json"] {
        assert_eq!(get(&format!("{}{free}", server.url)).unwrap().status, 200, "{free}");
    }
    let of_admin = get_as(ADMIN, &format!("{}/data?limit=1", server.url)).unwrap();
    assert_eq!(of_admin.status, 200, "a key has its own");
    assert_eq!(server.stop().code, Some(0));
    let again = world.serve();
    wait_until_ready(&again);
    refused(&again);
    assert_eq!(again.stop().code, Some(0));
    let off = world.with("KASPARRO_LIMITS__ANONYMOUS", "off");
    let server = off.serve();
    wait_until_ready(&server);
    assert_eq!((data(&server).status, data(&server).header("ratelimit")), (200, None));
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_key_with_a_number_of_its_own_may_ask_that_often() {
    let world = limited();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let arguments = ["create", "--name", "few", "--scope", "read", "--requests", "3"];
    let made = done(&|arguments| world.call(arguments), &arguments);
    let key = made["key"].as_str().unwrap();
    let server = world.serve();
    wait_until_ready(&server);
    let statuses: Vec<_> = (0..5)
        .map(|_| {
            let answer = get_as(key, &format!("{}/data?limit=1", server.url)).unwrap();
            assert!(header(&answer, "ratelimit-policy").starts_with("\"key\";q=3;"), "{answer:?}");
            answer.status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(data(&server).status, 200, "without it, the limit of the address holds");
    assert_eq!(server.stop().code, Some(0));
}
