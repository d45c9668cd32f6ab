//! Names: looked up once, judged, and asked where they were judged.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use reqwest::Url;

use super::super::guard::{Guard, Lookup, Refused, Standing};
use super::wire::{Canary, Wire, answer};
use super::*;

/// A resolver that gives one answer after the other; the last one is repeated, and none is an unknown name.
#[derive(Debug)]
struct Answers {
    script: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Answers {
    fn script(answers: &[&str]) -> Arc<Self> {
        let addresses =
            |text: &&str| text.split_whitespace().map(|text| text.parse().unwrap()).collect();
        let script = Mutex::new(answers.iter().map(addresses).collect());
        Arc::new(Self { script, asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Lookup for Answers {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(host);
        let mut script = self.script.lock().unwrap();
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such host");
        Box::pin(std::future::ready(next.ok_or_else(unknown)))
    }
}

fn fetcher(lookup: &Arc<Answers>) -> Fetcher {
    Fetcher::with_lookup(settings(), Arc::clone(lookup) as _).unwrap()
}

#[tokio::test]
async fn u1_a_vendors_name_that_stands_for_a_near_address_reaches_nobody() {
    let canary = Canary::new();
    let origin = format!("https://api.example:{}", canary.port());
    for found in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "192.0.2.1 127.0.0.1"]
    {
        let lookup = Answers::script(&[found]);
        let error = send(&fetcher(&lookup), &vendors(&origin)).await.err().unwrap();
        assert_stops(&error, "address_refused");
        assert!(error.message.contains("api.example"), "{error}");
        canary.assert_untouched(found);
        assert_eq!(lookup.asked(), 1);
    }
    // One address of several is enough to refuse them all.
    let lookup = Answers::script(&["93.184.216.34 127.0.0.1"]);
    let error = send(&fetcher(&lookup), &vendors(&origin)).await.err().unwrap();
    assert_stops(&error, "address_refused");
    canary.assert_untouched("a mixed answer");
}

#[tokio::test]
async fn n11_a_configured_name_is_looked_up_once_and_asked_there() {
    let wire = Wire::start(|_| answer("200 OK", &[], b"[]")).await;
    let lookup = Answers::script(&["127.0.0.1", "127.0.0.2"]);
    let fetcher = fetcher(&lookup);
    let origin = format!("http://prices.example:{}", wire.port());
    for _ in 0..3 {
        assert_eq!(bytes_of(&send(&fetcher, &written(&origin, "/")).await.unwrap()), b"[]");
    }
    assert_eq!((lookup.asked(), wire.heads().len()), (1, 3));
}

#[tokio::test]
async fn n1_an_unknown_name_is_a_passing_failure_and_is_looked_up_again() {
    let lookup = Answers::script(&[]);
    let fetcher = fetcher(&lookup);
    for asked in 1..3 {
        let error = send(&fetcher, &written("http://prices.example", "/")).await.err().unwrap();
        assert_retries(&error, "connect_failed");
        assert_eq!(lookup.asked(), asked);
    }
}

#[tokio::test]
async fn n11_an_address_that_does_not_answer_is_not_kept() {
    let wire = Wire::start(|_| answer("200 OK", &[], b"[]")).await;
    let lookup = Answers::script(&["127.0.0.2", "127.0.0.1"]);
    let fetcher = fetcher(&lookup);
    let request = written(&format!("http://prices.example:{}", wire.port()), "/");
    assert_retries(&send(&fetcher, &request).await.err().unwrap(), "connect_failed");
    assert_eq!(bytes_of(&send(&fetcher, &request).await.unwrap()), b"[]");
    assert_eq!(lookup.asked(), 2);
}

/// What a guard says of a name, and then of it eleven minutes later.
async fn twice(standing: Standing, answers: &[&str]) -> [Result<Vec<String>, Refused>; 2] {
    let lookup = Answers::script(answers);
    let guard = Guard::new(Arc::clone(&lookup) as _);
    guard.admit(&Url::parse("https://prices.example").unwrap(), standing).unwrap();
    let ask = async || {
        let found = guard.addresses("prices.example").await;
        let found = found.map_err(|error| *error.downcast::<Refused>().unwrap());
        found.map(|found| found.iter().map(IpAddr::to_string).collect())
    };
    let first: Result<Vec<String>, Refused> = ask().await;
    if first.is_ok() {
        tokio::time::advance(Duration::from_secs(9 * 60)).await;
        assert_eq!(ask().await, first, "the second answer is not asked for yet");
        assert_eq!(lookup.asked(), 1);
    }
    tokio::time::advance(Duration::from_secs(2 * 60)).await;
    [first, ask().await]
}

#[tokio::test(start_paused = true)]
async fn n11_a_name_that_was_public_and_turns_to_a_near_address_is_refused() {
    let near = "10.0.0.1".parse().unwrap();
    let public = Ok(vec!["93.184.216.34".to_owned()]);
    let moved = ["93.184.216.34", "10.0.0.1"];
    assert_eq!(
        twice(Standing::Vendors, &moved).await,
        [public.clone(), Err(Refused::NotPublic(near))]
    );
    for standing in [Standing::Written, Standing::Upstream] {
        assert_eq!(twice(standing, &moved).await, [public.clone(), Err(Refused::Changed(near))]);
    }
    // One that was near from the start is what the operator meant.
    let moved = ["10.0.0.1", "10.0.0.2"];
    let found = |text: &str| Ok(vec![text.to_owned()]);
    assert_eq!(twice(Standing::Written, &moved).await, [found("10.0.0.1"), found("10.0.0.2")]);
    // An upstream may move on the Internet.
    let moved = ["93.184.216.34", "1.1.1.1"];
    assert_eq!(twice(Standing::Vendors, &moved).await, [public, found("1.1.1.1")]);
}
