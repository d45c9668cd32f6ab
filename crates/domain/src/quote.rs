//! The values of a listing at one instant.

use crate::Decimal;

/// A numeric value of a [`Quote`], in US dollars, percent or units of the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuoteField {
    /// Price of one unit in US dollars.
    PriceUsd,
    /// Market capitalisation in US dollars.
    MarketCap,
    /// Volume traded over 24 hours in US dollars.
    Volume24h,
    /// Change of the price over 24 hours in percent.
    PriceChange24h,
    /// Units in circulation.
    CirculatingSupply,
    /// Units that exist.
    TotalSupply,
    /// Units that can ever exist.
    MaxSupply,
    /// Price times the largest supply, in US dollars.
    FullyDilutedValuation,
}

impl QuoteField {
    /// Every field, in the order in which stores and hashes take them.
    pub const ALL: [Self; 8] = [
        Self::PriceUsd,
        Self::MarketCap,
        Self::Volume24h,
        Self::PriceChange24h,
        Self::CirculatingSupply,
        Self::TotalSupply,
        Self::MaxSupply,
        Self::FullyDilutedValuation,
    ];

    /// True for the one field that may lie below zero: a change. An amount that does is not believed.
    #[must_use]
    pub const fn signed(self) -> bool {
        matches!(self, Self::PriceChange24h)
    }

    /// The field's name in the API, the store and in quarantine.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PriceUsd => "price_usd",
            Self::MarketCap => "market_cap",
            Self::Volume24h => "volume_24h",
            Self::PriceChange24h => "price_change_24h",
            Self::CirculatingSupply => "circulating_supply",
            Self::TotalSupply => "total_supply",
            Self::MaxSupply => "max_supply",
            Self::FullyDilutedValuation => "fully_diluted_valuation",
        }
    }
}

/// The values of a listing at one instant as its source states them; unknown is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Quote {
    /// Price of one unit in US dollars.
    pub price_usd: Option<Decimal>,
    /// Market capitalisation in US dollars.
    pub market_cap: Option<Decimal>,
    /// Volume traded over 24 hours in US dollars.
    pub volume_24h: Option<Decimal>,
    /// Change of the price over 24 hours in percent.
    pub price_change_24h: Option<Decimal>,
    /// Units in circulation.
    pub circulating_supply: Option<Decimal>,
    /// Units that exist.
    pub total_supply: Option<Decimal>,
    /// Units that can ever exist.
    pub max_supply: Option<Decimal>,
    /// Price times the largest supply, in US dollars.
    pub fully_diluted_valuation: Option<Decimal>,
    /// Rank by market capitalisation in the source's own order, from 1.
    pub rank: Option<u32>,
}

impl Quote {
    /// The value of one field.
    #[must_use]
    pub const fn get(&self, field: QuoteField) -> Option<&Decimal> {
        match field {
            QuoteField::PriceUsd => self.price_usd.as_ref(),
            QuoteField::MarketCap => self.market_cap.as_ref(),
            QuoteField::Volume24h => self.volume_24h.as_ref(),
            QuoteField::PriceChange24h => self.price_change_24h.as_ref(),
            QuoteField::CirculatingSupply => self.circulating_supply.as_ref(),
            QuoteField::TotalSupply => self.total_supply.as_ref(),
            QuoteField::MaxSupply => self.max_supply.as_ref(),
            QuoteField::FullyDilutedValuation => self.fully_diluted_valuation.as_ref(),
        }
    }

    /// The place of one field, to set it.
    pub const fn get_mut(&mut self, field: QuoteField) -> &mut Option<Decimal> {
        match field {
            QuoteField::PriceUsd => &mut self.price_usd,
            QuoteField::MarketCap => &mut self.market_cap,
            QuoteField::Volume24h => &mut self.volume_24h,
            QuoteField::PriceChange24h => &mut self.price_change_24h,
            QuoteField::CirculatingSupply => &mut self.circulating_supply,
            QuoteField::TotalSupply => &mut self.total_supply,
            QuoteField::MaxSupply => &mut self.max_supply,
            QuoteField::FullyDilutedValuation => &mut self.fully_diluted_valuation,
        }
    }
}
