//! Who waits beside the requests under way, and how many of them one client may have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::{BuildNameHasher, ClientId};
use super::load::{Load, Room};

/// The part of the places that one client may have: so it takes at least four to have them all.
const SHARES: usize = 4;

/// Places for requests that wait for something else than this server, and that should keep nobody out meanwhile.
#[derive(Debug)]
pub(crate) struct Waits {
    load: Load,
    /// Of one client at most.
    share: usize,
    held: Mutex<HashMap<ClientId, usize, BuildNameHasher>>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// This client has its share.
    Share,
}

impl Waits {
    /// Nobody yet, of so many at most.
    pub(crate) fn new(most: usize) -> Self {
        let share = (most / SHARES).max(1);
        Self { load: Load::new(most), share, held: Mutex::default() }
    }

    /// A request of a client begins to wait; `reserved` where it may have one of the places that are kept. It
    /// has to [`Waits::leave`] in the end, unless there was no place.
    pub(crate) fn enter(&self, client: ClientId, reserved: bool) -> Result<(), NoPlace> {
        let mut held = self.held();
        if held.get(&client).is_some_and(|held| *held >= self.share) {
            return Err(NoPlace::Share);
        }
        let room = self.load.enter();
        if room == Room::None || (room == Room::Reserved && !reserved) {
            self.load.leave();
            return Err(NoPlace::Full);
        }
        *held.entry(client).or_default() += 1;
        Ok(())
    }

    /// A request of a client waits no more.
    pub(crate) fn leave(&self, client: ClientId) {
        let mut held = self.held();
        if let Entry::Occupied(mut count) = held.entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
            self.load.leave();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.load.under_way()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ClientId, usize, BuildNameHasher>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a10_one_client_has_a_quarter_of_the_places_and_others_have_the_rest() {
        let waits = Waits::new(8);
        let [greedy, others] = [ClientId(1), ClientId(2)];
        let enter = |client| waits.enter(client, false);
        assert_eq!([enter(greedy), enter(greedy)], [Ok(()), Ok(())]);
        assert_eq!(enter(greedy), Err(NoPlace::Share));
        assert_eq!(waits.enter(greedy, true), Err(NoPlace::Share), "whatever it may do");
        for number in 0..6 {
            assert_eq!(enter(ClientId(10 + number)), Ok(()));
        }
        assert_eq!((enter(others), waits.waiting()), (Err(NoPlace::Full), 8));
        assert_eq!(waits.enter(others, true), Ok(()), "places are kept for it");
        waits.leave(greedy);
        waits.leave(others);
        assert_eq!((enter(greedy), enter(greedy)), (Ok(()), Err(NoPlace::Share)));
    }

    #[test]
    fn i12_who_waits_no_more_is_forgotten() {
        let waits = Waits::new(8);
        for number in 0..1_000 {
            let client = ClientId(number);
            waits.enter(client, false).unwrap();
            waits.leave(client);
            waits.leave(client);
        }
        assert_eq!((waits.waiting(), waits.held().len()), (0, 0));
    }
}
