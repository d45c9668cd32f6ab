//! Validation and normalisation of one observation.

use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{Decimal, Observation, QuoteField, Rejection, RejectionReason, Timestamp};

/// The name and version of these rules, recorded with every row they refuse.
pub const RULE: &str = "validate/1";

/// How far an instant may lie after the fetch before its row is refused: clocks differ, but nobody
/// observes the future.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// The first block of Bitcoin, 2009-01-03T18:15:05Z: no crypto asset had a price before. Source:
/// the time in the header of block 0.
pub(crate) const FIRST_BLOCK_MILLIS: i64 = 1_231_006_505_000;

/// An observation that passed every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// The observation, normalised.
    pub observation: Observation,
    /// The instant its values hold for: the source's, or the fetch's where it gives none.
    pub observed_at: Timestamp,
    /// True when the source gave the instant.
    pub source_timed: bool,
}

/// Validates and normalises one observation that was fetched at `fetched_at`.
///
/// Blank text becomes unknown, blanks around symbol and name are dropped, and the epoch, which
/// sources send for "never", becomes an unknown instant.
///
/// # Errors
/// A [`Rejection`] naming the field: a negative price, cap, volume or supply, an instant more than
/// five minutes after the fetch, or one before the first block of Bitcoin.
pub fn believe(mut observation: Observation, fetched_at: Timestamp) -> Result<Believed, Rejection> {
    for field in QuoteField::ALL {
        let value = observation.quote.get(field);
        if let Some(value) = value.filter(|value| value.negative() && !field.signed()) {
            return Err(reject(&observation, RejectionReason::NegativeValue, field.name(), value));
        }
    }
    let source_at = observation.observed_at.filter(|instant| *instant != Timestamp::EPOCH);
    if let Some(instant) = source_at {
        let reason = if instant > fetched_at.plus(MAX_AHEAD) {
            Some(RejectionReason::FutureTimestamp)
        } else if instant.as_millis() < FIRST_BLOCK_MILLIS {
            Some(RejectionReason::AncientTimestamp)
        } else {
            None
        };
        if let Some(reason) = reason {
            let rejection = Rejection::new(reason, "observed_at", &instant.to_string());
            return Err(rejection.of(&observation.external_id));
        }
    }
    observation.observed_at = source_at;
    trim(&mut observation.attributes.symbol);
    trim(&mut observation.attributes.name);
    Ok(Believed {
        observed_at: source_at.unwrap_or(fetched_at),
        source_timed: source_at.is_some(),
        observation,
    })
}

fn reject(
    observation: &Observation,
    reason: RejectionReason,
    field: &str,
    value: &Decimal,
) -> Rejection {
    Rejection::new(reason, field, value.as_str()).of(&observation.external_id)
}

pub(crate) fn trim(text: &mut Option<CompactString>) {
    let trimmed = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if trimmed != text.as_deref() {
        *text = trimmed.map(CompactString::from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kasparro_domain::{Attributes, Quote};

    fn fetched_at() -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
    }

    fn observation() -> Observation {
        Observation {
            external_id: "btc-bitcoin".into(),
            attributes: Attributes { symbol: Some("BTC".into()), name: Some("Bitcoin".into()) },
            quote: Quote { price_usd: Some(Decimal::from(42)), ..Quote::default() },
            observed_at: Some(Timestamp::parse("2025-12-31T23:59:00Z").unwrap()),
        }
    }

    #[test]
    fn d3_negative_amounts_are_refused_and_negative_changes_are_not() {
        for field in QuoteField::ALL {
            let mut seen = observation();
            *seen.quote.get_mut(field) = Some(Decimal::parse("-0.5").unwrap());
            let result = believe(seen, fetched_at());
            if field == QuoteField::PriceChange24h {
                assert!(result.is_ok());
            } else {
                let rejection = result.unwrap_err();
                assert_eq!(rejection.reason, RejectionReason::NegativeValue);
                assert_eq!(rejection.field, field.name());
                assert_eq!(rejection.value, "-0.5");
                assert_eq!(rejection.external_id.as_deref(), Some("btc-bitcoin"));
            }
        }
    }

    #[test]
    fn d11_instants_from_the_future_and_before_bitcoin_are_refused() {
        for (instant, reason) in [
            ("2026-01-01T00:05:01Z", Some(RejectionReason::FutureTimestamp)),
            ("2026-01-01T00:05:00Z", None),
            ("2009-01-03T18:15:04Z", Some(RejectionReason::AncientTimestamp)),
            ("2009-01-03T18:15:05Z", None),
        ] {
            let mut seen = observation();
            seen.observed_at = Some(Timestamp::parse(instant).unwrap());
            let result = believe(seen, fetched_at());
            assert_eq!(result.err().map(|rejection| rejection.reason), reason, "{instant}");
        }
    }

    #[test]
    fn the_epoch_is_an_unknown_instant() {
        let mut seen = observation();
        seen.observed_at = Some(Timestamp::EPOCH);
        let believed = believe(seen, fetched_at()).unwrap();
        assert!(!believed.source_timed);
        assert_eq!(believed.observed_at, fetched_at());
        assert_eq!(believed.observation.observed_at, None);
    }

    #[test]
    fn d6_blanks_around_names_are_dropped_and_blank_names_are_unknown() {
        let mut seen = observation();
        seen.attributes.symbol = Some(" \u{3000} ".into());
        seen.attributes.name = Some("Bitcoin\u{a0} ".into());
        let believed = believe(seen, fetched_at()).unwrap();
        assert_eq!(believed.observation.attributes.symbol, None);
        assert_eq!(believed.observation.attributes.name.as_deref(), Some("Bitcoin"));
    }
}
