//! The body of a request while it comes: whoever sends slowly keeps nobody out.
//!
//! A request takes a place among those under way. As soon as it has to wait for its body it gives that back and
//! takes one among the bodies that are waited for, of which there are fewer; it comes back when it has read all.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::service::Sent;
use crate::limits::{Load, Room};

/// Where a request with a body has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Place {
    /// Among the requests under way.
    Request,
    /// Among the bodies that are waited for.
    Body,
    /// It has none any more.
    None,
}

/// The place of a request with a body.
#[derive(Debug)]
pub(super) struct Turn {
    place: AtomicU8,
    requests: Arc<Load>,
    bodies: Arc<Load>,
    /// Whether it may have one of the places that are kept.
    reserved: bool,
    crowded_out: AtomicBool,
}

/// There was no room.
#[derive(Debug)]
struct CrowdedOut;

impl std::fmt::Display for CrowdedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is no room for the body of the request")
    }
}

impl std::error::Error for CrowdedOut {}

impl Turn {
    /// That of a request with a place among those under way.
    pub(super) const fn new(requests: Arc<Load>, bodies: Arc<Load>, reserved: bool) -> Self {
        let place = AtomicU8::new(Place::Request as u8);
        Self { place, requests, bodies, reserved, crowded_out: AtomicBool::new(false) }
    }

    /// The rest of the body is still to come.
    fn wait(&self) -> Result<(), CrowdedOut> {
        self.change(Place::Request, Place::Body)
    }

    /// The body is read.
    fn come_back(&self) -> Result<(), CrowdedOut> {
        self.change(Place::Body, Place::Request)
    }

    fn change(&self, from: Place, to: Place) -> Result<(), CrowdedOut> {
        if self.place.load(Ordering::Relaxed) != from as u8 {
            return Ok(());
        }
        let (Some(old), Some(new)) = (self.load(from), self.load(to)) else { return Ok(()) };
        let room = new.enter();
        if room == Room::None || (room == Room::Reserved && !self.reserved) {
            new.leave();
            self.crowded_out.store(true, Ordering::Relaxed);
            return Err(CrowdedOut);
        }
        let changed =
            self.place.compare_exchange(from as u8, to as u8, Ordering::Relaxed, Ordering::Relaxed);
        // Where it has left meanwhile, it gave back what it had.
        if changed.is_ok() {
            old.leave()
        } else {
            new.leave()
        }
        Ok(())
    }

    /// The request needs no place any more.
    pub(super) fn leave(&self) {
        let place = self.place.swap(Place::None as u8, Ordering::Relaxed);
        let held = [Place::Request, Place::Body].into_iter().find(|held| *held as u8 == place);
        if let Some(load) = held.and_then(|held| self.load(held)) {
            load.leave();
        }
    }

    /// True where there was no room for the body, or for the request once that was read.
    pub(super) fn crowded_out(&self) -> bool {
        self.crowded_out.load(Ordering::Relaxed)
    }

    const fn load(&self, place: Place) -> Option<&Arc<Load>> {
        match place {
            Place::Request => Some(&self.requests),
            Place::Body => Some(&self.bodies),
            Place::None => None,
        }
    }
}

/// A body that changes the place of its request while it comes.
pub(super) struct Upload<B> {
    body: Pin<Box<B>>,
    turn: Arc<Turn>,
}

impl<B: Sent> Upload<B> {
    pub(super) fn new(body: B, turn: Arc<Turn>) -> Self {
        Self { body: Box::pin(body), turn }
    }
}

impl<B: Sent> HttpBody for Upload<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        let going_on = match &polled {
            Poll::Pending => self.turn.wait(),
            Poll::Ready(None) => self.turn.come_back(),
            Poll::Ready(Some(_)) => Ok(()),
        };
        match going_on {
            Ok(()) => polled.map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Err(crowded_out) => Poll::Ready(Some(Err(crowded_out.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        // The end has to be seen here, because the place changes then.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(requests: &Arc<Load>, bodies: &Arc<Load>, reserved: bool) -> Turn {
        assert_ne!(requests.enter(), Room::None);
        Turn::new(Arc::clone(requests), Arc::clone(bodies), reserved)
    }

    #[test]
    fn a_request_has_one_place_wherever_its_body_is() {
        let (requests, bodies) = (Arc::new(Load::new(1)), Arc::new(Load::new(1)));
        let turn = turn(&requests, &bodies, false);
        let held = || (requests.under_way(), bodies.under_way());
        assert_eq!(held(), (1, 0));
        for _ in 0..2 {
            turn.wait().unwrap();
            assert_eq!(held(), (0, 1));
        }
        for _ in 0..2 {
            turn.come_back().unwrap();
            assert_eq!(held(), (1, 0));
        }
        turn.leave();
        turn.leave();
        turn.wait().unwrap();
        assert_eq!((held(), turn.crowded_out()), ((0, 0), false));
    }

    #[test]
    fn without_room_for_its_body_a_request_is_crowded_out_but_for_those_who_operate() {
        let (requests, bodies) = (Arc::new(Load::new(3)), Arc::new(Load::new(1)));
        let [first, second] = [false, false].map(|reserved| turn(&requests, &bodies, reserved));
        let operator = turn(&requests, &bodies, true);
        first.wait().unwrap();
        assert!(second.wait().is_err() && second.crowded_out());
        operator.wait().unwrap();
        assert_eq!((requests.under_way(), bodies.under_way()), (1, 2));
        // Those who come meanwhile have the places.
        (0..2).for_each(|_| assert_eq!(requests.enter(), Room::Free));
        assert!(first.come_back().is_err() && first.crowded_out());
        operator.come_back().unwrap();
        for turn in [first, second, operator] {
            turn.leave();
        }
        assert_eq!((requests.under_way(), bodies.under_way()), (2, 0));
    }
}
