//! Stories about raw pages.

use kasparro_domain::{PageId, PageState, RunError};
use xxhash_rust::xxh3::xxh3_64;

use super::fixture::{
    NEW, Subject, at, body, frame, gecko, hold, page_now, paprika, row, run_id, table,
};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{CHUNK_BYTES, CompressedBody, PageRecord, StoreError};

pub(super) async fn landing_keeps_every_byte(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    // Bytes that cannot be made shorter, so that the frame takes more than two chunks.
    let pieces = (0..CHUNK_BYTES as u64 / 4).map(|place| xxh3_64(&place.to_le_bytes()));
    let mut bytes: Vec<u8> = pieces.flat_map(u64::to_le_bytes).collect();
    bytes.extend([7; 17]);
    let page = held.land(&store, 0, &bytes).await?;
    expect_eq("state", page.state, PageState::Landed)?;
    expect_eq("rows done", page.rows_done, 0)?;
    expect_eq("body length", page.body_bytes, bytes.len() as u64)?;
    expect_eq("request", &page.request, &held.new_page(0).request)?;
    expect_eq("context", &page.context, &held.new_page(0).context)?;
    expect_eq("headers", &page.headers, &held.new_page(0).headers)?;
    expect_eq("page by its number", store.page(page.page_id).await?, Some(page.clone()))?;
    let (mut read, mut chunks) = (Vec::new(), 0);
    for index in 0.. {
        let Some(chunk) = store.body_chunk(page.body, index).await? else {
            break;
        };
        ensure(chunk.len() <= CHUNK_BYTES, "chunks have their length")?;
        read.extend(chunk);
        chunks += 1;
    }
    expect_eq("chunks", chunks, 3)?;
    ensure(read == frame(&bytes), "the chunks together are the frame")?;
    expect_eq("pages of the run", store.run(held.run_id).await?.map(|run| run.pages), Some(1))
}

pub(super) async fn an_equal_body_is_kept_once(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let other = hold(&store, gecko(), 2).await?;
    let first = held.land(&store, 0, b"the same").await?;
    // The second frame would be other bytes, so a store that reads it would show.
    let again = CompressedBody { frame: Box::new(&b"not read"[..]), ..body(b"the same") };
    let second = store.land(other.new_page(0), again).await?;
    ensure(first.page_id < second.page_id, "pages are numbered in landing order")?;
    expect_eq("body", first.body, second.body)?;
    expect_eq("bytes", store.body_chunk(second.body, 0).await?, Some(frame(b"the same")))?;
    expect_eq("bodies", table(&store, "body").await?.len(), 1)
}

pub(super) async fn an_empty_body_can_be_landed(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"").await?;
    expect_eq("length", page.body_bytes, 0)?;
    expect_eq("frame", store.body_chunk(page.body, 0).await?, Some(frame(b"")))?;
    expect_eq("past its end", store.body_chunk(page.body, 1).await?, None)?;
    expect_eq("unknown body", store.body_chunk(body(b"?").hash, 0).await?, None)
}

pub(super) async fn landed_pages_are_listed_until_they_are_loaded(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let first = held.land(&store, 0, b"one").await?;
    let second = held.land(&store, 1, b"two").await?;
    let pages = vec![first.clone(), second.clone()];
    expect_eq("landed", store.landed_pages(&paprika()).await?, pages)?;
    expect_eq("of another source", store.landed_pages(&gecko()).await?, Vec::new())?;

    let mut batch = held.batch(&first, 0, vec![row(0, NEW, "btc", at(1), "1")]);
    store.commit(batch.clone()).await?;
    let half = page_now(&store, &first).await?;
    expect_eq("rows done", half.rows_done, 1)?;
    expect_eq("landed", store.landed_pages(&paprika()).await?, vec![half, second.clone()])?;

    batch.rows = vec![row(1, NEW, "eth", at(1), "1")];
    batch.sequence = 1;
    batch.rows_done = 2;
    batch.page_done = true;
    store.commit(batch).await?;
    let done = page_now(&store, &first).await?;
    expect_eq("done", (done.state, done.rows_done), (PageState::Loaded, 2))?;
    expect_eq("landed", store.landed_pages(&paprika()).await?, vec![second])
}

