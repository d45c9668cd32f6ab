//! What a connection is asked to do by those who watch it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// What the task of a connection was asked to do, and its waker.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last_answer: AtomicBool,
    drain: AtomicBool,
    close: AtomicBool,
    /// True from when it is asked to be parked until it goes on.
    park: AtomicBool,
    waker: AtomicWaker,
}

/// What a connection is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    /// To end with the request that is under way, or with the next one.
    pub(super) last_answer: bool,
    /// To end with the request that is under way, or now.
    pub(super) drain: bool,
    /// To end now.
    pub(super) close: bool,
    /// To give its buffers back.
    pub(super) park: bool,
}

impl Commands {
    /// What to do now; the task is woken when that changes.
    pub(super) fn read(&self, cx: &Context<'_>) -> Command {
        self.waker.register(cx.waker());
        Command {
            last_answer: self.last_answer.load(Ordering::Acquire),
            drain: self.drain.load(Ordering::Acquire),
            close: self.close.load(Ordering::Acquire),
            park: self.park.load(Ordering::Acquire),
        }
    }

    pub(super) fn tell_last_answer(&self) {
        self.tell(&self.last_answer);
    }

    pub(super) fn tell_to_drain(&self) {
        self.tell(&self.drain);
    }

    pub(super) fn tell_to_close(&self) {
        self.tell(&self.close);
    }

    pub(super) fn tell_to_park(&self) {
        self.tell(&self.park);
    }

    /// It is not parked any more, or not at all.
    pub(super) fn stay(&self) {
        self.park.store(false, Ordering::Release);
    }

    /// True while it is asked to be parked.
    pub(super) fn parks(&self) -> bool {
        self.park.load(Ordering::Relaxed)
    }

    fn tell(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::Release);
        self.waker.wake();
    }
}
