//! Which keys are good, and for how long that is known.

use secrecy::ExposeSecret as _;

use super::*;
use crate::access::key::NewApiKey;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn pepper() -> Pepper {
    Pepper::of(b"of a test")
}

fn kept(key: &NewApiKey) -> ApiKey {
    ApiKey {
        key_id: key.key_id.clone(),
        name: "a key".to_owned(),
        scope: Scope::Read,
        hmac: pepper().hmac(key.text.expose_secret()),
        requests: None,
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

/// Takes over keys as a store tells them.
fn confirm(ring: &KeyRing, keys: Vec<ApiKey>, asked_at: Instant) {
    ring.confirm(KeysMark::of(&keys), keys, asked_at);
}

fn find(ring: &KeyRing, key: &NewApiKey, now: i64) -> Result<String, NoKey> {
    found(ring, key, now, Reading::Recent)
}

fn found(ring: &KeyRing, key: &NewApiKey, now: i64, reading: Reading) -> Result<String, NoKey> {
    let found = ring.find(key.text.expose_secret(), at(now), reading);
    found.map(|key| key.kept.key_id.clone())
}

#[tokio::test(start_paused = true)]
async fn a_key_is_good_until_it_is_revoked_or_expires() {
    let ring = KeyRing::new(pepper(), None, at(0));
    let [good, expiring, revoked, stranger] = [(); 4].map(|()| NewApiKey::random());
    let keys = vec![
        kept(&good),
        ApiKey { expires_at: Some(at(10)), ..kept(&expiring) },
        ApiKey { revoked_at: Some(at(1)), ..kept(&revoked) },
    ];
    confirm(&ring, keys, Instant::now());
    assert_eq!(find(&ring, &good, 20), Ok(good.key_id.clone()));
    assert_eq!(find(&ring, &expiring, 9), Ok(expiring.key_id.clone()));
    for (key, now) in [(&expiring, 10), (&revoked, 20), (&stranger, 20)] {
        assert_eq!(find(&ring, key, now), Err(NoKey::Bad));
    }
    confirm(&ring, Vec::new(), Instant::now());
    assert_eq!(find(&ring, &good, 20), Err(NoKey::Bad), "it is gone from the store");
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_not_confirmed_for_a_minute_open_nothing_but_that_in_memory_does() {
    let ring = KeyRing::new(pepper(), Some("any text of the operator"), at(0));
    let (key, admin) = (NewApiKey::random(), "any text of the operator");
    assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed), "never read");
    confirm(&ring, vec![kept(&key)], Instant::now());
    tokio::time::advance(MAX_AGE).await;
    assert!(find(&ring, &key, 1).is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed));
    assert_eq!(find(&ring, &NewApiKey::random(), 1), Err(NoKey::Unconfirmed), "nobody knows");
    let found = ring.find(admin, at(1), Reading::Recent).unwrap();
    assert_eq!((found.kept.key_id.as_str(), found.kept.scope), (ADMIN_ID, Scope::Admin));
    for other in ["any text of the operato", "any text of the operator ", "", "admin"] {
        for reading in [Reading::Recent, Reading::Last] {
            assert_eq!(ring.find(other, at(1), reading).err(), Some(NoKey::Bad), "{other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_began_earlier_does_not_undo_a_later_one() {
    let ring = KeyRing::new(pepper(), None, at(0));
    let (key, early) = (NewApiKey::random(), Instant::now());
    tokio::time::advance(Duration::from_secs(1)).await;
    let revoked = ApiKey { revoked_at: Some(at(1)), ..kept(&key) };
    confirm(&ring, vec![revoked], Instant::now());
    confirm(&ring, vec![kept(&key)], early);
    assert_eq!(find(&ring, &key, 2), Err(NoKey::Bad));
}

#[tokio::test(start_paused = true)]
async fn keys_that_did_not_change_are_confirmed_as_they_are() {
    let ring = KeyRing::new(pepper(), None, at(0));
    let key = NewApiKey::random();
    ring.confirm_unchanged(ring.mark().as_ref(), Instant::now());
    assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed), "no keys were read");
    confirm(&ring, vec![kept(&key)], Instant::now());
    let (known, revoked) = (ring.mark(), ApiKey { revoked_at: Some(at(2)), ..kept(&key) });
    tokio::time::advance(MAX_AGE).await;
    ring.confirm_unchanged(known.as_ref(), Instant::now());
    tokio::time::advance(MAX_AGE).await;
    assert!(find(&ring, &key, 1).is_ok(), "it was confirmed a minute ago");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed));
    confirm(&ring, vec![revoked], Instant::now());
    assert_ne!(ring.mark(), known);
    tokio::time::advance(MAX_AGE).await;
    ring.confirm_unchanged(known.as_ref(), Instant::now());
    assert_eq!(find(&ring, &key, 3), Err(NoKey::Bad));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(find(&ring, &key, 3), Err(NoKey::Unconfirmed), "that was of another reading");
}

