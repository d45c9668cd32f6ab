//! What an evaluation found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Score;
use super::score::share;

/// What an evaluation found, as its JSON document says it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// All scored listings.
    pub overall: Score,
    /// By class; a listing may be in several.
    pub classes: BTreeMap<&'static str, Score>,
    /// Pairs that were given as two assets.
    pub negatives: Negatives,
    /// Pairs of a scored listing and one of the other list with its symbol that is not its counterpart.
    pub same_symbol: Negatives,
    /// How often a link is right, by the confidence that it states.
    pub calibration: Vec<Calibration>,
    /// What was read, by list.
    pub lists: BTreeMap<&'static str, ListCount>,
    /// Pairs of the truth.
    pub truth_pairs: usize,
    /// Those of them that name an id which its list does not have.
    pub truth_pairs_unknown: usize,
    /// Listings of B that were taken away.
    pub dropped: usize,
    /// What decided which those are.
    pub seed: u64,
    /// The rules that decided.
    pub rule_version: &'static str,
    /// What went wrong, and what was left open; not part of the JSON document.
    #[serde(skip)]
    pub confusions: Vec<Confusion>,
    /// The links of scored listings; not part of the JSON document.
    #[serde(skip)]
    pub links: Vec<ScoredLink>,
}

/// A link whose truth is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredLink {
    /// The listing of A.
    pub id_a: String,
    /// The listing of B.
    pub id_b: String,
    /// True where the truth names this pair.
    pub right: bool,
    /// True where both state one contract.
    pub by_contract: bool,
    /// What speaks for it, in hundredths of a bit.
    pub centibits: i32,
}

/// Pairs of two assets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Negatives {
    /// Pairs of which both listings are there.
    pub n: usize,
    /// Those that were linked.
    pub linked: usize,
    /// Their share; absent where there is no pair.
    pub share: Option<f64>,
}

impl Negatives {
    /// The counts of both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self::of(self.n + other.n, self.linked + other.linked)
    }

    pub(super) fn of(n: usize, linked: usize) -> Self {
        Self { n, linked, share: share(linked, n) }
    }
}

/// Links that state a confidence within a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Calibration {
    /// The least confidence, in ten-thousandths.
    pub at_least: u16,
    /// Links of scored listings that state it.
    pub links: usize,
    /// Those of them that are right.
    pub right: usize,
}

/// What a list holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ListCount {
    /// Listings.
    pub listings: usize,
    /// Those with a contract.
    pub with_contract: usize,
    /// Rows that were left out because they have no id.
    pub rows_without_id: usize,
    /// Contracts that were left out because the list does not have their id.
    pub contracts_of_unknown_ids: usize,
}

/// What sort of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfusionKind {
    /// A link to something else.
    FalseLink,
    /// No link, though the counterpart is there.
    Missed,
    /// No link on doubt, where indeed none is right: no mistake, but open.
    Abstained,
    /// A link of a pair that was given as two assets.
    NegativeLinked,
}

impl ConfusionKind {
    /// As the file of errors writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FalseLink => "fp",
            Self::Missed => "fn",
            Self::Abstained => "abstained",
            Self::NegativeLinked => "negative_linked",
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confusion {
    /// What sort.
    pub kind: ConfusionKind,
    /// The listing of A.
    pub id_a: String,
    /// The listing of B that it was linked to, empty where none.
    pub id_b: String,
    /// What the truth says, several with a space between them, empty where its counterpart is not there.
    pub expected: String,
    /// What speaks for the pair of the mistake, in hundredths of a bit: the pair that was linked, or else
    /// the one that was not.
    pub centibits: Option<i32>,
    /// Why, in one sentence.
    pub reason: String,
}

impl Report {
    /// The mistakes as CSV with the header `kind,id_a,id_b,expected,score,reason`; scores are in bits.
    #[must_use]
    pub fn confusions_as_csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = self.confusions.iter().map(|one| {
            let score =
                one.centibits.map(|centibits| format!("{:.2}", f64::from(centibits) / 100.0));
            let score = score.unwrap_or_default();
            [one.kind.name(), &one.id_a, &one.id_b, &one.expected, &score, &one.reason]
                .map(str::to_owned)
        });
        let header = ["kind", "id_a", "id_b", "expected", "score", "reason"].map(str::to_owned);
        for row in std::iter::once(header).chain(rows) {
            // A writer into memory takes everything.
            let _ = writer.write_record(&row);
        }
        writer.into_inner().unwrap_or_default()
    }
}
