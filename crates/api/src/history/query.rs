//! What a query string of a history asks for.

use kasparro_domain::{AssetId, ListingId, SourceName, Timestamp};
use kasparro_view::Order;

use super::{Interval, Place};
use crate::instants::read_span;
use crate::paging::read_limit;
use crate::problem::{Code, Problem};
use crate::query::{Params, one_of};
use crate::represent::Format;
use crate::signed::{self, FORGED, OTHER_QUERY, OTHER_VERSION, PRINT_BYTES, Print};
use crate::{Shared, data};

/// Every parameter of the history of a listing.
pub(crate) const KNOWN: &[&str] = &[
    "from",
    "to",
    "interval",
    "revisions",
    "order",
    "limit",
    "per_page",
    "page_size",
    "cursor",
    "format",
];
/// Every parameter of the history of an asset.
pub(crate) const ASSET_KNOWN: &[&str] = &[
    "source",
    "from",
    "to",
    "interval",
    "revisions",
    "order",
    "limit",
    "per_page",
    "page_size",
    "cursor",
    "format",
];

/// Which of what was stated of an instant; true for all of it.
pub(crate) const REVISIONS: [(&str, bool); 2] = [("newest", false), ("all", true)];

/// What a cursor of ours begins with.
const HISTORY: u8 = 2;

/// Whose history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// That of one listing.
    Listing(ListingId),
    /// That of every listing of an asset.
    Asset(AssetId),
}

/// Which part of a history is asked for.
#[derive(Debug, Clone)]
pub(crate) struct HistoryQuery {
    pub(crate) subject: Subject,
    /// In which form.
    pub(crate) format: Format,
    /// Only listings of these sources; of any where there are none.
    pub(crate) sources: Vec<SourceName>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) interval: Interval,
    pub(crate) newest_first: bool,
    pub(crate) every_revision: bool,
    /// At most so many rows.
    pub(crate) limit: usize,
    /// Only rows behind this place.
    pub(crate) after: Option<Place>,
}

impl HistoryQuery {
    /// Reads a query string.
    pub(crate) fn read(
        query: Option<&str>,
        subject: Subject,
        accepted: Format,
        shared: &Shared,
    ) -> Result<Self, Problem> {
        let known = match subject {
            Subject::Listing(_) => KNOWN,
            Subject::Asset(_) => ASSET_KNOWN,
        };
        let mut params = Params::read(query, known);
        let sources = data::source_names(&mut params, shared);
        let (from, to) = read_span(&mut params);
        let interval = params.read_as("interval", |text| one_of(text, &Interval::NAMES));
        let interval = interval.unwrap_or(Interval::Raw);
        let every_revision =
            params.read_as("revisions", |text| one_of(text, &REVISIONS)).unwrap_or_default();
        if every_revision && interval != Interval::Raw {
            params.refuse("revisions", "can be all with interval=raw only");
        }
        let order = params.read_as("order", |text| one_of(text, &data::ORDERS));
        let newest_first = order == Some(Order::Descending);
        let limit = usize::try_from(read_limit(&mut params)).unwrap_or(usize::MAX);
        let mut meaning = Self {
            subject,
            format: Format::read(&mut params, accepted),
            sources,
            from,
            to,
            interval,
            newest_first,
            every_revision,
            limit,
            after: None,
        };
        if let Some(text) = params.get("cursor") {
            match meaning.read_cursor(text, &shared.settings.cursor_key) {
                Ok(after) => meaning.after = Some(after),
                Err(message) => params.refuse_as(Code::InvalidCursor, "cursor", message),
            }
        }
        params.check(meaning)
    }

    /// A cursor behind a row.
    pub(crate) fn write_cursor(&self, after: &Place, key: &[u8; 32]) -> String {
        let mut place = vec![HISTORY];
        place.extend_from_slice(&after.at.as_millis().to_be_bytes());
        place.extend_from_slice(&after.listing_id.0.to_be_bytes());
        place.extend_from_slice(&after.revision.to_be_bytes());
        place.extend_from_slice(&self.print());
        signed::seal(&place, key)
    }

    fn read_cursor(&self, text: &str, key: &[u8; 32]) -> Result<Place, &'static str> {
        let place = signed::open(text, key).ok_or(FORGED)?;
        let (HISTORY, rest) =
            place.split_first().ok_or(FORGED).map(|(kind, rest)| (*kind, rest))?
        else {
            return Err(OTHER_VERSION);
        };
        let (at, rest) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
        let (listing_id, rest) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
        let (revision, print) = rest.split_first_chunk::<4>().ok_or(FORGED)?;
        if print != self.print() {
            return Err(OTHER_QUERY);
        }
        Ok(Place {
            at: Timestamp::from_millis(i64::from_be_bytes(*at)).map_err(|_| FORGED)?,
            listing_id: ListingId(i64::from_be_bytes(*listing_id)),
            revision: u32::from_be_bytes(*revision),
        })
    }

    fn print(&self) -> [u8; PRINT_BYTES] {
        let mut print = Print::default();
        let (kind, id) = match self.subject {
            Subject::Listing(id) => ("listing", id.0),
            Subject::Asset(id) => ("asset", id.0),
        };
        print.part(Some(kind));
        print.part(Some(&id.to_string()));
        print.part(self.sources.first().map(AsRef::as_ref));
        print.part(self.from.map(|from| from.to_string()).as_deref());
        print.part(self.to.map(|to| to.to_string()).as_deref());
        print.part(Some(self.interval.name()));
        print.part(self.newest_first.then_some("desc"));
        print.part(self.every_revision.then_some("all"));
        // Only where there are more, so that older cursors stay good.
        for source in self.sources.iter().skip(1) {
            print.part(Some(source.as_ref()));
        }
        print.finish()
    }
}
