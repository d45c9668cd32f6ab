//! For which host a request is: RFC 9112 section 3.2.
//!
//! Proxies and caches choose by it where a request goes and for whom an answer is kept. One that names several hosts,
//! or what others read as another one, could be answered for the wrong one.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::{Request, Version};

use crate::problem::{Code, Problem};

/// Refuses a request that does not say for which host it is, where it has to, and one that says it wrongly.
pub(super) fn well_addressed<B>(request: &Request<B>) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(Code::BadRequest, detail));
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => refused("the header Host is there more than once"),
        (Some(host), None) if !is_host(host.as_bytes()) => {
            refused("the header Host names no host, such as example.org:8000")
        }
        (None, _) if request.version() == Version::HTTP_11 => refused("the header Host is missing"),
        // In HTTP/2 it is the target that says it.
        _ => match request.uri().authority() {
            Some(authority) if authority.as_str().contains('@') => {
                refused("the target names a user before its host")
            }
            _ => Ok(()),
        },
    }
}

/// True for a host with or without a port, as in an address after `http://`.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if value.get(at) == Some(&b':') => value.split_at_checked(at).unwrap_or_default(),
        _ => (value, [].as_slice()),
    };
    if !port.iter().skip(1).all(u8::is_ascii_digit) {
        return false;
    }
    match host.strip_prefix(b"[") {
        Some(literal) => literal.strip_suffix(b"]").is_some_and(is_literal),
        None => !host.is_empty() && is_name(host),
    }
}

/// Letters, digits and what else a name may have; escapes have to be whole.
fn is_name(name: &[u8]) -> bool {
    let mut rest = name.iter();
    while let Some(byte) = rest.next() {
        let known = match byte {
            b'%' => (0..2).all(|_| rest.next().is_some_and(u8::is_ascii_hexdigit)),
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            byte => byte.is_ascii_alphanumeric(),
        };
        if !known {
            return false;
        }
    }
    true
}

/// An IPv6 address, perhaps with the network of this machine on which it is meant, or what may follow IPv6.
fn is_literal(literal: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(literal) else { return false };
    if let Some(future) = text.strip_prefix(['v', 'V']) {
        let Some((version, address)) = future.split_once('.') else { return false };
        let hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let known = |byte: u8| byte == b':' || (byte != b'%' && is_name(&[byte]));
        return hex && !address.is_empty() && address.bytes().all(known);
    }
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    let zone_known = !zone.is_empty() && is_name(zone.as_bytes());
    zone_known && address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_as_they_are_written_are_known() {
        for host in [
            "a",
            "localhost:8000",
            "example.org.",
            "example.org.:80",
            "kasparro_api_1:8000",
            "xn--bcher-kva.example",
            "10.0.0.7",
            "10.0.0.7:8000",
            "[::1]",
            "[::1]:8000",
            "[2001:db8::1]:",
            "[::ffff:10.0.0.7]",
            "[fe80::1%25eth0]:8000",
            "[fe80::1%eth0]",
            "[v1.fe80::a+en1]",
            "b%C3%BCcher.example",
            "a:",
            "~!$&'()*+,;=",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_not_taken_for_one() {
        for host in [
            "",
            ":",
            ":80",
            "a b",
            "a\tb",
            "a/b",
            "http://a",
            "a/",
            "user@a",
            "@",
            "a?b",
            "a#b",
            "a\\b",
            "a,b c",
            "<a>",
            "\"a\"",
            "a%2",
            "a%zz",
            "a%",
            "bücher.example",
            "a:b",
            "a:80a",
            "a:+80",
            "a: 80",
            "a:80:80",
            "::1",
            "[::1",
            "::1]",
            "[]",
            "[a]",
            "[::1]a",
            "[::1]:a",
            "[::1]80",
            "a[::1]",
            "[[::1]]",
            "[::1%]",
            "[fe80::1%a b]",
            "[10.0.0.7]",
            "[v.a]",
            "[v1.]",
            "[v1]",
            "[vz.a]",
            "[v1.%41]",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
