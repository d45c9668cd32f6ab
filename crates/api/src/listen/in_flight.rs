//! A request under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::Connection;
use super::turn::{Beside, Taker, Turn};
use crate::limits::Room;

/// Since when an answer that goes on waits until its client takes what it was handed: one more than the
/// milliseconds of the coarse clock; 0 while the client waits for more.
pub(super) type Waiting = AtomicU64;

/// A request under way; ends when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    room: Room,
    /// True while it takes a place among the requests of this process, unless it has a turn.
    placed: bool,
    /// Its place, where it may be beside those of others.
    turn: Option<Arc<Turn>>,
    /// Where its answer goes on.
    streams: Option<Arc<Waiting>>,
}

impl InFlight {
    pub(super) const fn new(connection: Arc<Connection>, room: Room) -> Self {
        Self { connection, room, placed: true, turn: None, streams: None }
    }

    /// Whether there was room for it.
    pub(crate) const fn room(&self) -> Room {
        self.room
    }

    /// It has to wait for this, and takes no place among the others while it does.
    pub(super) fn beside(&mut self, what: Beside, taker: Taker) -> Arc<Turn> {
        let turn = Arc::new(Turn::new(self.connection.places.clone(), what, taker));
        self.placed = false;
        self.turn = Some(Arc::clone(&turn));
        turn
    }

    /// Of what there was no room: where it waits, or for itself once it has what it waited for.
    pub(super) fn crowded_out(&self) -> Option<&'static str> {
        self.turn.as_ref().and_then(|turn| turn.crowded_out())
    }

    /// True while the client has still to send something of its body.
    pub(super) fn waits_for_body(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.waits_for_body())
    }

    /// Its answer is known; what is left of it keeps only its own connection busy.
    pub(crate) fn leave_place(&mut self) {
        if std::mem::take(&mut self.placed) {
            self.connection.places.requests.leave();
        }
        if let Some(turn) = &self.turn {
            turn.leave();
        }
    }

    /// Its answer goes on: it takes no place any more, and its connection is busy while bytes leave.
    pub(crate) fn goes_on(&mut self) {
        self.leave_place();
        if self.streams.is_none() {
            let waiting = Arc::new(Waiting::new(0));
            self.connection.waiting().push(Arc::clone(&waiting));
            self.connection.streams.fetch_add(1, Ordering::Relaxed);
            self.streams = Some(waiting);
        }
    }

    /// The client asked for more of the answer, and got some or has to wait.
    pub(crate) fn asked_for_more(&self, got: bool) {
        if let Some(waiting) = &self.streams {
            let since = if got { self.connection.clock.now_ms() + 1 } else { 0 };
            waiting.store(since, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.leave_place();
        if let Some(waiting) = &self.streams {
            self.connection.waiting().retain(|other| !Arc::ptr_eq(other, waiting));
            self.connection.streams.fetch_sub(1, Ordering::Relaxed);
        }
        self.connection.touch();
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
