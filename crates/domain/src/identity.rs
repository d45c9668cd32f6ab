//! What says which listings are one asset.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{AssetRelation, DecisionId, EdgeTerms, SourceName};

/// A listing by the names that outlive every store: its source and the source's own id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListingKey {
    /// The source.
    pub source: SourceName,
    /// The source's id.
    pub external_id: CompactString,
}

impl ListingKey {
    /// A key from its two texts.
    #[must_use]
    pub fn new(source: &str, external_id: &str) -> Self {
        Self { source: SourceName::new(source), external_id: CompactString::from(external_id) }
    }
}

/// `source:external_id`; the source's name holds no colon, the id may.
impl fmt::Display for ListingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.external_id)
    }
}

/// A text that is not `source:external_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a listing as source:id, for example coingecko:bitcoin")]
pub struct NotAListingKey;

impl FromStr for ListingKey {
    type Err = NotAListingKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((source, id)) if !source.is_empty() && !id.is_empty() => Ok(Self::new(source, id)),
            _ => Err(NotAListingKey),
        }
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The value as stores and readers write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named!(
    /// What sort of thing an asset is.
    AssetClass {
        /// The native unit of a chain.
        Coin = "coin",
        /// A contract on a chain, of no narrower sort.
        Token = "token",
        /// Meant to be worth one unit of a currency.
        Stablecoin = "stablecoin",
        /// Stands one to one for another asset that is locked up.
        Wrapped = "wrapped",
        /// Another chain's representation of an asset.
        Bridged = "bridged",
        /// A claim on an asset that is staked.
        Staked = "staked",
        /// Follows a share of a company or a fund.
        TokenisedStock = "tokenised_stock",
        /// Not known.
        Other = "other",
    }
);

named!(
    /// How far it is decided what a listing is.
    IdentityState {
        /// Not looked at yet: an asset of its own for the time being.
        Unresolved = "unresolved",
        /// No other source's listing is known to be the same.
        Single = "single",
        /// It shares its asset with listings of other sources.
        Linked = "linked",
        /// Others may be the same, but what speaks for it does not suffice: kept apart.
        Ambiguous = "ambiguous",
    }
);

named!(
    /// How an asset relates to another one that it is not.
    EdgeKind {
        /// Stands one to one for it.
        WrappedOf = "wrapped_of",
        /// Represents it on another chain.
        BridgedOf = "bridged_of",
        /// Is meant to be worth as much.
        PeggedTo = "pegged_to",
        /// Was replaced by it.
        MigratedTo = "migrated_to",
        /// Began as a copy of it.
        ForkedFrom = "forked_from",
    }
);

named!(
    /// What a person says of two listings.
    OverrideVerdict {
        /// They are one asset.
        Link = "link",
        /// They are two.
        Separate = "separate",
        /// They are two, and one relates to the other as stated.
        Related = "related",
        /// They are two, and neither relates to the other.
        Unrelated = "unrelated",
        /// Nothing any more: what was said earlier is withdrawn.
        Withdraw = "withdraw",
    }
);

impl OverrideVerdict {
    /// True where it says that they are two assets.
    #[must_use]
    pub const fn separates(self) -> bool {
        matches!(self, Self::Separate | Self::Related | Self::Unrelated)
    }
}

/// What a person decided about two listings. The newest decision about a pair counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityOverride {
    /// One listing.
    pub a: ListingKey,
    /// The other.
    pub b: ListingKey,
    /// What they are to each other.
    pub verdict: OverrideVerdict,
    /// How one relates to the other; there exactly where the verdict is [`OverrideVerdict::Related`].
    pub relation: Option<AssetRelation>,
    /// The decision that says so.
    pub decision_id: DecisionId,
}

/// That an asset relates to another one, as its listings stand for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssetEdge {
    /// The listing whose asset it is about.
    pub from: ListingKey,
    /// How.
    pub kind: EdgeKind,
    /// A listing of the other asset.
    pub to: ListingKey,
    /// What says so, in one sentence.
    pub why: CompactString,
    /// What is known of it besides.
    #[serde(flatten)]
    pub terms: EdgeTerms,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_key_is_read_as_it_is_written_whatever_its_id_holds() {
        let key = ListingKey::new("csv", "a:b");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", ":", "bitcoin", "coingecko:", ":bitcoin"] {
            assert_eq!(wrong.parse::<ListingKey>(), Err(NotAListingKey), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for class in AssetClass::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert_eq!(AssetClass::from_name(class.name()), Some(*class));
        }
        for kind in EdgeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(AssetClass::from_name("share"), None);
    }
}
