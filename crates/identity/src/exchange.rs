//! Symbols of exchanges, which are a case of their own: they are given anew, abbreviated, and multiplied.

use std::collections::BTreeMap;

use compact_str::CompactString;
use kasparro_domain::{ListingKey, Timestamp};

use crate::text;

/// What exchanges call some assets, and what everybody else does.
const ALIASES: &[(&str, &str)] = &[
    ("cgld", "celo"),
    ("xbt", "btc"),
    ("xdg", "doge"),
    ("xetc", "etc"),
    ("xeth", "eth"),
    ("xltc", "ltc"),
    ("xrep", "rep"),
    ("xxbt", "btc"),
    ("xxdg", "doge"),
    ("xxlm", "xlm"),
    ("xxmr", "xmr"),
    ("xxrp", "xrp"),
    ("xzec", "zec"),
];

/// Prefixes of contracts for many units at once.
const MULTIPLIERS: &[(&str, u64)] =
    &[("1000000", 1_000_000), ("10000", 10_000), ("1000", 1_000), ("1m", 1_000_000)];

/// Letters that a symbol must have behind a multiplier; `1INCH` and `1000X` are names.
const MIN_LETTERS: usize = 3;

/// A symbol without what an exchange did to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainSymbol {
    /// The symbol that others use, folded.
    pub symbol: CompactString,
    /// How many units one unit of the exchange's symbol is.
    pub units: u64,
}

/// What an exchange's symbol may stand for, the most literal reading first: the symbol itself or its alias,
/// then what is left behind a multiplier (`1000SHIB`, `kPEPE`, `1MBABYDOGE`).
#[must_use]
pub fn readings(symbol: &str) -> Vec<PlainSymbol> {
    let folded = text::symbol(symbol);
    let alias = ALIASES.iter().find(|(from, _)| *from == folded).map(|(_, to)| *to);
    let mut readings = vec![PlainSymbol { symbol: alias.unwrap_or(&folded).into(), units: 1 }];
    let multiplied = MULTIPLIERS
        .iter()
        .find_map(|(prefix, units)| Some((folded.strip_prefix(prefix)?, *units)))
        // Only a small `k` before capitals is a thousand: KAVA and kava are one coin.
        .or_else(|| {
            let rest = symbol.trim().strip_prefix('k')?;
            let capitals =
                rest.chars().all(|letter| letter.is_uppercase() || letter.is_ascii_digit());
            capitals.then_some((folded.strip_prefix('k')?, 1_000))
        });
    if let Some((rest, units)) = multiplied {
        let letters = rest.chars().filter(|letter| letter.is_alphabetic()).count();
        let begins = rest.chars().next().is_some_and(char::is_alphabetic);
        if begins && letters >= MIN_LETTERS {
            readings.push(PlainSymbol { symbol: rest.into(), units });
        }
    }
    readings
}

/// That an exchange means a listing by a symbol, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// From when on.
    pub valid_from: Timestamp,
    /// Until when, exclusive; absent while it holds.
    pub valid_to: Option<Timestamp>,
    /// The listing that stands for the asset.
    pub listing: ListingKey,
    /// How many units of the asset one unit of the symbol is.
    pub units: u64,
}

/// Why a meaning was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeaningError {
    /// It ends before it begins.
    #[error("valid_to is not after valid_from; give the later instant as valid_to")]
    Empty,
    /// Another one holds at the same time.
    #[error("the symbol has another meaning at that time; end that one first")]
    Overlaps,
}

/// What symbols mean at exchanges, by time.
#[derive(Debug, Default)]
pub struct ExchangeSymbols {
    meanings: BTreeMap<(CompactString, CompactString), Vec<Meaning>>,
}

impl ExchangeSymbols {
    /// Takes a meaning in, under the symbol as the exchange spells it.
    ///
    /// # Errors
    /// [`MeaningError`] where it is empty or meets another one.
    pub fn put(
        &mut self,
        exchange: &str,
        symbol: &str,
        meaning: Meaning,
    ) -> Result<(), MeaningError> {
        if meaning.valid_to.is_some_and(|to| to <= meaning.valid_from) {
            return Err(MeaningError::Empty);
        }
        let known = self.meanings.entry(place(exchange, symbol)).or_default();
        let ends_before =
            |one: &Meaning, two: &Meaning| one.valid_to.is_some_and(|to| to <= two.valid_from);
        if known.iter().any(|other| !ends_before(other, &meaning) && !ends_before(&meaning, other))
        {
            return Err(MeaningError::Overlaps);
        }
        known.push(meaning);
        known.sort_by_key(|meaning| meaning.valid_from);
        Ok(())
    }

