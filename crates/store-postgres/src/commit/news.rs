//! The news of a batch.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use kasparro_store::NewsRow;

use super::applied::Applied;
use super::known::KnownNews;
use crate::error::{Queried, refused};
use crate::queries::{Instant, execute, int};

/// Applies the news of a batch: of several rows about an item the last is written.
pub(super) fn apply(applied: &mut Applied<'_>, known: KnownNews) -> Queried<()> {
    let batch = applied.batch;
    // Where an item of the batch stands among those to write, and whether it is new.
    let mut places: HashMap<(&str, &str), (bool, usize)> = HashMap::new();
    for row in &batch.news {
        let item_id = &row.item.item_id;
        let key = (row.feed.as_str(), item_id.as_str());
        let stored = known.contains(&(row.feed.clone(), item_id.clone()));
        let before = places.get(&key).copied();
        match (before.is_some() || stored, row.known) {
            (true, true) => applied.counts.updated += 1,
            (false, false) => applied.counts.inserted += 1,
            (true, false) => return refused(format!("{} has item {item_id} already", row.feed)),
            (false, true) => return refused(format!("{} has no item {item_id}", row.feed)),
        }
        let new = before.map_or(!stored, |(new, _)| new);
        let rows = if new { &mut applied.new_news } else { &mut applied.known_news };
        match before.and_then(|(_, place)| rows.get_mut(place)) {
            Some(earlier) => *earlier = row,
            None => {
                places.insert(key, (new, rows.len()));
                rows.push(row);
            }
        }
    }
    Ok(())
}

/// In the order of the batch, which numbers them.
const INSERT: &str = "INSERT INTO news (source_id, feed, item_id, title, link, summary, author,
        published_at, content_hash, ordinal, page_id, first_seen_at, fetched_at)
    SELECT $1, feed, item_id, title, link, summary, author, published_at, content_hash, ordinal,
           $11, $12, $12
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::timestamptz[], $9::bigint[], $10::bigint[]) WITH ORDINALITY
         AS told (feed, item_id, title, link, summary, author, published_at, content_hash, ordinal,
                  place)
    ORDER BY place";

const UPDATE: &str = "UPDATE news SET title = told.title, link = told.link,
        summary = told.summary, author = told.author, published_at = told.published_at,
        content_hash = told.content_hash, ordinal = told.ordinal, page_id = $11, fetched_at = $12
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::timestamptz[], $9::bigint[], $10::bigint[])
         AS told (feed, item_id, title, link, summary, author, published_at, content_hash, ordinal)
    WHERE news.source_id = $1 AND news.feed = told.feed AND news.item_id = told.item_id";

/// Writes the news.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    tokio::try_join!(
        biased;
        write_rows(transaction, source, applied, INSERT, &applied.new_news),
        write_rows(transaction, source, applied, UPDATE, &applied.known_news)
    )?;
    Ok(())
}

async fn write_rows(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
    sql: &str,
    rows: &[&NewsRow],
) -> Queried<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let items = || rows.iter().map(|row| &row.item);
    let feeds: Vec<&str> = rows.iter().map(|row| row.feed.as_str()).collect();
    let ids: Vec<&str> = items().map(|item| item.item_id.as_str()).collect();
    let titles: Vec<&str> = items().map(|item| item.title.as_str()).collect();
    let links: Vec<Option<&str>> = items().map(|item| item.link.as_deref()).collect();
    let summaries: Vec<Option<&str>> = items().map(|item| item.summary.as_deref()).collect();
    let authors: Vec<Option<&str>> = items().map(|item| item.author.as_deref()).collect();
    let published: Vec<Option<Instant>> =
        items().map(|item| item.published_at.map(Instant)).collect();
    let hashes: Vec<i64> = rows.iter().map(|row| row.content_hash.cast_signed()).collect();
    let ordinals = rows.iter().map(|row| int(row.ordinal)).collect::<Queried<Vec<i64>>>()?;
    let batch = applied.batch;
    let written = execute(
        transaction,
        sql,
        &[
            &source,
            &feeds,
            &ids,
            &titles,
            &links,
            &summaries,
            &authors,
            &published,
            &hashes,
            &ordinals,
            &batch.page_id.0,
            &Instant(batch.fetched_at),
        ],
    )
    .await?;
    if written == rows.len() as u64 {
        return Ok(());
    }
    refused(format!("{written} of {} items of {} were written", rows.len(), batch.source))
}
