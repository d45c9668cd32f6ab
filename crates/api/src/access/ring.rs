//! The keys that this process knows: the store is asked each second whether any changed, so that a revoked key is refused
//! everywhere within two.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kasparro_domain::{ApiKey, Scope, Timestamp};
use kasparro_store::KeysMark;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::key::{MAX_KEY_BYTES, Pepper, key_id_of};

/// How old the keys may be that requests are judged by. Whoever cannot ask the store for longer cannot know
/// what was revoked.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The id of the key that is in no store.
pub(crate) const ADMIN_ID: &str = "admin";
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
    /// Shared with the readings that found nothing changed.
    by_id: Arc<HashMap<String, Arc<RingKey>>>,
    mark: Option<KeysMark>,
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

/// How long ago the keys may have been read by which a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// So short that what was revoked is known.
    Recent,
    /// However long: the last ones that are known.
    Last,
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

impl Ring {
    /// True where it is recent enough to judge by.
    fn tells(&self, reading: Reading) -> bool {
        self.read_at.is_some_and(|read_at| reading == Reading::Last || read_at.elapsed() <= MAX_AGE)
    }
}

/// A key that fits, where it is good now; its use is noted.
fn good(fits: Option<&Arc<RingKey>>, now: Timestamp) -> Result<Arc<RingKey>, NoKey> {
    let found = fits.filter(|key| key.kept.good_at(now)).ok_or(NoKey::Bad)?;
    found.note_use(now);
    Ok(Arc::clone(found))
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

    /// The mark of the keys that are known.
    pub(crate) fn mark(&self) -> Option<KeysMark> {
        self.ring().mark.clone()
    }

    /// Takes note that the store, asked at `asked_at`, has the same keys as at the reading of the mark `known`.
    pub(crate) fn confirm_unchanged(&self, known: Option<&KeysMark>, asked_at: Instant) {
        let mut place = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        // Another reading may have come in between, and says more.
        let same = known.is_some() && place.mark.as_ref() == known;
        if same && place.read_at.is_none_or(|read_at| read_at < asked_at) {
            let (by_id, mark) = (Arc::clone(&place.by_id), place.mark.clone());
            *place = Arc::new(Ring { by_id, mark, read_at: Some(asked_at) });
        }
    }

    /// Takes over what the store knows, as it was asked at `asked_at`.
    pub(crate) fn confirm(&self, mark: KeysMark, keys: Vec<ApiKey>, asked_at: Instant) {
        let mut place = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        // Two readings may overlap; the later one counts.
        if place.read_at.is_some_and(|read_at| read_at > asked_at) {
            return;
        }
        let by_id = keys.into_iter().map(|kept| {
            let before = place.by_id.get(&kept.key_id).map(Arc::as_ref);
            (kept.key_id.clone(), Arc::new(RingKey::new(kept, before)))
        });
        let by_id = Arc::new(by_id.collect());
        let ring = Ring { by_id, mark: Some(mark), read_at: Some(asked_at) };
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
    pub(crate) fn find(
        &self,
        text: &str,
        now: Timestamp,
        reading: Reading,
    ) -> Result<Arc<RingKey>, NoKey> {
        let ring = self.ring();
        // A longer one is hashed in part, so that it takes no more time, and fits nothing.
        let hashed = text.get(..text.len().min(MAX_KEY_BYTES)).unwrap_or_default();
        let hmac = self.pepper.hmac(hashed);
        let id = key_id_of(text);
        let of_id = id.and_then(|id| ring.by_id.get(id));
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
        // A text of another form is in no store. That it is no good is known without asking, and has to count as a
        // failure: else the operator's key could be guessed at for as long as the database is away.
        if id.is_some() && !ring.tells(reading) {
            return Err(NoKey::Unconfirmed);
        }
        good(of_id.filter(|_| of_id_fits), now)
    }

    /// The good key of this text, where it is one that was generated and kept: 160 random bits, which nobody
    /// finds by trying, however often. Whoever brings a wrong one learns no more than that.
    ///
    /// # Errors
    /// [`NoKey::Bad`] for every other text; [`NoKey::Unconfirmed`] only where it is the key.
    pub(crate) fn find_generated(
        &self,
        text: &str,
        now: Timestamp,
        reading: Reading,
    ) -> Result<Arc<RingKey>, NoKey> {
        let ring = self.ring();
        // Most guesses end here, before anything is hashed: whether an id is known is no secret.
        let of_id = key_id_of(text).and_then(|id| ring.by_id.get(id)).ok_or(NoKey::Bad)?;
        let fits = bool::from(of_id.kept.hmac.as_slice().ct_eq(&self.pepper.hmac(text)));
        if fits && !ring.tells(reading) {
            return Err(NoKey::Unconfirmed);
        }
        good(Some(of_id).filter(|_| fits), now)
    }

    /// True while a key that was found once is neither revoked nor expired, as far as is known and as long as
    /// that can be told.
    pub(crate) fn still_good(&self, key: &RingKey, now: Timestamp) -> bool {
        if key.kept.key_id == ADMIN_ID {
            return true;
        }
        let ring = self.ring();
        let known = ring.by_id.get(&key.kept.key_id);
        ring.tells(Reading::Recent) && known.is_some_and(|known| known.kept.good_at(now))
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
mod tests;
