//! What a client of the stream asks for.

use http::{HeaderMap, HeaderName};
use kasparro_domain::{AssetId, Generation, SourceName};
use kasparro_view::{Row, fold};

use super::event::seen_in;
use crate::Shared;
use crate::data::{several, source_names};
use crate::problem::{Code, Mistakes, Problem};
use crate::query::{Params, asset_id};

/// Every parameter of `/stream`.
pub(crate) const KNOWN: &[&str] = &["symbol", "source", "asset_id", "last_event_id"];

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const LAST_EVENT_ID_SHOWN: &str = "Last-Event-ID";

/// Which changes a client is told of: as in `/data`, conditions are combined with "and".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Folded; any where there are none.
    symbols: Vec<String>,
    sources: Vec<SourceName>,
    assets: Vec<AssetId>,
}

impl Filter {
    /// One of these symbols, folded.
    #[cfg(test)]
    pub(crate) fn of_symbols(symbols: &[&str]) -> Self {
        let mut symbols: Vec<_> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        symbols.sort();
        Self { symbols, ..Self::default() }
    }

    /// True where every change fits.
    pub(super) const fn open(&self) -> bool {
        self.symbols.is_empty() && self.sources.is_empty() && self.assets.is_empty()
    }

    /// True where a change of a listing with this folded symbol, source and asset fits.
    pub(super) fn fits(&self, symbol: &str, source: &SourceName, asset: AssetId) -> bool {
        // The lists are sorted.
        (self.assets.is_empty() || self.assets.binary_search(&asset).is_ok())
            && (self.sources.is_empty() || self.sources.binary_search(source).is_ok())
            && (self.symbols.is_empty()
                || self.symbols.binary_search_by(|wanted| wanted.as_str().cmp(symbol)).is_ok())
    }

    /// The same of a row.
    pub(super) fn fits_row(&self, row: &Row) -> bool {
        let symbol = || fold(row.symbol().unwrap_or_default());
        let symbol = if self.symbols.is_empty() { String::new() } else { symbol() };
        self.open() || self.fits(&symbol, row.source(), row.asset_id())
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    /// The generation that the client has seen whole, where it comes back.
    pub(super) last_seen: Option<Generation>,
}

impl Asked {
    /// Reads a query string and the header `Last-Event-ID`. Where both name an id the header counts: a browser
    /// that comes back sends the address as it was.
    pub(super) fn read(
        query: Option<&str>,
        headers: &HeaderMap,
        shared: &Shared,
    ) -> Result<Self, Problem> {
        let from_header = in_header(headers)?;
        let mut params = Params::read(query, KNOWN);
        let symbols =
            params.read_as("symbol", |text| several(text, |one| Ok::<_, String>(fold(one))));
        let sources = source_names(&mut params, shared);
        let assets = params.read_as("asset_id", |text| several(text, asset_id));
        let from_parameter = params.read_as("last_event_id", seen_in);
        let filter = Filter {
            symbols: symbols.unwrap_or_default(),
            sources,
            assets: assets.unwrap_or_default(),
        };
        params.check(Self { filter, last_seen: from_header.or(from_parameter) })
    }
}

fn in_header(headers: &HeaderMap) -> Result<Option<Generation>, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let seen = match values.next() {
        Some(_) => Err("is given more than once"),
        None => seen_in(value.to_str().unwrap_or_default()),
    };
    let mut mistakes = Mistakes::default();
    if let Err(message) = seen {
        mistakes.add(Code::InvalidHeader, LAST_EVENT_ID_SHOWN, message);
    }
    mistakes.check(seen.ok())
}
