//! News as readers ask for it.

use deadpool_postgres::GenericClient;
use kasparro_domain::NewsItem;
use kasparro_store::{NewsFilter, StoredNews};
use tokio_postgres::Row;

use super::asked_sources::AskedSources;
use super::{Instant, Params, Sources, each, first, get, instant, maybe_instant, string, uint};
use crate::error::Queried;

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
pub(super) const OF_SOURCE: &str = select_news!("WHERE source_id = $1 ORDER BY feed, item_id");

pub(super) fn read_news(row: &Row, sources: &Sources) -> Queried<StoredNews> {
    Ok(StoredNews {
        news_id: get(row, 0)?,
        source: sources.name(get(row, 1)?)?.clone(),
        feed: string(row, 2)?,
        item: NewsItem {
            item_id: string(row, 3)?,
            title: get(row, 4)?,
            link: get(row, 5)?,
            summary: get(row, 6)?,
            author: get(row, 7)?,
            published_at: maybe_instant(row, 8)?,
        },
        first_seen_at: instant(row, 9)?,
        fetched_at: instant(row, 10)?,
    })
}

/// The hash of what a piece of news says.
pub(super) fn read_content_hash(row: &Row) -> Queried<u64> {
    Ok(get::<i64>(row, 11)?.cast_unsigned())
}

/// What a filter asks for; its parameters are 1 to 6. In collation "C" only letters of ASCII have a lower
/// case.
macro_rules! that_fit {
    ($rest:literal) => {
        concat!(
            "WHERE ($1::timestamptz IS NULL OR newest_at >= $1) \
             AND ($2::timestamptz IS NULL OR newest_at < $2) \
             AND ($3::bigint IS NULL OR source_id = $3) \
             AND ($4::text IS NULL OR feed = $4) \
             AND ($5::text IS NULL OR strpos(lower(title COLLATE \"C\"), $5) > 0 \
                  OR strpos(lower(summary COLLATE \"C\"), $5) > 0) \
             AND ($6::bigint[] IS NULL OR source_id = ANY($6)) ",
            $rest
        )
    };
}

/// The parameters of a filter.
struct Asked<'a> {
    from: Option<Instant>,
    until: Option<Instant>,
    sources: AskedSources,
    feed: Option<&'a str>,
    search: Option<String>,
}

/// What a filter asks for; nothing where its sources were never written, or a text holds what no text of
/// the database can.
async fn asked<'a>(
    client: &impl GenericClient,
    filter: &'a NewsFilter,
) -> Queried<Option<Asked<'a>>> {
    let nul = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
    if nul(&filter.feed) || nul(&filter.search) {
        return Ok(None);
    }
    let Some(sources) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(None);
    };
    Ok(Some(Asked {
        from: filter.from.map(Instant),
        until: filter.until.map(Instant),
        sources,
        feed: filter.feed.as_deref(),
        search: filter.search.as_ref().map(|text| text.to_ascii_lowercase()),
    }))
}

const LIST: &str =
    select_news!(that_fit!("ORDER BY newest_at DESC, news_id DESC LIMIT $7 OFFSET $8"));

/// News that fits, newest first.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &NewsFilter,
) -> Queried<Vec<StoredNews>> {
    let sources = Sources::read(client).await?;
    let Some(asked) = asked(client, filter).await? else {
        return Ok(Vec::new());
    };
    let limit = filter.limit.map(i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let Asked { from, until, sources: of, feed, search } = &asked;
    let params: Params<'_> = &[from, until, &of.one, feed, search, &of.several, &limit, &offset];
    each(client, LIST, params, |row| read_news(row, &sources)).await
}

/// How many pieces of news fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &NewsFilter) -> Queried<u64> {
    let Some(asked) = asked(client, filter).await? else {
        return Ok(0);
    };
    let Asked { from, until, sources: of, feed, search } = &asked;
    let sql = concat!("SELECT count(*) FROM news ", that_fit!(""));
    let params: Params<'_> = &[from, until, &of.one, feed, search, &of.several];
    Ok(first(client, sql, params, |row| uint(row, 0)).await?.unwrap_or(0))
}
