//! Why a configuration is refused.

use std::fmt;

use super::mask::{masked, masked_text};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file built into the program.
    Default,
    /// The file given with `--config`.
    File(String),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// The command itself, as `demo` does for what must not reach real data.
    Command(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(path),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Command(name) => write!(f, "kasparro {name}"),
        }
    }
}

/// A value, key or file that is refused: names key, value, where it came from and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {remedy}", self.problem())]
pub(crate) struct ConfigError {
    /// The key, or the file where the file cannot be read as a whole.
    pub(crate) key: String,
    /// The value as given, masked when it is a secret; `None` where the key itself is refused.
    pub(crate) value: Option<String>,
    /// Where it came from; `None` where the key says so itself.
    pub(crate) origin: Option<Box<Origin>>,
    /// What is wrong, continuing "… " after key and value.
    pub(crate) reason: String,
    /// What to write instead.
    pub(crate) remedy: String,
}

impl ConfigError {
    /// Everything but the remedy, with addresses masked.
    pub(crate) fn problem(&self) -> String {
        let value = self.value.as_ref().map(|value| format!(" = {}", masked(value)));
        let value = value.unwrap_or_default();
        let origin = match self.origin.as_deref() {
            Some(Origin::Default) | None => String::new(),
            Some(origin) => format!(" (from {})", masked_text(&origin.to_string())),
        };
        format!("{}{value}{origin} {}", masked_text(&self.key), self.reason)
    }
}
