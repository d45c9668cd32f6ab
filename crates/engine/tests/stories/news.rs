//! Feeds: what they carry is news, kept once, and asked for politely.

use kasparro_domain::RunStatus;
use kasparro_store::{NewsFilter, StoredNews};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::json;

use crate::world::World;

fn rss(items: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Desk</title>{items}</channel></rss>"#
    )
}

fn item(guid: &str, title: &str) -> String {
    format!(
        "<item><guid>{guid}</guid><title>{title}</title><link>https://desk.example/{guid}</link>\
         <pubDate>Wed, 31 Dec 2025 10:00:00 GMT</pubDate></item>"
    )
}

fn feed(body: &str) -> Reply {
    Reply::of("200 OK", "application/rss+xml", body).with_header("ETag: \"v1\"")
}

fn world(upstream: &TinyUpstream) -> World {
    World::new(None, vec![("feed", json!({"urls": [format!("{}/rss.xml", upstream.url)]}))])
}

async fn news(world: &World) -> Vec<StoredNews> {
    world.store.news(NewsFilter::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn news_is_kept_once_and_follows_its_feed() {
    let one = rss(&(item("1", "Block") + &item("2", "Chain &amp; <![CDATA[<b>Co</b>]]>")));
    let two = rss(&(item("3", "Fork") + &item("2", "Chain and Co") + &item("2", "Twice")));
    let upstream = TinyUpstream::script([feed(&one), feed(&one), feed(&two)]);
    let world = world(&upstream);
    let first = world.run("feed").await;
    assert_eq!((first.status, first.counts.inserted), (RunStatus::Success, 2), "{first:?}");
    assert_eq!(world.run("feed").await.counts.unchanged, 2);
    let third = world.run("feed").await.counts;
    assert_eq!((third.inserted, third.updated, third.duplicate), (1, 1, 1));
    let titles: Vec<_> = news(&world).await.into_iter().map(|news| news.item.title).collect();
    assert_eq!(titles.len(), 3);
    assert!(titles.contains(&"Chain and Co".to_owned()), "{titles:?}");
    assert!(world.listings("feed").await.is_empty(), "news is never an asset");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_did_not_change_sends_nothing_again() {
    let body = rss(&item("1", "Block"));
    let not_modified = Reply::of("304 Not Modified", "application/rss+xml", "");
    let upstream = TinyUpstream::script([feed(&body), not_modified]);
    let world = world(&upstream);
    world.run("feed").await;
    let before = world.kept().await;
    let second = world.run("feed").await;
    assert_eq!((second.status, second.counts.received, second.pages), (RunStatus::Success, 0, 0));
    let asked = upstream.heads();
    assert!(!asked[0].to_lowercase().contains("if-none-match"));
    assert!(asked[1].to_lowercase().contains("if-none-match: \"v1\""), "{}", asked[1]);
    crate::world::assert_same(&world.kept().await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_cannot_be_read_costs_only_itself() {
    let bad = "<item><guid>x</guid><title>When</title><pubDate>yesterday</pubDate></item>";
    let upstream = TinyUpstream::script([feed(&rss(&(bad.to_owned() + &item("1", "Block"))))]);
    let run = world(&upstream).run("feed").await;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_key_in_the_address_of_a_feed_reaches_its_host_and_nobody_else() {
    let upstream = TinyUpstream::script([feed(&rss(&item("1", "Block")))]);
    let url = format!("{}/rss.xml?lang=en&apikey=CANARY", upstream.url);
    let mut world = World::new(None, vec![]);
    world.sources = vec![("feed", json!({"urls": [url]}))];
    let run = world.run("feed").await;
    assert_eq!(run.counts.inserted, 1);
    assert_eq!(upstream.asked(), ["/rss.xml?lang=en&apikey=CANARY"]);
    let dump = format!("{:?}", world.store.dump().await.unwrap());
    assert!(dump.contains("lang") && !dump.contains("CANARY"), "{dump}");
}
