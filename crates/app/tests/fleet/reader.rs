//! A client that reads all the while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use kasparro_testkit::{get, wait_for};
use sha2::{Digest, Sha256};

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answers: u64,
    /// Requests that found no process, while one was being replaced.
    pub(crate) unanswered: u64,
    pub(crate) generations: usize,
}

type Answers = Mutex<HashMap<u64, [u8; 32]>>;

pub(crate) struct Reader {
    readers: Vec<JoinHandle<Seen>>,
    stop: Arc<AtomicBool>,
    answers: Arc<Answers>,
    counts: Vec<Arc<AtomicU64>>,
}

impl Reader {
    /// Reads the same question from every process, over and over.
    pub(crate) fn start(urls: Arc<Vec<Mutex<String>>>) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(Answers::default()));
        let (mut readers, mut counts) = (Vec::new(), Vec::new());
        for number in 0..urls.len() {
            let count = Arc::new(AtomicU64::new(0));
            let (urls, stop, answers) =
                (Arc::clone(&urls), Arc::clone(&stop), Arc::clone(&answers));
            counts.push(Arc::clone(&count));
            readers.push(std::thread::spawn(move || read(&urls[number], &stop, &answers, &count)));
        }
        Self { readers, stop, answers, counts }
    }

    /// Every process answers from now on, whatever is away behind it.
    pub(crate) fn expect_answers(&self) {
        for count in &self.counts {
            let before = count.load(Ordering::SeqCst);
            wait_for("answers", || (count.load(Ordering::SeqCst) > before + 3).then_some(()));
        }
    }

    pub(crate) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Seen::default();
        for reader in self.readers {
            let seen = reader.join().unwrap();
            all.answers += seen.answers;
            all.unanswered += seen.unanswered;
        }
        all.generations = self.answers.lock().unwrap().len();
        all
    }
}

/// One generation has one answer, whichever process gives it, and no process goes back.
fn read(url: &Mutex<String>, stop: &AtomicBool, answers: &Answers, count: &AtomicU64) -> Seen {
    let (mut seen, mut newest) = (Seen::default(), 0);
    while !stop.load(Ordering::SeqCst) {
        let base = url.lock().unwrap().clone();
        let Ok(answer) = get(&format!("{base}/data?limit=500")) else {
            seen.unanswered += 1;
            std::thread::yield_now();
            continue;
        };
        // A process that has just begun has nothing to show yet.
        if answer.status == 503 {
            continue;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let generation: u64 = answer.header("x-generation").unwrap().parse().unwrap();
        assert!(generation >= newest, "generation {generation} after {newest}");
        newest = generation;
        let rows = serde_json::to_vec(&answer.json()["data"]).unwrap();
        let digest: [u8; 32] = Sha256::digest(&rows).into();
        let first = *answers.lock().unwrap().entry(generation).or_insert(digest);
        assert_eq!(first, digest, "two answers of generation {generation} differ");
        seen.answers += 1;
        count.fetch_add(1, Ordering::SeqCst);
    }
    seen
}
