//! How much clients may ask for.
//!
//! Requests are counted by client and slot of time, here and now; a task tells the store each second what
//! was counted and learns what other processes did ([`sharing`]). So a request costs a lock and a look, and
//! never a statement, unless its client has used up what this process may count without asking.
//!
//! With one process no window ever sees more than the limit. With `n` of them a client that uses them all at
//! once gets at most `n` tenths of the limit more: what each may count without having been told.
//!
//! Whoever has an IPv6 network of 48 bits has 65,536 of 64 bits, each a client. So what comes from there without
//! a key is counted together as well, under a limit of its own ([`networks`]).

mod client;
mod forwarded;
mod load;
mod networks;
mod settings;
mod sharing;
mod slots;
mod standing;
mod table;
mod time;
mod waits;

#[cfg(test)]
mod properties;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use kasparro_domain::Timestamp;
use tokio::sync::{Notify, watch};

pub(crate) use client::{Caller, ClientId};
pub(crate) use load::{Load, Room};
pub use settings::{LimitSettings, Network};
pub(crate) use sharing::{learn_at_start, share};
pub(crate) use standing::{Class, Standing};
pub(crate) use waits::{NoPlace, Waits};

use client::Namer;
use table::Table;
use time::SlotClock;

/// Clients that are counted one by one at most, of either class; of about 160 bytes each.
pub(crate) const MAX_CLIENTS: usize = 200_000;
/// Clients and keys whose failures are counted at most.
pub(crate) const MAX_FAILING: usize = 32_768;
/// Within which failures are counted.
const FAILURE_WINDOW: Duration = Duration::from_secs(60);
/// Which part of a limit a process may count before the store knows.
const GRANTED_PART: u64 = 10;
/// The longest a request waits to be told what other processes counted.
const ASKING_TIMEOUT: Duration = Duration::from_secs(1);

/// Who asks, as far as limits go: known when a connection is opened, so that it is found out once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The other end of the connection.
    pub(crate) peer: SocketAddr,
    caller: Caller,
    proxy: bool,
}

impl Origin {
    /// Under which name its connections are counted; `None` for a trusted proxy, which has those of many.
    pub(crate) fn one_client(&self) -> Option<ClientId> {
        (!self.proxy).then_some(self.caller.client)
    }
}

/// The limit that a request counts against; `None` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Whose limit it is.
    pub(crate) class: Class,
    /// Requests in each window; `None` for no limit.
    pub(crate) limit: Option<u64>,
    /// The network with whose clients it is counted together.
    pub(crate) network: Option<ClientId>,
}

/// How a request fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There is no limit.
    Unlimited,
    /// It is counted.
    Counted(Standing),
    /// It is one too many.
    Refused(Standing),
    /// What other processes counted has to be asked for first: [`Limits::take_when_known`].
    Unknown,
}

/// What clients used, and what they may use.
pub(crate) struct Limits {
    settings: LimitSettings,
    /// The length of a window in seconds, rounded up.
    window_s: u64,
    trusted: Vec<Network>,
    /// True where other processes count the same clients.
    shared: bool,
    namer: Namer,
    clock: SlotClock,
    anonymous: Table,
    keyed: Table,
    networks: Table,
    failures: Table,
    failure_clock: SlotClock,
    /// True while the store does not answer: each process then counts alone.
    alone: AtomicBool,
    /// True once it is known what clients used before the start.
    learnt: AtomicBool,
    /// Somebody waits for the store to be asked.
    wanted: Notify,
    /// Moves each time the store was asked.
    rounds: watch::Sender<()>,
}

impl Limits {
    /// Nothing counted yet. `secret` is that under which clients get their names; the clock starts at a time
    /// and the instant that it was.
    pub(crate) fn new(
        settings: LimitSettings,
        trusted: Vec<Network>,
        shared: bool,
        secret: &[u8; 32],
        (now, started): (Timestamp, Instant),
    ) -> Self {
        Self {
            trusted,
            shared,
            namer: Namer::new(secret),
            clock: SlotClock::new(settings.window, started, now),
            anonymous: Table::new(MAX_CLIENTS, true),
            keyed: Table::new(MAX_CLIENTS, true),
            // Never more than there are clients in them.
            networks: Table::new(MAX_CLIENTS, true),
            failures: Table::new(MAX_FAILING, false),
            failure_clock: SlotClock::new(FAILURE_WINDOW, started, now),
            alone: AtomicBool::new(false),
            learnt: AtomicBool::new(false),
            wanted: Notify::new(),
            rounds: watch::Sender::new(()),
            window_s: u64::try_from(settings.window.as_millis().div_ceil(1_000))
                .unwrap_or(u64::MAX),
            settings,
        }
    }

