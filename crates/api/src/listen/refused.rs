//! What is kept of a connection whose requests cannot be read, so that it can be told why.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::net::TcpStream;

use crate::problem::{Code, Problem};

/// Why a connection is not read any further, and its stream once the parser let go of it.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// One more than the place of the code among all; 0 for none.
    code: AtomicU8,
    returned: Mutex<Option<TcpStream>>,
}

impl Refused {
    /// The parser answers with this status. `line_open` is true while the first line of the head is not
    /// complete.
    pub(super) fn note(&self, status: u16, line_open: bool) {
        let too_large = matches!(status, 414 | 431);
        let code = match (too_large, status == 414 || line_open) {
            (true, true) => Code::UriTooLong,
            (true, false) => Code::HeadersTooLarge,
            _ => Code::BadRequest,
        };
        let place = Code::ALL.iter().position(|known| *known == code).unwrap_or_default();
        self.code.store(u8::try_from(place + 1).unwrap_or(u8::MAX), Ordering::Relaxed);
    }

    /// True where the client has still to be told.
    pub(super) fn is_noted(&self) -> bool {
        self.code.load(Ordering::Relaxed) != 0
    }

    /// Takes the stream back where it is still needed.
    pub(super) fn give_back(&self, stream: TcpStream) {
        if self.is_noted() {
            *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        }
    }

    /// The stream on which a refusal has still to be told.
    pub(super) fn take(&self) -> Option<(TcpStream, Problem)> {
        let place = usize::from(self.code.load(Ordering::Relaxed)).checked_sub(1)?;
        let code = *Code::ALL.get(place)?;
        let stream = self.returned.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((stream, Problem::new(code, code.title().to_lowercase())))
    }
}
