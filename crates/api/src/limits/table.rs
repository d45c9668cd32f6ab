//! What was counted of every client: many locks, each over a few clients.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::{BuildNameHasher, ClientId};
use super::slots::{Slots, Told};

/// Parts of a table, each behind a lock of its own.
const SHARDS: usize = 64;

/// Counts by client, bounded.
#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[Mutex<Shard>]>,
    /// Clients that a shard knows at most.
    clients_per_shard: usize,
    /// True where the store is told what is counted.
    tells: bool,
}

#[derive(Debug, Default)]
struct Shard {
    clients: HashMap<ClientId, Counted, BuildNameHasher>,
    /// Those who came when there was no place left, all together. Whoever makes up clients to get more
    /// gets no more than one, and those who were known before lose nothing.
    overflow: Slots,
    /// Clients of whom there is something to tell.
    untold: Vec<ClientId>,
    /// In which slot clients that count no more were looked for last.
    swept: u64,
}

#[derive(Debug, Default)]
struct Counted {
    slots: Slots,
    /// True while it is among those of whom there is something to tell.
    listed: bool,
}

/// How a request fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is counted; so many more are free.
    Counted {
        left: u64,
        /// In which slot more will be free.
        free_from: u64,
    },
    /// There are none left until this slot.
    Full { free_from: u64 },
    /// As far as this process knows there are some left, but it was not told for too many requests.
    Unknown,
}

impl Table {
    /// An empty table of at most about so many clients. `tells` says whether the store is told.
    pub(super) fn new(clients: usize, tells: bool) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            clients_per_shard: clients.div_ceil(SHARDS),
            tells,
        }
    }

    /// Counts a request in a slot if the limit allows it. `grant` is how many requests of a client may be
    /// counted of which the store has not confirmed that it knows.
    pub(super) fn take(
        &self,
        client: ClientId,
        slot: u64,
        limit: u64,
        grant: Option<u64>,
    ) -> Outcome {
        let mut shard = self.shard(client);
        let Shard { clients, overflow, untold, swept } = &mut *shard;
        let counted = match clients.get_mut(&client) {
            Some(counted) => counted,
            None => {
                if clients.len() >= self.clients_per_shard && *swept < slot {
                    *swept = slot;
                    clients.retain(|_, counted| !counted.slots.over(slot));
                }
                if clients.len() >= self.clients_per_shard {
                    return count(overflow, slot, limit, None);
                }
                clients.entry(client).or_default()
            }
        };
        let outcome = count(&mut counted.slots, slot, limit, grant);
        if self.tells && matches!(outcome, Outcome::Counted { .. }) && !counted.listed {
            counted.listed = true;
            untold.push(client);
        }
        outcome
    }

    /// How a request would fare that is not counted yet; `None` where it would be counted.
    pub(super) fn look(
        &self,
        client: ClientId,
        slot: u64,
        limit: u64,
        grant: Option<u64>,
    ) -> Option<Outcome> {
        let mut shard = self.shard(client);
        let slots = &mut shard.clients.get_mut(&client)?.slots;
        slots.advance(slot);
        refusal(slots, limit, grant)
    }

    /// In which slot more will be free for a client that has none left; `None` where it has.
    pub(super) fn full(&self, client: ClientId, slot: u64, limit: u64) -> Option<u64> {
        let mut shard = self.shard(client);
        let slots = &mut shard.clients.get_mut(&client)?.slots;
        slots.advance(slot);
        (slots.total() >= limit).then(|| slots.free_from())
    }

    /// What the store is to be told, of at most about so many clients.
    pub(super) fn tell(&self, clients: usize) -> Vec<(ClientId, Told)> {
        let mut told = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let Shard { clients: known, untold, .. } = &mut *shard;
            let kept = untold.len().saturating_sub(clients.saturating_sub(told.len()));
            for client in untold.drain(kept..) {
                if let Some(counted) = known.get_mut(&client) {
                    counted.listed = false;
                    told.extend(counted.slots.tell().map(|told| (client, told)));
                }
            }
        }
        told
    }

    /// The store was told this.
    pub(super) fn confirm(&self, told: &[(ClientId, Told)]) {
        for (client, told) in told {
            if let Some(counted) = self.shard(*client).clients.get_mut(client) {
                counted.slots.confirm(*told);
            }
        }
    }

    /// The store could not be told this; it is to be told later.
    pub(super) fn untell(&self, told: &[(ClientId, Told)]) {
        for (client, told) in told {
            let mut shard = self.shard(*client);
            let Shard { clients, untold, .. } = &mut *shard;
            if let Some(counted) = clients.get_mut(client) {
                counted.slots.untell(*told);
                if !counted.listed {
                    counted.listed = true;
                    untold.push(*client);
                }
            }
        }
    }

    /// Learns what all processes counted of a client in a slot.
    pub(super) fn learn(&self, client: ClientId, slot: u64, requests: u64) {
        let mut shard = self.shard(client);
        if shard.clients.len() < self.clients_per_shard || shard.clients.contains_key(&client) {
            shard.clients.entry(client).or_default().slots.learn(slot, requests);
        }
    }

    /// Forgets clients of whom nothing counts any more.
    pub(super) fn sweep(&self, slot: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.clients.retain(|_, counted| !counted.slots.over(slot));
            if shard.clients.len() < shard.clients.capacity() / 8 {
                shard.clients.shrink_to_fit();
            }
        }
    }

    /// How many clients are known.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).clients.len()).sum()
    }

    fn shard(&self, client: ClientId) -> MutexGuard<'_, Shard> {
        // The upper half of a name chooses the shard, the lower one the place in it.
        let number = (client.0 >> 64) as usize % SHARDS;
        lock(self.shards.get(number).unwrap_or(&self.shards[0]))
    }
}

