//! The numbers that stand among the further members of a row: sorted by, but seldom, so that they have no
//! column and their keys are made from the text.

use kasparro_domain::{Decimal, Quote};

use crate::Row;
use crate::key::{Field, UNKNOWN, canonical_key};
use crate::rows::{Rows, slot};

/// How many there are.
const COUNT: usize = 4;

/// Such a number. They stand in this order, before every other member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Further {
    CirculatingSupply,
    TotalSupply,
    MaxSupply,
    FullyDilutedValuation,
}

/// The keys of the further numbers of a row, in their order.
pub(crate) type FurtherKeys = [u64; COUNT];

impl Further {
    const ALL: [Self; COUNT] =
        [Self::CirculatingSupply, Self::TotalSupply, Self::MaxSupply, Self::FullyDilutedValuation];

    /// The number that a field is; `None` for other fields.
    pub(crate) const fn of(field: Field) -> Option<Self> {
        match field {
            Field::CirculatingSupply => Some(Self::CirculatingSupply),
            Field::TotalSupply => Some(Self::TotalSupply),
            Field::MaxSupply => Some(Self::MaxSupply),
            Field::FullyDilutedValuation => Some(Self::FullyDilutedValuation),
            _ => None,
        }
    }

    /// What stands before the number.
    const fn member(self) -> &'static str {
        match self {
            Self::CirculatingSupply => r#""circulating_supply":"#,
            Self::TotalSupply => r#""total_supply":"#,
            Self::MaxSupply => r#""max_supply":"#,
            Self::FullyDilutedValuation => r#""fully_diluted_valuation":"#,
        }
    }

    const fn value(self, quote: &Quote) -> Option<&Decimal> {
        match self {
            Self::CirculatingSupply => quote.circulating_supply.as_ref(),
            Self::TotalSupply => quote.total_supply.as_ref(),
            Self::MaxSupply => quote.max_supply.as_ref(),
            Self::FullyDilutedValuation => quote.fully_diluted_valuation.as_ref(),
        }
    }
}

/// Writes the numbers, each with a comma behind it.
pub(crate) fn write_further(out: &mut String, quote: &Quote) {
    for number in Further::ALL {
        out.push_str(number.member());
        out.push_str(number.value(quote).map_or("null", Decimal::as_str));
        out.push(',');
    }
}

impl Row {
    /// One of the further numbers as canonical text; `null` where it is not known.
    pub(crate) fn further_number(&self, number: Further) -> &str {
        // Looking for the member would take several times as long, and it stands in its place.
        let member = self.further_text().split(',').nth(number as usize);
        member.and_then(|text| text.get(number.member().len()..)).unwrap_or("null")
    }

    /// The keys of all further numbers, by one look at the text.
    pub(crate) fn further_keys(&self) -> FurtherKeys {
        let mut keys = [UNKNOWN; COUNT];
        let members = Further::ALL.into_iter().zip(self.further_text().split(','));
        for (key, (number, text)) in keys.iter_mut().zip(members) {
            *key = text.get(number.member().len()..).map_or(UNKNOWN, canonical_key);
        }
        keys
    }

    /// The text that begins with the numbers; empty without a quote, which has none.
    fn further_text(&self) -> &str {
        let further = self.text.get(self.json_end as usize..self.extra_end as usize);
        further.filter(|_| self.priced).unwrap_or_default()
    }
}

impl Rows {
    /// The keys of the further numbers of every row, by slot. Reading the texts takes longer than sorting,
    /// so they are read once for all four indexes.
    pub(crate) fn further_keys(&self) -> Vec<FurtherKeys> {
        let rows = (0..slot(self.len())).map(|slot| self.row(slot));
        rows.map(|row| row.map_or([UNKNOWN; COUNT], |row| row.further_keys())).collect()
    }
}
