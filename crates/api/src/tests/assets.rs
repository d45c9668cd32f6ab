//! Looking for assets, and what is shown of one.

use serde_json::{Value, json};

use super::client::{get, get_json};
use super::resolved::{USDC, ids, resolved};

#[tokio::test]
async fn a_symbol_that_several_assets_use_finds_all_of_them_best_first_with_the_reason() {
    let served = resolved().await.serve().await;
    let page = get_json(served.address, "/assets?symbol=BTC").await;
    assert_eq!((ids(&page), &page["ambiguous"]), (vec![1, 5], &json!(true)), "{page}");
    let reason = |place: usize| page["data"][place]["reason"].as_str().unwrap();
    assert_eq!(reason(0), "rank 1 at coinpaprika; 1 other asset uses this symbol");
    assert_eq!(reason(1), "rank 3 at coingecko; 1 other asset uses this symbol");
    let first = &page["data"][0];
    assert_eq!(
        (&first["class"], &first["identity"], &first["sources"], &first["listings"]),
        (&json!("coin"), &json!("linked"), &json!(["coingecko", "coinpaprika"]), &json!(2))
    );
    assert_eq!(page["data"][1]["identity"], "ambiguous");
    let page = get_json(served.address, "/assets?symbol=usdc").await;
    assert_eq!((ids(&page), &page["ambiguous"]), (vec![2], &json!(false)));
    assert!(
        page["data"][0]["reason"].as_str().unwrap().ends_with("; no other asset uses this symbol")
    );
    let listed = get_json(served.address, "/assets").await;
    assert_eq!((ids(&listed), &listed["ambiguous"]), (vec![1, 2, 5], &json!(false)));
    assert_eq!(listed["data"][0]["reason"], Value::Null);
    let named = get_json(served.address, "/assets?name=bitcoin").await;
    assert_eq!((ids(&named), &named["ambiguous"]), (vec![1, 5], &json!(true)));
    assert_eq!(named["data"][1]["reason"], "rank 3 at coingecko; 1 other asset has this in a name");
}

