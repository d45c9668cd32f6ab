//! What may be asked of an upstream, and when: one budget for each upstream and key.
//!
//! A budget is a value. It reads no clock and does no I/O: every call is given the instant and the
//! limits, and the state that is left is stored by whoever called, by compare-and-swap, so that all
//! workers share it and it survives them. A request takes its place in every window and its credits
//! of the month before it is sent; its place moves to the instant of its answer, because an upstream
//! may count it that late.

mod breaker;
mod ceiling;
mod field;
mod hear;
mod month;
mod pauses;
mod plan;
mod retries;
#[cfg(test)]
mod tests;
mod told;
mod turn;
mod view;
mod window;

pub(crate) use breaker::BreakerState;
pub(crate) use plan::Forecast;
pub(crate) use told::{Quota, Told};
pub(crate) use turn::{Ask, Outcome, Ticket, Turn, Why};
pub(crate) use view::BudgetView;

use std::borrow::Cow;
use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::{Cost, ErrorClass, LimitWindow, Limits};
use serde::{Deserialize, Serialize};

use breaker::Breaker;
use month::Month;
use pauses::Pauses;
use retries::Retries;
use window::{Flight, Window};

/// Times that one request is sent at most.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// A clock that goes back further than this was set; less is the difference between two machines.
const CLOCK_STEP: Duration = Duration::from_secs(60);
/// How long a request without an answer is kept by itself, so that a late answer finds it.
const LONGEST_ANSWER: Duration = Duration::from_secs(600);

/// The budget of one upstream and key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Budget {
    /// The latest instant that was seen.
    latest: Timestamp,
    requests_total: u64,
    flights: Vec<Flight>,
    windows: Vec<Window>,
    month: Month,
    retries: Retries,
    breaker: Breaker,
    pauses: Pauses,
    /// What the latest ordinary runs cost in credits, newest first.
    runs: Vec<u64>,
}

impl Budget {
    /// Asks to send a request at `now`. Leave must be used at once or not at all.
    pub(crate) fn ask(&mut self, limits: &Limits, now: Timestamp, ask: Ask) -> Turn {
        self.settle(limits, now);
        let never = |why, until| Turn::Never { why, until };
        let retry = ask.attempt > 1;
        if ask.attempt > MAX_ATTEMPTS {
            return never(Why::AttemptsSpent, None);
        }
        if retry && !self.retries.may_retry() {
            return never(Why::RetriesSpent, None);
        }
        if let Some(turn) = self.pauses.turn(now) {
            return turn;
        }
        if let Some(until) = self.breaker.shut_until(now) {
            return never(Why::BreakerOpen, Some(until));
        }
        if let Some(configured) = limits.credits_per_month {
            let credits = u64::from(ask.cost.credits);
            if credits > self.month.limit(configured) {
                return never(Why::TooCostly, None);
            }
            if credits > self.month.left(configured) {
                return never(Why::MonthSpent, Some(self.month.end()));
            }
        }
        let mut wait: Option<(Timestamp, Why)> = None;
        for of in windows_of(limits).iter() {
            let Some(window) = self.windows.iter().find(|window| window.is(of)) else { continue };
            if window.too_small_for(ask.cost) {
                return never(Why::TooCostly, None);
            }
            let full = window.room_at(&self.flights, now, ask.cost);
            let full = full.map(|until| (until, Why::WindowFull(of.name)));
            if full.is_some_and(|full| wait.is_none_or(|wait| wait.0 < full.0)) {
                wait = full;
            }
        }
        match wait {
            Some((until, why)) => Turn::Wait { until, why },
            None => Turn::Go(self.grant(now, ask.cost, retry)),
        }
    }

    fn grant(&mut self, now: Timestamp, cost: Cost, retry: bool) -> Ticket {
        self.requests_total += 1;
        let ticket = Ticket { id: self.requests_total, sent_at: now, cost };
        self.flights.push(Flight { id: ticket.id, sent_at: now, cost: cost.into() });
        self.month.spend(cost.credits, now);
        self.retries.push(retry);
        self.breaker.granted(now);
        ticket
    }

