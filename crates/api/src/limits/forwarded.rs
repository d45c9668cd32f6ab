//! For whom a proxy asks.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use super::settings::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind a connection.
///
/// That is the other end of the connection, unless it is a proxy that is trusted. Such a one adds whom it
/// asks for at the end of `X-Forwarded-For` or `Forwarded`; what stands before was sent to it and may be
/// invented, except by another trusted proxy. So the client is the last address that is no trusted proxy.
///
/// What cannot be read leaves the proxy itself as the client, and so do two headers that do not agree: a
/// proxy writes one of them and may pass the other one on as a client sent it, and nothing says which. All
/// such requests then share what one client may ask for, so that nobody gains by sending them.
pub(super) fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let said = |name: HeaderName, read: fn(&str) -> Option<IpAddr>| {
        headers.contains_key(&name).then(|| last_untrusted(headers, &name, read, trusted))
    };
    match (said(X_FORWARDED_FOR, hop), said(FORWARDED, element)) {
        (Some(Some(one)), None) | (None, Some(Some(one))) => one,
        (Some(Some(one)), Some(Some(other))) if one == other => one,
        _ => peer,
    }
}

/// True where an address is of a trusted proxy.
pub(super) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The last address of a header, over all of its lines, that is no trusted proxy; `None` where what stands
/// there, or behind it, cannot be read.
fn last_untrusted(
    headers: &HeaderMap,
    name: &HeaderName,
    read: fn(&str) -> Option<IpAddr>,
    trusted: &[Network],
) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    for line in lines.into_iter().rev() {
        for part in line.to_str().ok()?.rsplit(',') {
            let address = read(part.trim())?;
            if !is_trusted(address, trusted) {
                return Some(address);
            }
        }
    }
    None
}

/// An address of `X-Forwarded-For`, perhaps with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(address) => address.ip(),
            Err(_) => text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

/// The address in the parameter `for` of an element of `Forwarded`.
fn element(text: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in text.split(';') {
        let (name, value) = pair.trim().split_once('=')?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    let value = found?;
    hop(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";
    const CLIENT: &str = "203.0.113.9";

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_address(SocketAddr::new(peer.parse().unwrap(), 40_000), &headers, &trusted)
            .to_string()
    }

    /// Headers by which somebody may try to be somebody else.
    fn spoofs() -> Vec<Vec<(&'static str, &'static str)>> {
        vec![
            vec![("x-forwarded-for", "198.51.100.1")],
            vec![("x-forwarded-for", "198.51.100.1, 198.51.100.2")],
            vec![("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "198.51.100.2")],
            vec![("x-forwarded-for", "127.0.0.1")],
            vec![("x-forwarded-for", "10.0.0.1")],
            vec![("x-forwarded-for", "::1")],
            vec![("x-forwarded-for", "[2001:db8::1]:80")],
            vec![("x-forwarded-for", "198.51.100.1:80")],
            vec![("x-forwarded-for", "unknown")],
            vec![("x-forwarded-for", "")],
            vec![("x-forwarded-for", ",,,")],
            vec![("x-forwarded-for", "198.51.100.1\u{a0}")],
            vec![("forwarded", "for=198.51.100.1")],
            vec![("forwarded", "For=\"[2001:db8::1]:80\";proto=https")],
            vec![("forwarded", "for=_hidden")],
            vec![("forwarded", "for=unknown;by=10.0.0.1")],
            vec![("forwarded", "for=198.51.100.1, for=198.51.100.2")],
            vec![("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "198.51.100.2")],
            vec![("x-real-ip", "198.51.100.1")],
            vec![("true-client-ip", "198.51.100.1"), ("cf-connecting-ip", "198.51.100.1")],
            vec![("x-client-ip", "198.51.100.1"), ("x-cluster-client-ip", "198.51.100.1")],
            vec![("client-ip", "198.51.100.1"), ("x-forwarded-host", "198.51.100.1")],
            vec![("x-forwarded-for", "0xC6336401")],
            vec![("x-forwarded-for", "198.51.100.01")],
        ]
    }

    #[test]
    fn a9_nobody_but_a_trusted_proxy_says_for_whom_it_asks() {
        assert!(spoofs().len() >= 20);
        for spoof in spoofs() {
            assert_eq!(client(CLIENT, &spoof), CLIENT, "{spoof:?}");
        }
    }

    #[test]
    fn a9_behind_a_trusted_proxy_only_what_it_added_itself_counts() {
        for spoof in spoofs() {
            // The proxy adds its line behind those that it was sent.
            let mut lines = spoof.clone();
            lines.push(("x-forwarded-for", CLIENT));
            let seen = client(PROXY, &lines);
            let other_header = spoof.iter().any(|(name, _)| *name == "forwarded");
            let expected = if other_header { PROXY } else { CLIENT };
            assert_eq!(seen, expected, "{spoof:?}");
        }
        for spoof in spoofs() {
            // Or it appends to the line.
            let Some((_, sent)) = spoof.iter().find(|(name, _)| *name == "forwarded") else {
                continue;
            };
            let line = format!("{sent}, for={CLIENT};proto=https");
            assert_eq!(client(PROXY, &[("forwarded", &line)]), CLIENT, "{line}");
        }
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_walked_from_its_end() {
        let through = |line: &str| client(PROXY, &[("x-forwarded-for", line)]);
        assert_eq!(through(CLIENT), CLIENT);
        assert_eq!(through("198.51.100.1, 203.0.113.9, 10.0.0.3,10.0.0.2"), CLIENT);
        assert_eq!(through("203.0.113.9, 198.51.100.1, 10.0.0.2"), "198.51.100.1");
        assert_eq!(through("::ffff:203.0.113.9, ::ffff:10.0.0.2"), CLIENT);
        assert_eq!(through("[2001:db8::9]:4711, fd00::2"), "2001:db8::9");
        assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", CLIENT)]), CLIENT);
        let agreed = [("x-forwarded-for", CLIENT), ("forwarded", "for=203.0.113.9:1")];
        assert_eq!(client(PROXY, &agreed), CLIENT);
        // Only trusted ones: the proxy asks for itself.
        for line in ["10.0.0.2", "10.0.0.2, 10.0.0.3", "203.0.113.9, nonsense", ""] {
            assert_eq!(through(line), PROXY, "{line:?}");
        }
        assert_eq!(client(PROXY, &[]), PROXY);
        for line in
            ["for=203.0.113.9;for=198.51.100.1", "for", "by=203.0.113.9", "for=\"203.0.113.9"]
        {
            assert_eq!(client(PROXY, &[("forwarded", line)]), PROXY, "{line:?}");
        }
    }
}
