//! What was told lately, for those who come back and those who read slowly.

use std::collections::VecDeque;
use std::sync::Arc;

use kasparro_domain::Generation;

use super::batch::Batch;

/// How much is kept and told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Swaps that are kept.
    pub(crate) swaps: usize,
    /// Bytes that they hold; the newest swap is kept whatever it holds.
    pub(crate) bytes: usize,
    /// Rows that are told at once, by one swap or to one who comes back. Where more changed, reading
    /// everything anew costs less.
    pub(crate) rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { swaps: 600, bytes: 16 * 1024 * 1024, rows: 50_000 }
    }
}

/// Where a client stands that has been told everything so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the next swap, counted since the process began.
    pub(super) number: u64,
    /// The generation that was told last.
    pub(super) generation: Generation,
}

/// What a client is to read.
#[derive(Debug)]
pub(super) enum Next {
    /// This.
    Batch(Arc<Batch>),
    /// Nothing yet.
    Nothing,
    /// What it missed, and nobody can tell it any more; from here it can go on.
    Missed(Position),
}

/// The swaps that were told lately.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) limits: Limits,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// The number of the oldest swap that is kept.
    first: u64,
    generation: Generation,
    /// Whoever has seen this generation or a later one whole lacks nothing that is not kept.
    complete_from: Generation,
}

impl Ring {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            batches: VecDeque::new(),
            bytes: 0,
            first: 0,
            generation: Generation(0),
            complete_from: after(Generation(0)),
        }
    }

    /// Where a client stands that has been told everything so far.
    pub(super) fn position(&self) -> Position {
        Position { number: self.next_number(), generation: self.generation }
    }

    /// The generation that was told last.
    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    fn next_number(&self) -> u64 {
        self.first + self.batches.len() as u64
    }

    /// Begins anew at a generation: everybody who listens has missed something.
    pub(super) fn restart(&mut self, generation: Generation) {
        // The number that is skipped is the one that all wait for.
        self.first = self.next_number() + 1;
        self.batches.clear();
        self.bytes = 0;
        self.generation = generation;
        // Which of its rows were told as too old before is not known.
        self.complete_from = after(generation);
    }

    /// Adds a swap that begins at the generation that was told last.
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.bytes;
        self.generation = batch.to;
        self.batches.push_back(Arc::new(batch));
        while self.bytes > self.limits.bytes || self.batches.len() > self.limits.swaps {
            if self.batches.len() <= 1 {
                break;
            }
            let Some(gone) = self.batches.pop_front() else { break };
            self.bytes -= gone.bytes;
            self.first += 1;
            let ages_only = gone.from == gone.to;
            self.complete_from = if ages_only { after(gone.to) } else { gone.to };
        }
    }

    /// What follows for a client that waits for the swap of this number.
    pub(super) fn next(&self, number: u64) -> Next {
        if !self.holds(number) {
            return Next::Missed(self.position());
        }
        let place = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        self.batches.get(place).map_or(Next::Nothing, |batch| Next::Batch(Arc::clone(batch)))
    }

    /// True where a client that waits for the swap of this number has missed nothing.
    pub(super) const fn holds(&self, number: u64) -> bool {
        number >= self.first
    }

    /// The number of the swap with which a client goes on that has seen a generation whole; `None` where
    /// what it lacks is not kept.
    pub(super) fn resume(&self, seen: Generation) -> Option<u64> {
        if seen < self.complete_from || seen > self.generation {
            return None;
        }
        let place = self.batches.iter().position(|batch| batch.to > seen || batch.from >= seen);
        Some(self.first + place.unwrap_or(self.batches.len()) as u64)
    }
}

const fn after(generation: Generation) -> Generation {
    Generation(generation.0.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use kasparro_view::Swap;

    use super::*;

    fn batch(from: u64, to: u64) -> Batch {
        Batch::write(&Swap { from: Generation(from), to: Generation(to), rows: Vec::new() }, 0)
    }

    fn ring(swaps: usize) -> Ring {
        let mut ring = Ring::new(Limits { swaps, ..Limits::default() });
        ring.restart(Generation(5));
        ring
    }

    fn begins(ring: &Ring, seen: u64) -> Option<(u64, u64)> {
        match ring.next(ring.resume(Generation(seen))?) {
            Next::Batch(batch) => Some((batch.from.0, batch.to.0)),
            Next::Nothing => Some((ring.generation.0, 0)),
            Next::Missed(_) => panic!("it was said to be kept"),
        }
    }

    #[test]
    fn a_client_goes_on_with_the_first_swap_that_brings_what_it_lacks() {
        let mut ring = ring(10);
        for (from, to) in [(5, 7), (7, 7), (7, 8), (8, 12)] {
            ring.push(batch(from, to));
        }
        assert_eq!(begins(&ring, 5), None, "what grew too old before is not known");
        assert_eq!(begins(&ring, 6), Some((5, 7)), "it saw a part of that elsewhere");
        assert_eq!(begins(&ring, 7), Some((7, 7)));
        assert_eq!(begins(&ring, 8), Some((8, 12)));
        assert_eq!(begins(&ring, 11), Some((8, 12)));
        assert_eq!(begins(&ring, 12), Some((12, 0)), "it lacks nothing");
        assert_eq!(begins(&ring, 13), None, "nothing is known of it here");
        ring.push(batch(12, 12));
        assert_eq!(begins(&ring, 12), Some((12, 12)), "what grew too old is told again");
    }

    #[test]
    fn whoever_waits_for_what_is_gone_has_missed_it() {
        let mut ring = ring(2);
        let waiting = ring.position().number;
        for (from, to) in [(5, 6), (6, 6), (6, 7)] {
            assert!(ring.holds(waiting));
            ring.push(batch(from, to));
        }
        let Next::Missed(position) = ring.next(waiting) else { panic!("it is gone") };
        assert_eq!(position, ring.position());
        assert_eq!(begins(&ring, 6), Some((6, 6)));
        ring.push(batch(7, 8));
        assert_eq!(begins(&ring, 6), None, "rows that grew too old are gone");
        assert_eq!(begins(&ring, 7), Some((7, 8)));
    }

    #[test]
    fn a_new_beginning_is_missed_by_everybody_who_waits() {
        let mut ring = ring(10);
        ring.push(batch(5, 6));
        let waiting = ring.position().number;
        assert!(matches!(ring.next(waiting), Next::Nothing));
        ring.restart(Generation(3));
        let Next::Missed(position) = ring.next(waiting) else { panic!("it was told") };
        assert_eq!(position.generation, Generation(3));
        assert!(matches!(ring.next(position.number), Next::Nothing));
        assert_eq!((begins(&ring, 3), begins(&ring, 6)), (None, None));
    }

    #[test]
    fn the_bytes_are_bounded_but_the_newest_swap_stays() {
        let mut ring = Ring::new(Limits { bytes: 1, ..Limits::default() });
        ring.restart(Generation(1));
        for generation in 1..50 {
            ring.push(batch(generation, generation + 1));
            assert_eq!(ring.batches.len(), 1);
            assert_eq!(ring.bytes, ring.batches.iter().map(|batch| batch.bytes).sum::<usize>());
        }
    }
}
