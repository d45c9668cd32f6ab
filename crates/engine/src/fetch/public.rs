//! Which addresses are public: those that the registries of special addresses (IANA, RFC 6890) do not
//! call unreachable from elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 addresses that are not reached across the Internet.
const SPECIAL_V4: [Ipv4Net; 14] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // shared by carriers (CGNAT)
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, and the metadata of clouds
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // assignments of protocols
    v4(192, 0, 2, 24),    // documentation
    v4(192, 88, 99, 24),  // former relays of 6to4
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // measurements
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 3),     // multicast, reserved, broadcast
];

/// The part of IPv6 that is given out; everything beyond it is loopback, link-local, private or unused.
const GIVEN_OUT_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What of it is not reached across the Internet.
const SPECIAL_V6: [Ipv6Net; 3] = [
    v6(0x2001, 0, 23),      // assignments of protocols: Teredo, measurements, ORCHID
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x3fff, 0, 20),      // documentation
];

/// True where an address is reached across the Internet, so that it is none of this machine or network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match within(address) {
            Some(address) => is_public_v4(address),
            None => {
                GIVEN_OUT_V6.contains(&address)
                    && !SPECIAL_V6.iter().any(|net| net.contains(&address))
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|net| net.contains(&address))
}

/// The IPv4 address to which packets for an IPv6 address go: mapped, by the well-known prefix of NAT64
/// (all that a network without IPv4 knows of most hosts), or by 6to4.
fn within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(join(g, h)),
        [0x2002, ..] => Some(join(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u1_the_addresses_of_machines_and_networks_are_not_public() {
        let texts = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 \
             127.255.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 \
             192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 \
             224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::ffff:10.0.0.1 \
             ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::10.0.0.1 ::8.8.8.8 64:ff9b::10.0.0.1 \
             64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:2::1 2001:10::1 2001:20::1 \
             2001:db8::1 2002:a00:1:: 2002:7f00:1::1 3fff::1 3fff:fff::1 5f00::1 fc00::1 \
             fd12:3456::1 fe80::1 fec0::1 ff02::1 4000::1";
        for text in texts.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn u1_addresses_of_hosts_on_the_internet_are_public() {
        let texts = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 104.16.0.1 \
             126.255.255.255 128.0.0.1 169.253.0.1 169.255.0.1 172.15.255.255 172.32.0.0 \
             192.0.1.0 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1 223.255.255.255 \
             2606:4700::6810:1 2a00:1450:4001:80b::200e 2001:200::1 2001:4860:4860::8888 \
             ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1";
        for text in texts.split_whitespace() {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
