//! Sends mutated pages through the whole engine and judges what it makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{
    Clock, DriftKey, DriftKind, DriftRow, DriftSeverity, PageState, RejectionReason, Run,
    RunReason, SourceName, Timestamp,
};
use kasparro_engine::{Engine, Lists, PageRules, Schedule};
use kasparro_store::{DriftFilter, PageFilter, PageRecord, QuarantineFilter};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::{Value, json};

use crate::catalogue::{Change, Found, Mutation};
use crate::scene::{Scene, Step};
use crate::truth::{Said, Truth};
use crate::world::World;

/// The code of a page that is refused for a change.
const DRIFT: &str = "drift";

/// What came of the mutations of a scene, or of several.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) mutations: usize,
    /// Mutations that were not found, or not as what they are.
    pub(crate) missed: Vec<String>,
    /// Values that neither the page before nor the right page has.
    pub(crate) corrupted: Vec<String>,
    /// Listings that the next healthy page did not put right.
    pub(crate) not_healed: Vec<String>,
    /// Values that became unknown after a warning, as the page said.
    unknown: usize,
    pages_refused: usize,
    runs_without_a_page: usize,
    by_kind: BTreeMap<String, usize>,
    healthy_pages: usize,
}

impl Judgement {
    pub(crate) fn add(&mut self, other: Self) {
        self.mutations += other.mutations;
        self.missed.extend(other.missed);
        self.corrupted.extend(other.corrupted);
        self.not_healed.extend(other.not_healed);
        self.unknown += other.unknown;
        self.pages_refused += other.pages_refused;
        self.runs_without_a_page += other.runs_without_a_page;
        self.healthy_pages += other.healthy_pages;
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
    }

    pub(crate) fn figures(&self) -> Value {
        json!({
            "mutations": self.mutations,
            "found_and_classed_right": self.mutations - self.missed.len(),
            "not_found_or_classed_wrong": self.missed,
            "classes": self.by_kind,
            "pages_refused": self.pages_refused,
            "runs_without_a_page": self.runs_without_a_page,
            "values_corrupted": self.corrupted.len(),
            "values_unknown_after_a_warning": self.unknown,
            "listings_not_healed": self.not_healed.len(),
            "healthy_pages_without_alarm": self.healthy_pages,
        })
    }
}

/// An engine on a store in memory, and its upstream.
struct Stage<'a> {
    scene: &'a Scene,
    upstream: TinyUpstream,
    world: World,
    engine: Arc<Engine>,
}

impl<'a> Stage<'a> {
    async fn of(scene: &'a Scene, rules: PageRules) -> Self {
        let upstream = TinyUpstream::script([Reply::json("[]")]);
        let options = match scene.shape.source() {
            "coingecko" => json!({"pages": 1}),
            _ => json!({}),
        };
        let sources = vec![(scene.shape.source(), options)];
        let mut world = World::new(Some(upstream.url.clone()), sources);
        world.page_rules = rules;
        world.max_body_bytes = 16 << 20;
        if !scene.shape.values() {
            world.lists = Schedule::parse("30m").unwrap();
        }
        world.clock.set(scene.before[0].at);
        let engine = world.engine().await;
        Self { scene, upstream, world, engine }
    }

    /// A run at `at` that is answered with `answers` by path.
    async fn run(&self, at: Timestamp, answers: BTreeMap<&'static str, Reply>) -> Run {
        self.world.clock.set(at.max(self.world.clock.now()));
        self.upstream.answer(move |target| {
            let path = target.split('?').next().unwrap_or_default();
            let nothing = || Reply::of("404 Not Found", "application/json", "{}");
            answers.get(path).cloned().unwrap_or_else(nothing)
        });
        let source = [SourceName::new(self.scene.shape.source())];
        let runs = self.engine.run_now(&source, RunReason::Schedule, Lists::Due).await.unwrap();
        runs.into_iter().next().unwrap()
    }

    async fn step(&self, step: &Step) -> Run {
        self.run(step.at, answers(step)).await
    }

    async fn said(&self) -> Said {
        Said::by(self.world.store.as_ref()).await
    }

    async fn drift(&self) -> Vec<DriftRow> {
        self.world.store.drift(DriftFilter::default()).await.unwrap()
    }

