//! One price for an asset from the quotes of its listings, in exact decimals.
//!
//! The fresh quotes of active listings take part, unless something is unusual about their values (and not
//! about those of all) or most of the others agree on another price. One: it is the price. Two: the fresher is. Three or more: their
//! median; of an even number the mean of the middle two, exact unless it needs more than 38 digits, to
//! which it is then rounded half to even.

use std::num::NonZeroU64;
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode, Zero};
use kasparro_domain::{Decimal, ListingId, MAX_DIGITS, Timestamp};
use kasparro_transform::{PriceDoubt, off_price};

/// One listing's say in the price of its asset.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) listing_id: ListingId,
    pub(crate) price_usd: Option<Decimal>,
    /// The instant the price holds for.
    pub(crate) updated_at: Option<Timestamp>,
    pub(crate) stale: bool,
    pub(crate) active: bool,
    /// True when something was found unusual about the values.
    pub(crate) unusual: bool,
}

/// What became of a candidate: `None` where it was used, else the reason against it.
pub(crate) type Verdict = Option<&'static str>;

/// The price of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssetPrice {
    /// In US dollars; `None` when no candidate takes part.
    pub(crate) price_usd: Option<Decimal>,
    /// Largest less smallest quote that takes part, in percent of the price, to four decimals.
    pub(crate) spread_percent: Option<Decimal>,
    /// One for each candidate, in their order.
    pub(crate) verdicts: Vec<Verdict>,
}

/// Why a quote is left out whose values are unusual, as long as others are not.
const UNUSUAL: &str = "unusual";

/// The price that the candidates give.
pub(crate) fn asset_price(candidates: &[Candidate]) -> AssetPrice {
    let mut verdicts: Vec<Verdict> = candidates.iter().map(exclusion).collect();
    if verdicts.iter().all(Option::is_some) {
        // Where nobody says another price, an unusual one is better than none.
        let unusual = verdicts.iter_mut().filter(|verdict| **verdict == Some(UNUSUAL));
        unusual.for_each(|verdict| *verdict = None);
    }
    exclude_off_prices(candidates, &mut verdicts);
    let mut fresh: Vec<(usize, &Candidate, &Decimal)> = candidates
        .iter()
        .zip(&verdicts)
        .enumerate()
        .filter(|(_, (_, verdict))| verdict.is_none())
        .filter_map(|(index, (candidate, _))| {
            Some((index, candidate, candidate.price_usd.as_ref()?))
        })
        .collect();
    fresh.sort_by(|left, right| left.2.cmp(right.2));
    let price_usd = match fresh.as_slice() {
        [] => None,
        [(_, _, price)] => Some((*price).clone()),
        [left, right] => {
            let rank = |candidate: &Candidate| {
                (candidate.updated_at, std::cmp::Reverse(candidate.listing_id))
            };
            let (used, other) =
                if rank(left.1) >= rank(right.1) { (left, right) } else { (right, left) };
            if let Some(verdict) = verdicts.get_mut(other.0) {
                *verdict = Some("older_of_two");
            }
            Some(used.2.clone())
        }
        many => median(many),
    };
    let spread_percent = match (fresh.first(), fresh.last(), &price_usd) {
        (Some(low), Some(high), Some(price)) if fresh.len() > 1 => spread(low.2, high.2, price),
        _ => None,
    };
    AssetPrice { price_usd, spread_percent, verdicts }
}

fn exclusion(candidate: &Candidate) -> Verdict {
    if candidate.price_usd.is_none() {
        Some("no_price")
    } else if !candidate.active {
        Some("inactive")
    } else if candidate.stale {
        Some("stale")
    } else if candidate.unusual {
        Some(UNUSUAL)
    } else {
        None
    }
}

/// Excludes the prices that most of those that are left contradict. Where there is no majority none is:
/// nobody can say which is wrong.
fn exclude_off_prices(candidates: &[Candidate], verdicts: &mut [Verdict]) {
    // What takes part is fresh enough by the limit of its source, so every one of them has a vote.
    const FRESH: u64 = 0;
    let (left, prices): (Vec<usize>, Vec<(u64, f64)>) = candidates
        .iter()
        .zip(verdicts.iter())
        .enumerate()
        .filter(|(_, (_, verdict))| verdict.is_none())
        .filter_map(|(index, (candidate, _))| {
            Some((index, (FRESH, candidate.price_usd.as_ref()?.to_f64())))
        })
        .unzip();
    for (index, doubt) in left.into_iter().zip(off_price(&prices)) {
        if let (Some(PriceDoubt::Off { .. }), Some(verdict)) = (doubt, verdicts.get_mut(index)) {
            *verdict = Some("price_off");
        }
    }
}

fn median(sorted: &[(usize, &Candidate, &Decimal)]) -> Option<Decimal> {
    let upper = sorted.get(sorted.len() / 2)?.2;
    if sorted.len() % 2 == 1 {
        return Some(upper.clone());
    }
    let lower = sorted.get(sorted.len() / 2 - 1)?.2;
    to_decimal((big(lower)? + big(upper)?).half())
}

fn spread(low: &Decimal, high: &Decimal, price: &Decimal) -> Option<Decimal> {
    let (low, high, price) = (big(low)?, big(high)?, big(price)?);
    if price.is_zero() {
        return None;
    }
    let percent = (high - low) * BigDecimal::from(100) / price;
    to_decimal(percent.with_scale_round(4, RoundingMode::HalfEven))
}

