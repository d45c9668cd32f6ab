//! Logistic regression over few patterns: one coordinate at a time, to the end.

use std::collections::BTreeMap;

/// The levels of a name, from the least to the most alike.
pub(crate) const NAMES: &[&str] = &[
    "name_absent",
    "name_differs",
    "name_is_symbol",
    "name_part",
    "name_fuzzy",
    "name_contained",
    "name_core_is_symbol",
    "name_core_twice",
    "name_core",
    "name_exact_is_symbol",
    "name_exact",
];
/// The levels of an id.
pub(crate) const IDS: &[&str] =
    &["id_absent", "id_differs", "id_base", "id_numbered", "id_name", "id_equal"];

/// What is seen of a pair of equal symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern {
    pub(crate) name: usize,
    pub(crate) id: usize,
    pub(crate) symbol: usize,
    pub(crate) shared: Option<usize>,
    pub(crate) version: bool,
    pub(crate) old: bool,
    pub(crate) succeeded: bool,
}

const NAME_AT: usize = 1;
const ID_AT: usize = NAME_AT + NAMES.len();
const CELL_AT: usize = ID_AT + IDS.len();
const SYMBOL_AT: usize = CELL_AT + NAMES.len() * IDS.len();
const SHARED_AT: usize = SYMBOL_AT + 15;
const VERSION_AT: usize = SHARED_AT + 5;
const OLD_AT: usize = VERSION_AT + 1;
const SUCCEEDED_AT: usize = OLD_AT + 1;
const TOTAL: usize = SUCCEEDED_AT + 1;

impl Pattern {
    /// Which table says what the symbol is worth: the ids are equal, the names say no more than the
    /// symbol, or neither.
    pub(crate) const fn group(&self) -> usize {
        if self.id == 5 { 2 } else { matches!(self.name, 6 | 9) as usize }
    }

    fn places(&self) -> Vec<usize> {
        let mut places = vec![
            0,
            NAME_AT + self.name,
            ID_AT + self.id,
            CELL_AT + self.name * IDS.len() + self.id,
            SYMBOL_AT + self.symbol + 5 * self.group(),
        ];
        places.extend(self.shared.map(|shared| SHARED_AT + shared));
        places.extend(self.version.then_some(VERSION_AT));
        places.extend(self.old.then_some(OLD_AT));
        places.extend(self.succeeded.then_some(SUCCEEDED_AT));
        places
    }
}

/// Log-odds by place, in nats.
pub(crate) struct Model(Vec<f64>);

impl Model {
    pub(crate) fn fit(seen: &BTreeMap<Pattern, [f64; 2]>) -> Self {
        let rows: Vec<(Vec<usize>, [f64; 2])> =
            seen.iter().map(|(pattern, counts)| (pattern.places(), *counts)).collect();
        let pull = |place: usize| if (CELL_AT..SYMBOL_AT).contains(&place) { 0.5 } else { 0.1 };
        let mut weights = vec![0.0; TOTAL];
        let mut odds = vec![0.0_f64; rows.len()];
        for _ in 0..3000 {
            let mut moved: f64 = 0.0;
            for (place, weight) in weights.iter_mut().enumerate() {
                let (mut slope, mut bend) = (-pull(place) * *weight, pull(place));
                for ((places, [right, wrong]), odds) in rows.iter().zip(&odds) {
                    if places.contains(&place) {
                        let likely = 1.0 / (1.0 + (-odds).exp());
                        slope += right - (right + wrong) * likely;
                        bend += (right + wrong) * likely * (1.0 - likely);
                    }
                }
                let step = (slope / bend).clamp(-0.5, 0.5);
                *weight += step;
                moved = moved.max(step.abs());
                for ((places, _), odds) in rows.iter().zip(&mut odds) {
                    if places.contains(&place) {
                        *odds += step;
                    }
                }
            }
            if moved < 1e-4 {
                break;
            }
        }
        Self(weights)
    }

    fn centibits(&self, place: usize) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "a few thousand at most")]
        let whole = (self.0[place] * std::f64::consts::LOG2_E * 100.0).round() as i64;
        whole
    }

    /// Prints the tables as `src/weights.rs` has them.
    pub(crate) fn print(&self) {
        println!("pub(crate) const NAME_AND_ID: [[Centibits; 6]; 11] = [");
        for (row, name) in NAMES.iter().enumerate() {
            let cells: Vec<String> = (0..IDS.len())
                .map(|column| {
                    let sum = self.centibits(NAME_AT + row)
                        + self.centibits(ID_AT + column)
                        + self.centibits(CELL_AT + row * IDS.len() + column);
                    sum.to_string()
                })
                .collect();
            println!("    [{}], // {name}", cells.join(", "));
        }
        println!("];");
        for (table, from) in [("EQUAL", 0), ("ONLY", 5), ("AND_ID", 10)] {
            let at =
                |at: usize| (self.centibits(0) + self.centibits(SYMBOL_AT + from + at)).to_string();
            let symbol: Vec<String> = (0..5).map(at).collect();
            println!("pub(crate) const SYMBOL_{table}: [Centibits; 5] = [{}];", symbol.join(", "));
        }
        let shared: Vec<String> =
            (0..5).map(|at| self.centibits(SHARED_AT + at).to_string()).collect();
        println!("pub(crate) const NAME_SHARED: [Centibits; 5] = [{}];", shared.join(", "));
        println!("pub(crate) const VERSION_ONE_SIDED: Centibits = {};", self.centibits(VERSION_AT));
        println!("pub(crate) const SUCCEEDED: Centibits = {};", self.centibits(SUCCEEDED_AT));
        println!("pub(crate) const OLD_ONE_SIDED: Centibits = {};", self.centibits(OLD_AT));
    }
}
