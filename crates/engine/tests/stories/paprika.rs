//! A CoinPaprika that answers by path.

use std::sync::{Arc, Mutex};

use kasparro_engine::Schedule;
use kasparro_testkit::{Reply, TinyUpstream};

use crate::rows::json as json_answer;
use crate::world::World;

/// Answers of CoinPaprika by path; what is not there is not found.
pub(crate) struct Paprika {
    pub(crate) upstream: TinyUpstream,
    answers: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Paprika {
    pub(crate) fn new() -> Self {
        let answers = Arc::new(Mutex::new(Vec::<(&'static str, String)>::new()));
        let known = Arc::clone(&answers);
        let upstream = TinyUpstream::start(move |asked| {
            let path = asked.split('?').next().unwrap_or_default();
            let known = known.lock().unwrap();
            match known.iter().find(|(answered, _)| *answered == path) {
                Some((_, body)) => json_answer(body),
                None => Reply::of("404 Not Found", "application/json", r#"{"error":"no"}"#),
            }
        });
        Self { upstream, answers }
    }

    pub(crate) fn say(&self, path: &'static str, body: impl Into<String>) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| *known != path);
        answers.push((path, body.into()));
    }

    /// A world that asks this upstream, its lists daily.
    pub(crate) fn world(&self) -> World {
        let mut world = World::tickers(self.upstream.url.clone());
        world.lists = Schedule::parse("1d").unwrap();
        world
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.upstream.asked().iter().filter(|asked| asked.split('?').next() == Some(path)).count()
    }
}
