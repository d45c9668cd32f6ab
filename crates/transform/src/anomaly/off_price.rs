//! Sources that disagree about the price of one asset.

use std::fmt;

use super::robust::median;
use super::text::{percent_of, short};

/// The age from which a price is not compared, in seconds: a day, after which the API calls values stale.
pub const FRESH_SECONDS: u64 = 24 * 60 * 60;

/// ln 1.25: how far two vendors may be from their common middle.
///
/// Measured on 861 coins that CoinPaprika and CoinGecko both priced on 2021-08-12, hours apart: half of them
/// within 1.3 %, 95 % within 26 %; beyond come dead markets and different coins of one name.
const AGREE: f64 = 0.223_143_551_314_209_76;

/// Why a source's price is not to be trusted beside the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PriceDoubt {
    /// It is older than [`FRESH_SECONDS`].
    Stale {
        /// Its age in seconds.
        age_seconds: u64,
    },
    /// Most of the fresh prices agree, and not with it.
    Off {
        /// The median of the fresh prices in US dollars.
        median: f64,
    },
    /// The fresh prices disagree, and no majority says which is right.
    Disputed {
        /// The median of the fresh prices in US dollars.
        median: f64,
    },
}

impl PriceDoubt {
    /// The doubt as users see it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::Off { .. } => "off",
            Self::Disputed { .. } => "disputed",
        }
    }
}

impl fmt::Display for PriceDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = percent_of(AGREE.exp());
        match self {
            Self::Stale { age_seconds } => {
                let (age, limit) = (age_seconds / 3600, FRESH_SECONDS / 3600);
                write!(f, "{age} hours old; prices up to {limit} hours old are compared")
            }
            Self::Off { median } => write!(
                f,
                "not within {within} of {}, the median of the fresh prices, as most of them are",
                short(*median)
            ),
            Self::Disputed { median } => write!(
                f,
                "the fresh prices disagree: no more than half are within {within} of their median {}",
                short(*median)
            ),
        }
    }
}

/// Which prices of one asset, each with its age in seconds and in US dollars, are in doubt beside the
/// others, in the order given.
///
/// Fresh prices within 25 % of their median agree. Where more than half agree, the others are off; where
/// not, all fresh ones are disputed: two that are apart by more than 1.25 x 1.25 = 1.56 times both are, as
/// neither can be called wrong. A price that is no number above zero is unknown: it is neither compared nor
/// in doubt.
#[must_use]
pub fn off_price(prices: &[(u64, f64)]) -> Vec<Option<PriceDoubt>> {
    let known = |price: f64| price.is_finite() && price > 0.0;
    let fresh = || {
        prices
            .iter()
            .filter(move |(age, price)| *age <= FRESH_SECONDS && known(*price))
            .map(|(_, price)| price.ln())
    };
    let middle = median(fresh());
    let agrees = |log: f64| middle.is_some_and(|middle| (log - middle).abs() <= AGREE);
    let agreeing = fresh().filter(|log| agrees(*log)).count();
    let majority = agreeing * 2 > fresh().count();
    let doubt = |&(age_seconds, price): &(u64, f64)| {
        if !known(price) {
            return None;
        }
        if age_seconds > FRESH_SECONDS {
            return Some(PriceDoubt::Stale { age_seconds });
        }
        let median = middle?.exp();
        match majority {
            true if agrees(price.ln()) => None,
            true => Some(PriceDoubt::Off { median }),
            false => Some(PriceDoubt::Disputed { median }),
        }
    };
    prices.iter().map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(prices: &[(u64, f64)]) -> Vec<&'static str> {
        off_price(prices).iter().map(|doubt| doubt.map_or("", |doubt| doubt.name())).collect()
    }

    #[test]
    fn one_of_three_that_is_off_is_named() {
        assert_eq!(names(&[(60, 0.035), (90, 3_887_768.0), (10, 0.036)]), ["", "off", ""]);
        assert_eq!(names(&[(60, 0.035), (90, 0.040), (10, 0.036)]), ["", "", ""]);
    }

    #[test]
    fn two_that_disagree_are_both_named_and_neither_is_called_wrong() {
        assert_eq!(names(&[(60, 1.0), (60, 1.6)]), ["disputed", "disputed"]);
        assert_eq!(names(&[(60, 1.0), (60, 1.5)]), ["", ""]);
    }

    #[test]
    fn of_two_the_stale_one_is_named() {
        assert_eq!(names(&[(60, 1.0), (90_000, 7.0)]), ["", "stale"]);
        assert_eq!(names(&[(FRESH_SECONDS, 1.0), (FRESH_SECONDS + 1, 1.0)]), ["", "stale"]);
    }

    #[test]
    fn a_stale_price_has_no_vote() {
        let day_old = (100_000, 9.0);
        let prices = [(60, 1.0), (60, 1.0), (60, 9.0), day_old, day_old, day_old];
        assert_eq!(names(&prices), ["", "", "off", "stale", "stale", "stale"]);
    }

    #[test]
    fn two_against_two_are_disputed() {
        assert_eq!(names(&[(1, 1.0), (1, 1.0), (1, 2.0), (1, 2.0)]), ["disputed"; 4]);
    }

    #[test]
    fn unknown_prices_and_lone_ones_are_not_in_doubt() {
        assert_eq!(names(&[]), [""; 0]);
        assert_eq!(names(&[(1, 4.0)]), [""]);
        assert_eq!(names(&[(1, 4.0), (1, f64::NAN), (1, 0.0), (90_000, -1.0)]), [""; 4]);
    }

    #[test]
    fn the_reasons_are_sentences_for_people() {
        let texts: Vec<String> = off_price(&[(1, 1.0), (1, 1.0), (1, 10.0), (180_000, 1.0)])
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            [
                "not within 25.0 % of 1, the median of the fresh prices, as most of them are",
                "50 hours old; prices up to 24 hours old are compared",
            ]
        );
        let disputed = off_price(&[(1, 1.0), (1, 4.0)])[0].unwrap().to_string();
        assert_eq!(
            disputed,
            "the fresh prices disagree: no more than half are within 25.0 % of their median 2"
        );
    }

    proptest! {
        #[test]
        fn neither_order_nor_unit_changes_a_verdict(
            (prices, shuffled) in prop::collection::vec((0_u64..100_000, 0.01..100.0_f64), 0..7)
                .prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
            power in -40..40_i32,
        ) {
            let verdicts = |prices: &[(u64, f64)], unit: f64| {
                let scaled: Vec<_> = prices.iter().map(|(age, price)| (*age, price * unit)).collect();
                let mut found: Vec<_> = prices.iter().map(|(age, price)| (*age, price.to_bits())).zip(names(&scaled)).collect();
                found.sort_unstable();
                found
            };
            prop_assert_eq!(verdicts(&prices, 1.0), verdicts(&shuffled, 2_f64.powi(power)));
        }
    }
}
