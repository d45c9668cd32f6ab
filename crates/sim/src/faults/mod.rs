//! Faults on demand: a plan says which requests are answered wrongly, and how.

mod answer;
mod drift;
mod plan;
mod read;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

pub use plan::FaultPlan;
pub use read::FaultPlanError;

pub(crate) use plan::Effect;

use crate::answer::Ask;
use crate::chance::{Purpose, Seed, further};

/// The plan that is played, and how far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Playing>);

#[derive(Debug, Default)]
struct Playing {
    plan: FaultPlan,
    /// One for each rule.
    counts: Vec<Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// Requests that the rule is about.
    matched: u64,
    /// Those that it answered.
    fired: u64,
    /// The step at which it fired first.
    first_step: Option<u64>,
}

impl Faults {
    fn playing(&self) -> MutexGuard<'_, Playing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plays this plan from its beginning in place of the one before.
    pub(crate) fn play(&self, plan: FaultPlan) {
        let counts = vec![Count::default(); plan.rules.len()];
        *self.playing() = Playing { plan, counts };
    }

    /// What happens to a request: the first rule that is due decides, and every rule counts it.
    pub(crate) fn meet(&self, ask: &Ask) -> Option<Effect> {
        let mut playing = self.playing();
        let Playing { plan, counts } = &mut *playing;
        let seed = Seed::new(plan.seed);
        let mut effect = None;
        for (place, (rule, count)) in (0..).zip(plan.rules.iter().zip(counts)) {
            if !rule.matches(ask) {
                continue;
            }
            let number = count.matched;
            count.matched += 1;
            let due = number >= rule.from && rule.times.is_none_or(|times| count.fired < times);
            if effect.is_none() && due && drawn(seed, place, number) < rule.probability {
                count.fired += 1;
                let since_step = *count.first_step.get_or_insert(ask.step);
                let mut met = rule.effect.clone();
                if let Effect::Drift(drift) = &mut met {
                    drift.salt = seed.draw(Purpose::Fault, place);
                    drift.since_step = since_step;
                }
                effect = Some(met);
            }
        }
        effect
    }

    /// How often each rule fired, in the order of the plan.
    pub(crate) fn fired(&self) -> Vec<u64> {
        self.playing().counts.iter().map(|count| count.fired).collect()
    }

    /// The plan as it was sent, with `matched` and `fired` of each rule.
    pub(crate) fn show(&self) -> Value {
        let playing = self.playing();
        let rules = playing.plan.rules.iter().zip(&playing.counts).map(|(rule, count)| {
            let mut text = rule.text.clone();
            if let Effect::Delay(delay) = rule.effect {
                text.insert("delay_ms".to_owned(), json!(delay.as_millis()));
            }
            text.insert("matched".to_owned(), count.matched.into());
            text.insert("fired".to_owned(), count.fired.into());
            Value::Object(text)
        });
        json!({ "seed": playing.plan.seed, "rules": rules.collect::<Vec<_>>() })
    }
}

/// A number from 0 to just below 1 that belongs to a rule and its matching request.
fn drawn(seed: Seed, rule: u32, number: u64) -> f64 {
    let bits = further(seed.draw(Purpose::Fault, rule), number) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}
