//! Stories about news.

use kasparro_domain::{NewsItem, RunCounts, SourceName};

use super::fixture::{Held, Subject, at, changes, gecko, hold, paprika, start};
use super::stated::{FEED, item};
use super::{Broken, Told, expect_conflict, expect_eq};
use crate::{Batch, KnownNews, NewsFilter, NewsRow, StoredNews, news_hash};

/// Ids of the news that fits.
async fn ids(store: &Subject, filter: NewsFilter) -> Result<Vec<String>, Broken> {
    let news = store.news(filter).await?;
    Ok(news.iter().map(|news| news.item.item_id.to_string()).collect())
}

pub(super) async fn news_is_kept_once_with_its_present_text(store: Subject) -> Told {
    let begun = start(&store).await?;
    let held = &begun.held;
    let since = begun.committed.generation;
    let mut elsewhere = item(1, "1", "the same id elsewhere", None);
    elsewhere.feed = "other.example.com/rss".into();
    let first = item(0, "1", "a headline", Some(at(-9)));
    let counts = held.tell(&store, 1, 3, vec![first, elsewhere]).await?.counts;
    let inserted = RunCounts { received: 2, inserted: 2, ..RunCounts::default() };
    expect_eq("counts", counts, inserted)?;

    let mut later = item(0, "1", "a corrected headline", None);
    later.known = true;
    later.item.link = Some("https://news.example.com/1".to_owned());
    later.item.summary = Some("What happened.".to_owned());
    later.item.author = Some("A. Writer".to_owned());
    let counts = held.tell(&store, 2, 5, vec![later.clone()]).await?.counts;
    let updated = RunCounts { received: 1, updated: 1, ..RunCounts::default() };
    expect_eq("counts", counts, updated)?;
    let of_feed = NewsFilter { feed: Some(FEED.to_owned()), ..NewsFilter::default() };
    let kept = store.news(of_feed).await?;
    let expected = StoredNews {
        news_id: kept.first().map_or(0, |news| news.news_id),
        source: paprika(),
        feed: FEED.into(),
        item: NewsItem { item_id: "1".into(), ..later.item.clone() },
        first_seen_at: at(3),
        fetched_at: at(5),
    };
    expect_eq("kept", kept, vec![expected])?;
    let memory = store.memory(&paprika()).await?.news;
    let content_hash = news_hash(&later.item);
    let known = KnownNews { feed: FEED.into(), item_id: "1".into(), content_hash };
    expect_eq("known", (memory.len(), memory.contains(&known)), (2, true))?;
    expect_eq("of another source", store.memory(&gecko()).await?.news, Vec::new())?;
    expect_eq("listings", changes(&store, since).await?.1, Vec::new())?;

    let before = store.dump().await?;
    let mut batch = held.next(&store, &begun.page, 3).await?;
    batch.rows_done += 1;
    batch.news = vec![NewsRow { known: false, ..later.clone() }];
    expect_conflict("news that is known", store.commit(batch.clone()).await)?;
    batch.news = vec![NewsRow { feed: "unknown.example.com".into(), ..later.clone() }];
    expect_conflict("news that is not", store.commit(batch.clone()).await)?;
    let mut spoiled = later;
    spoiled.item.title = "a\0b".to_owned();
    batch.news = vec![spoiled];
    expect_conflict("a text that no store may hold", store.commit(batch).await)?;
    expect_eq("tables", store.dump().await?, before)
}

pub(super) async fn a_batch_with_news_is_applied_once(store: Subject) -> Told {
    let begun = start(&store).await?;
    let page = begun.held.land(&store, 1, b"news and rows").await?;
    let rows = vec![super::fixture::row(0, super::fixture::NEW, "doge", at(10), "1")];
    let mut batch = begun.held.batch(&page, 1, rows);
    batch.news = vec![item(1, "1", "a headline", None), item(2, "2", "another", None)];
    batch.rows_done = 3;
    let first = store.commit(batch.clone()).await?;
    expect_eq("inserted", (first.counts.inserted, first.new_listings.len()), (3, 1))?;
    let tables = store.dump().await?;
    expect_eq("the answer", store.commit(batch).await?, first)?;
    expect_eq("tables", store.dump().await?, tables)
}

/// News of two sources and three feeds: 1 to 6 in the order of arrival.
async fn told(store: &Subject) -> Result<Held, Broken> {
    let begun = start(store).await?;
    let mut rows = vec![
        item(0, "one", "Bitcoin falls 100%", Some(at(20))),
        item(1, "two", "ETHER_X is new", Some(at(40))),
        item(2, "three", "nothing", None),
        item(3, "four", "more of nothing", Some(at(20))),
    ];
    rows[2].item.summary = Some("only the summary names bitcoin".to_owned());
    rows[3].item.author = Some("bitcoin author".to_owned());
    begun.held.tell(store, 1, 30, rows).await?;
    let mut elsewhere = item(0, "five", "1000 coins", Some(at(10)));
    elsewhere.feed = "other.example.com/rss".into();
    begun.held.tell(store, 2, 30, vec![elsewhere]).await?;
    let other = hold(store, gecko(), 2).await?;
    other.tell(store, 0, 30, vec![item(0, "six", "Zürich and ZÜRICH", Some(at(5)))]).await?;
    Ok(other)
}

