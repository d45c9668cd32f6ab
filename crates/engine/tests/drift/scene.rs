//! The pages of a story: healthy ones, the one that is mutated, and a healthy one again.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use kasparro_domain::Timestamp;
use serde_json::Value;

use crate::captures;
use crate::catalogue::{Change, Mutation, Shape, catalogue};
use crate::market::{Moment, moment};

/// Healthy hours before anything happens.
const LESSONS: u64 = 4;

/// Rows of a capture of everything that are taken: the largest coins.
const CAPTURED_ROWS: usize = 1_000;

const HOUR: Duration = Duration::from_secs(3600);

/// What the upstream says at one instant: rows by path.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) rows: BTreeMap<&'static str, Vec<Value>>,
}

/// A story into which mutations are put.
pub(crate) struct Scene {
    pub(crate) shape: Shape,
    pub(crate) before: Vec<Step>,
    /// The page that is mutated, as it should be.
    pub(crate) right: Step,
    pub(crate) after: Step,
    pub(crate) mutations: Vec<Mutation>,
}

impl Scene {
    /// Of pages made by hand.
    pub(crate) fn hand_made(shape: Shape, seed: u64) -> Self {
        let begin = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let step = |hour: u64| {
            let at = begin.plus(HOUR * u32::try_from(hour).unwrap());
            Step { at, rows: by_path(moment(seed, hour, at)) }
        };
        let mutations = catalogue().into_iter().filter(|mutation| mutation.shape == shape);
        Self {
            shape,
            before: (0..LESSONS).map(step).collect(),
            right: step(LESSONS),
            after: step(LESSONS + 1),
            mutations: mutations.collect(),
        }
    }

    /// Of captures: two of CoinGecko's markets, 25 days apart; one of CoinPaprika's tickers, again and again.
    pub(crate) fn captured(shape: Shape, folder: &Path) -> Self {
        let files = match shape {
            Shape::Markets => captures::MARKETS,
            _ => captures::TICKERS,
        };
        let step = |(file, at): &(&str, &str)| {
            let mut rows = read(&folder.join(file));
            rows.truncate(CAPTURED_ROWS);
            let at = Timestamp::parse(at).unwrap();
            Step { at, rows: BTreeMap::from([(shape.path(), rows)]) }
        };
        let (first, last) = (step(files.first().unwrap()), step(files.last().unwrap()));
        let later = |step: &Step| Step { at: step.at.plus(HOUR), ..step.clone() };
        let right = if files.len() > 1 { last } else { later(&first) };
        let after = later(&right);
        let lasting = |mutation: &Mutation| matches!(mutation.change, Change::Standstill(_));
        let mutations =
            catalogue().into_iter().filter(|one| one.shape == shape && !lasting(one)).collect();
        Self { shape, before: vec![first], right, after, mutations }
    }

    /// Leaves only the mutations of these names.
    pub(crate) fn keep(&mut self, names: &[&str]) {
        self.mutations.retain(|mutation| names.contains(&mutation.name));
        assert_eq!(self.mutations.len(), names.len(), "{names:?}");
    }

    /// Leaves a few mutations that change no row, whatever they are called.
    pub(crate) fn mutate_nothing(&mut self) {
        self.mutations.retain(|mutation| matches!(mutation.change, Change::Rows(_)));
        self.mutations.truncate(4);
        for mutation in &mut self.mutations {
            mutation.change = Change::Rows(|_| {});
        }
    }
}

fn by_path(moment: Moment) -> BTreeMap<&'static str, Vec<Value>> {
    BTreeMap::from([
        (Shape::Markets.path(), moment.markets),
        (Shape::List.path(), moment.list),
        (Shape::Tickers.path(), moment.tickers),
        (Shape::Coins.path(), moment.coins),
        (Shape::Contracts.path(), moment.contracts),
        ("/v1/contracts", vec![Value::from("eth-ethereum")]),
    ])
}

/// The rows of a captured answer; one that is an object is a row.
pub(crate) fn read(path: &Path) -> Vec<Value> {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|end| end == "gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    match serde_json::from_str(&text).unwrap() {
        Value::Array(rows) => rows,
        row => vec![row],
    }
}
