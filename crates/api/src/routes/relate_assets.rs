//! `POST /assets/relate`, `/assets/unrelate`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{AssetRelation, Decimal, DecisionKind, EdgeKind, EdgeTerms, MAX_DIGITS};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::asset_pairs::pairs;
use super::change_params::ChangeParams;
use super::decide_assets::{self, Decision, PairRequest, command, decide, of_pair};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::{self, Change, CommandsPending};
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::no_params;

/// What to write instead where both ends of a relation are one listing.
const SAME_LISTING: &str = "is the same listing as from; name one of the other asset";

/// That one asset relates to another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelateRequest {
    /// A listing of the asset it is about, as `source:external_id`
    from: String,
    #[schema(schema_with = kind_schema)]
    kind: String,
    /// A listing of the other asset, as `source:external_id`
    to: String,
    // The token itself: a binary fraction would change its digits.
    #[serde(default)]
    #[schema(schema_with = ratio_schema, required = false)]
    ratio: Option<Box<RawValue>>,
    /// The day (UTC) from which it holds, `YYYY-MM-DD`, where it is known
    #[schema(format = Date)]
    effective_on: Option<String>,
    /// Why, for the record
    why: String,
}

/// Says how the asset of one listing relates to that of another: `from` is it of `to`.
///
/// They are different assets then, whatever speaks for one. Both show it among their `edges`.
#[utoipa::path(
    post, path = "/assets/relate", tag = "Decisions",
    params(ChangeParams),
    request_body(content = RelateRequest, description = "How they relate"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn relate(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let (relation, why) = change.body::<RelateRequest>()?.read()?;
    let kind = DecisionKind::Relate;
    let pairs = pairs(&shared, kind, &relation.from, &relation.to).await;
    let decided = pairs.map(|pairs| command(kind, pairs, Some(relation), &change, why));
    decide(&shared, &context, &change, decided).await
}

/// Says that two listings are different assets, and that neither relates to the other.
///
/// It also stands in place of a relation that their names suggest.
#[utoipa::path(
    post, path = "/assets/unrelate", tag = "Decisions",
    params(ChangeParams),
    request_body(content = PairRequest, description = "The listings"),
    responses(
        (status = 200, description = "It is kept", body = Enveloped<Decision>),
        (status = 202, description = "It will be kept", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn unrelate(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    of_pair(&shared, &context, query.as_deref(), &change, DecisionKind::Unrelate).await
}

impl RelateRequest {
    /// What is said, and why.
    ///
    /// # Errors
    /// 400 that names everything that is wrong.
    fn read(self) -> Result<(AssetRelation, String), Problem> {
        let mut mistakes = Mistakes::default();
        let mut wrong = |field: &str, message: String| {
            mistakes.add(Code::InvalidBody, field, message);
        };
        let mut listing = |field: &str, text: &str| {
            let read = decide_assets::listing(text);
            read.map_err(|message| wrong(field, message.to_owned())).ok()
        };
        let (from, to) = (listing("from", &self.from), listing("to", &self.to));
        if from.is_some() && from == to {
            wrong("to", SAME_LISTING.to_owned());
        }
        let kind = kind(&self.kind).map_err(|message| wrong("kind", message)).ok();
        let ratio = self.ratio.as_deref().map(ratio).transpose();
        let ratio = ratio.map_err(|message| wrong("ratio", message)).ok().flatten();
        let day = self.effective_on.as_deref().map(EdgeTerms::read_day).transpose();
        let day = day.map_err(|remedy| wrong("effective_on", format!("is no day; {remedy}")));
        let why = change::why(&mut mistakes, &self.why);
        let terms = EdgeTerms { ratio, effective_on: day.ok().flatten() };
        let relation = match (from, kind, to) {
            (Some(from), Some(kind), Some(to)) => Some(AssetRelation { from, kind, to, terms }),
            _ => None,
        };
        let read = mistakes.check(relation)?;
        let relation =
            read.ok_or_else(|| Problem::new(Code::InvalidBody, "the body states no relation"))?;
        Ok((relation, why))
    }
}

fn kind_names() -> Vec<&'static str> {
    EdgeKind::ALL.iter().map(|kind| kind.name()).collect()
}

fn kind(text: &str) -> Result<EdgeKind, String> {
    EdgeKind::from_name(text)
        .ok_or_else(|| format!("is none of {}; write one of them", kind_names().join(", ")))
}

/// Reads a number, or a text that holds one, with all its digits.
fn ratio(token: &RawValue) -> Result<Decimal, String> {
    let token = token.get();
    let text: String = match token.starts_with('"') {
        true => serde_json::from_str(token).unwrap_or_default(),
        false => token.to_owned(),
    };
    EdgeTerms::read_ratio(&text).map_err(|remedy| match Decimal::parse(text.trim()) {
        Ok(_) => format!("is not above zero; {remedy}"),
        Err(problem) => format!("{problem}; {remedy}"),
    })
}

fn kind_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(kind_names()))
        .description(Some(
            "How the asset of `from` relates to that of `to`: it stands one to one for it (`wrapped_of`), \
             represents it on another chain (`bridged_of`), is meant to be worth as much (`pegged_to`), was \
             replaced by it (`migrated_to`), or began as a copy of it (`forked_from`)",
        ))
        .build()
}

