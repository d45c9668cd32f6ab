//! Several workers that ask one gate, in simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::upstream::Upstream;
use super::*;

/// Numbers that look random, the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// From 0 to `below` - 1.
    pub(super) fn below(&mut self, below: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from((self.0 >> 11) % u64::try_from(below.max(1)).unwrap()).unwrap()
    }
}

/// What grants requests.
pub(super) trait Gate {
    fn ask(&mut self, now: i64, cost: Cost) -> Turn;
    fn answered(&mut self, now: i64, ticket: Ticket, outcome: &Outcome);
}

/// Calls after which a budget is stored and read again.
const STORED_EVERY: u32 = 13;

/// A budget that is stored and read every now and then.
pub(super) struct Shared {
    pub(super) budget: Budget,
    pub(super) limits: Limits,
    pub(super) calls: u32,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self { budget: Budget::default(), limits, calls: 0 }
    }

    fn store(&mut self) {
        self.calls += 1;
        if self.calls.is_multiple_of(STORED_EVERY) {
            self.budget = stored(&self.budget);
        }
    }
}

impl Gate for Shared {
    fn ask(&mut self, now: i64, cost: Cost) -> Turn {
        let turn = self.budget.ask(&self.limits, at(now), Ask { cost, attempt: 1 });
        self.store();
        turn
    }

    fn answered(&mut self, now: i64, ticket: Ticket, outcome: &Outcome) {
        self.budget.answered(&self.limits, at(now), ticket, outcome);
        self.store();
    }
}

/// How the workers behave.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) workers: usize,
    /// Milliseconds between an answer and the next request.
    pub(super) gap_ms: i64,
    /// Milliseconds that an answer takes at most.
    pub(super) latency_ms: i64,
    /// Percent of the requests after which the process dies.
    pub(super) lost: i64,
    /// Milliseconds by which a clock is behind at most.
    pub(super) behind_ms: i64,
    pub(super) weight: i64,
    pub(super) until_ms: i64,
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// When the upstream counted what, in order.
    pub(super) counted: Vec<(i64, u32)>,
    /// Requests that were sent before the end of a `Retry-After`.
    pub(super) early: usize,
}

impl Log {
    /// The most that was counted in any span; in units of weight or requests.
    pub(super) fn worst(&self, span_ms: i64, weighed: bool) -> u64 {
        let units = |&(_, weight): &(i64, u32)| if weighed { u64::from(weight) } else { 1 };
        let (mut worst, mut sum, mut begin) = (0, 0, 0);
        for (index, entry) in self.counted.iter().enumerate() {
            sum += units(entry);
            while entry.0 - self.counted[begin].0 >= span_ms {
                sum -= units(&self.counted[begin]);
                begin += 1;
            }
            worst = worst.max(sum);
            assert!(begin <= index);
        }
        worst
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake,
    Arrive { sent_at: i64, answer_at: i64, weight: u32 },
    Answer { sent_at: i64 },
}

/// Lets the workers ask until the time is up.
pub(super) fn drive(world: &World, gate: &mut dyn Gate, upstream: &mut Upstream) -> Log {
    let mut dice = Dice::new(world.seed);
    let mut log = Log::default();
    let mut events = BinaryHeap::new();
    let mut flights: Vec<Option<(Ticket, Option<Outcome>)>> = vec![None; world.workers];
    let mut not_before = i64::MIN;
    for worker in 0..world.workers {
        events.push(Reverse((dice.below(world.gap_ms), worker, Event::Wake)));
    }
    while let Some(Reverse((now, worker, event))) = events.pop() {
        if now > world.until_ms {
            break;
        }
        let behind = dice.below(world.behind_ms + 1);
        let mut next = |at: i64, event: Event| events.push(Reverse((at, worker, event)));
        match event {
            Event::Wake => {
                let weight = u32::try_from(1 + dice.below(world.weight)).unwrap();
                match gate.ask(now - behind, Cost { weight, credits: 1 }) {
                    Turn::Go(ticket) => {
                        log.early += usize::from(now < not_before);
                        let answer_at = now + 1 + dice.below(world.latency_ms);
                        let counted_at = now + dice.below((answer_at - now).min(30_000));
                        flights[worker] = Some((ticket, None));
                        next(counted_at, Event::Arrive { sent_at: now, answer_at, weight });
                    }
                    Turn::Wait { until, .. } | Turn::Never { until: Some(until), .. } => {
                        next(until.as_millis() - START_MS + behind, Event::Wake);
                    }
                    Turn::Never { .. } => next(now + 1000, Event::Wake),
                }
            }
            Event::Arrive { sent_at, answer_at, weight } => {
                log.counted.push((now, weight));
                let outcome = upstream.serve(now, sent_at, Cost { weight, credits: 1 });
                if dice.below(100) < world.lost {
                    next(answer_at + dice.below(world.gap_ms), Event::Wake);
                } else {
                    flights[worker].as_mut().unwrap().1 = Some(outcome);
                    next(answer_at, Event::Answer { sent_at });
                }
            }
            Event::Answer { .. } => {
                let (ticket, outcome) = flights[worker].take().unwrap();
                let outcome = outcome.unwrap();
                if outcome.class.is_some() {
                    upstream.first_refusal.get_or_insert(now);
                }
                if let Some(delay) = outcome.retry_after {
                    let delay = i64::try_from(delay.as_millis()).unwrap();
                    not_before = not_before.max(now + delay);
                }
                gate.answered(now - behind, ticket, &outcome);
                next(now + dice.below(world.gap_ms), Event::Wake);
            }
        }
    }
    log
}
