//! Where requests may go: names are looked up once, judged, and asked at the addresses that were judged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;

use super::public::is_public;

/// How long the addresses of a name are used without asking again: long enough for a run, short enough
/// to follow an upstream that moves.
const PINNED: Duration = Duration::from_secs(10 * 60);

/// Who said that an origin may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It replaces every other; that it is asked without encryption is said when the program starts.
    Upstream,
    /// An operator wrote it: it is asked as it stands.
    Written,
    /// It is a vendor's own, and so on the Internet and asked over TLS.
    Vendors,
}

/// Why nothing is sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Neither `http` nor `https`, or `http` to a vendor.
    #[error("only https addresses of a vendor, and http and https addresses of yours, are asked")]
    Scheme,
    /// A vendor's name stands for an address of a machine or network nearby.
    #[error("it stands for {0}, which is no address on the Internet")]
    NotPublic(IpAddr),
    /// A name that stood for addresses on the Internet stands for another now.
    #[error("its DNS answer changed from an address on the Internet to {0}, which is none")]
    Changed(IpAddr),
}

impl Refused {
    /// What an operator can do about it.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Scheme => "correct the address in the configuration",
            Self::NotPublic(_) => {
                "check the DNS server and the hosts file of this machine; a mirror is configured by fetch.upstream"
            }
            Self::Changed(_) => {
                "check the DNS server; if the host moved into your network, start the program again"
            }
        }
    }
}

/// Finds the addresses of names.
pub(crate) trait Lookup: Send + Sync + fmt::Debug {
    /// Every address of a host.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine.
#[derive(Debug)]
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Judges the addresses of every host before anything is sent there.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    lookup: Arc<dyn Lookup>,
    hosts: Arc<Mutex<BTreeMap<String, Host>>>,
}

/// What is known of a host that requests name.
#[derive(Debug)]
struct Host {
    standing: Standing,
    was_public: bool,
    /// True once it was said that the host is asked without encryption, or within this network.
    warned: bool,
    pinned: Option<(Vec<IpAddr>, Instant)>,
}

impl Host {
    /// Whether these addresses may be asked.
    fn judge(&mut self, name: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let Some(special) = addresses.iter().copied().find(|address| !is_public(*address)) else {
            self.was_public = true;
            return Ok(());
        };
        match self.standing {
            Standing::Vendors => Err(Refused::NotPublic(special)),
            _ if self.was_public => Err(Refused::Changed(special)),
            _ => {
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(host = name, address = %special, "a configured host is not on the Internet");
                }
                Ok(())
            }
        }
    }
}

impl Guard {
    pub(super) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, hosts: Arc::default() }
    }

    /// Judges an address before a request is sent there: its scheme, and the address itself where it is
    /// written in numbers, which no resolver sees. A name is judged when it is looked up.
    pub(super) fn admit(&self, url: &Url, standing: Standing) -> Result<(), Refused> {
        match (url.scheme(), standing) {
            ("https", _) | ("http", Standing::Upstream | Standing::Written) => {}
            _ => return Err(Refused::Scheme),
        }
        let Some(name) = url.host_str() else { return Err(Refused::Scheme) };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match hosts.entry(name.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let plain = url.scheme() == "http";
                if plain && standing == Standing::Written {
                    tracing::warn!(host = name, "a configured host is asked without encryption");
                }
                new.insert(Host { standing, was_public: false, warned: plain, pinned: None })
            }
        };
        // A vendor's host stays one, whoever else names it.
        host.standing = host.standing.max(standing);
        let numbers = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        numbers.map_or(Ok(()), |address| host.judge(name, &[address]))
    }

    /// Forgets the addresses of a host that could not be reached, so that they are asked for again.
    pub(super) fn forget(&self, url: &Url) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = url.host_str().and_then(|name| hosts.get_mut(name)) {
            host.pinned = None;
        }
    }

    fn pinned(&self, name: &str) -> Option<Vec<IpAddr>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let (addresses, until) = hosts.get(name)?.pinned.as_ref()?;
        (Instant::now() < *until).then(|| addresses.clone())
    }

    fn pin(&self, name: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Redirects leave no origin, so a name that no request named is that of a proxy, which the
        // environment states.
        let Some(host) = hosts.get_mut(name) else { return Ok(()) };
        host.judge(name, addresses)?;
        host.pinned = Some((addresses.to_vec(), Instant::now() + PINNED));
        Ok(())
    }

    /// The addresses at which a name is asked.
    pub(super) async fn addresses(
        &self,
        name: &str,
    ) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(addresses) = self.pinned(name) {
            return Ok(addresses);
        }
        let addresses = self.lookup.lookup(name.to_owned()).await?;
        if addresses.is_empty() {
            return Err(io::Error::other("the host has no address").into());
        }
        self.pin(name, &addresses)?;
        Ok(addresses)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            // Port 0 stands for the port of the address that is asked.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