fn ratio_schema() -> Object {
    // Whole numbers below 10^38 have no more digits than are kept. Exponents are read too.
    let text = r"^([1-9][0-9]{0,19}(\.[0-9]{1,18})?|0\.0{0,17}[1-9][0-9]{0,17})$";
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Number, Type::String, Type::Null]))
        .minimum(Some(1e-60))
        .maximum(Some(1e38))
        .pattern(Some(text))
        .description(Some(format!(
            "Units of the other asset that one unit of this one gives, where it is known: above zero, as a \
             number or as text, with at most {MAX_DIGITS} significant digits, all of which are kept",
        )))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        ratio(&RawValue::from_string(text.to_owned()).unwrap()).map(|ratio| ratio.to_string())
    }

    #[test]
    fn a_ratio_is_a_number_or_a_text_and_keeps_its_digits() {
        let long = "1000.000000000000000000000000000001";
        for token in [long.to_owned(), format!("\"{long}\""), format!("\" {long}00 \"")] {
            assert_eq!(read(&token).as_deref(), Ok(long), "{token}");
        }
        for (token, plain) in [("1e3", "1000"), ("1E-3", "0.001"), (r#""\u0031""#, "1")] {
            assert_eq!(read(token).as_deref(), Ok(plain), "{token}");
        }
    }

    #[test]
    fn what_is_no_ratio_is_told_with_what_to_write() {
        let digits = "1".repeat(39);
        for (token, problem) in [
            ("0", "is not above zero; "),
            ("-1", "is not above zero; "),
            (r#""0.00""#, "is not above zero; "),
            (r#""1:1000""#, "is not a decimal number; "),
            (r#""""#, "is not a decimal number; "),
            (r#""\ud800""#, "is not a decimal number; "),
            ("true", "is not a decimal number; "),
            ("[1]", "is not a decimal number; "),
            (r#"{"of":1}"#, "is not a decimal number; "),
            (&digits, "has more than 38 significant digits; "),
            ("1e400", "is outside the range 1e-60 to 1e80; "),
        ] {
            let told = read(token).unwrap_err();
            let remedy = told.strip_prefix(problem);
            assert_eq!(
                remedy,
                Some("write a number above zero, for example 1000 or 0.001"),
                "{told}"
            );
        }
    }

    #[test]
    fn every_ratio_of_the_described_range_is_taken() {
        let (least, most) = (1e-60_f64, 1e38_f64);
        for number in [least, most, 1.797_693_134_862_315_7, 0.1, 123_456_789.123_456_7] {
            assert!(read(&serde_json::to_string(&number).unwrap()).is_ok(), "{number}");
        }
        assert!(read(&"9".repeat(MAX_DIGITS)).is_ok());
    }
}
