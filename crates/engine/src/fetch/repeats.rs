//! Our own keys in whole bodies.

use std::io::{self, Read};

use kasparro_extract::{HttpRequest, holds_secret};
use secrecy::{ExposeSecret, SecretString};

/// Most bytes in which an encoding writes one: `%`, itself written as a JSON escape, and two digits.
const LONGEST_ESCAPE: usize = 12;

/// True where a body holds a secret of the request that it answers, as it is or encoded.
pub(crate) fn repeats_secret(request: &HttpRequest, mut body: impl Read) -> io::Result<bool> {
    let key = request.credential.iter().map(|credential| &credential.value);
    let secrets: Vec<&SecretString> =
        key.chain(request.secret_query.iter().map(|(_, value)| value)).collect();
    let longest = secrets.iter().map(|secret| secret.expose_secret().len()).max();
    let Some(longest) = longest else { return Ok(false) };
    let mut piece = vec![0; 1 << 16];
    let mut window: Vec<u8> = Vec::new();
    loop {
        let read = body.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
            return Ok(false);
        };
        window.extend_from_slice(read);
        if secrets.iter().any(|secret| holds_secret(&window, secret)) {
            return Ok(true);
        }
        // One may stand across two pieces.
        window.drain(..window.len().saturating_sub(longest * LONGEST_ESCAPE));
    }
}

#[cfg(test)]
mod tests {
    use kasparro_extract::{Cost, Credential};

    use super::*;

    /// Hands a body out a byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn i9_every_secret_of_a_request_is_looked_for_across_pieces() {
        let nothing = HttpRequest {
            origin: "https://upstream.example".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            secret_query: Vec::new(),
            origin_matters: false,
            conditional: false,
            cost: Cost::ONE,
            credential: None,
        };
        let value = || SecretString::from("k/e+y&9");
        let credential = Some(Credential { header: "authorization", value: value() });
        let header = HttpRequest { credential, ..nothing.clone() };
        let secret_query = vec![("k".to_owned(), value())];
        let query = HttpRequest { secret_query, ..nothing.clone() };
        let far = format!("{}<a href=\"/?k=k%252Fe%252By%25269\">", " ".repeat(5_000));
        let near = "no such key: k/e+y&9";
        for (body, repeated) in [(near, true), (&far, true), ("no such key: k/e+y&8", false)] {
            for request in [&header, &query] {
                assert_eq!(repeats_secret(request, body.as_bytes()).unwrap(), repeated, "{body}");
                let slowly = repeats_secret(request, Drops(body.as_bytes())).unwrap();
                assert_eq!(slowly, repeated, "{body}");
            }
            assert!(!repeats_secret(&nothing, body.as_bytes()).unwrap());
        }
    }
}