pub(super) async fn a_refused_page_keeps_its_reason_and_does_not_come_back(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"<html>").await?;
    let error = RunError {
        code: "not_json".to_owned(),
        message: "the answer is HTML".to_owned(),
        hint: "look at the page".to_owned(),
    };
    store.refuse(page.page_id, held.epoch, error.clone(), None).await?;
    expect_eq("landed", store.landed_pages(&paprika()).await?, Vec::new())?;
    expect_eq("state", page_now(&store, &page).await?.state, PageState::Refused)?;
    let kept = table(&store, "page").await?;
    ensure(kept.iter().any(|row| row.contains("the answer is HTML")), "the reason is kept")?;
    let known = store.last_loaded(&paprika(), &page.request).await?;
    expect_eq("last loaded", known, None)?;
    expect_conflict("refused twice", store.refuse(page.page_id, held.epoch, error, None).await)?;
    let batch = held.batch(&page, 0, vec![row(0, NEW, "btc", at(1), "1")]);
    expect_conflict("rows of a refused page", store.commit(batch).await)
}

pub(super) async fn the_last_loaded_page_of_a_request_is_found(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let request = held.new_page(0).request;
    expect_eq("of nothing", store.last_loaded(&paprika(), &request).await?, None)?;
    for (sequence, bytes) in [&b"one"[..], b"two"].into_iter().enumerate() {
        let page = held.land(&store, 0, bytes).await?;
        let mut batch = held.batch(&page, sequence as u64, Vec::new());
        batch.page_done = true;
        store.commit(batch).await?;
    }
    let unfinished = held.land(&store, 0, b"three").await?;
    let other = held.land(&store, 1, b"four").await?;
    let mut batch = held.batch(&other, 2, Vec::new());
    batch.page_done = true;
    store.commit(batch).await?;
    let found = store.last_loaded(&paprika(), &request).await?.map(|page| page.body);
    expect_eq("newest of the request", found, Some(body(b"two").hash))?;
    ensure(Some(unfinished.body) != found, "an unfinished page is not loaded")?;
    expect_eq("of another source", store.last_loaded(&gecko(), &request).await?, None)
}

pub(super) async fn a_body_that_cannot_be_read_leaves_nothing(store: Subject) -> Told {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk went away"))
        }
    }
    let held = hold(&store, paprika(), 1).await?;
    let before = store.dump().await?;
    let broken = CompressedBody { frame: Box::new(Failing), ..body(b"lost") };
    let outcome = store.land(held.new_page(0), broken).await;
    ensure(matches!(outcome, Err(StoreError::Unavailable(_))), "the error reaches the caller")?;
    expect_eq("tables", store.dump().await?, before)?;
    held.land(&store, 0, b"lost").await?;
    Ok(())
}

pub(super) async fn a_page_of_an_unknown_run_is_refused(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let mut stranger = held.new_page(0);
    stranger.run_id = run_id(99);
    expect_conflict("unknown run", store.land(stranger, body(b"x")).await)?;
    let mut stranger = held.new_page(0);
    (stranger.source, stranger.epoch) = (gecko(), 0);
    expect_conflict("run of another source", store.land(stranger, body(b"x")).await)?;
    expect_eq("bodies", table(&store, "body").await?.len(), 0)
}

pub(super) async fn pages_are_read_behind_a_number(store: Subject) -> Told {
    expect_eq("of nothing", store.pages_after(PageId(0), 9).await?, Vec::new())?;
    let held = hold(&store, paprika(), 1).await?;
    let other = hold(&store, gecko(), 2).await?;
    let error = RunError { code: "not_json".into(), message: "HTML".into(), hint: "look".into() };
    let landed = held.land(&store, 0, b"one").await?;
    let refused = other.land(&store, 0, b"two").await?;
    store.refuse(refused.page_id, held.epoch, error.clone(), None).await?;
    let loaded = held.land(&store, 1, b"three").await?;
    let mut batch = held.batch(&loaded, 0, vec![row(0, NEW, "btc", at(1), "1")]);
    batch.page_done = true;
    store.commit(batch).await?;
    let record = async |page, error| -> Result<PageRecord, Broken> {
        Ok(PageRecord { page: page_now(&store, page).await?, error })
    };
    let all = vec![
        record(&landed, None).await?,
        record(&refused, Some(error)).await?,
        record(&loaded, None).await?,
    ];
    expect_eq("all", store.pages_after(PageId(0), 9).await?, all.clone())?;
    expect_eq("the first", store.pages_after(PageId(0), 1).await?, all[..1].to_vec())?;
    let behind = store.pages_after(landed.page_id, 9).await?;
    expect_eq("behind the first", behind, all[1..].to_vec())?;
    expect_eq("at the end", store.pages_after(loaded.page_id, 9).await?, Vec::new())?;
    expect_eq("none", store.pages_after(PageId(0), 0).await?, Vec::new())
}
