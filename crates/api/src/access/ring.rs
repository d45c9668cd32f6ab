//! The keys that this process knows: read from the store each second, so that a revoked key is refused
//! everywhere within two.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kasparro_domain::{ApiKey, Scope, Timestamp};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::key::{Pepper, key_id_of};

/// How old the keys may be that requests are judged by. Whoever cannot ask the store for longer cannot know
/// what was revoked.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The id of the key that is in no store.
pub(crate) const ADMIN_ID: &str = "admin";
/// Bytes of a key that are hashed at most; no key of ours, and no sensible one of anybody, is longer.
const MAX_KEY_BYTES: usize = 512;
/// Stands for a key that was never used.
const NEVER: i64 = i64::MIN;

/// A key as requests are judged by it.
pub(crate) struct RingKey {
    /// What is kept of it.
    pub(crate) kept: ApiKey,
    /// When it was used last here, in milliseconds since the epoch; shared with the same key of the next
    /// ring, so that no use is lost.
    used_ms: Arc<AtomicI64>,
    /// Which use was written last.
    written_ms: Arc<AtomicI64>,
}

/// The keys of one reading of the store.
#[derive(Default)]
struct Ring {
    by_id: HashMap<String, Arc<RingKey>>,
    read_at: Option<Instant>,
}

/// Why a key opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// It is unknown, malformed, revoked or expired: callers are never told which.
    Bad,
    /// The keys were not read for too long.
    Unconfirmed,
}

/// The keys that this process knows.
pub(crate) struct KeyRing {
    pepper: Pepper,
    admin: Option<Arc<RingKey>>,
    ring: RwLock<Arc<Ring>>,
    /// What a key is compared with where there is none of its id.
    nobody: [u8; 32],
}

impl RingKey {
    fn new(kept: ApiKey, before: Option<&Self>) -> Self {
        let never = || Arc::new(AtomicI64::new(NEVER));
        Self {
            kept,
            used_ms: before.map_or_else(never, |key| Arc::clone(&key.used_ms)),
            written_ms: before.map_or_else(never, |key| Arc::clone(&key.written_ms)),
        }
    }

    fn note_use(&self, now: Timestamp) {
        self.used_ms.fetch_max(now.as_millis(), Ordering::Relaxed);
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kept.fmt(f)
    }
}

impl KeyRing {
    /// A ring that knows the key `admin` of this text, where there is one, and no other until it is told.
    pub(crate) fn new(pepper: Pepper, admin: Option<&str>, now: Timestamp) -> Self {
        let admin = admin.map(|text| {
            let kept = ApiKey {
                key_id: ADMIN_ID.to_owned(),
                name: ADMIN_ID.to_owned(),
                scope: Scope::Admin,
                hmac: pepper.hmac(text),
                requests: None,
                created_at: now,
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            };
            Arc::new(RingKey::new(kept, None))
        });
        Self { pepper, admin, ring: RwLock::default(), nobody: rand::random() }
    }

