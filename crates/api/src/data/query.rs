//! What a query string of `/data`, `/csv-data` or `/listings` asks for.

use kasparro_domain::{Decimal, Generation, SourceName};
use kasparro_view::{Bounds, ListingQuery, Order, SortKey, Start, fold};

use super::{FieldSet, cursor};
use crate::Shared;
use crate::instants::instant;
use crate::paging::Paging;
use crate::problem::{Code, Problem};
use crate::query::{Params, asset_id, one_of};
use crate::represent::Format;

/// The parameters of every list of listings.
macro_rules! known {
    ($($more:literal),*) => {
        &[
            "limit", "per_page", "page_size", "page", "offset", "cursor", "symbol", "name", "search",
            "asset_id", "min_price", "max_price", "min_market_cap", "max_market_cap",
            "min_volume_24h", "max_volume_24h", "min_price_change_24h", "max_price_change_24h",
            "updated_since", "sort", "order", "fields", "numbers", "format", $($more),*
        ]
    };
}

/// The most values that one parameter lists.
const MAX_VALUES: usize = 200;

/// Which listings a path lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Selection {
    /// Those with a quote, others where `include` asks for them: `/data`.
    Data,
    /// Those of the source `csv`: `/csv-data`.
    Csv,
    /// All, with what lists say of them, whether `include` asks for them or not: `/listings`.
    All,
}

impl Selection {
    /// Every parameter that the path takes.
    pub(crate) const fn known(self) -> &'static [&'static str] {
        match self {
            Self::Data => known!("source", "include"),
            Self::Csv => known!("source"),
            Self::All => known!("source", "include"),
        }
    }
}

/// The orders that rows can have.
pub(crate) const SORT_KEYS: [(&str, SortKey); 16] = [
    ("id", SortKey::Id),
    ("symbol", SortKey::Symbol),
    ("name", SortKey::Name),
    ("source", SortKey::Source),
    ("price_usd", SortKey::PriceUsd),
    ("price", SortKey::PriceUsd),
    ("market_cap", SortKey::MarketCap),
    ("volume_24h", SortKey::Volume24h),
    ("price_change_24h", SortKey::PriceChange24h),
    ("circulating_supply", SortKey::CirculatingSupply),
    ("total_supply", SortKey::TotalSupply),
    ("max_supply", SortKey::MaxSupply),
    ("fully_diluted_valuation", SortKey::FullyDilutedValuation),
    ("rank", SortKey::Rank),
    ("updated_at", SortKey::UpdatedAt),
    ("ingested_at", SortKey::IngestedAt),
];

/// The directions of an order.
pub(crate) const ORDERS: [(&str, Order); 2] =
    [("asc", Order::Ascending), ("desc", Order::Descending)];

/// How decimals are written; true as strings.
pub(crate) const NUMBERS: [(&str, bool); 2] = [("number", false), ("string", true)];

/// What is listed only where it is asked for.
pub(crate) const INCLUDED: [(&str, bool); 1] = [("unpriced", true)];

/// Names that older services gave to our sources.
const OLDER_SOURCE_NAMES: [(&str, &str); 4] = [
    ("csv_source", "csv"),
    ("coinpaprika_free", "coinpaprika"),
    ("coingecko_market", "coingecko"),
    ("rss", "feed"),
];

/// The meaning of a query string: equal for all that ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DataQuery {
    /// What the read model is asked.
    pub(crate) listings: ListingQuery,
    /// What each row shows.
    pub(crate) fields: FieldSet,
    /// True to write decimals as strings.
    pub(crate) decimals_as_text: bool,
    /// The number of the page, from 1; none behind a cursor.
    pub(crate) page: Option<u64>,
    /// In which form.
    pub(crate) format: Format,
    /// The generation that a cursor of another order goes over; the present one where there is none.
    pub(crate) pinned: Option<Generation>,
}

impl DataQuery {
    /// Reads a query string.
    pub(crate) fn read(
        query: Option<&str>,
        selection: Selection,
        accepted: Format,
        shared: &Shared,
    ) -> Result<Self, Problem> {
        let mut params = Params::read(query, selection.known());
        let mut meaning = Self { format: Format::read(&mut params, accepted), ..Self::default() };
        read_filter(&mut params, &mut meaning);
        let read_source = |text: &str| match selection {
            Selection::Csv => only_csv(text),
            Selection::Data | Selection::All => source_name(text, shared),
        };
        let sources = params.read_as("source", |text| several(text, read_source));
        meaning.listings.filter.sources = sources.unwrap_or_default();
        match selection {
            Selection::Data => {}
            Selection::Csv => meaning.listings.filter.sources = vec![SourceName::new(CSV)],
            Selection::All => {
                meaning.listings.filter.unpriced = true;
                meaning.fields = FieldSet::LISTED;
            }
        }
        let sort = params.read_as("sort", |text| one_of(text, &SORT_KEYS));
        let order = params.read_as("order", |text| one_of(text, &ORDERS));
        meaning.listings.sort = sort.unwrap_or_default();
        meaning.listings.order = order.unwrap_or_default();
        if let Some(fields) = params.read_as("fields", FieldSet::read) {
            meaning.fields = fields;
        }
        let numbers = params.read_as("numbers", |text| one_of(text, &NUMBERS));
        meaning.decimals_as_text = numbers.unwrap_or_default();
        let paging = Paging::read(&mut params);
        meaning.listings.limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
        meaning.listings.start = Start::Offset(paging.offset);
        meaning.page = Some(paging.page());
        if params.get("cursor").is_some() {
            read_cursor(&mut params, &mut meaning, shared);
        }
        params.check(meaning)
    }