#[tokio::test]
async fn the_order_by_size_is_walked_by_page_and_a_cursor_says_so() {
    let served = resolved().await.serve().await;
    for (page, expected) in [(1, vec![1]), (2, vec![5]), (3, vec![])] {
        let answer =
            get_json(served.address, &format!("/assets?symbol=btc&limit=1&page={page}")).await;
        assert_eq!(ids(&answer), expected);
        assert_eq!((&answer["total"], &answer["ambiguous"]), (&json!(2), &json!(true)));
        assert_eq!(answer["pagination"]["next_cursor"], Value::Null);
    }
    let cursor =
        get_json(served.address, "/assets?limit=1").await["pagination"]["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    assert_eq!(ids(&get_json(served.address, &format!("/assets?cursor={cursor}")).await), [2, 5]);
    for with in ["symbol=btc", &format!("contract={USDC}")] {
        let reply = get(served.address, &format!("/assets?{with}&cursor={cursor}")).await;
        reply.assert_problem(400, "invalid_parameter");
        let problem = reply.json();
        assert_eq!(problem["errors"][0]["field"], "cursor");
        assert!(
            problem["errors"][0]["message"].as_str().unwrap().contains("walk by page"),
            "{problem}"
        );
    }
    let of_class = get_json(served.address, "/assets?class=coin&limit=1").await;
    let cursor = of_class["pagination"]["next_cursor"].as_str().unwrap();
    assert_eq!(
        ids(&get_json(served.address, &format!("/assets?class=coin&cursor={cursor}")).await),
        [5]
    );
    get(served.address, &format!("/assets?state=linked&cursor={cursor}"))
        .await
        .assert_problem(400, "invalid_cursor");
}

#[tokio::test]
async fn an_asset_is_found_by_a_contract_however_its_chain_is_called() {
    let served = resolved().await.serve().await;
    let lower = USDC.to_lowercase();
    for (query, expected) in [
        (format!("contract={USDC}"), vec![2]),
        (format!("contract={lower}"), vec![2]),
        (format!("contract=ethereum:{USDC}"), vec![2]),
        (format!("contract=eth-ethereum:{lower}"), vec![2]),
        (format!("contract=eip155%3A1%3A{lower}"), vec![2]),
        (format!("contract=eip155:56:{lower}"), vec![]),
        ("contract=solana:EPjFWdd5AufqSSqeM2q".to_owned(), vec![2]),
        ("contract=epjfwdd5aufqssqem2q".to_owned(), vec![]),
        (format!("contract={USDC}&symbol=btc"), vec![]),
        (format!("contract={USDC}&source=coingecko"), vec![2]),
        (format!("contract={USDC}&source=csv"), vec![]),
        ("class=coin".to_owned(), vec![1, 5]),
        ("class=stablecoin&state=linked".to_owned(), vec![2]),
        ("state=ambiguous".to_owned(), vec![5]),
        ("state=unresolved".to_owned(), vec![]),
        ("id=5".to_owned(), vec![5]),
        ("id=3".to_owned(), vec![1]),
        ("asset_id=4&id=4".to_owned(), vec![2]),
        ("id=6".to_owned(), vec![]),
        ("id=9223372036854775807".to_owned(), vec![]),
    ] {
        let page = get_json(served.address, &format!("/assets?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
    }
    let page = get_json(served.address, "/assets?contract=solana:EPjFWdd5AufqSSqeM2q").await;
    let reason = "no other asset has this contract, which only coingecko gives to this one";
    assert!(page["data"][0]["reason"].as_str().unwrap().ends_with(reason), "{page}");
}

#[tokio::test]
async fn i8_bad_questions_for_assets_are_answered_with_what_is_wrong() {
    let served = resolved().await.serve().await;
    for (query, code, field) in [
        ("contract=", "invalid_parameter", "contract"),
        ("contract=%00", "invalid_parameter", "contract"),
        ("contract=0x0000000000000000000000000000000000000000", "invalid_parameter", "contract"),
        ("contract=ethereum:", "invalid_parameter", "contract"),
        ("contract=:0xabc", "invalid_parameter", "contract"),
        ("class=share", "invalid_parameter", "class"),
        ("class=Coin", "invalid_parameter", "class"),
        ("state=decided", "invalid_parameter", "state"),
        ("id=-1", "invalid_parameter", "id"),
        ("id=x", "invalid_parameter", "id"),
        ("id=9223372036854775808", "invalid_parameter", "id"),
        ("asset_id=99999999999999999999", "invalid_parameter", "asset_id"),
        ("id=1&asset_id=2", "invalid_parameter", "asset_id"),
        ("id=1&id=1", "repeated_parameter", "id"),
        ("identity=linked", "unknown_parameter", "identity"),
    ] {
        let reply = get(served.address, &format!("/assets?{query}")).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    let problem = get(served.address, "/assets?contract=native").await.json();
    assert!(problem["detail"].as_str().unwrap().contains("chain:address"), "{problem}");
    let problem = get(served.address, "/assets?class=share").await.json();
    assert!(problem["detail"].as_str().unwrap().contains("tokenised_stock"), "{problem}");
    let long = format!("/assets?contract={}", ":".repeat(300) + &"a".repeat(200));
    get(served.address, &long).await.assert_problem(400, "invalid_parameter");
    for path in ["", "/identity", "/history"] {
        for (id, status, code) in [
            ("9", 404, "asset_not_found"),
            ("0", 404, "asset_not_found"),
            ("9223372036854775807", 404, "asset_not_found"),
            ("9223372036854775808", 400, "invalid_id"),
            ("-1", 400, "invalid_id"),
            ("%00", 400, "invalid_id"),
            ("x", 400, "invalid_id"),
        ] {
            get(served.address, &format!("/assets/{id}{path}")).await.assert_problem(status, code);
        }
        get(served.address, &format!("/assets/3{path}?nonsense=1"))
            .await
            .assert_problem(400, "unknown_parameter");
    }
}

#[tokio::test]
async fn an_asset_shows_its_listings_edges_contracts_and_former_names() {
    let mut world = resolved().await;
    world.commit("coingecko", &[("bitcoin", "xbt", "Bitcoin Core", Some("46100.5"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let asset = get_json(served.address, "/assets/1").await;
    assert_eq!(
        (&asset["symbol"], &asset["name"], &asset["class"], &asset["identity"]),
        (&json!("BTC"), &json!("Bitcoin"), &json!("coin"), &json!("linked"))
    );
    assert_eq!(asset["sources"], json!(["coingecko", "coinpaprika"]));
    let listings: Vec<_> =
        asset["listings"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(listings, [&json!(1), &json!(3)]);
    assert_eq!(asset["price_sources"].as_array().unwrap().len(), 2);
    assert_eq!(asset["price_usd"], 46_100.5, "the fresher of two");
    let edge = |asset_id: i64, listing: &str, direction: &str| {
        json!([{"kind": "forked_from", "asset_id": asset_id, "listing": listing,
                "why": "its name says so", "direction": direction, "ratio": null, "effective_on": null}])
    };
    assert_eq!(asset["edges"], edge(5, "coingecko:bitcoin-b", "in"));
    assert_eq!(asset["deployments"], json!([]));
    let until = &asset["former_names"][0]["until_at"];
    let former =
        json!([{"source": "coingecko", "symbol": "btc", "name": "Bitcoin", "until_at": until}]);
    assert_eq!(asset["former_names"], former);
    assert!(until.as_str().unwrap().starts_with("2024-01-01T"), "{until}");
    let forked = get_json(served.address, "/assets/5").await;
    assert_eq!(forked["edges"], edge(1, "coingecko:bitcoin", "out"));
    let usdc = get_json(served.address, "/assets/2").await;
    assert_eq!(
        usdc["deployments"],
        json!([
            {"chain": "eip155:1", "address": USDC.to_lowercase(), "sources": ["coingecko", "coinpaprika"]},
            {"chain": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "address": "EPjFWdd5AufqSSqeM2q", "sources": ["coingecko"]},
        ])
    );
    assert_eq!((&usdc["class"], &usdc["edges"]), (&json!("stablecoin"), &json!([])));
    // The list says other contracts now, and calls the coin what it called it before.
    world.state("coingecko", "usd-coin", &[("ethereum", "0xabc")]).await;
    world.refresh().await;
    let usdc = get_json(served.address, "/assets/2").await;
    assert_eq!(usdc["former_names"], json!([]));
    assert_eq!(usdc["deployments"][0]["sources"], json!(["coinpaprika"]), "{usdc}");
}
