//! Feeds: unchanged between items, and conditional requests for them.

use crate::client::start_with;

#[tokio::test]
async fn a_feed_without_a_new_item_is_unchanged_by_tag_and_by_date() {
    let running = start_with(3, 200).await;
    for path in ["/feed/rss.xml", "/feed/atom.xml", "/feed/feed.json"] {
        running.simulator.set_step(10);
        let first = running.get(path).await;
        let (etag, modified) = (&first.headers["etag"], &first.headers["last-modified"]);
        assert_eq!(modified, "Thu, 01 Jan 2026 00:10:00 GMT", "{path}");
        let by_tag = format!("if-none-match: {etag}\r\n");
        let by_date = format!("if-modified-since: {modified}\r\n");
        // A tag outranks a date.
        let both = format!("if-none-match: \"other\"\r\n{by_date}");
        for (step, condition, status) in [
            (10, &by_tag, 304),
            (19, &by_tag, 304),
            (20, &by_tag, 200),
            (10, &by_date, 304),
            (19, &by_date, 304),
            (20, &by_date, 200),
            (10, &both, 200),
            (10, &"if-modified-since: yesterday\r\n".to_owned(), 200),
        ] {
            running.simulator.set_step(step);
            let reply = running.ask("GET", path, condition, "").await;
            assert_eq!(reply.status, status, "{path} at {step}: {condition}");
            if status == 304 {
                assert!(reply.body.is_empty());
                assert_eq!(reply.headers["etag"], *etag);
            }
        }
        running.simulator.set_step(19);
        assert!(running.get(path).await.body == first.body, "{path}");
        running.simulator.set_step(20);
        assert!(running.get(path).await.body != first.body, "{path}");
    }
}

#[tokio::test]
async fn contracts_are_the_same_at_both_vendors() {
    let running = start_with(5, 600).await;
    let listed = running.get("/api/v3/coins/list?include_platform=true").await.objects();
    let on_chain: std::collections::BTreeSet<String> = listed
        .iter()
        .filter_map(|coin| coin["platforms"]["ethereum"].as_str().map(str::to_owned))
        .collect();
    assert!(on_chain.len() > 100 && listed.len() - on_chain.len() > 100, "{}", on_chain.len());
    let contracts = running.get("/v1/contracts/eth-ethereum").await.objects();
    let active = contracts.iter().filter(|contract| contract["active"] == true);
    let addresses = active.map(|contract| contract["address"].as_str().unwrap().to_owned());
    assert_eq!(addresses.collect::<std::collections::BTreeSet<_>>(), on_chain);
    let entry = running.simulator.ledger().pop().unwrap();
    assert_eq!(entry.rows[0].external_id, contracts[0]["id"].as_str().unwrap());
}