    /// About so many bytes its texts and lists take.
    pub(crate) fn text_bytes(&self) -> usize {
        let filter = &self.listings.filter;
        let several = filter
            .symbols
            .iter()
            .map(String::len)
            .chain(filter.sources.iter().map(|source| source.as_str().len()));
        let single = [&filter.name, &filter.search].into_iter().flatten().map(String::len);
        let texts: usize = several.map(|bytes| bytes + size_of::<String>()).chain(single).sum();
        texts + size_of_val(filter.asset_ids.as_slice())
    }

    /// True in the order that never changes, over which cursors go.
    pub(crate) fn default_order(&self) -> bool {
        self.listings.sort == SortKey::Id && self.listings.order == Order::Ascending
    }
}

impl Default for DataQuery {
    fn default() -> Self {
        Self {
            listings: ListingQuery {
                filter: Default::default(),
                sort: SortKey::Id,
                order: Order::Ascending,
                start: Start::Offset(0),
                limit: 20,
            },
            fields: FieldSet::default(),
            decimals_as_text: false,
            page: Some(1),
            format: Format::Json,
            pinned: None,
        }
    }
}

fn read_filter(params: &mut Params<'_>, meaning: &mut DataQuery) {
    let filter = &mut meaning.listings.filter;
    // Folded here, so that queries with one meaning share their cursors and their pages.
    let text = |params: &Params<'_>, name| params.get(name).map(fold);
    let symbols = params.read_as("symbol", |text| several(text, |one| Ok::<_, String>(fold(one))));
    filter.symbols = symbols.unwrap_or_default();
    filter.name = text(params, "name");
    filter.search = text(params, "search");
    filter.asset_ids =
        params.read_as("asset_id", |text| several(text, asset_id)).unwrap_or_default();
    filter.price_usd = bounds(params, "min_price", "max_price");
    filter.market_cap = bounds(params, "min_market_cap", "max_market_cap");
    filter.volume_24h = bounds(params, "min_volume_24h", "max_volume_24h");
    filter.price_change_24h = bounds(params, "min_price_change_24h", "max_price_change_24h");
    filter.updated_since = params.read_as("updated_since", instant);
    let include = params.read_as("include", |text| one_of(text, &INCLUDED));
    filter.unpriced = include.unwrap_or_default();
}

/// The ends of a range; one that holds nothing is noted.
fn bounds(params: &mut Params<'_>, min_name: &str, max_name: &str) -> Bounds {
    let number = |text: &str| Decimal::parse(text).map_err(|error| error.to_string());
    let min = params.read_as(min_name, number);
    let max = params.read_as(max_name, number);
    if let (Some(min), Some(max)) = (&min, &max)
        && min > max
    {
        params.refuse(min_name, format!("is larger than {max_name}"));
    }
    Bounds { min, max }
}

/// The values of a list with commas, each once and sorted, so that queries with one meaning are one.
pub(crate) fn several<T: Ord, M: Into<String>>(
    text: &str,
    read: impl Fn(&str) -> Result<T, M>,
) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    for value in text.split(',').map(str::trim) {
        if value.is_empty() {
            return Err("holds an empty value; separate values by one comma each".to_owned());
        }
        values.push(read(value).map_err(Into::into)?);
    }
    values.sort_unstable();
    values.dedup();
    if values.len() > MAX_VALUES {
        return Err(format!("holds more than {MAX_VALUES} values"));
    }
    Ok(values)
}

fn read_cursor(params: &mut Params<'_>, meaning: &mut DataQuery, shared: &Shared) {
    if params.get("page").is_some() || params.get("offset").is_some() {
        params.refuse("cursor", "cannot be combined with page or offset");
        return;
    }
    let text = params.get("cursor").unwrap_or_default();
    let key = &shared.settings.cursor_key;
    let place = if meaning.default_order() {
        let after = cursor::read(text, &meaning.listings.filter, key);
        after.map(|after| (None, Start::After(after)))
    } else {
        cursor::read_pinned(text, &meaning.listings, key)
            .map(|(pinned, offset)| (Some(pinned), Start::Offset(offset)))
    };
    match place {
        Ok((pinned, start)) => {
            meaning.listings.start = start;
            meaning.pinned = pinned;
            meaning.page = None;
        }
        Err(message) => params.refuse_as(Code::InvalidCursor, "cursor", message),
    }
}

/// The only source of `/csv-data`.
const CSV: &str = "csv";

/// The source of `/csv-data`, where that is what is named.
fn only_csv(text: &str) -> Result<SourceName, String> {
    if present_name(&text.to_ascii_lowercase()) == CSV {
        return Ok(SourceName::new(CSV));
    }
    Err(format!("is always {CSV} here; GET /data lists other sources"))
}

/// The name that we give to the source of this name in lower case.
fn present_name(text: &str) -> &str {
    let older = OLDER_SOURCE_NAMES.iter().find(|(older, _)| *older == text);
    older.map_or(text, |(_, name)| name)
}

/// The sources that `source` names, separated by commas; none where it is not given.
pub(crate) fn source_names(params: &mut Params<'_>, shared: &Shared) -> Vec<SourceName> {
    let sources = params.read_as("source", |text| several(text, |one| source_name(one, shared)));
    sources.unwrap_or_default()
}

/// The source of this name, or of this older name; case makes no difference. A source that an older
/// service had is one even where it is not configured: it then has no listings.
pub(crate) fn source_name(text: &str, shared: &Shared) -> Result<SourceName, String> {
    let text = text.to_ascii_lowercase();
    let name = present_name(&text);
    let had = OLDER_SOURCE_NAMES.iter().any(|(_, ours)| *ours == name);
    if had || shared.source_known(name) {
        return Ok(SourceName::new(name));
    }
    let known: Vec<_> = shared.known_sources().iter().map(ToString::to_string).collect();
    Err(format!("is no source; sources are {}", known.join(", ")))
}
