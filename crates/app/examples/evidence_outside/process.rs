//! What a process holds, as the kernel tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a process held at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) at: Instant,
    /// Open files, connections among them.
    pub(crate) files: usize,
    pub(crate) rss_kilobytes: u64,
}

fn look(pid: u32) -> Held {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Held { at: Instant::now(), files, rss_kilobytes: rss.unwrap_or(0) }
}

/// Looks at a process several times a second.
pub(crate) struct Watcher {
    thread: JoinHandle<Vec<Held>>,
    done: Arc<AtomicBool>,
}

impl Watcher {
    pub(crate) fn start(pid: u32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            let mut seen = vec![look(pid)];
            while !until.load(Ordering::SeqCst) {
                seen.push(look(pid));
                std::thread::park_timeout(Duration::from_millis(250));
            }
            seen
        });
        Self { thread, done }
    }

    pub(crate) fn finish(self) -> Vec<Held> {
        self.done.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}
