//! Keys as readers see them and as they ask for them.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kasparro_domain::{ApiKey, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::change;
use crate::problem::{Code, Mistakes, Problem};

/// The longest name of a key, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 255;
/// The longest time that can be asked for: ten years.
const MAX_SECONDS: u64 = 10 * 366 * 24 * 3600;
/// The largest number of requests that can be asked for.
const MAX_REQUESTS: u64 = 1_000_000_000_000;

/// What is known of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyBody {
    /// Its public id: the first eight characters of its random part.
    key_id: String,
    /// What people call it; names need not differ.
    name: String,
    /// `read`, `operate` or `admin`.
    scope: &'static str,
    /// `good`, `expired` or `revoked`.
    status: &'static str,
    /// Requests that it may make in each window of the limits; `null` where the limit of all keys holds.
    requests: Option<u64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is not good any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// When it was used last, to about a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewKey)]
pub(crate) struct NewKeyBody {
    /// The key itself. Nothing shows it again.
    key: String,
    /// Its public id: the first eight characters of its random part.
    key_id: String,
    /// What people call it.
    name: String,
    /// `read`, `operate` or `admin`.
    scope: &'static str,
    /// Requests that it may make in each window of the limits; `null` where the limit of all keys holds.
    requests: Option<u64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is not good any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The public id of the key that it replaces.
    replaces: Option<String>,
    /// Until when that one stays good at most.
    #[schema(value_type = Option<String>, format = DateTime)]
    replaced_until: Option<Timestamp>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What people call it
    name: String,
    /// `read`, `operate` or `admin`
    #[schema(pattern = "^(read|operate|admin)$")]
    scope: String,
    /// How long it is good: a number with `s`, `m`, `h` or `d`, or `never`, which is what holds without it
    #[schema(pattern = "^([0-9]{1,9}[smhd]|never)$", example = "90d")]
    expires: Option<String>,
    /// Requests that it may make in each window of the limits, where another number than that of all keys
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    requests: Option<u64>,
}

/// How to replace a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// How long the old key stays good: a number with `s`, `m`, `h` or `d`; 24 hours without it
    #[schema(pattern = "^[0-9]{1,9}[smhd]$", example = "24h")]
    pub(super) overlap: Option<String>,
}

/// What a key is made from, as it is kept with the name of the request: with the secret of the server the
/// salt gives the key, without it nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(super) salt: String,
    name: String,
    scope: Scope,
    requests: Option<u64>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    replaces: Option<(String, Timestamp)>,
}

impl KeyBody {
    /// A key as it stands at an instant.
    pub(super) fn of(key: ApiKey, now: Timestamp) -> Self {
        let status = match (key.revoked_at, key.good_at(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "good",
            (None, false) => "expired",
        };
        Self {
            key_id: key.key_id,
            name: key.name,
            scope: key.scope.name(),
            status,
            requests: key.requests,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl NewKeyBody {
    pub(super) fn of(key: ApiKey, text: &str, made: &Made) -> Self {
        let (replaces, replaced_until) = made.replaces.clone().unzip();
        Self {
            key: text.to_owned(),
            key_id: key.key_id,
            name: key.name,
            scope: key.scope.name(),
            requests: key.requests,
            created_at: key.created_at,
            expires_at: key.expires_at,
            replaces,
            replaced_until,
        }
    }
}

impl KeyRequest {
    /// What the key is made from.
    ///
    /// # Errors
    /// 400 that names what is wrong.
    pub(super) fn made(self, now: Timestamp) -> Result<Made, Problem> {
        let mut mistakes = Mistakes::default();
        let mut wrong = |field, message: String| mistakes.add(Code::InvalidBody, field, message);
        let scope = super::keys::scope(&self.scope).map_err(|message| wrong("scope", message));
        let expires = match self.expires.as_deref() {
            None | Some("never") => Ok(None),
            Some(text) => duration(text).map(Some),
        };
        let expires = match expires {
            Ok(Some(time)) if time.is_zero() => Err("is no time at all".to_owned()),
            other => other,
        };
        let expires = expires.map_err(|message| wrong("expires", message));
        if self.requests.is_some_and(|requests| !(1..=MAX_REQUESTS).contains(&requests)) {
            wrong("requests", format!("is not 1 to {MAX_REQUESTS}"));
        }
        let name = change::words(&mut mistakes, "name", &self.name, MAX_NAME_CHARS);
        mistakes.check(Made {
            salt: salt(),
            name,
            scope: scope.unwrap_or_default(),
            requests: self.requests,
            created_at: now,
            expires_at: expires.unwrap_or_default().map(|time| now.plus(time)),
            replaces: None,
        })
    }
}

impl Made {
    /// What replaces a key: the same for as long, while the old one stays good for a time.
    pub(super) fn replacing(old: ApiKey, now: Timestamp, overlap: Duration) -> Self {
        let lasts = old.expires_at.map(|end| end.since(old.created_at));
        Self {
            salt: salt(),
            name: old.name,
            scope: old.scope,
            requests: old.requests,
            created_at: now,
            expires_at: lasts.map(|lasts| now.plus(lasts)),
            replaces: Some((old.key_id, now.plus(overlap))),
        }
    }

    /// The key as it is kept.
    pub(super) fn key(&self, key_id: String, hmac: [u8; 32]) -> ApiKey {
        ApiKey {
            key_id,
            name: self.name.clone(),
            scope: self.scope,
            hmac,
            requests: self.requests,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: None,
            last_used_at: None,
        }
    }

    pub(super) fn replaces(&self) -> Option<(String, Timestamp)> {
        self.replaces.clone()
    }
}

fn salt() -> String {
    let salt: [u8; 24] = rand::random();
    BASE64_URL_SAFE_NO_PAD.encode(salt)
}

/// Reads a length of time: `90s`, `15m`, `24h`, `90d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "is no length of time; write it as 90s, 15m, 24h or 90d".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number = digits.parse::<u64>().ok();
    let number = number.and_then(|number| number.checked_mul(seconds));
    match number.filter(|seconds| *seconds <= MAX_SECONDS) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("is longer than ten years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_a_number_and_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("24h", 86_400), ("90d", 7_776_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "90", "-1s", "1.5h", "1w", "99999999999999999999d", "4000d", "5é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