    async fn refused(&self) -> Vec<PageRecord> {
        let filter = PageFilter { state: Some(PageState::Refused), ..PageFilter::default() };
        self.world.store.pages(filter).await.unwrap()
    }

    async fn quarantined(&self, reason: Option<RejectionReason>) -> u64 {
        let filter = QuarantineFilter { reason, ..QuarantineFilter::default() };
        self.world.store.count_quarantined(filter).await.unwrap()
    }
}

fn body(rows: &[Value]) -> String {
    serde_json::to_string(rows).unwrap()
}

fn answers(step: &Step) -> BTreeMap<&'static str, Reply> {
    step.rows.iter().map(|(path, rows)| (*path, Reply::json(body(rows)))).collect()
}

/// Judges every mutation of a scene, each in a store of its own.
pub(crate) async fn judge(scene: &Scene, rules: PageRules) -> Judgement {
    let mut judgement = Judgement::default();
    let truth = truth(scene, &mut judgement).await;
    for mutation in &scene.mutations {
        judge_one(scene, rules, &truth, mutation, &mut judgement).await;
    }
    judgement
}

/// Lets the right pages come; they must raise no alarm.
async fn truth(scene: &Scene, judgement: &mut Judgement) -> Truth {
    let stage = Stage::of(scene, PageRules::default()).await;
    let mut said = Vec::new();
    for step in scene.before.iter().chain([&scene.right, &scene.after]) {
        let run = stage.step(step).await;
        assert_eq!(run.error, None, "{:?}", scene.shape);
        judgement.healthy_pages += 1;
        said.push(stage.said().await);
    }
    let alarms = stage.drift().await.into_iter().filter(|row| !harmless(row)).count();
    assert_eq!((alarms, stage.refused().await.len()), (0, 0), "{:?}", scene.shape);
    stage.world.prove().await;
    let (Some(healed), Some(right), Some(before)) = (said.pop(), said.pop(), said.pop()) else {
        unreachable!("a scene has pages before, at and after its mutation");
    };
    Truth { before, right, healed }
}

fn harmless(row: &DriftRow) -> bool {
    row.event.severity == DriftSeverity::Info
}

async fn judge_one(
    scene: &Scene,
    rules: PageRules,
    truth: &Truth,
    mutation: &Mutation,
    judgement: &mut Judgement,
) {
    let stage = Stage::of(scene, rules).await;
    for step in &scene.before {
        stage.step(step).await;
    }
    let known: Vec<DriftKey> = stage.drift().await.into_iter().map(|row| row.event.key).collect();
    let run = mutated(&stage, mutation).await;
    let mut drift = stage.drift().await;
    drift.retain(|row| !known.contains(&row.event.key));
    let refused = stage.refused().await;
    let problem = problem(&stage, mutation, &run, &drift, &refused).await;
    let wrong = truth.wrong(&stage.said().await);
    stage.step(&scene.after).await;
    let healed = stage.said().await;
    stage.world.prove().await;

    let name = mutation.name;
    judgement.mutations += 1;
    judgement.pages_refused += refused.len();
    judgement.runs_without_a_page +=
        usize::from(matches!(mutation.found, Found::NoPage(_) | Found::ErrorPage { .. }));
    *judgement.by_kind.entry(class(mutation.found)).or_default() += 1;
    judgement.missed.extend(problem.map(|problem| format!("{name}: {problem}")));
    let wrongly_unknown = if mutation.unknown { 0 } else { wrong.unknown };
    judgement.unknown += wrong.unknown - wrongly_unknown;
    judgement.corrupted.extend((0..wrongly_unknown).map(|_| format!("{name}: became unknown")));
    judgement.corrupted.extend(wrong.values.into_iter().map(|value| format!("{name}: {value}")));
    // History keeps what was stored, also after the quotes were put right.
    let later = truth.wrong_history(&healed);
    judgement.corrupted.extend(later.into_iter().map(|value| format!("{name}: {value}")));
    let ill = truth.not_healed(&healed);
    judgement.not_healed.extend(ill.into_iter().map(|id| format!("{name}: {id}")));
}

