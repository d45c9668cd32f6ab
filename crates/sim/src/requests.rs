//! What was asked: the last requests, whatever came of them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use kasparro_domain::Timestamp;
use serde::Serialize;

/// Requests that are kept; older ones are only counted.
const KEPT: usize = 10_000;

/// One request for data, without secrets.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RequestLine {
    pub(crate) request: u64,
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// 0 where the connection was broken off before any.
    pub(crate) status: u16,
    pub(crate) key_id: Option<String>,
    /// The fault that it met, by the field of its rule.
    pub(crate) fault: Option<&'static str>,
    /// The rule of the hidden limits that refused it, from 0.
    pub(crate) limit: Option<usize>,
}

/// The body of `GET /_sim/requests`.
#[derive(Debug, Serialize)]
pub(crate) struct Requests {
    /// Requests since the simulator began.
    pub(crate) count: u64,
    /// Entries of the ledger that were dropped from memory.
    pub(crate) ledger_entries_dropped: u64,
    /// The last ones, oldest first.
    pub(crate) requests: Vec<RequestLine>,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    count: u64,
    lines: VecDeque<RequestLine>,
}

impl RequestLog {
    /// Numbers and keeps a request.
    pub(crate) fn record(&self, mut line: RequestLine) -> u64 {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.count += 1;
        line.request = recorded.count;
        recorded.lines.push_back(line);
        if recorded.lines.len() > KEPT {
            recorded.lines.pop_front();
        }
        recorded.count
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    pub(crate) fn show(&self, ledger_entries_dropped: u64) -> Requests {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = recorded.lines.iter().cloned().collect();
        Requests { count: recorded.count, ledger_entries_dropped, requests }
    }
}