    /// What a symbol meant at an exchange at an instant.
    #[must_use]
    pub fn at(&self, exchange: &str, symbol: &str, instant: Timestamp) -> Option<&Meaning> {
        let known = self.meanings.get(&place(exchange, symbol))?;
        known.iter().find(|meaning| {
            meaning.valid_from <= instant && meaning.valid_to.is_none_or(|to| instant < to)
        })
    }
}

fn place(exchange: &str, symbol: &str) -> (CompactString, CompactString) {
    (text::fold(exchange), symbol.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(symbol: &str) -> Vec<(String, u64)> {
        readings(symbol).into_iter().map(|plain| (plain.symbol.to_string(), plain.units)).collect()
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(day * 86_400_000).unwrap()
    }

    fn meaning(from: i64, to: Option<i64>, id: &str) -> Meaning {
        Meaning {
            valid_from: at(from),
            valid_to: to.map(at),
            listing: ListingKey::new("coingecko", id),
            units: 1,
        }
    }

    #[test]
    fn i6_exchanges_have_their_own_names_for_some_assets() {
        for (symbol, plain) in
            [("XBT", "btc"), ("XXBT", "btc"), ("CGLD", "celo"), ("XDG", "doge"), ("ETH", "eth")]
        {
            assert_eq!(read(symbol), [(plain.to_owned(), 1)], "{symbol}");
        }
    }

    #[test]
    fn i6_a_multiplier_is_a_second_reading() {
        for (symbol, rest, units) in [
            ("1000SHIB", "shib", 1_000),
            ("kPEPE", "pepe", 1_000),
            ("1MBABYDOGE", "babydoge", 1_000_000),
            ("1000000MOG", "mog", 1_000_000),
            ("10000LADYS", "ladys", 10_000),
        ] {
            let readings = read(symbol);
            assert_eq!(readings.len(), 2, "{symbol}");
            assert_eq!(readings[0], (symbol.to_lowercase(), 1));
            assert_eq!(readings[1], (rest.to_owned(), units), "{symbol}");
        }
    }

    #[test]
    fn i6_a_number_that_belongs_to_the_name_is_no_multiplier() {
        for symbol in ["1INCH", "KAVA", "KSM", "kava", "1000X", "10SET", "100", "K", "k"] {
            assert_eq!(read(symbol).len(), 1, "{symbol}");
        }
    }

    #[test]
    fn i6_a_symbol_means_what_it_meant_at_that_time() {
        let mut symbols = ExchangeSymbols::default();
        symbols.put("Binance", "LUNA", meaning(10, Some(20), "terra-luna")).unwrap();
        symbols.put("binance", "LUNA", meaning(21, None, "terra-luna-2")).unwrap();
        let id = |day| {
            symbols
                .at("binance", "LUNA", at(day))
                .map(|found| found.listing.external_id.to_string())
        };
        assert_eq!(id(9), None);
        assert_eq!(id(10).as_deref(), Some("terra-luna"));
        assert_eq!(id(20), None);
        assert_eq!(id(4000).as_deref(), Some("terra-luna-2"));
        assert_eq!(symbols.at("kraken", "LUNA", at(12)), None);
    }

    #[test]
    fn i6_a_symbol_never_means_two_things_at_once() {
        let mut symbols = ExchangeSymbols::default();
        symbols.put("binance", "S", meaning(10, None, "sonic")).unwrap();
        assert_eq!(
            symbols.put("binance", "S", meaning(12, Some(13), "x")),
            Err(MeaningError::Overlaps)
        );
        assert_eq!(symbols.put("binance", "S", meaning(5, Some(10), "x")), Ok(()));
        assert_eq!(symbols.put("binance", "S", meaning(3, Some(3), "x")), Err(MeaningError::Empty));
    }
}
