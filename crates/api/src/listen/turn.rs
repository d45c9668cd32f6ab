//! Where a request has its place: among those under way, or beside them while it waits.
//!
//! As soon as a request has to wait for its body it gives its place back and takes one among the bodies that are
//! waited for, of which there are fewer; it comes back when it has read all. One that does nothing but wait for the
//! database stands beside from the beginning. Of the places beside, each client has a share only.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::limits::{ClientId, Load, NoPlace, Room, Waits};

/// Bodies of requests that are waited for at once, beside the requests under way.
const MAX_BODIES: usize = 256;
/// Health checks and the like that are answered at once, beside the requests under way.
const MAX_CHECKS: usize = 256;

/// The places of a process.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Of the requests under way.
    pub(super) requests: Arc<Load>,
    /// Of the requests whose bodies are waited for.
    bodies: Arc<Waits>,
    /// Of those that wait for an answer of the database, which all of them share.
    checks: Arc<Waits>,
}

impl Places {
    /// Those of the requests under way, and as many beside them as there are.
    pub(super) fn new(requests: Arc<Load>) -> Self {
        let [bodies, checks] = [MAX_BODIES, MAX_CHECKS].map(|most| Arc::new(Waits::new(most)));
        Self { requests, bodies, checks }
    }

    fn beside(&self, what: Beside) -> &Waits {
        match what {
            Beside::Body => &self.bodies,
            Beside::Check => &self.checks,
        }
    }
}

/// For what a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// Its body.
    Body,
    /// An answer of the database.
    Check,
}

/// Who takes places beside the requests under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    /// Whose share it is.
    pub(super) client: ClientId,
    /// Whether it may have one of the places that are kept.
    pub(super) reserved: bool,
}

/// Where a request has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Place {
    /// Among the requests under way.
    Request,
    /// Beside them.
    Beside,
    /// It has none any more.
    None,
}

/// The place of a request that waits for something.
#[derive(Debug)]
pub(super) struct Turn {
    place: AtomicU8,
    places: Places,
    what: Beside,
    taker: Taker,
    crowded_out: OnceLock<&'static str>,
}

/// There was no room, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CrowdedOut(&'static str);

