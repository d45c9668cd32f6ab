//! What an operator should hear of without asking.

use serde::{Deserialize, Serialize};

use crate::{RunId, SourceName, Timestamp};

/// Something that an operator should hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAlert {
    /// A stable code, for example `page_refused`, `drift`, `key_refused`, `breaker_open`.
    pub code: String,
    /// What happened, in one sentence, without secrets.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// An alert on its way to whoever is to hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number, in the order in which alerts were raised.
    pub alert_id: i64,
    /// The source that it is about.
    pub source: SourceName,
    /// The run that raised it.
    pub run_id: RunId,
    /// What happened.
    #[serde(flatten)]
    pub alert: NewAlert,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// How often it was sent in vain.
    pub attempts: u32,
    /// When it is sent next; absent once it was delivered or given up.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}
