//! How two assets relate, and what is known of it.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Decimal, EdgeKind, ListingKey};

/// What is known of a relation besides its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeTerms {
    /// Units of the other asset that one unit of this one gives; above zero, absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ratio_text")]
    pub ratio: Option<Decimal>,
    /// The day (UTC) from which it holds; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read_day")]
    pub effective_on: Option<Date>,
}

/// That one asset relates to another, as a person states it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssetRelation {
    /// A listing of the asset it is about.
    pub from: ListingKey,
    /// How it relates.
    pub kind: EdgeKind,
    /// A listing of the other asset.
    pub to: ListingKey,
    /// What is known of it besides.
    #[serde(flatten)]
    pub terms: EdgeTerms,
}

impl AssetRelation {
    /// Both listings as pairs are kept: the smaller one first.
    #[must_use]
    pub fn pair(&self) -> (ListingKey, ListingKey) {
        let (one, other) = (self.from.clone(), self.to.clone());
        if one <= other { (one, other) } else { (other, one) }
    }
}

/// Why a text is no ratio of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number above zero, for example 1000 or 0.001")]
pub struct NotARatio;

/// Why a text is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a day as YYYY-MM-DD, for example 2024-10-01")]
pub struct NotADay;

impl EdgeTerms {
    /// Reads a ratio: a decimal number above zero.
    ///
    /// # Errors
    /// [`NotARatio`] for anything else.
    pub fn read_ratio(text: &str) -> Result<Decimal, NotARatio> {
        let ratio: Decimal = text.trim().parse().map_err(|_| NotARatio)?;
        let above_zero = !ratio.to_string().starts_with('-') && ratio.to_string() != "0";
        if above_zero { Ok(ratio) } else { Err(NotARatio) }
    }

    /// Reads a day, `YYYY-MM-DD` and nothing else.
    ///
    /// # Errors
    /// [`NotADay`] for anything else.
    pub fn read_day(text: &str) -> Result<Date, NotADay> {
        let day: Date = text.parse().map_err(|_| NotADay)?;
        // An instant and a week date can be read as days as well.
        if day.to_string() == text && day.year() > 0 { Ok(day) } else { Err(NotADay) }
    }
}

/// Reads a day as people have to write it.
fn read_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let read = |text: String| EdgeTerms::read_day(&text).map_err(serde::de::Error::custom);
    text.map(read).transpose()
}

/// A ratio as text: readers of JSON that know binary fractions only would change its digits.
mod ratio_text {
    use super::{Decimal, Deserialize, Deserializer, EdgeTerms, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        ratio: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match ratio {
            Some(ratio) => serializer.collect_str(ratio),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        let read = |text: String| EdgeTerms::read_ratio(&text).map_err(serde::de::Error::custom);
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_is_read_as_it_is_written_with_every_digit() {
        let relation = AssetRelation {
            from: ListingKey::new("coinpaprika", "old"),
            kind: EdgeKind::MigratedTo,
            to: ListingKey::new("coingecko", "a:b"),
            terms: EdgeTerms {
                ratio: Some("0.00000001234567890123456789".parse().unwrap()),
                effective_on: Some(EdgeTerms::read_day("2024-10-01").unwrap()),
            },
        };
        let text = serde_json::to_string(&relation).unwrap();
        assert!(text.contains(r#""effective_on":"2024-10-01""#), "{text}");
        assert_eq!(serde_json::from_str::<AssetRelation>(&text).unwrap(), relation);
        assert_eq!(relation.pair(), (relation.to.clone(), relation.from.clone()));
        let bare = AssetRelation { terms: EdgeTerms::default(), ..relation };
        let text = serde_json::to_string(&bare).unwrap();
        assert!(!text.contains("ratio") && !text.contains("effective_on"), "{text}");
        assert_eq!(serde_json::from_str::<AssetRelation>(&text).unwrap(), bare);
    }

    #[test]
    fn ratios_are_above_zero_and_days_are_whole() {
        assert_eq!(EdgeTerms::read_ratio("1000").unwrap().to_string(), "1000");
        for wrong in ["0", "-1", "0.0", "-0", "x", "", "1:1000", "NaN"] {
            assert_eq!(EdgeTerms::read_ratio(wrong), Err(NotARatio), "{wrong:?}");
        }
        for wrong in ["2024-02-30", "2024-10-1", "2024-10-01T00:00:00Z", "20241001", "monday", ""] {
            assert_eq!(EdgeTerms::read_day(wrong), Err(NotADay), "{wrong:?}");
        }
        assert_eq!(EdgeTerms::read_day("2024-02-29").unwrap().to_string(), "2024-02-29");
        for wrong in [r#"{"ratio":"0"}"#, r#"{"effective_on":"0000-01-01"}"#] {
            assert!(serde_json::from_str::<EdgeTerms>(wrong).is_err(), "{wrong}");
        }
    }
}
