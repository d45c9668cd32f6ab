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
    /// A `next_cursor` of the same query. In the default order it never expires; in another one it goes
    /// over one generation, which is kept for about a minute, and then answers 410 `cursor_expired`
    cursor: Option<String>,
    /// One of these symbols, separated by commas, without regard to case
    symbol: Option<String>,
    /// Part of the name, without regard to case
    name: Option<String>,
    /// Part of symbol, name or external id, without regard to case
    search: Option<String>,
    /// Only listings of these assets, separated by commas
    asset_id: Option<String>,
    /// Smallest price in US dollars, compared exactly; unknown values never fit a range
    min_price: Option<String>,
    /// Largest price in US dollars
    max_price: Option<String>,
    /// Smallest market capitalisation in US dollars
    min_market_cap: Option<String>,
    /// Largest market capitalisation in US dollars
    max_market_cap: Option<String>,
    /// Smallest volume over 24 hours in US dollars
    min_volume_24h: Option<String>,
    /// Largest volume over 24 hours in US dollars
    max_volume_24h: Option<String>,
    /// Smallest change of the price over 24 hours in percent
    min_price_change_24h: Option<String>,
    /// Largest change of the price over 24 hours in percent
    max_price_change_24h: Option<String>,
    /// Only values of this instant or later, as their source dates them: ISO 8601, `YYYY-MM-DD` or
    /// `YYYYMMDD` (its midnight, UTC), or Unix seconds or milliseconds of nine digits or more
    updated_since: Option<String>,
    /// `id`, `symbol`, `name`, `source`, `price_usd` (or `price`), `market_cap`, `volume_24h`,
    /// `price_change_24h`, `circulating_supply`, `total_supply`, `max_supply`,
    /// `fully_diluted_valuation`, `rank`, `updated_at` or `ingested_at`; unknown values stand last
    sort: Option<String>,
    /// `asc` or `desc`
    order: Option<String>,
    /// The members of a row, separated by commas; their order is fixed
    fields: Option<String>,
    /// `string` writes decimals as strings, `number` as number tokens
    numbers: Option<String>,
    /// `json`, `csv` or `ndjson`; unless given, what the header `Accept` prefers. In the last two the
    /// page stands in the headers `X-Total-Count` and `Link`
    format: Option<String>,
}

/// In which form.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct FormatParam {
    /// `json`, `csv` or `ndjson`; unless given, what the header `Accept` prefers. In the last two the
    /// page stands in the headers `X-Total-Count` and `Link`
    format: Option<String>,
}

/// Which source.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct SourceParam {
    /// Only of these sources, separated by commas; older services' names of them are taken too
    source: Option<String>,
}

/// Which points of the past.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub(crate) struct HistoryParams {
    /// Only points at or after this instant: ISO 8601, `YYYY-MM-DD` or `YYYYMMDD` (its
    /// midnight, UTC), or Unix seconds or milliseconds of nine digits or more
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
    /// Rows on a page; 20 unless given
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 500)]
    per_page: Option<u32>,
    /// The same as `limit`
    #[param(minimum = 1, maximum = 500)]
    page_size: Option<u32>,
    /// A `next_cursor` of the same query
    cursor: Option<String>,
    /// `json`, `csv` or `ndjson`; unless given, what the header `Accept` prefers. In the last two the
    /// next page stands in the header `Link`
    format: Option<String>,
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
    /// Only published at or after this instant: ISO 8601, `YYYY-MM-DD` or `YYYYMMDD` (its
    /// midnight, UTC), or Unix seconds or milliseconds of nine digits or more
    from: Option<String>,
    /// Only published before this instant
    to: Option<String>,
}
