//! Instants in query strings.

use kasparro_domain::Timestamp;

use crate::query::Params;

/// Reads `from` (inclusive) and `to` (exclusive); what cannot be read or holds nothing is noted.
pub(crate) fn read_span(params: &mut Params<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let from = params.read_as("from", instant);
    let to = params.read_as("to", instant);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        params.refuse("from", "is not before to; to itself is left out");
    }
    (from, to)
}

/// Reads an instant.
pub(crate) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).map_err(|_| {
        "is no instant; write it as 2024-01-31T12:00:00Z, 2024-01-31, or in Unix seconds or \
         milliseconds, and the + of an offset as %2B"
    })
}