/// Lets the mutated page come.
async fn mutated(stage: &Stage<'_>, mutation: &Mutation) -> Run {
    let Scene { shape, right, before, .. } = stage.scene;
    let mut answers = answers(right);
    let rows = &right.rows[shape.path()];
    let reply = match mutation.change {
        Change::Standstill(hours) => {
            let last = before.last().unwrap();
            for hour in 1..hours {
                let at = last.at.plus(Duration::from_secs(hour * 3600));
                stage.step(&Step { at, ..last.clone() }).await;
            }
            let at = last.at.plus(Duration::from_secs(hours * 3600));
            return stage.step(&Step { at, ..last.clone() }).await;
        }
        Change::Answer(answer) => answer(&body(rows)),
        Change::Rows(change) => {
            let mut rows = rows.clone();
            change(&mut rows);
            Reply::json(body(&rows))
        }
    };
    answers.insert(shape.path(), reply);
    stage.run(right.at, answers).await
}

fn class(found: Found) -> String {
    match found {
        Found::Drift { kind, .. } => kind.name().to_owned(),
        Found::Refused(code) => format!("page refused: {code}"),
        Found::NoPage(code) => format!("answer refused: {code}"),
        Found::ErrorPage { .. } => DriftKind::ErrorPage.name().to_owned(),
        Found::Rows(_, reason) => format!("rows quarantined: {reason}"),
    }
}

/// Why a mutation does not count as found and classed right.
async fn problem(
    stage: &Stage<'_>,
    mutation: &Mutation,
    run: &Run,
    drift: &[DriftRow],
    refused: &[PageRecord],
) -> Option<String> {
    let about = match mutation.found {
        Found::Drift { pointer, .. } => Some(pointer),
        Found::ErrorPage { .. } => Some(""),
        _ => None,
    };
    let stray = drift.iter().filter(|row| !harmless(row)).find(|row| {
        let pointer = row.event.key.pointer.as_str();
        Some(pointer) != about && !mutation.also.contains(&pointer)
    });
    let code = run.error.as_ref().map(|error| error.code.as_str());
    let codes: Vec<_> = refused.iter().flat_map(|page| &page.error).collect();
    let codes: Vec<&str> = codes.into_iter().map(|error| error.code.as_str()).collect();
    let quarantined = stage.quarantined(None).await;
    let right = match mutation.found {
        Found::Drift { kind, pointer, severity, after } => {
            let expected: &[&str] =
                if severity == DriftSeverity::Breaking { &[DRIFT] } else { &[] };
            codes == expected
                && drift.iter().any(|row| {
                    let key = &row.event.key;
                    (key.kind, key.pointer.as_str()) == (kind, pointer)
                        && row.event.severity == severity
                        && (after.is_empty() || key.after == after)
                })
        }
        Found::Refused(expected) => codes == [expected] && code == Some(expected),
        Found::NoPage(expected) => {
            code == Some(expected) && refused.iter().all(|page| page.page.rows_done == 0)
        }
        Found::ErrorPage { code: expected, after } => {
            let [row] = drift else { return Some(format!("{} changes", drift.len())) };
            let DriftRow { event, refused: refuses, pages_seen, .. } = row;
            let told = (event.key.kind, event.key.after.as_str(), event.severity);
            (code, codes.as_slice()) == (Some(expected), &[expected])
                && told == (DriftKind::ErrorPage, after, DriftSeverity::Breaking)
                && (*refuses, *pages_seen) == (true, 1)
        }
        Found::Rows(percent, reason) => {
            let of = stage.scene.right.rows[stage.scene.shape.path()].len();
            let expected = of * percent / 100;
            let found = stage.quarantined(RejectionReason::from_code(reason)).await;
            codes.is_empty() && found == expected as u64 && quarantined == found
        }
    };
    if right && stray.is_none() {
        return None;
    }
    let said = drift.iter().map(|row| {
        let DriftKey { kind, pointer, after, .. } = &row.event.key;
        format!("{} {kind} {pointer} -> {after}", row.event.severity.name())
    });
    let said: Vec<String> = said.collect();
    Some(format!("drift {said:?}, pages {codes:?}, run {code:?}, rows quarantined {quarantined}"))
}
