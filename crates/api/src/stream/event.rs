//! Events as they go over the wire (Server-Sent Events, HTML standard section 9.2).

use std::fmt::Write as _;

use bytes::Bytes;
use kasparro_domain::Generation;
use kasparro_view::Row;

use crate::query::whole_number;

/// What every stream begins with: how long a browser waits before it comes back, in milliseconds.
pub(super) const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");
/// What is sent when nothing else was for a while: a comment, which no client is told of.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// Reads an id and returns the generation that its holder has seen whole. What stands behind it only tells
/// the events of one swap apart.
pub(super) fn seen_in(id: &str) -> Result<Generation, &'static str> {
    const FORM: &str = "is no id of this stream; send the last one that came, as 17-0";
    let (generation, sequence) = id.split_once('-').ok_or(FORM)?;
    whole_number(sequence).map_err(|_| FORM)?;
    whole_number(generation).map(Generation).map_err(|_| FORM)
}

/// Writes a row that changed after a generation.
pub(super) fn write_quote(text: &mut String, after: Generation, sequence: u64, row: &Row) {
    // Writing to a String cannot fail. JSON holds no line break.
    let _ = write!(text, "event: quote\nid: {after}-{sequence}\ndata: {}\n\n", row.json());
}

/// Writes the end of a swap: no event, but from here on a client comes back behind the swap.
pub(super) fn write_seen(text: &mut String, generation: Generation) {
    let _ = write!(text, "id: {generation}-0\n\n");
}

/// Tells a new client where it stands.
pub(super) fn hello(generation: Generation) -> Bytes {
    telling("hello", generation)
}

/// Tells a client that it missed what cannot be told any more: it has to read everything anew.
pub(super) fn reset(generation: Generation) -> Bytes {
    telling("reset", generation)
}

fn telling(event: &str, generation: Generation) -> Bytes {
    format!("event: {event}\nid: {generation}-0\ndata: {{\"generation\":{generation}}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_the_generation_that_was_seen_whole() {
        assert_eq!(seen_in("17-0"), Ok(Generation(17)));
        assert_eq!(seen_in("17-42"), Ok(Generation(17)));
        assert_eq!(seen_in("18446744073709551615-0"), Ok(Generation(u64::MAX)));
        for id in ["", "17", "17-", "-3", "a-0", "17-b", "17-0-0", "17 -0", "+1-0", "1.0-0"] {
            assert!(seen_in(id).is_err(), "{id:?}");
        }
        assert!(seen_in("18446744073709551616-0").is_err(), "larger than any");
    }

    #[test]
    fn an_event_that_tells_a_place_is_written_whole() {
        let expected = "event: reset\nid: 7-0\ndata: {\"generation\":7}\n\n";
        assert_eq!(reset(Generation(7)), expected);
    }
}
