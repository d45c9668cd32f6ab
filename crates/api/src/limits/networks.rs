//! Counting a request: of its client, and of the network that it comes from.

use std::time::Instant;

use super::table::Outcome;
use super::{Allowance, Class, ClientId, Limits, Standing, Taken};

/// How many times the limit of one client the clients of one IPv6 network of 48 bits have together.
const CLIENTS_PER_NETWORK: u64 = 16;

impl Limits {
    /// Counts a request at an instant if its limit allows it, and that of its network. `grant` says how many of
    /// a limit may be counted of which the store has not confirmed that it knows.
    ///
    /// The network is looked at first and counted last: who is refused by either uses up nothing of the other.
    /// Only where two requests come at the same moment for the last place, one may be counted in vain.
    pub(super) fn take_with(
        &self,
        client: ClientId,
        allowance: Allowance,
        at: Instant,
        grant: impl Fn(u64) -> Option<u64>,
    ) -> Taken {
        let Some(limit) = allowance.limit else {
            return Taken::Unlimited;
        };
        let slot = self.clock.slot(at);
        let of_network = limit.saturating_mul(CLIENTS_PER_NETWORK);
        let in_network = |outcome| self.taken(outcome, Class::Network, of_network, at);
        if let Some(network) = allowance.network
            && let Some(refused) = self.networks.look(network, slot, of_network, grant(of_network))
        {
            return in_network(refused);
        }
        let outcome = self.table(allowance.class).take(client, slot, limit, grant(limit));
        let own = self.taken(outcome, allowance.class, limit, at);
        let (Taken::Counted(standing), Some(network)) = (own, allowance.network) else {
            return own;
        };
        // What the store was not told is bounded above.
        match in_network(self.networks.take(network, slot, of_network, None)) {
            // Told is what ends first.
            Taken::Counted(all) if all.left >= standing.left => own,
            taken => taken,
        }
    }

    fn taken(&self, outcome: Outcome, class: Class, limit: u64, at: Instant) -> Taken {
        let standing = |left, free_from| Standing {
            class,
            limit,
            window_s: self.window_s,
            left,
            more_in_s: self.clock.seconds_until(free_from, at),
        };
        match outcome {
            Outcome::Counted { left, free_from } => Taken::Counted(standing(left, free_from)),
            Outcome::Full { free_from } => Taken::Refused(standing(0, free_from)),
            Outcome::Unknown => Taken::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};
    use std::time::Duration;

    use http::HeaderMap;
    use kasparro_domain::Timestamp;
    use kasparro_store::MemoryStore;

    use super::super::sharing::{learn_everything, tell_all};
    use super::*;
    use crate::limits::LimitSettings;

    const LIMIT: u64 = 10;
    const OF_NETWORK: u64 = LIMIT * CLIENTS_PER_NETWORK;

    fn limits(shared: bool, at: Instant) -> Limits {
        let settings = LimitSettings { anonymous: Some(LIMIT), ..LimitSettings::default() };
        Limits::new(settings, Vec::new(), shared, &[1; 32], (Timestamp::EPOCH, at))
    }

    /// An address in the 64 bits of this number, within the 48 bits of another.
    fn address(network: u16, number: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, network, number, 0, 0, 0, 1).into()
    }

    fn ask(limits: &Limits, from: IpAddr, at: Instant) -> Taken {
        let origin = limits.origin(SocketAddr::new(from, 40_000));
        let caller = limits.caller(&origin, &HeaderMap::new());
        limits.take(caller.client, limits.of_anonymous(caller.network), at)
    }

    fn counted(taken: Taken) -> bool {
        matches!(taken, Taken::Counted(_))
    }

    #[test]
    fn a9_a_thousand_clients_of_one_network_have_sixteen_limits_and_others_their_own() {
        let at = Instant::now();
        let limits = limits(false, at);
        let mut answered = 0;
        for round in 0..2 {
            for number in 0..1_000 {
                answered += u64::from(counted(ask(&limits, address(1, number), at)));
            }
            assert_eq!(answered, OF_NETWORK, "round {round}");
        }
        let Taken::Refused(standing) = ask(&limits, address(1, 2_000), at) else {
            panic!("the network has used up its limit")
        };
        assert_eq!((standing.class, standing.limit), (Class::Network, OF_NETWORK));
        for _ in 0..LIMIT {
            assert!(counted(ask(&limits, address(2, 1), at)), "another network");
            assert!(counted(ask(&limits, "192.0.2.1".parse().unwrap(), at)));
        }
        assert!(!counted(ask(&limits, address(2, 1), at)), "of which each has its own limit");
        // When it is over, there is room again.
        let later = at + Duration::from_secs(961);
        assert!(counted(ask(&limits, address(1, 2_000), later)));
    }

    #[test]
    fn who_is_refused_by_one_limit_uses_up_nothing_of_the_other() {
        let at = Instant::now();
        let limits = limits(false, at);
        for _ in 0..OF_NETWORK * 2 {
            ask(&limits, address(1, 1), at);
        }
        // One that asks too often took its own limit only.
        let left: Vec<_> = (0..OF_NETWORK)
            .map(|number| ask(&limits, address(1, 100 + number as u16), at))
            .collect();
        assert_eq!(left.iter().filter(|taken| counted(**taken)).count() as u64, OF_NETWORK - LIMIT);
        let [Taken::Counted(first), .., Taken::Refused(_)] = left[..] else { panic!("{left:?}") };
        assert_eq!((first.class, first.left), (Class::Anonymous, LIMIT - 1));
        let last = left.iter().rev().find(|taken| counted(**taken));
        let Some(Taken::Counted(last)) = last else { panic!("{left:?}") };
        assert_eq!((last.class, last.left), (Class::Network, 0), "told is what ends first");
        // Those who were kept out by the others have their whole limit once there is room.
        let client = address(1, 5_000);
        (0..5).for_each(|_| assert!(!counted(ask(&limits, client, at))));
        let later = at + Duration::from_secs(961);
        let Taken::Counted(standing) = ask(&limits, client, later) else { panic!("there is room") };
        assert_eq!(standing.left, LIMIT - 1);
    }

    #[tokio::test]
    async fn i11_processes_count_networks_together_and_a_restart_forgets_none() {
        let at = Instant::now();
        let store = MemoryStore::new();
        let processes = [limits(true, at), limits(true, at)];
        let mut answered = 0;
        for number in 0..1_000 {
            for limits in &processes {
                let mut taken = ask(limits, address(1, number), at);
                if taken == Taken::Unknown {
                    assert!(tell_all(limits, &store, at, Duration::from_secs(1)).await);
                    taken = ask(limits, address(1, number), at);
                }
                assert_ne!(taken, Taken::Unknown, "the store was just told");
                answered += u64::from(counted(taken));
            }
        }
        let granted = 2 * OF_NETWORK / super::super::GRANTED_PART;
        assert!((OF_NETWORK..=OF_NETWORK + granted).contains(&answered), "{answered}");
        for limits in &processes {
            assert!(tell_all(limits, &store, at, Duration::from_secs(1)).await);
        }
        let fresh = limits(true, at);
        learn_everything(&fresh, &store, at).await.unwrap();
        assert!(!counted(ask(&fresh, address(1, 3_000), at)));
        assert!(counted(ask(&fresh, address(2, 3_000), at)));
    }
}
