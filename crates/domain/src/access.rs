//! Who may use the API, and for what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a key allows; a larger scope includes the smaller ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reading pages about operations: runs, sources, quarantine, drift.
    #[default]
    Read,
    /// Starting runs, and deciding about quarantined rows and changes of upstreams.
    Operate,
    /// Managing keys, and deciding which listings are one asset.
    Admin,
}

impl Scope {
    /// Every scope, smallest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Operate, Self::Admin];

    /// Its name: `read`, `operate` or `admin`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The scope of a name, if it is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is kept of a key; the key itself is shown once and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id: the first eight characters of its random part.
    pub key_id: String,
    /// What people call it; names need not differ.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// HMAC-SHA-256 of the whole key under the pepper of the server.
    pub hmac: [u8; 32],
    /// Requests that it may make in each window of the limits; absent where the limit of all keys holds.
    pub requests: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is not good any more.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to about a minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// True where it is neither taken back nor expired at an instant.
    #[must_use]
    pub fn good_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for ApiKey {
    /// Leaves the HMAC out: it helps whoever guesses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("key_id", &self.key_id)
            .field("name", &self.name)
            .field("scope", &self.scope)
            .field("requests", &self.requests)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .field("last_used_at", &self.last_used_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_scope_includes_the_smaller_ones() {
        assert!(Scope::Admin > Scope::Operate && Scope::Operate > Scope::Read);
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
        }
        assert_eq!(Scope::named("Admin"), None);
    }

    #[test]
    fn a_key_is_good_until_it_expires_or_is_taken_back() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let key = ApiKey {
            key_id: "abcdefgh".to_owned(),
            name: "a dashboard".to_owned(),
            scope: Scope::Read,
            hmac: [1; 32],
            requests: None,
            created_at: at(0),
            expires_at: Some(at(10)),
            revoked_at: None,
            last_used_at: None,
        };
        assert!(key.good_at(at(9)) && !key.good_at(at(10)));
        let revoked = ApiKey { revoked_at: Some(at(5)), expires_at: None, ..key.clone() };
        assert!(!revoked.good_at(at(6)));
        assert!(!format!("{key:?}").contains("hmac"));
    }
}