    /// Takes in how a request ended, at the instant of its answer.
    pub(crate) fn answered(
        &mut self,
        limits: &Limits,
        now: Timestamp,
        ticket: Ticket,
        outcome: &Outcome,
    ) {
        self.settle(limits, now);
        let at = now.max(ticket.sent_at);
        let limited = outcome.class == Some(ErrorClass::RateLimited);
        self.land(ticket.id, at, ticket.cost, !limited);
        self.month.answered(ticket.cost.credits, ticket.sent_at);
        self.hear(limits, now, &outcome.told);
        self.breaker.answered(ticket.id, self.requests_total, outcome.class, now);
        let delay = outcome.retry_after.filter(|delay| !delay.is_zero());
        if let (Some(delay), Some(_)) = (delay, outcome.class) {
            self.pauses.asked_for(delay, now);
        }
        match outcome.class {
            Some(ErrorClass::RateLimited) => {
                self.learn(limits, now, ticket, delay);
                if delay.is_none() {
                    let shortest = windows_of(limits).iter().map(|window| window.span).min();
                    let pause = shortest.unwrap_or_default().saturating_add(outcome.jitter);
                    self.pauses.asked_for(pause, now);
                }
            }
            Some(ErrorClass::Plan) => self.pauses.plan_refused(self.month.end(), now),
            Some(ErrorClass::Key) => self.pauses.key_refused(now),
            _ => {}
        }
    }

    /// Moves a request from those under way to those that count from `at` on.
    fn land(&mut self, id: u64, at: Timestamp, cost: Cost, accepted: bool) {
        self.flights.retain(|flight| flight.id != id);
        for window in &mut self.windows {
            window.take(at, cost, accepted);
        }
    }

    /// A request was refused as one too many: the shortest window that can explain it shrinks. A
    /// `Retry-After` is no longer than the window that it is about, where it is about one.
    fn learn(&mut self, limits: &Limits, now: Timestamp, refused: Ticket, told: Option<Duration>) {
        let windows = windows_of(limits);
        let mut known: Vec<&mut Window> = self
            .windows
            .iter_mut()
            .filter(|window| windows.iter().any(|of| window.is(of)))
            .collect();
        known.sort_by_key(|window| window.span());
        let longest = known.last().map(|window| window.span()).unwrap_or_default();
        let told = told.unwrap_or_default().min(longest);
        for window in known.into_iter().filter(|window| window.span() >= told) {
            let after = Some(told).filter(|told| !told.is_zero());
            let accepted = window.surely_accepted(refused.sent_at, now, after);
            if window.learn(accepted, now, refused.id, self.requests_total) {
                break;
            }
        }
    }

    /// Brings the state to `now`: forgets what counts no more, begins the month, and follows a clock that
    /// was set back.
    fn settle(&mut self, limits: &Limits, now: Timestamp) {
        let step = self.latest.since(now);
        if step > CLOCK_STEP {
            self.shift_back(step);
            self.month.roll_back(now);
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        self.month.roll(now);
        self.pauses.settle(now);
        for of in windows_of(limits).iter() {
            match self.windows.iter_mut().find(|window| window.is(of)) {
                Some(window) => window.set_limit(of.limit),
                None => {
                    let mut window = Window::new(of);
                    window.seed(&self.windows);
                    self.windows.push(window);
                }
            }
        }
        let lost = |flight: &mut Flight| now.since(flight.sent_at) > LONGEST_ANSWER;
        let lost: Vec<Flight> = self.flights.extract_if(.., lost).collect();
        for flight in lost {
            self.land(flight.id, flight.counted_at(now), flight.cost.into(), true);
        }
        let windows = windows_of(limits);
        for window in &mut self.windows {
            window.settle(now);
        }
        // A window that left the configuration is kept while it knows something.
        self.windows.retain(|window| !window.is_blank() || windows.iter().any(|of| window.is(of)));
    }

    /// The clock was set back by `step`: as little time as possible has passed since.
    fn shift_back(&mut self, step: Duration) {
        for flight in &mut self.flights {
            flight.sent_at = flight.sent_at.minus(step);
        }
        for window in &mut self.windows {
            window.shift_back(step);
        }
        self.breaker.shift_back(step);
        self.pauses.shift_back(step);
    }
}

/// The windows of limits; where there are none, one in which a refusal can be remembered.
fn windows_of(limits: &Limits) -> Cow<'_, [LimitWindow]> {
    match limits.windows.is_empty() {
        true => Cow::Owned(vec![LimitWindow::per_minute(u32::MAX)]),
        false => Cow::Borrowed(&limits.windows),
    }
}