fn big(value: &Decimal) -> Option<BigDecimal> {
    BigDecimal::from_str(value.as_str()).ok()
}

fn to_decimal(value: BigDecimal) -> Option<Decimal> {
    let digits = NonZeroU64::new(MAX_DIGITS as u64)?;
    let value = if value.digits() > digits.get() {
        value.with_precision_round(digits, RoundingMode::HalfEven)
    } else {
        value
    };
    Decimal::parse(&value.to_scientific_notation()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: i64, price: &str, at: i64) -> Candidate {
        Candidate {
            listing_id: ListingId(id),
            price_usd: Decimal::parse(price).ok(),
            updated_at: Timestamp::from_millis(at).ok(),
            stale: false,
            active: true,
            unusual: false,
        }
    }

    fn price(candidates: &[Candidate]) -> Option<String> {
        asset_price(candidates).price_usd.map(|price| price.to_string())
    }

    #[test]
    fn one_quote_is_the_price_and_of_two_the_fresher() {
        let one = candidate(1, "3.84e-18", 5);
        let two = candidate(2, "9223372036854775807", 6);
        assert_eq!(price(std::slice::from_ref(&one)).unwrap(), "3.84e-18");
        let both = asset_price(&[one.clone(), two]);
        assert_eq!(both.price_usd.unwrap().to_string(), "9223372036854775807");
        assert_eq!(both.verdicts, [Some("older_of_two"), None]);
        let tie = asset_price(&[candidate(7, "2", 5), candidate(6, "3", 5)]);
        assert_eq!(tie.price_usd.unwrap().to_string(), "3", "the smaller listing id on a tie");
    }

    #[test]
    fn the_median_is_a_member_or_the_exact_mean_of_two() {
        let odd = [candidate(1, "3", 1), candidate(2, "2.4", 1), candidate(3, "2.50", 1)];
        assert_eq!(price(&odd).unwrap(), "2.5");
        let even = [
            candidate(1, "0.1", 1),
            candidate(2, "100", 1),
            candidate(3, "0.2", 1),
            candidate(4, "1e-30", 1),
        ];
        assert_eq!(price(&even).unwrap(), "0.15");
        let long = "0.12345678901234567890123456789012345678";
        let rounded = [
            candidate(1, "0", 1),
            candidate(2, long, 1),
            candidate(3, "1.0000000000000000000000000000000000001", 1),
            candidate(4, "9", 1),
        ];
        assert!(price(&rounded).unwrap().starts_with("0.5617283945061728394"));
    }

    #[test]
    fn stale_inactive_and_unpriced_quotes_are_left_out_with_the_reason() {
        let stale = Candidate { stale: true, ..candidate(1, "1", 1) };
        let inactive = Candidate { active: false, ..candidate(2, "2", 1) };
        let unpriced = Candidate { price_usd: None, ..candidate(3, "2", 1) };
        let used = candidate(4, "4", 1);
        let result = asset_price(&[stale.clone(), inactive, unpriced, used]);
        assert_eq!(result.price_usd.unwrap().to_string(), "4");
        assert_eq!(result.verdicts, [Some("stale"), Some("inactive"), Some("no_price"), None]);
        assert_eq!(asset_price(&[stale]).price_usd, None);
    }

    #[test]
    fn unusual_quotes_and_those_that_most_others_contradict_are_left_out_with_the_reason() {
        let unusual = Candidate { unusual: true, ..candidate(1, "9", 9) };
        let quotes = [
            unusual.clone(),
            candidate(2, "1.1", 1),
            candidate(3, "1000000", 1),
            candidate(4, "1", 2),
            candidate(5, "1.2", 1),
        ];
        let result = asset_price(&quotes);
        assert_eq!(result.price_usd.unwrap().to_string(), "1.1");
        assert_eq!(result.verdicts, [Some("unusual"), None, Some("price_off"), None, None]);
        assert_eq!(result.spread_percent.unwrap().to_string(), "18.1818");
        let with_another = asset_price(&[unusual.clone(), candidate(2, "1", 1)]);
        assert_eq!(with_another.price_usd.unwrap().to_string(), "1");
        assert_eq!(with_another.verdicts, [Some("unusual"), None]);
        let alone = asset_price(&[unusual]);
        assert_eq!(alone.price_usd.unwrap().to_string(), "9", "better than none");
        assert_eq!(alone.verdicts, [None]);
    }

    #[test]
    fn where_no_majority_agrees_no_quote_is_called_off() {
        let two = asset_price(&[candidate(1, "1", 1), candidate(2, "7", 2)]);
        assert_eq!(two.price_usd.unwrap().to_string(), "7", "the fresher of two");
        assert_eq!(two.verdicts, [Some("older_of_two"), None]);
        let three =
            asset_price(&[candidate(1, "1", 1), candidate(2, "7", 1), candidate(3, "50", 1)]);
        assert_eq!(three.price_usd.unwrap().to_string(), "7");
        assert_eq!(three.verdicts, [None; 3]);
    }

    #[test]
    fn the_spread_is_in_percent_of_the_price() {
        let quotes = [candidate(1, "99", 1), candidate(2, "100", 1), candidate(3, "101", 1)];
        assert_eq!(asset_price(&quotes).spread_percent.unwrap().to_string(), "2");
        let zero = [candidate(1, "0", 1), candidate(2, "0", 2)];
        assert_eq!(asset_price(&zero).spread_percent, None);
        assert_eq!(asset_price(&[candidate(1, "5", 1)]).spread_percent, None);
    }
}
