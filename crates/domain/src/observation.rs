//! One record as a source stated it, not yet believed.

use compact_str::CompactString;

use crate::{Attributes, Quote, Timestamp};

/// One row of a page in our words: what the source said, before validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The source's own id of the listing.
    pub external_id: CompactString,
    /// What the source says the listing is.
    pub attributes: Attributes,
    /// The values it states.
    pub quote: Quote,
    /// The instant the source gives for the values, if it gives one.
    pub observed_at: Option<Timestamp>,
}
