//! Judges a detector by the catalogue and by healthy pages; detectors that are broken must fail.

use kasparro_domain::{DriftEvent, DriftKind, DriftSeverity};

use super::super::{PageSample, Profile, error_page};
use super::catalogue::catalogue;
use super::market::Market;
use super::shapes::{SHAPES, Shape, sample};

/// What is judged.
pub(super) trait Detector: Clone {
    fn compare(&self, page: &PageSample) -> Vec<DriftEvent>;
    fn learn(&mut self, page: &PageSample);
}

impl Detector for Profile {
    fn compare(&self, page: &PageSample) -> Vec<DriftEvent> {
        Self::compare(self, page)
    }

    fn learn(&mut self, page: &PageSample) {
        Self::learn(self, page);
    }
}

#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) mutations: usize,
    pub(super) missed: Vec<String>,
    pub(super) alarms: Vec<String>,
}

impl Verdict {
    /// At most one mutation missed or classed wrongly, and healthy pages quiet.
    pub(super) fn passes(&self) -> bool {
        self.mutations >= 45 && self.missed.len() <= 1 && self.alarms.is_empty()
    }
}

/// Hourly pages that teach a detector before anything happens.
const LESSONS: usize = 6;
/// Rows of a page.
const ROWS: usize = 250;

pub(super) fn judge<D: Detector>(new: impl Fn() -> D, seed: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut taught: Vec<(Shape, D, Market)> = Vec::new();
    for shape in SHAPES {
        let (mut detector, mut market) = (new(), Market::new(seed, ROWS + 10));
        for lesson in 0..LESSONS {
            market.pass(3600);
            let page = sample(shape, &shape.rows(&market, 0, ROWS), market.at_s);
            for event in detector.compare(&page) {
                verdict.alarms.push(format!("{shape:?} lesson {lesson}: {event:?}"));
            }
            detector.learn(&page);
        }
        taught.push((shape, detector, market));
    }
    for mutation in catalogue() {
        let (shape, detector, market) =
            taught.iter().find(|(shape, ..)| *shape == mutation.shape).unwrap();
        let (mut detector, mut market) = (detector.clone(), market.clone());
        for _ in 0..mutation.hours {
            let page = sample(*shape, &shape.rows(&market, 0, ROWS), market.at_s);
            detector.learn(&page);
            market.at_s += 3600;
        }
        if mutation.hours == 0 {
            market.pass(3600);
        }
        let mut rows = shape.rows(&market, 0, ROWS);
        (mutation.change)(&mut rows);
        let page = sample(*shape, &rows, market.at_s);
        let events = detector.compare(&page);
        let found = events.iter().any(|event| {
            event.key.kind == mutation.kind
                && event.key.pointer == mutation.pointer
                && event.severity == mutation.severity
                && (mutation.after.is_empty() || event.key.after == mutation.after)
        });
        let strays = events.iter().any(|event| {
            event.severity > DriftSeverity::Info
                && event.key.pointer != mutation.pointer
                && !mutation.also.contains(&event.key.pointer.as_str())
        });
        verdict.mutations += 1;
        if !found || strays {
            let said: Vec<String> = events
                .iter()
                .map(|e| {
                    format!(
                        "{} {} {} -> {} {}%",
                        e.severity.name(),
                        e.key.kind,
                        e.key.pointer,
                        e.key.after,
                        e.confidence_percent
                    )
                })
                .collect();
            verdict.missed.push(format!("{}: {said:#?}", mutation.name));
        }
    }
    verdict
}

#[derive(Clone)]
struct Never;

impl Detector for Never {
    fn compare(&self, _: &PageSample) -> Vec<DriftEvent> {
        Vec::new()
    }

    fn learn(&mut self, _: &PageSample) {}
}

#[derive(Clone)]
struct Always;

impl Detector for Always {
    fn compare(&self, page: &PageSample) -> Vec<DriftEvent> {
        let mut events = Vec::new();
        for kind in DriftKind::ALL {
            for field in page.mapped {
                let mut event = error_page("all", "", 1);
                event.key.kind = kind;
                field.pointer.clone_into(&mut event.key.pointer);
                events.push(event);
            }
        }
        events
    }

    fn learn(&mut self, _: &PageSample) {}
}

#[test]
fn d9_the_catalogue_of_mutations_is_found_and_classed_right() {
    for seed in [1, 2, 3] {
        let verdict = judge(|| Profile::new("markets"), seed);
        println!("seed {seed}: of {} missed {:#?}", verdict.mutations, verdict.missed);
        assert!(
            verdict.passes(),
            "seed {seed}: of {} missed {}: {:#?}\nalarms {:#?}",
            verdict.mutations,
            verdict.missed.len(),
            verdict.missed,
            verdict.alarms
        );
    }
}

#[test]
fn d9_a_detector_that_never_speaks_fails_the_judge() {
    let verdict = judge(|| Never, 1);
    assert!(!verdict.passes());
    assert_eq!(verdict.missed.len(), verdict.mutations);
}

#[test]
fn d9_a_detector_that_always_speaks_fails_the_judge() {
    let verdict = judge(|| Always, 1);
    assert!(!verdict.passes());
    assert!(!verdict.alarms.is_empty());
}