fn count(slots: &mut Slots, slot: u64, limit: u64, grant: Option<u64>) -> Outcome {
    slots.advance(slot);
    if let Some(refused) = refusal(slots, limit, grant) {
        return refused;
    }
    slots.count();
    Outcome::Counted { left: limit.saturating_sub(slots.total()), free_from: slots.free_from() }
}

/// Why a request is not counted in the newest slot; `None` where it may be.
fn refusal(slots: &Slots, limit: u64, grant: Option<u64>) -> Option<Outcome> {
    if slots.total() >= limit {
        return Some(Outcome::Full { free_from: slots.free_from() });
    }
    let untold = grant.is_some_and(|grant| u64::from(slots.unconfirmed()) >= grant);
    untold.then_some(Outcome::Unknown)
}

/// What the lock holds is whole whenever it is released, also by a panic.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ClientId = ClientId(1);

    fn taken(table: &Table, client: ClientId, slot: u64, limit: u64) -> bool {
        matches!(table.take(client, slot, limit, None), Outcome::Counted { .. })
    }

    #[test]
    fn i12_memory_is_bounded_however_many_clients_come_and_they_gain_nothing() {
        let table = Table::new(SHARDS * 4, true);
        let clients: Vec<_> =
            (0..10_000_u128).map(|number| ClientId(number << 64 | number)).collect();
        let counted = clients.iter().filter(|client| taken(&table, **client, 50, 3)).count();
        assert_eq!(table.clients(), SHARDS * 4);
        assert_eq!(counted, SHARDS * 4 + SHARDS * 3, "the others share one limit in each part");
        assert!(taken(&table, clients[0], 50, 3), "who was known before goes on as before");
        // When nothing counts any more, there is place again.
        assert!(!taken(&table, clients[9_999], 65, 3) && taken(&table, clients[9_999], 66, 3));
        table.sweep(90);
        assert_eq!(table.clients(), 0);
    }

    #[test]
    fn a_grant_ends_with_what_the_store_has_not_confirmed() {
        let table = Table::new(1_000, true);
        let take = || table.take(ONE, 20, 100, Some(2));
        assert!(matches!(take(), Outcome::Counted { left: 99, free_from: 36 }));
        assert!(matches!(take(), Outcome::Counted { left: 98, .. }));
        assert_eq!(take(), Outcome::Unknown);
        let told = table.tell(10);
        assert_eq!(take(), Outcome::Unknown, "told is not confirmed");
        table.untell(&told);
        let again = table.tell(10);
        assert_eq!(again, told);
        table.learn(ONE, 20, 98);
        table.confirm(&again);
        assert!(matches!(take(), Outcome::Counted { left: 1, .. }));
        assert!(matches!(take(), Outcome::Counted { left: 0, .. }));
        assert_eq!(take(), Outcome::Full { free_from: 36 }, "what is full needs no grant");
        assert_eq!((table.full(ONE, 20, 100), table.full(ONE, 20, 101)), (Some(36), None));
        assert_eq!(table.full(ClientId(2), 20, 0), None, "nothing is known of it");
    }

    #[test]
    fn what_is_to_be_told_is_told_in_pieces() {
        let table = Table::new(1_000, true);
        for number in 0..100_u128 {
            assert!(taken(&table, ClientId(number << 64), 20, 3));
        }
        let mut told = 0;
        for _ in 0..4 {
            let piece = table.tell(30);
            assert!(piece.len() <= 30);
            told += piece.len();
        }
        assert_eq!(told, 100);
        let silent = Table::new(1_000, false);
        assert!(taken(&silent, ONE, 20, 3) && silent.tell(30).is_empty());
    }
}
