//! Lists of vendors that say that nothing has changed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_domain::{PageId, RunCounts, RunStatus};
use kasparro_engine::Schedule;
use kasparro_store::PageRecord;
use kasparro_testkit::{Reply, TinyUpstream};

use crate::rows::{json as json_answer, page, ticker};
use crate::world::{World, assert_same};

const AT: &str = "2025-12-31T23:00:00Z";
const DAY: Duration = Duration::from_secs(25 * 3600);

fn coin(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"{id} name","symbol":"{}","rank":0,"is_new":false,"is_active":true,"type":"coin"}}"#,
        id.to_uppercase()
    )
}

/// A CoinPaprika whose list of coins has a tag.
struct Tagged {
    upstream: TinyUpstream,
    /// The list and its tag, and whether the upstream says when it knows that it is known.
    list: Arc<Mutex<(String, &'static str, bool)>>,
}

impl Tagged {
    fn new(coins: &[&str], says_so: bool) -> Self {
        let list = Arc::new(Mutex::new((list(coins), "\"1\"", says_so)));
        Self { upstream: TinyUpstream::script([json_answer("[]")]), list }.answering()
    }

    /// Answers by what was asked before: the head of a request is there once it was answered, so the one
    /// that is answered now is judged by the tag that the engine must have seen.
    fn answering(self) -> Self {
        let (list, sent) = (Arc::clone(&self.list), Mutex::new(None));
        self.upstream.answer(move |asked| {
            let path = asked.split('?').next().unwrap_or_default();
            match path {
                "/v1/tickers" => json_answer(&page(&[ticker("a", 1, "1", AT)])),
                "/v1/coins" => {
                    let (body, tag, says_so) = list.lock().unwrap().clone();
                    let known = sent.lock().unwrap().replace(tag) == Some(tag);
                    let tagged = |reply: Reply| reply.with_header(format!("ETag: {tag}"));
                    match known && says_so {
                        true => tagged(Reply::of("304 Not Modified", "text/plain", "")),
                        false => tagged(json_answer(&body)),
                    }
                }
                "/v1/contracts" => json_answer("[]"),
                _ => Reply::of("404 Not Found", "application/json", "{}"),
            }
        });
        self
    }

    fn world(&self) -> World {
        let mut world = World::tickers(self.upstream.url.clone());
        world.lists = Schedule::parse("1d").unwrap();
        world
    }

    /// The tag that each request for the list sent.
    fn tags(&self) -> Vec<Option<String>> {
        let heads = self.upstream.heads().into_iter();
        let of_list = heads.filter(|head| head.starts_with("GET /v1/coins "));
        of_list
            .map(|head| {
                let mut lines = head.lines().map(str::to_ascii_lowercase);
                let tag =
                    lines.find_map(|line| Some(line.strip_prefix("if-none-match: ")?.to_owned()));
                assert!(!head.to_ascii_lowercase().contains("if-modified-since"), "{head}");
                tag
            })
            .collect()
    }
}

fn list(coins: &[&str]) -> String {
    page(&coins.iter().map(|id| coin(id)).collect::<Vec<_>>())
}

async fn pages_of_list(world: &World) -> Vec<PageRecord> {
    let mut pages = world.store.pages_after(PageId(0), 100).await.unwrap();
    pages.retain(|record| record.page.request["endpoint"] == "coins");
    pages
}

/// Three days of a list that stays, then one day of one that has changed.
async fn days(says_so: bool) -> (Vec<RunCounts>, Tagged, World) {
    let tagged = Tagged::new(&["a", "b", "c"], says_so);
    let world = tagged.world();
    let mut counts = Vec::new();
    for day in 0..4 {
        if day == 3 {
            let mut now = tagged.list.lock().unwrap();
            (now.0, now.1) = (list(&["a", "c", "d"]), "\"2\"");
        }
        let run = world.run("coinpaprika").await;
        assert_eq!((run.status, run.requests), (RunStatus::Success, 3), "day {day}: {run:?}");
        assert_eq!(run.pages, 3, "day {day}");
        counts.push(run.counts);
        world.clock.advance(DAY);
    }
    (counts, tagged, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_not_changed_counts_as_the_same_bytes_do_and_stores_none() {
    let (counts, tagged, world) = days(true).await;
    let (as_bytes, _upstream, control) = days(false).await;
    assert_eq!(counts, as_bytes);
    assert_eq!((counts[1].received, counts[1].unchanged), (4, 4));
    let one = Some("\"1\"".to_owned());
    assert_eq!(tagged.tags(), [None, one.clone(), one.clone(), one]);
    let pages = pages_of_list(&world).await;
    let statuses: Vec<_> = pages.iter().map(|record| record.page.http_status.unwrap()).collect();
    assert_eq!(statuses, [200, 304, 304, 200]);
    let hashes: Vec<_> = pages.iter().map(|record| record.page.body).collect();
    assert!(hashes[0] == hashes[1] && hashes[1] == hashes[2] && hashes[2] != hashes[3]);
    assert_eq!(pages[1].page.headers["content-type"], "application/json");
    let without_pages = |kept: std::collections::BTreeSet<String>| {
        let rows = kept.into_iter();
        rows.filter(|row| row.starts_with("listing ") || row.starts_with("evidence ")).collect()
    };
    assert_same(&without_pages(world.kept().await), &without_pages(control.kept().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_not_changed_is_not_due_again_and_ends_sweeps() {
    let tagged = Tagged::new(&["a", "b"], true);
    let world = tagged.world();
    world.run("coinpaprika").await;
    {
        let mut now = tagged.list.lock().unwrap();
        (now.0, now.1) = (list(&["a"]), "\"2\"");
    }
    // The first sweep that misses it has bytes, the others say that nothing has changed.
    for sweep in 1..4 {
        world.clock.advance(DAY);
        world.run("coinpaprika").await;
        let known = world.listings("coinpaprika").await;
        let missing = known.iter().find(|listing| listing.external_id == "b").unwrap();
        assert_eq!(missing.missed, sweep, "{missing:?}");
    }
    assert_eq!(tagged.tags().len(), 4);
    world.clock.advance(Duration::from_secs(3600));
    world.run("coinpaprika").await;
    assert_eq!(tagged.tags().len(), 4, "it was loaded an hour ago");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_says_so_unasked_is_not_believed() {
    let tagged = Tagged::new(&["a"], true);
    let world = tagged.world();
    tagged.upstream.answer(|_| Reply::of("304 Not Modified", "text/plain", ""));
    let run = world.run("coinpaprika").await;
    assert_eq!(run.status, RunStatus::Failed, "{run:?}");
    assert_eq!(pages_of_list(&world).await, []);
}