#[test]
fn a_text_that_only_begins_like_a_key_is_none() {
    let long = "x".repeat(MAX_KEY_BYTES);
    let ring = KeyRing::new(pepper(), Some(&long), at(0));
    assert!(ring.find(&long, at(1), Reading::Recent).is_ok());
    assert!(ring.find(&format!("{long}y"), at(1), Reading::Recent).is_err());
    let ring = KeyRing::new(pepper(), Some(""), at(0));
    assert!(ring.find("", at(1), Reading::Recent).is_err());
}

#[tokio::test(start_paused = true)]
async fn uses_are_written_once_and_outlive_a_new_reading() {
    let ring = KeyRing::new(pepper(), None, at(0));
    let key = NewApiKey::random();
    confirm(&ring, vec![kept(&key)], Instant::now());
    assert_eq!(ring.unwritten(), Vec::new());
    find(&ring, &key, 5).unwrap();
    find(&ring, &key, 7).unwrap();
    confirm(&ring, vec![kept(&key)], Instant::now());
    let uses = ring.unwritten();
    assert_eq!(uses, [(key.key_id.clone(), at(7))]);
    ring.written(&uses);
    assert_eq!(ring.unwritten(), Vec::new());
    find(&ring, &key, 8).unwrap();
    assert_eq!(ring.unwritten(), [(key.key_id.clone(), at(8))]);
}

#[tokio::test(start_paused = true)]
async fn the_last_keys_that_are_known_have_no_age_but_there_must_be_some() {
    let ring = KeyRing::new(pepper(), None, at(0));
    let [good, revoked, expiring] = [(); 3].map(|()| NewApiKey::random());
    assert_eq!(found(&ring, &good, 1, Reading::Last), Err(NoKey::Unconfirmed), "never read");
    let keys = vec![
        kept(&good),
        ApiKey { revoked_at: Some(at(1)), ..kept(&revoked) },
        ApiKey { expires_at: Some(at(10)), ..kept(&expiring) },
    ];
    confirm(&ring, keys, Instant::now());
    tokio::time::advance(MAX_AGE * 100).await;
    assert_eq!(find(&ring, &good, 9), Err(NoKey::Unconfirmed));
    assert_eq!(found(&ring, &good, 9, Reading::Last), Ok(good.key_id.clone()));
    assert_eq!(found(&ring, &expiring, 9, Reading::Last), Ok(expiring.key_id.clone()));
    for key in [&revoked, &expiring, &NewApiKey::random()] {
        assert_eq!(found(&ring, key, 10, Reading::Last), Err(NoKey::Bad));
    }
}

#[tokio::test(start_paused = true)]
async fn among_generated_keys_is_none_of_a_text_that_somebody_made_up() {
    let admin = NewApiKey::random();
    let ring = KeyRing::new(pepper(), Some(admin.text.expose_secret()), at(0));
    let [good, revoked] = [7, 8].map(|byte| NewApiKey::of([byte; crate::KEY_RANDOM_BYTES]));
    let mut random = [7; crate::KEY_RANDOM_BYTES];
    random[crate::KEY_RANDOM_BYTES - 1] ^= 1;
    let guess = NewApiKey::of(random);
    assert_eq!(guess.key_id, good.key_id, "its id is known");
    confirm(
        &ring,
        vec![kept(&good), ApiKey { revoked_at: Some(at(1)), ..kept(&revoked) }],
        Instant::now(),
    );
    let generated = |key: &NewApiKey| {
        let found = ring.find_generated(key.text.expose_secret(), at(2), Reading::Recent);
        found.map(|key| key.kept.key_id.clone())
    };
    assert_eq!(generated(&good), Ok(good.key_id.clone()));
    for other in [&revoked, &guess, &admin, &NewApiKey::random()] {
        assert_eq!(generated(other), Err(NoKey::Bad));
    }
    tokio::time::advance(MAX_AGE * 2).await;
    assert_eq!(generated(&good), Err(NoKey::Unconfirmed));
    assert_eq!(generated(&guess), Err(NoKey::Bad), "it learns nothing by that");
}