    /// Under what keys are hashed.
    pub(crate) const fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// Takes over what the store knows, as it was asked at `asked_at`.
    pub(crate) fn confirm(&self, keys: Vec<ApiKey>, asked_at: Instant) {
        let mut place = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        // Two readings may overlap; the later one counts.
        if place.read_at.is_some_and(|read_at| read_at > asked_at) {
            return;
        }
        let by_id = keys.into_iter().map(|kept| {
            let before = place.by_id.get(&kept.key_id).map(Arc::as_ref);
            (kept.key_id.clone(), Arc::new(RingKey::new(kept, before)))
        });
        let ring = Ring { by_id: by_id.collect(), read_at: Some(asked_at) };
        *place = Arc::new(ring);
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The good key of this text; an empty one is nobody's.
    /// Texts of one length take the same time however much of a secret is right; whether its
    /// public id is known may show, and is no secret.
    ///
    /// # Errors
    /// [`NoKey`].
    pub(crate) fn find(&self, text: &str, now: Timestamp) -> Result<Arc<RingKey>, NoKey> {
        let ring = self.ring();
        let hashed = text.get(..text.len().min(MAX_KEY_BYTES)).unwrap_or_default();
        let hmac = self.pepper.hmac(hashed);
        let of_id = key_id_of(text).and_then(|id| ring.by_id.get(id));
        // Both are compared, so that the time tells neither which one there is nor which one fits.
        let [of_id_fits, admin_fits] = [of_id, self.admin.as_ref()].map(|known| {
            let expected = known.map_or(&self.nobody, |key| &key.kept.hmac);
            let fits = expected.as_slice().ct_eq(&hmac);
            bool::from(fits) && known.is_some() && hashed.len() == text.len()
        });
        if admin_fits
            && !text.is_empty()
            && let Some(admin) = &self.admin
        {
            return Ok(Arc::clone(admin));
        }
        if ring.read_at.is_none_or(|read_at| read_at.elapsed() > MAX_AGE) {
            return Err(NoKey::Unconfirmed);
        }
        let found = of_id.filter(|key| of_id_fits && key.kept.good_at(now)).ok_or(NoKey::Bad)?;
        found.note_use(now);
        Ok(Arc::clone(found))
    }

    /// True while a key that was found once is neither revoked nor expired, as far as is known and as long as
    /// that can be told.
    pub(crate) fn still_good(&self, key: &RingKey, now: Timestamp) -> bool {
        if key.kept.key_id == ADMIN_ID {
            return true;
        }
        let ring = self.ring();
        let known = ring.by_id.get(&key.kept.key_id);
        ring.read_at.is_some_and(|read_at| read_at.elapsed() <= MAX_AGE)
            && known.is_some_and(|known| known.kept.good_at(now))
    }

    /// The uses that are not written yet.
    pub(crate) fn unwritten(&self) -> Vec<(String, Timestamp)> {
        let ring = self.ring();
        let uses = ring.by_id.values().filter_map(|key| {
            let used_ms = key.used_ms.load(Ordering::Relaxed);
            let unwritten = used_ms > key.written_ms.load(Ordering::Relaxed);
            let used_at = Timestamp::from_millis(used_ms).ok().filter(|_| unwritten)?;
            Some((key.kept.key_id.clone(), used_at))
        });
        uses.collect()
    }

    /// Takes note that these uses are written.
    pub(crate) fn written(&self, uses: &[(String, Timestamp)]) {
        let ring = self.ring();
        for (key_id, used_at) in uses {
            if let Some(key) = ring.by_id.get(key_id) {
                key.written_ms.fetch_max(used_at.as_millis(), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn find(ring: &KeyRing, key: &NewApiKey, now: i64) -> Result<String, NoKey> {
        ring.find(key.text.expose_secret(), at(now)).map(|key| key.kept.key_id.clone())
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
        ring.confirm(keys, Instant::now());
        assert_eq!(find(&ring, &good, 20), Ok(good.key_id.clone()));
        assert_eq!(find(&ring, &expiring, 9), Ok(expiring.key_id.clone()));
        for (key, now) in [(&expiring, 10), (&revoked, 20), (&stranger, 20)] {
            assert_eq!(find(&ring, key, now), Err(NoKey::Bad));
        }
        ring.confirm(Vec::new(), Instant::now());
        assert_eq!(find(&ring, &good, 20), Err(NoKey::Bad), "it is gone from the store");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_were_not_confirmed_for_a_minute_open_nothing_but_that_in_memory_does() {
        let ring = KeyRing::new(pepper(), Some("any text of the operator"), at(0));
        let (key, admin) = (NewApiKey::random(), "any text of the operator");
        assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed), "never read");
        ring.confirm(vec![kept(&key)], Instant::now());
        tokio::time::advance(MAX_AGE).await;
        assert!(find(&ring, &key, 1).is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(find(&ring, &key, 1), Err(NoKey::Unconfirmed));
        assert_eq!(find(&ring, &NewApiKey::random(), 1), Err(NoKey::Unconfirmed), "nobody knows");
        let found = ring.find(admin, at(1)).unwrap();
        assert_eq!((found.kept.key_id.as_str(), found.kept.scope), (ADMIN_ID, Scope::Admin));
        for other in ["any text of the operato", "any text of the operator ", "", "admin"] {
            assert!(ring.find(other, at(1)).is_err(), "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_began_earlier_does_not_undo_a_later_one() {
        let ring = KeyRing::new(pepper(), None, at(0));
        let (key, early) = (NewApiKey::random(), Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        let revoked = ApiKey { revoked_at: Some(at(1)), ..kept(&key) };
        ring.confirm(vec![revoked], Instant::now());
        ring.confirm(vec![kept(&key)], early);
        assert_eq!(find(&ring, &key, 2), Err(NoKey::Bad));
    }

    #[test]
    fn a_text_that_only_begins_like_a_key_is_none() {
        let long = "x".repeat(MAX_KEY_BYTES);
        let ring = KeyRing::new(pepper(), Some(&long), at(0));
        assert!(ring.find(&long, at(1)).is_ok());
        assert!(ring.find(&format!("{long}y"), at(1)).is_err());
        let ring = KeyRing::new(pepper(), Some(""), at(0));
        assert!(ring.find("", at(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn uses_are_written_once_and_outlive_a_new_reading() {
        let ring = KeyRing::new(pepper(), None, at(0));
        let key = NewApiKey::random();
        ring.confirm(vec![kept(&key)], Instant::now());
        assert_eq!(ring.unwritten(), Vec::new());
        find(&ring, &key, 5).unwrap();
        find(&ring, &key, 7).unwrap();
        ring.confirm(vec![kept(&key)], Instant::now());
        let uses = ring.unwritten();
        assert_eq!(uses, [(key.key_id.clone(), at(7))]);
        ring.written(&uses);
        assert_eq!(ring.unwritten(), Vec::new());
        find(&ring, &key, 8).unwrap();
        assert_eq!(ring.unwritten(), [(key.key_id.clone(), at(8))]);
    }
}
