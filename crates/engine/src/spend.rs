//! Asking a budget for leave, and telling it how requests ended, by compare-and-swap on its stored state.

use std::time::Duration;

use kasparro_domain::{NewAlert, Timestamp};
use kasparro_extract::{ErrorClass, HttpRequest, LimitWindow, Limits, PageError, RunStart, Target};
use kasparro_store::{StoreError, StoredBudget};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Engine;
use crate::ask::Trip;
use crate::budget::{Ask, BreakerState, Budget, BudgetView, Outcome, Ticket, Told, Turn, Why};
use crate::fetch::{Fetched, LONGEST_WAIT};
use crate::land::store_failed;
use crate::slot::Slot;

/// Times that a change of a budget is tried against others who change it as well.
const MOST_RACES: u32 = 100;

/// Longest pause of our own choice that is added where an upstream gave none, so that many processes do
/// not come back together.
const LONGEST_JITTER: Duration = Duration::from_secs(5);

impl Slot {
    /// What the upstream of the source allows, as far as the configuration does not say otherwise.
    pub(crate) fn limits(&self) -> Limits {
        let own = self.settings.source.limits();
        let windows = match self.settings.requests_per_minute {
            Some(requests) => {
                let others = own.windows.into_iter().filter(|window| window.name != "minute");
                std::iter::once(LimitWindow::per_minute(requests)).chain(others).collect()
            }
            None => own.windows,
        };
        Limits {
            windows,
            credits_per_month: self.settings.credits_per_month.or(own.credits_per_month),
        }
    }
}

impl Engine {
    /// The name of the budget that a request is paid from: the host that is asked, and for a key the
    /// beginning of its hash, which tells keys apart and gives none away.
    pub(crate) fn budget_name(&self, http: &HttpRequest) -> String {
        let origin = self.fetcher.settings.upstream.as_deref().unwrap_or(&http.origin);
        match &http.credential {
            None => origin.to_owned(),
            Some(credential) => {
                let hash = Sha256::digest(credential.value.expose_secret());
                let begin: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                format!("{origin} key {begin}")
            }
        }
    }

    /// Changes a budget, alone or among others; `change` is called again where somebody was faster.
    pub(crate) async fn change_budget<T>(
        &self,
        slot: &Slot,
        name: &str,
        mut change: impl FnMut(&mut Budget, Timestamp) -> T,
    ) -> Result<T, StoreError> {
        for _ in 0..MOST_RACES {
            let stored = self.store.budget(&slot.name, name).await?;
            let before = read(&stored.state);
            let mut budget = before.clone();
            let outcome = change(&mut budget, stored.now.unwrap_or_else(|| self.clock.now()));
            if budget == before {
                return Ok(outcome);
            }
            let state = serde_json::to_value(&budget)
                .map_err(|error| StoreError::Corrupt(format!("a budget: {error}")))?;
            if self.store.put_budget(&slot.name, name, stored.version, state).await? {
                return Ok(outcome);
            }
        }
        Err(StoreError::Unavailable(format!("the budget {name} is changed all the time")))
    }

    /// When a run that is scheduled may start, after what its upstream asked for and what the month
    /// allows.
    pub(crate) async fn affordable(
        &self,
        slot: &Slot,
        last_start: Timestamp,
        scheduled: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let Some(http) = self.main_request(slot) else { return Ok(scheduled) };
        let stored = self.store.budget(&slot.name, &self.budget_name(&http)).await?;
        let (mut budget, limits) = (read(&stored.state), slot.limits());
        let now = stored.now.unwrap_or_else(|| self.clock.now());
        let cost = budget.cost_of_run();
        let start = budget.next_start(&limits, now, last_start, cost, scheduled);
        let pause = budget.not_before(&limits, now);
        Ok(pause.map_or(start, |pause| start.max(pause)))
    }

    /// The first request of a source that has one upstream.
    fn main_request(&self, slot: &Slot) -> Option<HttpRequest> {
        let start = RunStart { checkpoint: None, now: self.clock.now(), values: true };
        let asked = slot.settings.source.first(start).into_iter().map(|request| request.target);
        asked.into_iter().find_map(|target| match target {
            Target::Http(http) if !http.origin_matters => Some(http),
            Target::Http(_) | Target::Files { .. } => None,
        })
    }

    /// Every budget of a source, as it is shown.
    pub(crate) async fn budget_views(&self, slot: &Slot) -> Result<Vec<Value>, StoreError> {
        let limits = slot.limits();
        let interval = slot.settings.schedule.interval();
        let mut views = Vec::new();
        for (name, stored) in self.budgets_of_today(slot).await? {
            let now = stored.now.unwrap_or_else(|| self.clock.now());
            let view: BudgetView = read(&stored.state).view(&limits, now, interval);
            let mut shown = serde_json::to_value(view).unwrap_or_default();
            if let Some(members) = shown.as_object_mut() {
                members.insert("name".to_owned(), name.into());
            }
            views.push(shown);
        }
        Ok(views)
    }

    /// The stored budgets of a source by name; those of keys and hosts of the past say nothing of today.
    async fn budgets_of_today(
        &self,
        slot: &Slot,
    ) -> Result<Vec<(String, StoredBudget)>, StoreError> {
        if let Some(http) = self.main_request(slot) {
            let name = self.budget_name(&http);
            let stored = self.store.budget(&slot.name, &name).await?;
            return Ok((stored.version > 0).then_some((name, stored)).into_iter().collect());
        }
        let all = self.store.budgets().await?.into_iter();
        let own = all.filter(|named| named.source == slot.name);
        let mut own: Vec<_> = own.map(|named| (named.name, named.budget)).collect();
        // Only a single one is told with the time of the database, which is one for all.
        let now = match own.first() {
            Some((name, _)) => self.store.budget(&slot.name, name).await?.now,
            None => None,
        };
        own.iter_mut().for_each(|(_, stored)| stored.now = now);
        Ok(own)
    }

