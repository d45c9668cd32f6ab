//! How assets relate, in words and documents.

use jiff::civil::Date;
use kasparro_domain::{AssetRelation, Decimal, EdgeKind, EdgeTerms};
use serde::Serialize;

/// What is known of a relation besides its kind, as the documents of these commands give it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct TermsDocument {
    /// Units of the other asset that one unit of this one gives, with every digit; null where it is not known.
    ratio: Option<Decimal>,
    /// The day (UTC) from which it holds; null where it is not known.
    effective_on: Option<Date>,
}

/// What a decision says of how one listing's asset relates to another's.
#[derive(Debug, Serialize)]
pub(super) struct RelationDocument {
    /// The listing whose asset it is about, as `source:id`.
    from: String,
    kind: &'static str,
    /// A listing of the other asset.
    to: String,
    #[serde(flatten)]
    terms: TermsDocument,
}

/// The kind with this name.
///
/// # Errors
/// What to write instead.
pub(super) fn read_kind(text: &str) -> Result<EdgeKind, String> {
    EdgeKind::from_name(text).ok_or_else(|| {
        let names: Vec<_> = EdgeKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("write one of {}", names.join(", "))
    })
}

impl TermsDocument {
    /// What follows the kind and the names in a sentence; empty where nothing is known.
    pub(super) fn words(&self) -> String {
        let Self { ratio, effective_on } = self;
        let ratio = ratio.iter().map(|ratio| format!(", 1 unit gives {ratio}"));
        let day = effective_on.iter().map(|day| format!(", from {day} on"));
        ratio.chain(day).collect()
    }
}

impl RelationDocument {
    pub(super) fn words(&self) -> String {
        let Self { from, kind, to, terms } = self;
        format!("{from} {kind} {to}{}", terms.words())
    }
}

impl From<EdgeTerms> for TermsDocument {
    fn from(terms: EdgeTerms) -> Self {
        let EdgeTerms { ratio, effective_on } = terms;
        Self { ratio, effective_on }
    }
}

impl From<AssetRelation> for RelationDocument {
    fn from(relation: AssetRelation) -> Self {
        let AssetRelation { from, kind, to, terms } = relation;
        let (from, to) = (from.to_string(), to.to_string());
        Self { from, kind: kind.name(), to, terms: terms.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_is_told_with_every_digit_and_without_what_is_not_known() {
        let relation = |ratio: Option<&str>, day: Option<&str>| {
            RelationDocument::from(AssetRelation {
                from: "csv:old".parse().unwrap(),
                kind: EdgeKind::MigratedTo,
                to: "csv:new".parse().unwrap(),
                terms: EdgeTerms {
                    ratio: ratio.map(|text| EdgeTerms::read_ratio(text).unwrap()),
                    effective_on: day.map(|text| EdgeTerms::read_day(text).unwrap()),
                },
            })
        };
        let digits = "1000.0000000000000000000001";
        let full = relation(Some(digits), Some("2024-10-01"));
        assert_eq!(
            full.words(),
            format!("csv:old migrated_to csv:new, 1 unit gives {digits}, from 2024-10-01 on")
        );
        let json = serde_json::to_string(&full).unwrap();
        assert!(
            json.ends_with(&format!(r#""ratio":{digits},"effective_on":"2024-10-01"}}"#)),
            "{json}"
        );
        let bare = relation(None, None);
        assert_eq!(bare.words(), "csv:old migrated_to csv:new");
        let json = serde_json::to_string(&bare).unwrap();
        assert!(json.ends_with(r#""ratio":null,"effective_on":null}"#), "{json}");
    }

    #[test]
    fn a_kind_that_is_none_is_refused_with_all_that_are() {
        assert_eq!(read_kind("forked_from"), Ok(EdgeKind::ForkedFrom));
        let refused = read_kind("fork_of").unwrap_err();
        assert!(EdgeKind::ALL.iter().all(|kind| refused.contains(kind.name())), "{refused}");
    }
}
