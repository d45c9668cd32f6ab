//! Edges: where two promises meet, or a promise meets an unlikely day.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Generation, RunReason, RunStatus, SourceName};
use kasparro_engine::Lists;
use kasparro_store::{ListingRow, NewsFilter, QuarantineFilter};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::json;

use crate::paprika::Paprika;
use crate::rows::{json as json_answer, page, ticker};
use crate::world::{World, write};

const AT: &str = "2025-12-31T23:00:00Z";

fn coin(id: &str, active: &str) -> String {
    format!(r#"{{"id":"{id}","name":"{id} name","symbol":"{id}","rank":0,"is_active":{active}}}"#)
}

fn contract(id: &str, address: &str) -> String {
    format!(r#"{{"address":"{address}","type":"ERC20","id":"{id}","active":true}}"#)
}

async fn rows(world: &World) -> Vec<ListingRow> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
    world.store.changes(Generation(0), sender).await.unwrap();
    let mut rows = Vec::new();
    while let Some(piece) = receiver.recv().await {
        rows.extend(piece);
    }
    rows.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    rows
}

async fn numbers(world: &World) -> Vec<i64> {
    let rows = world.store.quarantined(QuarantineFilter::default()).await.unwrap();
    rows.iter().map(|row| row.quarantine_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_whose_row_is_in_quarantine_is_not_missing() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", "true"), coin("b", "true")]));
    paprika.say("/v1/contracts", "[]");
    let world = paprika.world();
    world.run("coinpaprika").await;
    // The coin is listed as before, one field of its row is wrong.
    paprika.say("/v1/coins", page(&[coin("a", "true"), coin("b", "\"maybe\"")]));
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(25 * 3600));
        let run = world.run("coinpaprika").await;
        assert_eq!(run.counts.quarantined, 1);
    }
    let b = rows(&world).await.remove(1);
    assert!(b.active && b.last_seen_at.is_none(), "{b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_prices_that_are_refused_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "assets.csv", "id,price\nx,1\ny,1\n");
    let world = World::new(None, vec![("csv", json!({"paths": [path]}))]);
    world.run("csv").await;
    write(folder.path(), "assets.csv", "id,price\nx,1\ny,n/a?\n");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        world.run("csv").await;
    }
    assert!(rows(&world).await[1].active, "y stands in the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_whose_pages_repeat_still_misses_what_only_contracts_named() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", "true")]));
    paprika.say("/v1/contracts", r#"["eth"]"#);
    paprika.say("/v1/contracts/eth", page(&[contract("a", "0xa"), contract("n", "0xn")]));
    let world = paprika.world();
    let engine = world.engine().await;
    let source = [SourceName::new("coinpaprika")];
    let reason = RunReason::Manual;
    engine.run_now(&source, reason, Lists::Due).await.unwrap();
    world.prove().await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    engine.run_now(&source, reason, Lists::Due).await.unwrap();
    world.prove().await;
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        engine.run_now(&source, reason, Lists::All).await.unwrap();
    }
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_retry_the_same_row_disturb_nobody() {
    let mut world = World::new(None, vec![]);
    let path = write(world.folder.path(), "assets.csv", "id,price\na,one\nb,2\n");
    world.sources = vec![("csv", json!({"paths": [path]}))];
    write(world.folder.path(), "assets.csv", "id,price,cost\na,one,1\nb,2,2\nc,three,3\n");
    world.run("csv").await;
    let files = json!([{"path": path, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [path], "files": files}))];
    let rows = numbers(&world).await;
    let engine = world.engine().await;
    let (one, other) = tokio::join!(engine.retry(&rows, "ann", ""), engine.retry(&rows, "bob", ""));
    world.prove().await;
    for run in one.unwrap().into_iter().chain(other.unwrap()) {
        assert_eq!(run.status, RunStatus::Success, "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_asks_for_patience_leaves_the_other_feeds() {
    let limited = TinyUpstream::start(|_| {
        Reply::of("429 Too Many Requests", "text/plain", "no").with_header("Retry-After: 7200")
    });
    let good = TinyUpstream::start(|_| {
        let item = "<item><guid>1</guid><title>Block</title></item>";
        let body = format!(r#"<rss version="2.0"><channel><title>D</title>{item}</channel></rss>"#);
        Reply::of("200 OK", "application/rss+xml", body)
    });
    let urls = [format!("{}/a.xml", limited.url), format!("{}/b.xml", good.url)];
    let world = World::new(None, vec![("feed", json!({"urls": urls}))]);
    let run = world.run("feed").await;
    let news = world.store.news(NewsFilter::default()).await.unwrap();
    assert_eq!(news.len(), 1, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8_a_compressed_text_that_grows_beyond_the_cap_is_refused() {
    let mut text = String::from("id,price\n");
    for n in 0..200_000 {
        text.push_str(&format!("a{n},1\n"));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let upstream = TinyUpstream::start(move |_| {
        Reply::of("200 OK", "application/octet-stream", packed.clone())
    });
    let mut world =
        World::new(None, vec![("csv", json!({"paths": [format!("{}/x.csv.gz", upstream.url)]}))]);
    world.max_body_bytes = 1 << 20;
    assert!(text.len() > 1 << 20);
    let engine = world.engine().await;
    let runs =
        engine.run_now(&[SourceName::new("csv")], RunReason::Manual, Lists::Due).await.unwrap();
    world.prove().await;
    let run = &runs[0];
    assert_eq!(
        run.error.as_ref().map(|error| error.code.as_str()),
        Some("body_too_large"),
        "{run:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn n8_a_compressed_text_of_zeros_is_a_bomb() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(b"id,price\n").unwrap();
    gzip.write_all(&vec![b'0'; 8 << 20]).unwrap();
    let packed = gzip.finish().unwrap();
    let upstream = TinyUpstream::start(move |_| {
        Reply::of("200 OK", "application/octet-stream", packed.clone())
    });
    let mut world =
        World::new(None, vec![("csv", json!({"paths": [format!("{}/x.csv.gz", upstream.url)]}))]);
    world.max_body_bytes = 64 << 20;
    let run = world.run("csv").await;
    let error = run.error.unwrap();
    assert_eq!((run.status, error.code.as_str()), (RunStatus::Failed, "bomb"), "{error:?}");
    assert_eq!(run.pages, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_row_read_again_does_not_bring_a_vanished_listing_back() {
    let mut world = World::new(None, vec![]);
    let text = "id,price,cost,date\na,1,1,2025-12-01\nb,1,1,2025-12-01\nb,x,2,2025-11-01\n";
    let path = write(world.folder.path(), "assets.csv", text);
    world.sources = vec![("csv", json!({"paths": [path]}))];
    world.run("csv").await;
    write(world.folder.path(), "assets.csv", "id,price,cost,date\na,1,1,2025-12-01\n");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(3600));
        world.run("csv").await;
    }
    assert!(!rows(&world).await[1].active);
    let files = json!([{"path": path, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [path], "files": files}))];
    let engine = world.engine().await;
    engine.retry(&numbers(&world).await, "ann", "").await.unwrap();
    world.prove().await;
    assert!(!rows(&world).await[1].active, "three sweeps in a row have missed it");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_an_upstream_makes_the_store_fail() {
    for text in [
        "id,name,symbol,rank,price,date\na\0,n,s,1,1,2025-12-01\nb,n\0,s,1,1,2025-12-01\nc,n,s\0,1,1,\nd,n,s,0,1,\ne,n,s,1,\0,\nf,n,s,1,1,\0\ng\0,n,s,1,x\0,\n",
        "symbol,price\n\0,1\nA,\0\n\"\",1\n,1\n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "assets.csv", text);
        let world = World::new(None, vec![("csv", json!({"paths": [path]}))]);
        let run = world.run("csv").await;
        assert_ne!(run.status, RunStatus::Failed, "{run:?}");
        assert_ne!(run.error.map(|e| e.code), Some("store_failed".to_owned()));
    }
    let bad = r#"[{"id":"a\u0000","price":1},{"id":"b","name":"\u0000","quotes":{"USD":{"price":1}}},{"id":"","x":1},{"id":"c","rank":"\u0000"},{"id":"\ud800"},7,null,"x"]"#;
    let upstream = TinyUpstream::start(move |_| json_answer(bad));
    let run = World::tickers(upstream.url.clone()).run("coinpaprika").await;
    assert_ne!(run.error.map(|e| e.code), Some("store_failed".to_owned()));
    let items = "<item><guid>&#0;</guid><title>a&#0;b</title></item><item><guid>\0</guid><title>\0</title><link>\0</link><author>\0</author></item><item/><item><guid/><title/></item><item><title>&#x0;</title><pubDate>\0</pubDate></item>";
    let body = format!(r#"<rss version="2.0"><channel><title>D</title>{items}</channel></rss>"#);
    let json_feed = r#"{"version":"https://jsonfeed.org/version/1.1","title":"t\u0000","items":[{"id":"\u0000"},{"id":"x\u0000","title":"\u0000","date_published":"\u0000"},{"id":1},{},7]}"#;
    for (kind, body) in [("application/rss+xml", body.as_str()), ("application/json", json_feed)] {
        let body = body.to_owned();
        let upstream = TinyUpstream::start(move |_| Reply::of("200 OK", kind, body.clone()));
        let world =
            World::new(None, vec![("feed", json!({"urls": [format!("{}/r", upstream.url)]}))]);
        let run = world.run("feed").await;
        assert_ne!(run.error.map(|e| e.code), Some("store_failed".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asked_for_while_rows_are_read_again_still_fetches() {
    let at = "2025-12-31T23:00:00Z";
    let bad = page(&(0..4_000).map(|n| ticker(&format!("c{n}"), 1, "-1", at)).collect::<Vec<_>>());
    let upstream = TinyUpstream::start(move |_| json_answer(&bad));
    let mut world = World::tickers(upstream.url.clone());
    world.max_body_bytes = 32 << 20;
    world.run("coinpaprika").await;
    let rows = numbers(&world).await;
    let engine = world.engine().await;
    upstream.answer(|_| json_answer(&page(&[ticker("a", 1, "1", AT)])));
    let retrying = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.retry(&rows, "ann", "").await })
    };
    let filter = kasparro_store::RunFilter {
        sources: Vec::new(),
        status: Some(RunStatus::Running),
        limit: 10,
        offset: 0,
    };
    while world.store.runs(filter.clone()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let source = [SourceName::new("coinpaprika")];
    let runs = engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap();
    retrying.await.unwrap().unwrap();
    world.prove().await;
    assert_eq!((runs[0].reason, runs[0].counts.inserted), (RunReason::Manual, 1), "{:?}", runs[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_surveyed_again_leaves_the_rows_of_the_others() {
    let mut world = World::new(None, vec![]);
    let one = write(world.folder.path(), "a.csv", "id,price\na,one\nx,1\n");
    let two = write(world.folder.path(), "b.csv", "id,price,cost\nb,two,2\ny,1,1\n");
    world.sources = vec![("csv", json!({"paths": [one, two]}))];
    world.run("csv").await;
    let rows = numbers(&world).await;
    let pattern = world.folder.path().join("*.csv").display().to_string();
    let files = json!([{"path": pattern, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [one, two], "files": files}))];
    let engine = world.engine().await;
    let runs = engine.retry(&rows, "ann", "").await.unwrap();
    world.prove().await;
    assert_eq!(runs[0].counts.inserted, 1, "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_refused_at_recovery_ends_no_complete_sweep_behind_it() {
    // Two files of one run; the first cannot be read again after a crash.
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "a.csv", "id,price\na,1\n");
    let two = write(folder.path(), "b.csv", "id,price\nb,1\n");
    let world = World::new(None, vec![("csv", json!({"paths": [one, two]}))]);
    world.run("csv").await;
    let pages = world.store.pages_after(kasparro_domain::PageId(0), 10).await.unwrap();
    let source = SourceName::new("csv");
    for n in 0..3 {
        let epoch = world.store.leases().await.unwrap()[0].epoch;
        let run_id = kasparro_domain::RunId(uuid::Uuid::now_v7());
        let now = world.clock_now();
        world.store.queue_run(run_id, &source, RunReason::Manual, now).await.unwrap();
        let options = world.sources[0].1.clone();
        let started = kasparro_store::RunUpdate::Started { at: now, options };
        world.store.update_run(run_id, epoch, started).await.unwrap();
        for (at, record) in pages.iter().enumerate() {
            let page = &record.page;
            let mut body = Vec::new();
            while let Some(chunk) =
                world.store.body_chunk(page.body, u32::try_from(body.len()).unwrap()).await.unwrap()
            {
                body.push(chunk);
            }
            let mut context = page.context.clone();
            if at == 0 {
                context["survey"] = json!({"broken": n});
            }
            let new = kasparro_store::NewPage {
                source: source.clone(),
                epoch,
                run_id,
                sequence: at as u64,
                request: page.request.clone(),
                context,
                http_status: None,
                headers: json!({}),
                fetched_at: now,
            };
            let frame = Box::new(std::io::Cursor::new(body.concat()));
            let body = kasparro_store::CompressedBody {
                hash: page.body,
                body_bytes: page.body_bytes,
                frame,
            };
            world.store.land(new, body).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(60));
        world.engine().await;
    }
    world.prove().await;
    let rows = rows(&world).await;
    assert!(rows.iter().all(|row| row.active), "{rows:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_of_two_days_with_equal_bytes_is_read_again_for_both_days() {
    let mut world = World::new(None, vec![]);
    let text = "id,price,cost\na,one,1\nx,1,1\n";
    let one = write(world.folder.path(), "p_2025-01-01.csv", text);
    let two = write(world.folder.path(), "p_2025-01-02.csv", text);
    world.sources = vec![("csv", json!({"paths": [one, two]}))];
    let run = world.run("csv").await;
    assert_eq!(run.counts.quarantined, 2);
    let pattern = world.folder.path().join("*.csv").display().to_string();
    let files = json!([{"path": pattern, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [one, two], "files": files}))];
    let engine = world.engine().await;
    engine.retry(&numbers(&world).await, "ann", "").await.unwrap();
    world.prove().await;
    let points = world.kept().await;
    let of_a = points.iter().filter(|row| row.starts_with("history [\"csv\",\"a\"")).count();
    assert_eq!(of_a, 2, "a has a price on both days");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_two_patterns_name_is_one_text_when_it_is_read_again() {
    let mut world = World::new(None, vec![]);
    let one = write(world.folder.path(), "a.csv", "symbol,price,cost\nAAA,one,1\nBBB,1,1\n");
    let pattern = world.folder.path().join("*.csv").display().to_string();
    world.sources = vec![("csv", json!({"paths": [one, pattern]}))];
    world.run("csv").await;
    let files = json!([{"path": pattern, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [one, pattern], "files": files}))];
    let engine = world.engine().await;
    let runs = engine.retry(&numbers(&world).await, "ann", "").await.unwrap();
    world.prove().await;
    assert_eq!(runs[0].counts.inserted, 1, "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_without_items_is_judged_alike_wherever_it_stands() {
    let upstream = TinyUpstream::start(|path| {
        let items =
            if path.contains("empty") { "" } else { "<item><guid>1</guid><title>B</title></item>" };
        let body =
            format!(r#"<rss version="2.0"><channel><title>D</title>{items}</channel></rss>"#);
        Reply::of("200 OK", "application/rss+xml", body)
    });
    let (full, empty) = (format!("{}/full", upstream.url), format!("{}/empty", upstream.url));
    let last = World::new(None, vec![("feed", json!({"urls": [full, empty]}))]).run("feed").await;
    let first = World::new(None, vec![("feed", json!({"urls": [empty, full]}))]).run("feed").await;
    assert_eq!(first.status, last.status, "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_rows_cannot_be_told_apart_any_more_misses_nobody() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT), ticker("b", 2, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", "true"), coin("b", "true")]));
    paprika.say("/v1/contracts", "[]");
    let world = paprika.world();
    world.run("coinpaprika").await;
    let renamed = r#"[{"uid":"a"},{"uid":"b"},{"uid":"c"}]"#;
    paprika.say("/v1/tickers", renamed);
    paprika.say("/v1/coins", renamed);
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(25 * 3600));
        let run = world.run("coinpaprika").await;
        assert_eq!(run.status, RunStatus::Partial, "{run:?}");
    }
    assert!(rows(&world).await.iter().all(|row| row.active));
}
