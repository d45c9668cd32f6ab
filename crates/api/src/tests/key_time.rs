//! Whether the time that a key takes tells how much of it is right.
//!
//! It prints figures and passes whatever they are: a time on a busy machine proves nothing.
//! `cargo test --release -p kasparro-api key_time -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use kasparro_domain::{ApiKey, Scope, Timestamp};
use kasparro_store::KeysMark;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;

use super::keyed::pepper;
use crate::access::{KEY_RANDOM_BYTES, KeyRing, NewApiKey, Reading};

/// Guesses of each kind.
const SAMPLES: usize = 10_000;
/// Keys that are known, and strangers.
const KEYS: usize = 1_000;
/// Random bytes of a key that the digits of its public id come from.
const ID_BYTES: usize = 8;
/// Of the samples of each kind, the slowest share is the scheduler's.
const KEPT_PERCENT: usize = 95;
/// At or above that a difference counts as seen.
const SEEN: f64 = 4.5;

/// Mean and variance.
fn spread(samples: &[f64]) -> (f64, f64) {
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    (mean, squares / (count - 1.0))
}

/// Welch's t of two sets of samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((mean, variance), (other_mean, other_variance)) = (spread(one), spread(other));
    let error = variance / one.len() as f64 + other_variance / other.len() as f64;
    (mean - other_mean) / error.sqrt()
}

/// The samples without the slowest.
fn quicker(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(samples.len() * KEPT_PERCENT / 100);
    sorted
}

/// A key with a right checksum that is another one only at its end.
fn nearly(known: &[u8; KEY_RANDOM_BYTES], random: &mut StdRng) -> String {
    let mut bytes = *known;
    bytes[KEY_RANDOM_BYTES - 1] ^= random.random_range(1..=u8::MAX);
    NewApiKey::of(bytes).text.expose_secret().to_owned()
}

fn kept(bytes: &[u8; KEY_RANDOM_BYTES]) -> ApiKey {
    let key = NewApiKey::of(*bytes);
    ApiKey {
        key_id: key.key_id.clone(),
        name: "a key".to_owned(),
        scope: Scope::Read,
        hmac: pepper().hmac(key.text.expose_secret()),
        requests: None,
        created_at: Timestamp::EPOCH,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

#[test]
fn welch_tells_a_difference_from_none() {
    let mut random = StdRng::seed_from_u64(3);
    let mut samples = |mean: f64| -> Vec<f64> {
        (0..SAMPLES).map(|_| mean + random.random_range(-10.0..10.0)).collect()
    };
    let (one, same, later) = (samples(100.0), samples(100.0), samples(101.0));
    assert!(welch(&one, &same).abs() < SEEN);
    assert!(welch(&later, &one) > SEEN);
    assert_eq!(quicker(&one).len(), SAMPLES * KEPT_PERCENT / 100);
}

#[test]
#[ignore = "prints how long wrong keys take; a time is no verdict"]
fn a8_wrong_keys_take_as_long_whatever_of_them_is_right() {
    let mut random = StdRng::seed_from_u64(8);
    let known: Vec<[u8; KEY_RANDOM_BYTES]> = (0..KEYS).map(|_| random.random()).collect();
    // Texts of every kind are as many and as various: a processor learns those that come often, and some digits
    // are read faster than others.
    let strangers: Vec<[u8; KEY_RANDOM_BYTES]> = (0..KEYS).map(|_| random.random()).collect();
    let with_known_id = |(known, stranger): (&[u8; KEY_RANDOM_BYTES], &[u8; KEY_RANDOM_BYTES])| {
        let mut bytes = *stranger;
        bytes[..ID_BYTES].copy_from_slice(&known[..ID_BYTES]);
        bytes
    };
    let named: Vec<_> = known.iter().zip(&strangers).map(with_known_id).collect();
    let ring = KeyRing::new(pepper(), None, Timestamp::EPOCH);
    let keys: Vec<_> = known.iter().map(kept).collect();
    ring.confirm(KeysMark::of(&keys), keys, tokio::time::Instant::now());
    for (what, right, wrong) in [
        ("the secret but its end", &known, &named),
        ("the public id, which is no secret,", &named, &strangers),
    ] {
        // Made before: how a key is made must not be seen in the time that it takes.
        let guesses = (0..SAMPLES * 2).map(|number| {
            let pool = if number % 2 == 0 { right } else { wrong };
            (number % 2, nearly(&pool[random.random_range(0..KEYS)], &mut random))
        });
        let mut guesses: Vec<(usize, String)> = guesses.collect();
        guesses.shuffle(&mut random);
        let mut samples = [(); 2].map(|()| Vec::with_capacity(SAMPLES));
        for (kind, guess) in &guesses {
            let begun = Instant::now();
            let found =
                black_box(ring.find(black_box(guess), Timestamp::EPOCH, Reading::Recent)).is_ok();
            samples[*kind].push(begun.elapsed().as_nanos() as f64);
            assert!(!found);
        }
        let quick = [0, 1].map(|kind| quicker(&samples[kind]));
        println!(
            "{what} is right: {:.1} ns, wrong: {:.1} ns; t = {:.2}, of the quickest {KEPT_PERCENT} % {:.2} (below \
             {SEEN} nothing is seen)",
            spread(&quick[0]).0,
            spread(&quick[1]).0,
            welch(&samples[0], &samples[1]),
            welch(&quick[0], &quick[1]),
        );
    }
}
