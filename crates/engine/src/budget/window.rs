//! One sliding window: what was spent in it, and when there is room again.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::{Cost, Counted, LimitWindow};
use serde::{Deserialize, Serialize};

use super::ceiling::Ceiling;

/// From this limit on places are kept in slices, so that the state stays small.
const COARSE_FROM: u32 = 65;
/// Slices in a window.
const SLICES: u32 = 64;
/// How long a request without an answer may still be counted by the upstream as if it were new.
const LONGEST_FLIGHT: Duration = Duration::from_secs(30);

/// A request that was granted and not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flight {
    /// The number of its ticket.
    pub(super) id: u64,
    /// When it was granted.
    pub(super) sent_at: Timestamp,
    /// What it costs.
    pub(super) cost: FlightCost,
}

/// A [`Cost`] as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FlightCost {
    weight: u32,
    credits: u32,
}

impl From<Cost> for FlightCost {
    fn from(Cost { weight, credits }: Cost) -> Self {
        Self { weight, credits }
    }
}

impl From<FlightCost> for Cost {
    fn from(FlightCost { weight, credits }: FlightCost) -> Self {
        Self { weight, credits }
    }
}

impl Flight {
    /// From when its place counts, as far as is known at `now`.
    pub(super) fn counted_at(&self, now: Timestamp) -> Timestamp {
        self.sent_at.plus(LONGEST_FLIGHT).min(now.max(self.sent_at))
    }
}

/// Requests that were counted close together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    first: Timestamp,
    /// When they stop counting is reckoned from here, which is never too early.
    last: Timestamp,
    units: u64,
    /// Units of those that the upstream did not refuse as too many.
    accepted: u64,
}

/// What is known about one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    span_ms: u64,
    weighed: bool,
    /// The most that may be spent in it as it is configured.
    #[serde(default)]
    limit: u32,
    /// By `first`, ascending.
    #[serde(default)]
    places: Vec<Place>,
    /// What the upstream was heard to allow.
    #[serde(default)]
    ceiling: Ceiling,
}

impl Window {
    pub(super) fn new(of: &LimitWindow) -> Self {
        Self {
            span_ms: u64::try_from(of.span.as_millis()).unwrap_or(u64::MAX),
            weighed: of.counted == Counted::Weight,
            limit: of.limit,
            places: Vec::new(),
            ceiling: Ceiling::default(),
        }
    }

    pub(super) fn is(&self, other: &LimitWindow) -> bool {
        self.span() == other.span && self.weighed == (other.counted == Counted::Weight)
    }

    /// Takes over what another window of the same count knows, so that a window that is new in the
    /// configuration does not begin empty.
    pub(super) fn seed(&mut self, known: &[Self]) {
        let same = known.iter().filter(|window| window.weighed == self.weighed);
        if let Some(longest) = same.max_by_key(|window| window.span_ms) {
            self.places.clone_from(&longest.places);
        }
    }

    pub(super) const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    pub(super) const fn span(&self) -> Duration {
        Duration::from_millis(self.span_ms)
    }

    /// Networks bring requests closer together than they were sent: 2 % of the span, at least 250 ms.
    pub(super) fn margin(&self) -> Duration {
        (self.span() / 50).max(Duration::from_millis(250))
    }

    /// How long a place counts.
    pub(super) fn whole(&self) -> Duration {
        self.span().saturating_add(self.margin())
    }

    pub(super) const fn units(&self, cost: Cost) -> u32 {
        if self.weighed { cost.weight } else { 1 }
    }

    pub(super) const fn is_weighed(&self) -> bool {
        self.weighed
    }

    /// True where the state says nothing any more.
    pub(super) const fn is_blank(&self) -> bool {
        self.places.is_empty() && self.ceiling.is_blank()
    }

    /// The most that may be spent in it now.
    pub(super) fn allowance(&self, now: Timestamp) -> u32 {
        self.ceiling.allowance(self.limit, self.whole(), now)
    }

    /// The most that may ever be spent in it, as far as is known.
    pub(super) fn most(&self) -> u32 {
        self.ceiling.most(self.limit)
    }

    /// As [`Ceiling::state`].
    pub(super) fn state(&mut self, limit: u32, exactly: bool) {
        if exactly || limit < self.limit {
            self.ceiling.state(limit, exactly);
        }
    }

    /// As [`Ceiling::learn`].
    pub(super) fn learn(
        &mut self,
        accepted: u32,
        now: Timestamp,
        refused: u64,
        asked: u64,
    ) -> bool {
        self.ceiling.learn(accepted, self.limit, now, refused, asked)
    }

