//! News: what a batch brings, and what readers ask for.

use compact_str::CompactString;
use kasparro_domain::{NewsItem, Timestamp};
use kasparro_store::{KnownNews, NewsFilter, StoredNews};
use rusqlite::{Connection, Row, params};

use super::applied::Applied;
use super::asked_sources::AskedSources;
use super::{Sources, each, first, instant, int, maybe_instant, text, uint};
use crate::error::{Queried, refused};

const INSERT: &str = "INSERT INTO news (source_id, feed, item_id, title, link, summary, author,
        published_at, content_hash, page_id, ordinal, first_seen_at, fetched_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)
    ON CONFLICT (source_id, feed, item_id) DO NOTHING";

const UPDATE: &str = "UPDATE news SET title = ?4, link = ?5, summary = ?6, author = ?7,
        published_at = ?8, content_hash = ?9, page_id = ?10, ordinal = ?11, fetched_at = ?12
    WHERE source_id = ?1 AND feed = ?2 AND item_id = ?3";

/// Writes the news of one batch.
pub(super) fn write(applied: &mut Applied<'_>) -> Queried<()> {
    for row in &applied.batch.news {
        let NewsItem { item_id, title, link, summary, author, published_at } = &row.item;
        let sql = if row.known { UPDATE } else { INSERT };
        let written = applied.connection.prepare_cached(sql)?.execute(params![
            applied.source,
            row.feed.as_str(),
            item_id.as_str(),
            title,
            link,
            summary,
            author,
            published_at.map(Timestamp::as_millis),
            row.content_hash.cast_signed(),
            applied.batch.page_id.0,
            int(row.ordinal)?,
            applied.batch.fetched_at.as_millis()
        ])?;
        match (row.known, written) {
            (false, 1) => applied.counts.inserted += 1,
            (true, 1) => applied.counts.updated += 1,
            (false, _) => return refused(format!("{} has item {item_id} already", row.feed)),
            (true, _) => return refused(format!("{} has no item {item_id}", row.feed)),
        }
    }
    Ok(())
}

/// Every piece of news of a source.
pub(super) fn known(connection: &Connection, source: i64) -> Queried<Vec<KnownNews>> {
    let sql = "SELECT feed, item_id, content_hash FROM news WHERE source_id = ?1
               ORDER BY feed, item_id";
    each(connection, sql, [source], |row| {
        Ok(KnownNews {
            feed: CompactString::from(text(row, 0)?),
            item_id: CompactString::from(text(row, 1)?),
            content_hash: row.get::<_, i64>(2)?.cast_unsigned(),
        })
    })
}

/// The columns of a piece of news, and where they stand for [`read_news`].
macro_rules! select_news {
    ($rest:expr) => {
        concat!(
            "SELECT news_id, source_id, feed, item_id, title, link, summary, author, \
             published_at, first_seen_at, fetched_at, content_hash FROM news ",
            $rest
        )
    };
}

/// News of a source by feed and item.
pub(super) const OF_SOURCE: &str = select_news!("WHERE source_id = ?1 ORDER BY feed, item_id");

pub(super) fn read_news(row: &Row<'_>, sources: &Sources) -> Queried<StoredNews> {
    Ok(StoredNews {
        news_id: row.get(0)?,
        source: sources.name(row.get(1)?)?.clone(),
        feed: CompactString::from(text(row, 2)?),
        item: NewsItem {
            item_id: CompactString::from(text(row, 3)?),
            title: row.get(4)?,
            link: row.get(5)?,
            summary: row.get(6)?,
            author: row.get(7)?,
            published_at: maybe_instant(row, 8)?,
        },
        first_seen_at: instant(row, 9)?,
        fetched_at: instant(row, 10)?,
    })
}

/// The hash of what a piece of news says.
pub(super) fn read_content_hash(row: &Row<'_>) -> Queried<u64> {
    Ok(row.get::<_, i64>(11)?.cast_unsigned())
}

/// What a filter asks for; its parameters are 1 to 5. The plus keeps SQLite from sorting everything of several
/// sources instead of reading on in order.
macro_rules! that_fit {
    (several, $rest:literal) => {
        that_fit!("+source_id IN (SELECT value FROM json_each(?3))", $rest)
    };
    (one_or_any, $rest:literal) => {
        that_fit!("(?3 IS NULL OR source_id = ?3)", $rest)
    };
    ($of_sources:literal, $rest:literal) => {
        concat!(
            "WHERE newest_at >= ?1 AND newest_at < ?2 AND ",
            $of_sources,
            " AND (?4 IS NULL OR feed = ?4) \
             AND (?5 IS NULL OR instr(lower(title), ?5) > 0 OR instr(lower(summary), ?5) > 0) ",
            $rest
        )
    };
}

/// Reads with a filter; nothing where its sources were never written.
fn fitting<T>(
    connection: &Connection,
    filter: &NewsFilter,
    read: impl FnOnce(i64, i64, AskedSources, Option<&str>, Option<String>) -> Queried<T>,
) -> Queried<Option<T>> {
    let Some(sources) = AskedSources::find(connection, &filter.sources)? else {
        return Ok(None);
    };
    let from = filter.from.map_or(i64::MIN, Timestamp::as_millis);
    let until = filter.until.map_or(i64::MAX, Timestamp::as_millis);
    // As SQLite's lower(): letters of ASCII only.
    let search = filter.search.as_ref().map(|text| text.to_ascii_lowercase());
    read(from, until, sources, filter.feed.as_deref(), search).map(Some)
}

macro_rules! list {
    ($sources:ident) => {
        select_news!(that_fit!(
            $sources,
            "ORDER BY newest_at DESC, news_id DESC LIMIT ?6 OFFSET ?7"
        ))
    };
}

pub(super) const LIST: &str = list!(one_or_any);
pub(super) const LIST_OF_SEVERAL: &str = list!(several);

/// News that fits, newest first.
pub(crate) fn list(connection: &Connection, filter: &NewsFilter) -> Queried<Vec<StoredNews>> {
    let sources = Sources::read(connection)?;
    let limit = filter.limit.map_or(-1, i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let found = fitting(connection, filter, |from, until, asked, feed, search| {
        let params = params![from, until, asked.value(), feed, search, limit, offset];
        let sql = asked.choose(LIST, LIST_OF_SEVERAL);
        each(connection, sql, params, |row| read_news(row, &sources))
    })?;
    Ok(found.unwrap_or_default())
}

/// How many pieces of news fit.
pub(crate) fn count(connection: &Connection, filter: &NewsFilter) -> Queried<u64> {
    let counted = fitting(connection, filter, |from, until, asked, feed, search| {
        let sql = asked.choose(
            concat!("SELECT count(*) FROM news ", that_fit!(one_or_any, "")),
            concat!("SELECT count(*) FROM news ", that_fit!(several, "")),
        );
        let params = params![from, until, asked.value(), feed, search];
        first(connection, sql, params, |row| uint(row, 0))
    })?;
    Ok(counted.flatten().unwrap_or(0))
}
