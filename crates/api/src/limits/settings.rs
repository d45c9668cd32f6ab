//! What clients may ask for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

/// How many requests clients may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Requests in each window of a client without a key: of an IPv4 address or an IPv6 network of 64 bits.
    /// The clients of one IPv6 network of 48 bits have 16 times as many together. `None` for no limit.
    pub anonymous: Option<u64>,
    /// Requests in each window of a key that has no number of its own. `None` for no limit.
    pub keyed: Option<u64>,
    /// The length of a window. No window of this length, whenever it begins, sees more requests.
    pub window: Duration,
    /// Keys that are not good which a client may send within a minute, and which may be sent under one
    /// public id. Later ones are not looked at.
    pub failed_auth: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            anonymous: Some(100),
            keyed: Some(10_000),
            window: Duration::from_secs(15 * 60),
            failed_auth: 20,
        }
    }
}

/// An address, or a range of addresses in CIDR notation: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// True for an address within it. An IPv4 address in IPv6 notation is that IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Some(IpNet::from(address.to_canonical())),
            Err(_) => text.parse().ok(),
        };
        network.map(Self).ok_or_else(|| {
            format!("{text:?} is no address and no range of addresses such as 10.0.0.0/8")
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_or_a_range() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.7", "10.0.0.7") && !contains("10.0.0.7", "10.0.0.8"));
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(
            contains("10.0.0.0/8", "::ffff:10.1.2.3") && contains("::ffff:10.0.0.7", "10.0.0.7")
        );
        assert!(contains("fd00::/8", "fd12::1") && !contains("fd00::/8", "2001:db8::1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/8 ", "::/129", "/8"] {
            let said = wrong.parse::<Network>().unwrap_err();
            assert!(said.contains("10.0.0.0/8"), "{said}");
        }
    }
}
