//! Stories about the digest of a store.

use kasparro_domain::CommandKind;

use super::fixture::{NEW, Subject, at, body, correction, gecko, hold, paprika, row, start};
use super::{Broken, Told, ensure, expect_eq};
use crate::NewPage;

async fn digest(store: &Subject) -> Result<String, Broken> {
    Ok(store.verify().await?.digest)
}

pub(super) async fn the_digest_is_of_what_is_known_and_not_of_how_it_came(store: Subject) -> Told {
    let empty = digest(&store).await?;
    let begun = start(&store).await?;
    let before = store.verify().await?;
    ensure(before.digest != empty, "rows change the digest")?;
    expect_eq("generation", before.generation, begun.committed.generation.0)?;
    let rows = |table| before.tables.get(table).map(|audit| audit.rows);
    expect_eq("rows", (rows("listing"), rows("history")), (Some(3), Some(3)))?;

    // The same bytes of the same request at a later time, by another run and another holder.
    let run = begun.held.run_id;
    let command = CommandKind::Run { source: paprika(), run_id: run, lists: false };
    store.submit(command, at(1)).await?;
    super::fixture::end(&store, &begun.held).await?;
    hold(&store, gecko(), 2).await?;
    let later = hold(&store, paprika(), 3).await?;
    let page = NewPage { fetched_at: at(50), sequence: 7, ..later.new_page(0) };
    let page = store.land(page, body(b"first page")).await?;
    let mut same = later.batch(&page, 1, Vec::new());
    same.unchanged = 3;
    same.rows_done = 3;
    same.page_done = true;
    store.commit(same).await?;
    let after = store.verify().await?;
    expect_eq("digest", &after.digest, &before.digest)?;
    expect_eq("tables", after.tables, before.tables)?;
    expect_eq("generation", after.generation, before.generation + 1)
}

pub(super) async fn the_digest_changes_with_one_digit(store: Subject) -> Told {
    let begun = start(&store).await?;
    let before = store.verify().await?;
    let change = row(3, correction(begun.ids[0]), "btc", at(10), "100.51");
    store.commit(begun.held.batch(&begun.page, 1, vec![change])).await?;
    let after = store.verify().await?;
    ensure(after.digest != before.digest, "one digit more changes the digest")?;
    let changed: Vec<&str> = (before.tables.iter().zip(after.tables.values()))
        .filter(|((_, before), after)| before != after)
        .map(|((name, _), _)| *name)
        .collect();
    expect_eq("tables that changed", changed, vec!["history", "quote"])?;
    let again = store.verify().await?;
    expect_eq("read twice", again, after)?;
    let batch = begun.held.next(&store, &begun.page, 2).await?;
    let rows = vec![row(4, NEW, "doge", at(10), "1")];
    store.commit(crate::Batch { rows_done: batch.rows_done + 1, rows, ..batch }).await?;
    ensure(digest(&store).await? != before.digest, "a listing more changes the digest")
}
