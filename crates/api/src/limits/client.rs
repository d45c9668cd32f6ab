//! Whose request it is: by address or by key, and under which name it is counted.

use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Says what a name was made from, so that a name of one kind is never one of another.
const V4: u8 = b'4';
const V6: u8 = b'6';
const KEY: u8 = b'k';
const NETWORK: u8 = b'n';

/// The name under which a client is counted, in memory and in the store: half of an HMAC, which tells
/// nobody its address or the id of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(pub(super) u128);

impl ClientId {
    /// Nobody that is known.
    pub(crate) const NOBODY: Self = Self(0);

    /// Somebody for tests that need no address.
    #[cfg(test)]
    pub(crate) fn made_up(number: u8) -> Self {
        Self(u128::from(number) << 64 | u128::from(number))
    }

    /// The name as text: 32 hexadecimal digits.
    pub(super) fn name(self) -> String {
        format!("{:032x}", self.0)
    }

    /// The client of a name that [`ClientId::name`] gave.
    pub(super) fn named(name: &str) -> Option<Self> {
        let digits = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(name, 16).ok().filter(|_| digits).map(Self)
    }
}

/// Whose a request is that comes without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Under which name it is counted.
    pub(crate) client: ClientId,
    /// Among whom it is counted besides, where it comes over IPv6.
    pub(crate) network: Option<ClientId>,
    /// Where it is, for the log.
    pub(crate) address: IpAddr,
}

/// Gives clients their names. Processes with the same secret give the same ones.
#[derive(Clone)]
pub(super) struct Namer(Hmac<Sha256>);

impl Namer {
    /// Names under a secret.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        // HMAC fills a short key with zeros up to the block of its hash.
        let mut block = [0; 64];
        block.iter_mut().zip(secret).for_each(|(place, byte)| *place = *byte);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(b"kasparro client");
        Self(mac)
    }

    /// Who asks from an address.
    pub(super) fn caller(&self, address: IpAddr) -> Caller {
        Caller {
            client: self.address(address),
            network: self.network(address),
            address: address.to_canonical(),
        }
    }

    /// The client at an address. A network of 64 bits is what one household or one machine gets of IPv6,
    /// so all of its addresses are one client.
    fn address(&self, address: IpAddr) -> ClientId {
        match address.to_canonical() {
            IpAddr::V4(address) => self.name(V4, &address.octets()),
            IpAddr::V6(address) => {
                let octets = address.octets();
                self.name(V6, octets.first_chunk::<8>().unwrap_or(&[0; 8]))
            }
        }
    }

    /// The network of 48 bits of an IPv6 address: what one customer gets of many providers.
    fn network(&self, address: IpAddr) -> Option<ClientId> {
        match address.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => {
                Some(self.name(NETWORK, address.octets().first_chunk::<6>().unwrap_or(&[0; 6])))
            }
        }
    }

    /// The client with a key.
    pub(super) fn key(&self, key_id: &str) -> ClientId {
        self.name(KEY, key_id.as_bytes())
    }

    fn name(&self, kind: u8, of: &[u8]) -> ClientId {
        let mut mac = self.0.clone();
        mac.update(&[kind]);
        mac.update(of);
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        ClientId(u128::from_be_bytes(*tag.first_chunk().unwrap_or(&[0; 16])))
    }
}

/// Names are as good as random, so they are their own hash.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, name: u128) {
        // The other half chooses the shard.
        self.0 = name as u64;
    }
}

/// Builds [`NameHasher`]s.
pub(super) type BuildNameHasher = BuildHasherDefault<NameHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> ClientId {
        Namer::new(&[7; 32]).address(address.parse().unwrap())
    }

    #[test]
    fn a9_one_address_or_one_network_of_64_bits_is_one_client() {
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn a9_networks_of_64_bits_are_of_one_of_48_bits() {
        let network = |address: &str| Namer::new(&[7; 32]).network(address.parse().unwrap());
        assert!(network("2001:db8:1:2::1").is_some());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ffff::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:2:2::1"));
        assert_eq!([network("192.0.2.1"), network("::ffff:192.0.2.1")], [None, None]);
    }

    #[test]
    fn names_depend_on_the_secret_and_on_the_kind_and_are_read_back() {
        let namer = Namer::new(&[7; 32]);
        assert_ne!(namer.key("k"), Namer::new(&[8; 32]).key("k"));
        assert_ne!(namer.key("\u{1}\u{2}\u{3}\u{4}"), of("1.2.3.4"));
        let client = namer.key("abcdefgh");
        assert_eq!(ClientId::named(&client.name()), Some(client));
        assert_eq!(ClientId::named(&ClientId(1).name()), Some(ClientId(1)));
        for wrong in ["", "12", "+0000000000000000000000000000001", &"g".repeat(32)] {
            assert_eq!(ClientId::named(wrong), None, "{wrong:?}");
        }
        assert!(!client.name().contains("abcdefgh"));
    }
}