impl CrowdedOut {
    /// Of what there was none.
    pub(super) const fn why(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for CrowdedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for CrowdedOut {}

impl Turn {
    /// That of a request with a place among those under way.
    pub(super) const fn new(places: Places, what: Beside, taker: Taker) -> Self {
        let place = AtomicU8::new(Place::Request as u8);
        Self { place, places, what, taker, crowded_out: OnceLock::new() }
    }

    /// It waits from now on.
    pub(super) fn wait(&self) -> Result<(), CrowdedOut> {
        if !self.is_in(Place::Request) {
            return Ok(());
        }
        let beside = self.places.beside(self.what);
        if let Err(none) = beside.enter(self.taker.client, self.taker.reserved) {
            return Err(self.crowd_out(match (self.what, none) {
                (Beside::Body, NoPlace::Full) => "too many bodies of requests are waited for",
                (Beside::Body, NoPlace::Share) => {
                    "too many bodies of requests of this client are waited for"
                }
                (Beside::Check, NoPlace::Full) => "too many requests wait for the database",
                (Beside::Check, NoPlace::Share) => {
                    "too many requests of this client wait for the database"
                }
            }));
        }
        // Where it has left meanwhile, it gave back what it had.
        if self.moved(Place::Request, Place::Beside) {
            self.places.requests.leave();
        } else {
            beside.leave(self.taker.client);
        }
        Ok(())
    }

    /// It has what it waited for.
    pub(super) fn come_back(&self) -> Result<(), CrowdedOut> {
        if !self.is_in(Place::Beside) {
            return Ok(());
        }
        let requests = &self.places.requests;
        let room = requests.enter();
        if room == Room::None || (room == Room::Reserved && !self.taker.reserved) {
            requests.leave();
            return Err(self.crowd_out("too many requests are under way"));
        }
        if self.moved(Place::Beside, Place::Request) {
            self.places.beside(self.what).leave(self.taker.client);
        } else {
            requests.leave();
        }
        Ok(())
    }

    /// The request needs no place any more.
    pub(super) fn leave(&self) {
        match self.place.swap(Place::None as u8, Ordering::Relaxed) {
            place if place == Place::Request as u8 => self.places.requests.leave(),
            place if place == Place::Beside as u8 => {
                self.places.beside(self.what).leave(self.taker.client);
            }
            _ => {}
        }
    }

    /// True while the client has still to send something.
    pub(super) fn waits_for_body(&self) -> bool {
        self.what == Beside::Body && self.is_in(Place::Beside)
    }

    /// Of what there was no room, where there was none.
    pub(super) fn crowded_out(&self) -> Option<&'static str> {
        self.crowded_out.get().copied()
    }

    fn is_in(&self, place: Place) -> bool {
        self.place.load(Ordering::Relaxed) == place as u8
    }

    fn moved(&self, from: Place, to: Place) -> bool {
        let (from, to) = (from as u8, to as u8);
        self.place.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn crowd_out(&self, why: &'static str) -> CrowdedOut {
        CrowdedOut(self.crowded_out.get_or_init(|| why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(requests: usize, bodies: usize) -> Places {
        let requests = Arc::new(Load::new(requests));
        Places { bodies: Arc::new(Waits::new(bodies)), ..Places::new(requests) }
    }

    fn turn(places: &Places, client: u8, reserved: bool) -> Turn {
        assert_ne!(places.requests.enter(), Room::None);
        let taker = Taker { client: ClientId::made_up(client), reserved };
        Turn::new(places.clone(), Beside::Body, taker)
    }

    fn held(places: &Places) -> (usize, usize) {
        (places.requests.under_way(), places.bodies.waiting())
    }

    #[test]
    fn a_request_has_one_place_wherever_its_body_is() {
        let places = places(1, 1);
        let turn = turn(&places, 1, false);
        assert_eq!(held(&places), (1, 0));
        for _ in 0..2 {
            turn.wait().unwrap();
            assert_eq!(held(&places), (0, 1));
        }
        for _ in 0..2 {
            turn.come_back().unwrap();
            assert_eq!(held(&places), (1, 0));
        }
        turn.leave();
        turn.leave();
        turn.wait().unwrap();
        assert_eq!((held(&places), turn.crowded_out()), ((0, 0), None));
    }

    #[test]
    fn without_room_for_its_body_a_request_is_crowded_out_but_for_those_who_operate() {
        let places = places(3, 1);
        let [first, second] = [1, 2].map(|client| turn(&places, client, false));
        let operator = turn(&places, 3, true);
        first.wait().unwrap();
        let why = second.wait().unwrap_err().0;
        assert_eq!(second.crowded_out(), Some(why));
        assert_eq!(why, "too many bodies of requests are waited for");
        operator.wait().unwrap();
        assert_eq!(held(&places), (1, 2));
        // Those who come meanwhile have the places.
        (0..2).for_each(|_| assert_eq!(places.requests.enter(), Room::Free));
        assert!(first.come_back().is_err() && first.crowded_out().is_some());
        operator.come_back().unwrap();
        for turn in [first, second, operator] {
            turn.leave();
        }
        assert_eq!(held(&places), (2, 0));
    }

    #[test]
    fn a10_one_client_has_its_share_of_the_bodies_and_others_go_on() {
        let places = places(9, 8);
        let greedy: Vec<_> = (0..3).map(|_| turn(&places, 1, true)).collect();
        assert!(greedy[0].wait().is_ok() && greedy[1].wait().is_ok());
        let why = greedy[2].wait().unwrap_err().0;
        assert_eq!(why, "too many bodies of requests of this client are waited for");
        let other = turn(&places, 2, false);
        other.wait().unwrap();
        greedy[0].leave();
        assert_eq!(held(&places), (1, 2));
        let next = turn(&places, 1, true);
        assert_eq!(next.wait(), Ok(()), "what it left is its own again");
    }
}