pub(super) async fn news_comes_newest_first_in_pages(store: Subject) -> Told {
    told(&store).await?;
    let all = NewsFilter::default();
    let order = ["two", "three", "four", "one", "five", "six"].map(str::to_owned);
    expect_eq("all", ids(&store, all.clone()).await?, order.to_vec())?;
    let page = NewsFilter { limit: Some(2), offset: 1, ..all.clone() };
    expect_eq("a page", ids(&store, page.clone()).await?, own(&["three", "four"]))?;
    expect_eq("count", store.count_news(page).await?, 6)?;
    let rest = NewsFilter { offset: 5, ..all.clone() };
    expect_eq("the rest", ids(&store, rest).await?, own(&["six"]))?;
    let none = NewsFilter { limit: Some(0), ..all };
    expect_eq("none", ids(&store, none).await?, own(&[]))
}

pub(super) async fn news_is_found_by_what_a_filter_says(store: Subject) -> Told {
    told(&store).await?;
    let all = NewsFilter::default();
    let search = |text: &str| NewsFilter { search: Some(text.to_owned()), ..all.clone() };
    let of = |name| NewsFilter { sources: vec![name], ..all.clone() };
    let two = |sources: [SourceName; 2]| NewsFilter { sources: sources.to_vec(), ..all.clone() };
    let feed = |feed: &str| NewsFilter { feed: Some(feed.to_owned()), ..all.clone() };
    let asked = [
        ("title and summary", search("BITCOIN"), vec!["three", "one"]),
        ("a percent sign", search("100%"), vec!["one"]),
        ("an underscore", search("r_x"), vec!["two"]),
        ("wildcards alone", search("%_"), vec![]),
        ("a backslash", search("\\"), vec![]),
        ("only ASCII case", search("ZüRICH"), vec!["six"]),
        ("a capital umlaut", search("Ürich and"), vec![]),
        ("a quotation mark", search("'"), vec![]),
        ("a source", of(gecko()), vec!["six"]),
        (
            "two sources",
            two([gecko(), paprika()]),
            vec!["two", "three", "four", "one", "five", "six"],
        ),
        ("one of two", two([SourceName::new("csv"), gecko()]), vec!["six"]),
        ("two never seen", two(["csv", "feed"].map(SourceName::new)), vec![]),
        ("a feed", feed("other.example.com/rss"), vec!["five"]),
        ("part of a feed", feed("other.example.com"), vec![]),
        ("from", NewsFilter { from: Some(at(30)), ..all.clone() }, vec!["two", "three"]),
        ("until", NewsFilter { until: Some(at(20)), ..all.clone() }, vec!["five", "six"]),
        (
            "all of it",
            NewsFilter {
                sources: vec![paprika()],
                feed: Some(FEED.to_owned()),
                from: Some(at(20)),
                until: Some(at(40)),
                ..search("nothing")
            },
            vec!["three", "four"],
        ),
    ];
    for (what, filter, expected) in asked {
        expect_eq(what, ids(&store, filter.clone()).await?, own(&expected))?;
        let counted = store.count_news(NewsFilter { limit: Some(1), ..filter }).await?;
        expect_eq(&format!("count of {what}"), counted, expected.len() as u64)?;
    }
    Ok(())
}

fn own(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

pub(super) async fn news_keeps_a_page_from_being_settled(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    held.tell(&store, 0, 1, vec![item(0, "1", "a headline", None)]).await?;
    super::fixture::end(&store, &held).await?;
    let pages = store.loaded_pages(held.run_id).await?;
    let [page] = pages.as_slice() else {
        return Err(Broken(format!("loaded pages: {pages:?}")));
    };
    let counts = RunCounts { received: 1, inserted: 1, ..RunCounts::default() };
    expect_eq("settled", store.settled(page.page_id).await?, Some(counts))?;
    let later = hold(&store, paprika(), 2).await?;
    let mut same = later.next(&store, page, 1).await?;
    same.unchanged = 1;
    store.commit(Batch { page_id: later.land(&store, 0, b"again").await?.page_id, ..same }).await?;
    expect_eq("still", store.settled(page.page_id).await?, Some(counts))?;
    later.tell(&store, 2, 2, vec![item(0, "2", "a headline", None)]).await?;
    expect_eq("once a later run wrote", store.settled(page.page_id).await?, None)
}