    /// Who is at the other end of a connection.
    pub(crate) fn origin(&self, peer: SocketAddr) -> Origin {
        let proxy = forwarded::is_trusted(peer.ip(), &self.trusted);
        Origin { peer, caller: self.namer.caller(peer.ip()), proxy }
    }

    /// Under which names the client is counted that sends a request.
    pub(crate) fn caller(&self, origin: &Origin, headers: &HeaderMap) -> Caller {
        if !origin.proxy {
            return origin.caller;
        }
        self.namer.caller(forwarded::client_address(origin.peer, headers, &self.trusted))
    }

    /// Under which name the key of a public id is counted.
    pub(crate) fn key(&self, key_id: &str) -> ClientId {
        self.namer.key(key_id)
    }

    /// What a client without a key may ask for, and its network.
    pub(crate) const fn of_anonymous(&self, network: Option<ClientId>) -> Allowance {
        Allowance { class: Class::Anonymous, limit: self.settings.anonymous, network }
    }

    /// What a key may ask for that has this number of its own, or none.
    pub(crate) fn of_key(&self, own: Option<u64>) -> Allowance {
        Allowance { class: Class::Key, limit: own.or(self.settings.keyed), network: None }
    }

    /// Counts a request at an instant, which is now, if its limit allows it.
    pub(crate) fn take(&self, client: ClientId, allowance: Allowance, at: Instant) -> Taken {
        let asks = self.shared && !self.alone.load(Ordering::Relaxed);
        let grant = |limit: u64| asks.then_some((limit / GRANTED_PART).max(1));
        self.take_with(client, allowance, at, grant)
    }

    /// Counts a request for which the store has to be asked first. Waits for the answer, a second at most,
    /// and decides by what is known then.
    pub(crate) async fn take_when_known(&self, client: ClientId, allowance: Allowance) -> Taken {
        let mut rounds = self.rounds.subscribe();
        let until = tokio::time::Instant::now() + ASKING_TIMEOUT;
        loop {
            let taken = self.take(client, allowance, Instant::now());
            if taken != Taken::Unknown {
                return taken;
            }
            self.wanted.notify_one();
            let round = tokio::time::timeout_at(until, rounds.changed());
            if !matches!(round.await, Ok(Ok(()))) {
                return self.take_with(client, allowance, Instant::now(), |_| None);
            }
        }
    }

    /// Takes note that a key was not good, which a client sent; and under which public id, if it had one.
    ///
    /// Where there is no place for more clients, failures of new ones are not counted: who has that many
    /// addresses gains nothing by it, and all others could be locked out otherwise.
    pub(crate) fn note_failure(&self, client: ClientId, key: Option<ClientId>) {
        let slot = self.failure_clock.slot(Instant::now());
        for name in [Some(client), key].into_iter().flatten() {
            self.failures.take(name, slot, u64::MAX, None);
        }
    }

    /// Whether a client may send a key, and one of this public id.
    ///
    /// # Errors
    /// Seconds until it may.
    pub(crate) fn may_try(&self, client: ClientId, key: Option<ClientId>) -> Result<(), u64> {
        let at = Instant::now();
        let slot = self.failure_clock.slot(at);
        let limit = u64::from(self.settings.failed_auth);
        // Public ids are no secret. Who never failed is not kept out by others who guess at its key.
        let key = key.filter(|_| self.failures.full(client, slot, 1).is_some());
        for name in [Some(client), key].into_iter().flatten() {
            if let Some(free_from) = self.failures.full(name, slot, limit) {
                return Err(self.failure_clock.seconds_until(free_from, at));
            }
        }
        Ok(())
    }

    /// How many clients are known, counted or for their failures.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        let all = [&self.anonymous, &self.keyed, &self.networks, &self.failures];
        all.map(Table::clients).iter().sum()
    }

    const fn table(&self, class: Class) -> &Table {
        match class {
            Class::Anonymous => &self.anonymous,
            Class::Key => &self.keyed,
            Class::Network => &self.networks,
        }
    }
}
