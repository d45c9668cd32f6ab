//! An upstream with limits of its own, which it may or may not tell.

use std::collections::VecDeque;

use super::*;

/// One limit.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) span_ms: i64,
    pub(super) limit: u64,
    pub(super) weighed: bool,
    /// Windows that begin anew at this instant and every span later; `None` slides.
    pub(super) fixed_from: Option<i64>,
    accepted: VecDeque<(i64, u64)>,
}

impl Rule {
    pub(super) fn new(span_ms: i64, limit: u64, fixed_from: Option<i64>) -> Self {
        Self { span_ms, limit, weighed: false, fixed_from, accepted: VecDeque::new() }
    }

    /// When the oldest thing that counts at `now` stops counting.
    fn begin(&self, now: i64) -> i64 {
        self.fixed_from.map_or(now - self.span_ms + 1, |from| {
            from + (now - from).div_euclid(self.span_ms) * self.span_ms
        })
    }

    fn spent(&mut self, now: i64) -> u64 {
        let begin = self.begin(now);
        while self.accepted.front().is_some_and(|(at, _)| *at < begin) {
            self.accepted.pop_front();
        }
        self.accepted.iter().map(|(_, units)| units).sum()
    }

    /// How long a client that was refused has to wait.
    fn wait_ms(&self, now: i64) -> i64 {
        let oldest = self.accepted.front().map_or(now, |(at, _)| *at);
        self.fixed_from.map_or(oldest, |_| self.begin(now)) + self.span_ms - now
    }
}

/// What it says with a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Nothing,
    /// The time until there is room, in whole seconds, rounded up.
    Honestly,
    /// Always this many seconds.
    Always(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) rules: Vec<Rule>,
    pub(super) says: Says,
    /// It states limit and remainder with each answer.
    pub(super) states: bool,
    /// Credits by month.
    pub(super) spent: Vec<(String, u64)>,
    /// When the requests that it refused were sent.
    pub(super) refused_sent_at: Vec<i64>,
    /// When the first refusal was known.
    pub(super) first_refusal: Option<i64>,
}

impl Upstream {
    pub(super) fn new(rules: Vec<Rule>, says: Says) -> Self {
        Self {
            rules,
            says,
            states: false,
            spent: Vec::new(),
            refused_sent_at: Vec::new(),
            first_refusal: None,
        }
    }

    /// Counts a request that arrives at `now` and judges it.
    pub(super) fn serve(&mut self, now: i64, sent_at: i64, cost: Cost) -> Outcome {
        let month = at(now).to_string()[..7].to_owned();
        match self.spent.last_mut().filter(|(known, _)| *known == month) {
            Some((_, spent)) => *spent += u64::from(cost.credits),
            None => self.spent.push((month, cost.credits.into())),
        }
        let units = |rule: &Rule| if rule.weighed { u64::from(cost.weight) } else { 1 };
        let full: Vec<bool> =
            self.rules.iter_mut().map(|rule| rule.spent(now) + units(rule) > rule.limit).collect();
        if let Some(index) = full.iter().position(|full| *full) {
            self.refused_sent_at.push(sent_at);
            let wait = u64::try_from(self.rules[index].wait_ms(now)).unwrap();
            return refused(match self.says {
                Says::Nothing => None,
                Says::Honestly => Some(seconds(wait.div_ceil(1000))),
                Says::Always(delay) => Some(seconds(delay)),
            });
        }
        let mut told = Told::default();
        for rule in &mut self.rules {
            rule.accepted.push_back((now, units(rule)));
            let (limit, spent) = (rule.limit, rule.spent(now));
            told.quotas.push(Quota {
                window: Some(Duration::from_millis(u64::try_from(rule.span_ms).unwrap())),
                limit: u32::try_from(limit).ok(),
                remaining: u32::try_from(limit - spent).ok(),
                used_weight: rule.weighed.then(|| u32::try_from(spent).unwrap()),
                reset_after: Some(seconds(
                    u64::try_from(rule.wait_ms(now)).unwrap().div_ceil(1000),
                )),
            });
        }
        if !self.states {
            told = Told::default();
        }
        Outcome { told, ..Outcome::default() }
    }

    /// Requests that were refused although they were sent after the first refusal was known, as long
    /// as that is remembered.
    pub(super) fn refused_after_learning(&self) -> usize {
        let learned = self.first_refusal.unwrap_or(i64::MAX - 30 * DAY_MS);
        // One of the very same millisecond was sent without knowing.
        let remembered = learned + 1..learned + 30 * DAY_MS;
        self.refused_sent_at.iter().filter(|sent_at| remembered.contains(sent_at)).count()
    }
}