    /// Notes what an ordinary run cost, so that the next can be planned.
    pub(crate) async fn note_cost(&self, slot: &Slot, credits: u64) -> Result<(), StoreError> {
        let Some(http) = self.main_request(slot) else { return Ok(()) };
        let name = self.budget_name(&http);
        self.change_budget(slot, &name, |budget, _| budget.run_ended(credits)).await
    }
}

/// A stored budget; a state that cannot be read is begun anew.
fn read(state: &Value) -> Budget {
    Budget::deserialize(state).unwrap_or_default()
}

impl Trip<'_> {
    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// The end of the run, where that is not worth waiting for.
    pub(crate) async fn leave_to_send(
        &self,
        http: &HttpRequest,
        attempt: u32,
    ) -> Result<Ticket, PageError> {
        let name = self.engine.budget_name(http);
        let limits = self.slot.limits();
        loop {
            let ask = Ask { cost: http.cost, attempt };
            let turn = self.engine.change_budget(self.slot, &name, |budget, now| {
                (budget.ask(&limits, now, ask), now)
            });
            let (turn, now) = turn.await.map_err(|error| store_failed(&error))?;
            match turn {
                Turn::Go(ticket) => return Ok(ticket),
                Turn::Wait { until, why } => {
                    let wait = until.since(now);
                    if wait > LONGEST_WAIT {
                        return Err(self.refused(why, Some(until)));
                    }
                    // Windows and upstreams are asked again at that instant, never before.
                    let wait = wait.max(Duration::from_millis(1));
                    self.wait(wait, reason(why)).await?;
                }
                Turn::Never { why, until } => return Err(self.refused(why, until)),
            }
        }
    }

    /// Tells the budget how a request ended.
    pub(crate) async fn tell_budget(
        &self,
        http: &HttpRequest,
        ticket: Ticket,
        answer: Result<&Fetched, &PageError>,
        class: Option<ErrorClass>,
    ) -> Result<(), PageError> {
        let name = self.engine.budget_name(http);
        let limits = self.slot.limits();
        let headers: &[(String, String)] =
            answer.map_or(&[], |fetched| fetched.limit_headers.as_slice());
        let retry_after = answer.ok().and_then(|fetched| fetched.retry_after);
        let jitter = LONGEST_JITTER.mul_f64(rand::random_range(0.0..1.0));
        let told = self.engine.change_budget(self.slot, &name, |budget, now| {
            let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let told = Told::read(pairs, now);
            let outcome = Outcome { class, retry_after, told, jitter };
            budget.answered(&limits, now, ticket, &outcome);
            budget.breaker_state(now)
        });
        let breaker = told.await.map_err(|error| store_failed(&error))?;
        if breaker == BreakerState::Open && class == Some(ErrorClass::Transient) {
            self.watch.alert(NewAlert {
                code: "breaker_open".to_owned(),
                message: format!("{} failed again and again and is left alone", self.slot.name),
                hint: "it is tried again by itself, ever more rarely; look at the error of the run"
                    .to_owned(),
            });
        }
        Ok(())
    }

    fn refused(&self, why: Why, until: Option<Timestamp>) -> PageError {
        let message = match until {
            Some(until) => format!("{}; it may be asked from {until} on", told(why)),
            None => told(why).to_owned(),
        };
        let error = PageError::retry(why.code(), message, hint(why));
        let class = match why {
            Why::KeyRefused => ErrorClass::Key,
            Why::Plan | Why::MonthSpent | Why::TooCostly => ErrorClass::Plan,
            _ => ErrorClass::RateLimited,
        };
        error.of_class(class)
    }
}

const fn reason(why: Why) -> &'static str {
    match why {
        Why::RateLimited => "because the upstream asked for it",
        _ => "for the request limit",
    }
}

const fn told(why: Why) -> &'static str {
    match why {
        Why::WindowFull(_) => "the request limit is spent",
        Why::RateLimited => "the upstream asked not to be asked now",
        Why::Plan => "the plan of the upstream does not cover the request",
        Why::KeyRefused => "the upstream refused the key",
        Why::MonthSpent => "the credits of the month are spent",
        Why::BreakerOpen => "the upstream failed too often in a row and is left alone",
        Why::AttemptsSpent => "the request was tried often enough",
        Why::RetriesSpent => "too many of the latest requests were repeated ones",
        Why::TooCostly => "one request costs more than the limit allows",
    }
}

const fn hint(why: Why) -> &'static str {
    match why {
        Why::WindowFull(_) | Why::RateLimited => {
            "the schedule asks again after that; run it less often, or use a key of a larger plan"
        }
        Why::Plan | Why::MonthSpent => {
            "run it less often, ask for fewer pages, or use a key of a larger plan"
        }
        Why::KeyRefused => "correct api_key and run the source again",
        Why::BreakerOpen | Why::AttemptsSpent | Why::RetriesSpent => {
            "the schedule asks again; what is stored stays available"
        }
        Why::TooCostly => "raise requests_per_minute or credits_per_month",
    }
}
