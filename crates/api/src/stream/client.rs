//! One client of the stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kasparro_domain::Generation;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::batch::{Piece, Place};
use super::catch_up::CatchUp;
use super::event::{HEARTBEAT, RETRY, hello, reset};
use super::filter::Filter;
use super::hub::Seat;
use super::ring::Next;
use super::start::Start;
use crate::Shared;
use crate::access::RingKey;

/// How often it is looked whether a key is still good: the ring of keys is as old as that at most.
const KEY_EVERY: Duration = Duration::from_secs(1);

/// One client: where it stands, and what it is told next.
pub(crate) struct Client {
    shared: Arc<Shared>,
    told: watch::Receiver<()>,
    ending: CancellationToken,
    filter: Filter,
    /// The key that it came with, and when to look at it again.
    key: Option<(Arc<RingKey>, Instant)>,
    heartbeat: Duration,
    /// What is sent before anything else.
    first: Option<Bytes>,
    catch_up: Option<(Arc<CatchUp>, usize)>,
    /// The number of the swap that it reads or waits for, and how far it read it.
    number: u64,
    place: Place,
    generation: Generation,
    /// Last, so that whoever counts clients finds nothing else of one that is gone.
    _seat: Seat,
}

impl Client {
    pub(super) fn new(
        shared: Arc<Shared>,
        seat: Seat,
        start: Start,
        filter: Filter,
        key: Option<Arc<RingKey>>,
    ) -> Self {
        let hub = &shared.stream;
        let mut first = RETRY.to_vec();
        let (number, catch_up) = match start {
            Start::New(position) => {
                hub.counts.hellos.increment(1);
                first.extend_from_slice(&hello(position.generation));
                (position.number, None)
            }
            Start::Anew(position) => {
                hub.counts.resets.increment(1);
                first.extend_from_slice(&reset(position.generation));
                (position.number, None)
            }
            Start::Kept(number) => (number, None),
            Start::CatchUp(found) => (found.then.number, Some((found, 0))),
        };
        Self {
            told: hub.listen(),
            ending: hub.ending(),
            filter,
            key: key.map(|key| (key, Instant::now() + KEY_EVERY)),
            heartbeat: shared.settings.stream_heartbeat.max(Duration::from_millis(1)),
            first: Some(first.into()),
            catch_up,
            number,
            place: Place::default(),
            generation: shared.view.snapshot().generation(),
            shared,
            _seat: seat,
        }
    }

    /// The generation that was shown when it came.
    pub(crate) const fn generation(&self) -> Generation {
        self.generation
    }

    /// What it is told next; nothing when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let heartbeat_at = Instant::now() + self.heartbeat;
        loop {
            if self.ending.is_cancelled() || !self.welcome() {
                return None;
            }
            self.told.mark_unchanged();
            if let Some(piece) = self.piece() {
                self.shared.stream.counts.quotes.increment(piece.quotes);
                return Some(piece.text);
            }
            let look_at = self.key.as_ref().map_or(heartbeat_at, |(_, look_at)| *look_at);
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return None,
                told = self.told.changed() => told.ok()?,
                () = sleep_until(heartbeat_at) => return Some(HEARTBEAT),
                () = sleep_until(look_at) => {}
            }
        }
    }

    /// What is there to be told.
    fn piece(&mut self) -> Option<Piece> {
        if let Some(text) = self.first.take() {
            return Some(Piece { text, quotes: 0 });
        }
        let hub = &self.shared.stream;
        loop {
            let batch = match hub.next(self.number) {
                Next::Missed(position) => {
                    // What was read from the store is older than the place where it can go on.
                    self.catch_up = None;
                    (self.number, self.place) = (position.number, Place::default());
                    hub.counts.resets.increment(1);
                    return Some(Piece { text: reset(position.generation), quotes: 0 });
                }
                next => next,
            };
            if let Some((found, place)) = &mut self.catch_up {
                if let Some(piece) = found.next(place, &self.filter) {
                    return Some(piece);
                }
                self.catch_up = None;
            }
            let Next::Batch(batch) = batch else {
                return None;
            };
            if let Some(piece) = batch.next(&mut self.place, &self.filter) {
                return Some(piece);
            }
            (self.number, self.place) = (self.number + 1, Place::default());
        }
    }

    /// False once the key is revoked, expired or unconfirmed.
    fn welcome(&mut self) -> bool {
        let Some((key, look_at)) = &mut self.key else {
            return true;
        };
        let now = Instant::now();
        if now < *look_at {
            return true;
        }
        *look_at = now + KEY_EVERY;
        self.shared.keys.still_good(key, self.shared.clock.now())
    }
}
