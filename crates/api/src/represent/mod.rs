//! In which form an answer is told: JSON, CSV or lines of JSON, and by what it is known again.

mod described;
mod encoding;
mod etag;
mod format;
mod formulas;
mod known;
mod list;
mod members;
mod next;
mod table;

pub(crate) use described::NotModified;
pub(crate) use encoding::Encoding;
pub(crate) use etag::{Tag, matched};
pub(crate) use format::{FORMATS, Format, accepted};
pub(crate) use known::{kept, shown, unless_known};
pub(crate) use list::{Asked, X_TOTAL_COUNT};
pub(crate) use members::Members;
pub(crate) use next::{next_link, without_place};
pub(crate) use table::{CSV_TYPE, NDJSON_TYPE, csv, ndjson};
