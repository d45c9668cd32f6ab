//! Parameters that several operations take, as their descriptions name them.

use utoipa::IntoParams;

/// Paging by number.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct PageParams {
    /// Rows on a page; 20 unless given
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 500)]
    per_page: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 500)]
    page_size: Option<u32>,
    /// The page, from 1; not with `offset` or `cursor`
    #[param(minimum = 1)]
    page: Option<u64>,
    /// Leave out the first so many; not with `page` or `cursor`
    offset: Option<u64>,
}

/// What every list of listings takes besides paging.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct ListingParams {
    /// A `next_cursor` of the same query, in the default order
    cursor: Option<String>,
    /// The symbol, without regard to case
    symbol: Option<String>,
    /// Part of the name, without regard to case
    name: Option<String>,
    /// Part of symbol, name or external id, without regard to case
    search: Option<String>,
    /// The asset
    #[param(minimum = 0)]
    asset_id: Option<i64>,
    /// Smallest price in US dollars, compared exactly
    min_price: Option<String>,
    /// Largest price in US dollars, compared exactly
    max_price: Option<String>,
    /// `id`, `symbol`, `name`, `source`, `price_usd` (or `price`), `market_cap`, `volume_24h`,
    /// `price_change_24h`, `rank` or `updated_at`; unknown values stand last
    sort: Option<String>,
    /// `asc` or `desc`
    order: Option<String>,
    /// The members of a row, separated by commas; their order is fixed
    fields: Option<String>,
    /// `string` writes decimals as strings, `number` as number tokens
    numbers: Option<String>,
}

/// Which source.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct SourceParam {
    /// Only of this source; older services' names of it are taken too
    source: Option<String>,
}

/// Which points of the past.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct HistoryParams {
    /// Only points at or after this instant: ISO 8601, `YYYY-MM-DD` (its midnight, UTC), or Unix
    /// seconds or milliseconds
    from: Option<String>,
    /// Only points before this instant
    to: Option<String>,
    /// `raw` (the default) gives points, `1h` and `1d` give open, high, low and close of hours and days
    interval: Option<String>,
    /// `newest` (the default) gives each instant once, as its source states it now; `all` gives what
    /// it stated before too; with `interval=raw` only
    revisions: Option<String>,
    /// `asc`, oldest first (the default), or `desc`
    order: Option<String>,
    /// Rows on a page; 100 unless given
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 1000)]
    per_page: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 1000)]
    page_size: Option<u32>,
    /// A `next_cursor` of the same query
    cursor: Option<String>,
}

/// Which news.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct NewsParams {
    /// Only of this feed: its address, with or without `http://` or `https://`
    feed: Option<String>,
    /// Part of title or summary, without regard to ASCII case
    search: Option<String>,
    /// Only published at or after this instant: ISO 8601, `YYYY-MM-DD` (its midnight, UTC), or Unix
    /// seconds or milliseconds
    from: Option<String>,
    /// Only published before this instant
    to: Option<String>,
}
