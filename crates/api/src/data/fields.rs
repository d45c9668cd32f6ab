//! Which fields a row of `/data` shows.

/// The fields that every row shows, in their order.
const DEFAULT: [&str; 15] = [
    "id",
    "asset_id",
    "source",
    "external_id",
    "symbol",
    "name",
    "price_usd",
    "market_cap",
    "volume_24h",
    "price_change_24h",
    "rank",
    "active",
    "stale",
    "updated_at",
    "ingested_at",
];
/// The fields that are shown when they are asked for, in their order, behind the others.
const FURTHER: [&str; 6] = [
    "circulating_supply",
    "total_supply",
    "max_supply",
    "fully_diluted_valuation",
    "contracts",
    "last_seen_at",
];
/// How many of them, at the end, say what lists and sweeps say of a listing.
const LISTED: usize = 2;
/// The fields that hold decimals, which `numbers=string` turns into strings.
const DECIMALS: [&str; 8] = [
    "price_usd",
    "market_cap",
    "volume_24h",
    "price_change_24h",
    "circulating_supply",
    "total_supply",
    "max_supply",
    "fully_diluted_valuation",
];

/// A set of fields, as bits in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FieldSet(u32);

impl Default for FieldSet {
    fn default() -> Self {
        Self((1 << DEFAULT.len()) - 1)
    }
}

impl FieldSet {
    /// What a row of `/listings` shows unless asked otherwise: the default fields, `contracts` and
    /// `last_seen_at`.
    pub(crate) const LISTED: Self = {
        let supplies = FURTHER.len() - LISTED;
        let listed = ((1 << LISTED) - 1) << (DEFAULT.len() + supplies);
        Self(((1 << DEFAULT.len()) - 1) | listed)
    };

    /// Reads names separated by commas; the order is ours, a name twice is once.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut set = 0;
        for name in text.split(',').map(str::trim) {
            let Some(place) = Self::names().position(|known| known == name) else {
                let known: Vec<_> = Self::names().collect();
                return Err(format!("'{name}' is no field; fields are {}", known.join(", ")));
            };
            set |= 1 << place;
        }
        Ok(Self(set))
    }

    /// True when a row shows the field.
    pub(crate) fn shows(self, name: &str) -> bool {
        Self::names()
            .position(|known| known == name)
            .is_some_and(|place| self.0 & (1 << place) != 0)
    }

    /// True when a row shows fields beyond the default ones.
    pub(crate) const fn shows_further(self) -> bool {
        self.0 >> DEFAULT.len() != 0
    }

    /// The fields that a row shows, in their order.
    pub(crate) fn shown(self) -> Vec<&'static str> {
        Self::names().filter(|name| self.shows(name)).collect()
    }

    /// Every field in its order.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        DEFAULT.into_iter().chain(FURTHER)
    }
}

/// True for a field that holds a decimal.
pub(crate) fn decimal(name: &str) -> bool {
    DECIMALS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_order() {
        let set = FieldSet::read("name,id, name").unwrap();
        assert!(set.shows("id") && set.shows("name") && !set.shows("symbol"));
        assert!(!set.shows_further());
        assert!(FieldSet::read("contracts").unwrap().shows_further());
        assert!(FieldSet::default().shows("ingested_at"));
        assert!(!FieldSet::default().shows("contracts"));
        let listed: Vec<_> =
            FieldSet::names().filter(|name| FieldSet::LISTED.shows(name)).skip(15).collect();
        assert_eq!(listed, ["contracts", "last_seen_at"]);
        for text in ["", ",", "id,", "Id", "secret"] {
            assert!(FieldSet::read(text).is_err(), "{text}");
        }
    }
}