    /// When each thing spent stops counting, and what it is.
    fn held(&self, flights: &[Flight], now: Timestamp) -> Vec<(Timestamp, u64)> {
        let flights = flights.iter().map(|flight| {
            let units = u64::from(self.units(flight.cost.into()));
            (flight.counted_at(now).plus(self.whole()), units)
        });
        let places = self.places.iter().map(|place| (place.last.plus(self.whole()), place.units));
        places.chain(flights).filter(|(until, _)| *until > now).collect()
    }

    /// What counts at `now`.
    pub(super) fn spent(&self, flights: &[Flight], now: Timestamp) -> u64 {
        self.held(flights, now).iter().map(|(_, units)| units).sum()
    }

    /// When nothing of what counts at `now` counts any more; `None` where nothing does.
    pub(super) fn empty_at(&self, flights: &[Flight], now: Timestamp) -> Option<Timestamp> {
        self.held(flights, now).iter().map(|(until, _)| *until).max()
    }

    /// True where not even an empty window has room for this.
    pub(super) const fn too_small_for(&self, cost: Cost) -> bool {
        self.units(cost) > self.limit
    }

    /// When there will be room for a request; `None` where there is. One that costs more than a ceiling
    /// that was learned goes alone.
    pub(super) fn room_at(
        &self,
        flights: &[Flight],
        now: Timestamp,
        cost: Cost,
    ) -> Option<Timestamp> {
        let units = u64::from(self.units(cost));
        let most = u64::from(self.allowance(now)).max(units);
        let mut held = self.held(flights, now);
        let mut spent: u64 = held.iter().map(|(_, units)| units).sum();
        held.sort_unstable();
        let mut room_at = None;
        for (until, freed) in held {
            if spent + units <= most {
                break;
            }
            spent -= freed;
            room_at = Some(until);
        }
        room_at
    }

    /// Counts a request that was answered.
    pub(super) fn take(&mut self, at: Timestamp, cost: Cost, accepted: bool) {
        let units = u64::from(self.units(cost));
        self.add(Place { first: at, last: at, units, accepted: if accepted { units } else { 0 } });
    }

    /// Raises what is spent to what the upstream counts: somebody else spends too.
    pub(super) fn raise_to(&mut self, used: u64, flights: &[Flight], now: Timestamp) {
        let missing = used.saturating_sub(self.spent(flights, now));
        if missing > 0 {
            self.add(Place { first: now, last: now, units: missing, accepted: 0 });
        }
    }

    fn add(&mut self, place: Place) {
        let slice = Duration::from_millis(self.span_ms / u64::from(SLICES));
        let coarse = self.limit >= COARSE_FROM;
        let near = |known: &&mut Place| {
            coarse && place.first >= known.first && place.first.since(known.first) < slice
        };
        if let Some(known) = self.places.last_mut().filter(near) {
            known.last = known.last.max(place.last);
            known.units += place.units;
            known.accepted += place.accepted;
            return;
        }
        let behind = self.places.partition_point(|known| known.first <= place.first);
        self.places.insert(behind, place);
    }

    /// Forgets what counts no more.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let whole = self.whole();
        self.places.retain(|place| place.last.plus(whole) > now);
        self.ceiling.settle(now);
    }

    /// Units that an upstream whose window is this long has surely accepted within one window of its
    /// own when it refused a request as one too many.
    ///
    /// Its windows may slide or may begin anew at instants we do not know. Of what was accepted within
    /// the last span, one window holds at least half, whatever its beginning. A `Retry-After` that is
    /// not longer than the span tells when the window ends, hence when it began, and all that was
    /// accepted since was in it. More than that is a guess that a second refusal would have to correct.
    pub(super) fn surely_accepted(
        &self,
        sent_at: Timestamp,
        now: Timestamp,
        retry_after: Option<Duration>,
    ) -> u32 {
        // What took as long as this request may have been counted before its answer came.
        let guard = self.margin().saturating_add(now.since(sent_at)).min(self.span() / 4);
        let since = |from: Timestamp| -> u64 {
            let from = from.plus(guard);
            self.places.iter().filter(|place| place.first > from).map(|place| place.accepted).sum()
        };
        let half = since(now.minus(self.span())).div_ceil(2);
        let told = retry_after.filter(|after| *after <= self.span());
        let in_window = told.map_or(0, |after| since(now.minus(self.span()).plus(after)));
        u32::try_from(half.max(in_window).max(1)).unwrap_or(u32::MAX)
    }

    /// Moves every instant back: the clock was.
    pub(super) fn shift_back(&mut self, step: Duration) {
        for place in &mut self.places {
            place.first = place.first.minus(step);
            place.last = place.last.minus(step);
        }
        self.ceiling.shift_back(step);
    }
}
