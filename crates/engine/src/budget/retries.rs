//! Keeps retries a small part of all requests, so that they do not make an outage worse.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Requests that are looked at together.
const RING: u32 = 100;
/// Retries among them at most.
const MOST: u32 = 10;

/// Which of the last requests were retries: one bit each, the newest lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Retries(u128);

impl Retries {
    /// Retries among the last hundred requests.
    pub(super) const fn in_last_hundred(self) -> u32 {
        (self.0 & ((1 << RING) - 1)).count_ones()
    }

    /// True where the next request may be a retry.
    pub(super) const fn may_retry(self) -> bool {
        (self.0 & ((1 << (RING - 1)) - 1)).count_ones() < MOST
    }

    pub(super) fn push(&mut self, retry: bool) {
        self.0 = ((self.0 << 1) | u128::from(retry)) & ((1 << RING) - 1);
    }
}

// As hexadecimal text: JSON numbers of this size are not read back everywhere.
impl Serialize for Retries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Retries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}
