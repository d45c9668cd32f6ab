//! `[sources.…]`: what the engine has to know of a source.

use std::time::Duration;

use kasparro_domain::DriftMode;
use kasparro_engine::{PageRules, Schedule};

use super::error::ConfigError;
use super::reference;
use super::settings::Settings;

/// The engine's keys of a source's section; the others are the source's own options.
pub(super) const ENGINE_KEYS: [&str; 9] = [
    "enabled",
    "schedule",
    "lists",
    "stale_after",
    "requests_per_minute",
    "credits_per_month",
    "drift",
    "max_bad_percent",
    "min_rows_percent",
];

/// One source: what the engine needs, and its own options.
#[derive(Debug)]
pub(crate) struct SourceConfig {
    /// Its name in the registry.
    pub(crate) name: String,
    /// Whether it runs by itself.
    pub(crate) enabled: bool,
    /// How often.
    pub(crate) schedule: Schedule,
    /// How often its lists are asked for; never where it has none.
    pub(crate) lists: Schedule,
    /// False for a source that asks at configured addresses while there are none: it is left out.
    pub(crate) has_something_to_ask: bool,
    /// Age from which its quotes are stale.
    pub(crate) stale_after: Duration,
    /// Requests a minute instead of the source's own.
    pub(crate) requests_per_minute: Option<u32>,
    /// Credits a calendar month instead of the source's own.
    pub(crate) credits_per_month: Option<u64>,
    /// When a page is refused as a whole.
    pub(crate) page_rules: PageRules,
}

impl SourceConfig {
    /// True when it runs without being named.
    pub(crate) const fn runs(&self) -> bool {
        self.enabled && self.has_something_to_ask
    }
}

/// Reads the section of a source.
///
/// # Errors
/// [`ConfigError`] for a value that makes no sense.
pub(super) fn configured(settings: &Settings, name: &str) -> Result<SourceConfig, ConfigError> {
    let key = |key: &str| format!("sources.{name}.{key}");
    let lists_key = key("lists");
    let lists = match reference::find(&lists_key) {
        Some(_) => schedule(settings, &lists_key)?,
        None => Schedule::Never,
    };
    let requests = limit::<u32>(settings, &key("requests_per_minute"))?;
    let credits = limit::<u64>(settings, &key("credits_per_month"))?;
    Ok(SourceConfig {
        name: name.to_owned(),
        enabled: settings.flag(&key("enabled"))?,
        schedule: schedule(settings, &key("schedule"))?,
        lists,
        has_something_to_ask: settings.list(&key("urls")).is_none_or(|urls| !urls.is_empty()),
        stale_after: settings.duration(&key("stale_after"))?,
        requests_per_minute: requests,
        credits_per_month: credits,
        page_rules: PageRules {
            drift: drift_mode(settings, &key("drift"))?,
            max_bad_percent: percent(settings, &key("max_bad_percent"), "100 refuses no page")?,
            min_rows_percent: percent(settings, &key("min_rows_percent"), "0 refuses no page")?,
        },
    })
}

/// A limit; `None` where it is the source's own, or where the source knows none of this kind.
fn limit<T: TryFrom<i64> + PartialOrd + Default + std::fmt::Display>(
    settings: &Settings,
    key: &str,
) -> Result<Option<T>, ConfigError> {
    if reference::find(key).is_none() {
        return Ok(None);
    }
    let limit = settings.number::<T>(key, T::default())?;
    Ok((limit > T::default()).then_some(limit))
}

fn percent(settings: &Settings, key: &str, never: &str) -> Result<u8, ConfigError> {
    let percent = settings.number_within(key, 0, 100, never)?;
    Ok(u8::try_from(percent).unwrap_or(100))
}

fn drift_mode(settings: &Settings, key: &str) -> Result<DriftMode, ConfigError> {
    DriftMode::from_name(&settings.text(key)?).ok_or_else(|| {
        let names: Vec<_> = DriftMode::ALL.iter().map(|mode| mode.name()).collect();
        settings.refuse(
            key,
            "is not a way to treat drift",
            &format!("write one of {}", names.join(", ")),
        )
    })
}

fn schedule(settings: &Settings, key: &str) -> Result<Schedule, ConfigError> {
    Schedule::parse(&settings.text(key)?).map_err(|_| {
        settings.refuse(
            key,
            "is not a schedule",
            "write an interval (30s, 15m, 1h, 1d), a cron expression (0 * * * *) or off",
        )
    })
}
