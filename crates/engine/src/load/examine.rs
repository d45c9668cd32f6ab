//! Looking at a landed page as a whole before a row of it is believed.

use std::io::{self, Read};
use std::ops::ControlFlow;

use kasparro_domain::{
    DriftEvent, DriftMode, DriftStatus, RawPage, Rejection, Statement, Timestamp,
};
use kasparro_extract::{Framing, PageError};
use kasparro_store::{DriftFilter, Examined};
use kasparro_transform::{PageSample, Profile, believe, believe_news, sample_order};
use serde_json::Value;
use tokio::runtime::Handle;

use super::Loader;
use super::rows::PageRows;
use crate::land::{PageContext, Walk, spool_failed, store_failed};

/// Most rows of a page that are looked at to find changes.
const SAMPLED_ROWS: u64 = 1_000;

/// Opens a body from its start.
pub(crate) type Open<'a> = &'a (dyn Fn() -> io::Result<Box<dyn Read + Send>> + 'a);

/// When a page is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRules {
    /// What is done about pages that have drifted.
    pub drift: DriftMode,
    /// Share of bad rows, in percent, above which a page is refused; 100 never refuses. A few bad rows
    /// refuse no page, whatever their share.
    pub max_bad_percent: u8,
    /// Share of the usual rows of a whole walk, in percent, below which its last page is refused; 0 never
    /// refuses.
    pub min_rows_percent: u8,
}

impl Default for PageRules {
    /// Breaking changes, more than 20 % bad rows and fewer than half of the usual rows refuse a page.
    fn default() -> Self {
        Self { drift: DriftMode::default(), max_bad_percent: 20, min_rows_percent: 50 }
    }
}

/// Who decides whether a page is believed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judging {
    /// The rules.
    Rules(PageRules),
    /// A person has decided to load it.
    Forced,
    /// It is known what was decided then.
    AsThen,
}

/// What was found out about a page.
pub(super) struct Examination {
    endpoint: String,
    pub(super) drift: Vec<DriftEvent>,
    profile: Profile,
    sample: PageSample,
    walk: Option<Walk>,
    pub(super) rows: Sampled,
}

/// Rows of a page that were read to see how many are bad.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampled {
    looked_at: u64,
    bad: u64,
}

impl Sampled {
    /// True where so few are bad that it is not worth reading all rows to count them: of up to a thousand
    /// rows, evenly spread, less than half of the share that would refuse the page.
    pub(super) const fn fine(self, rules: PageRules) -> bool {
        self.bad * 200 < self.looked_at * rules.max_bad_percent as u64
    }
}

impl Examination {
    /// What is kept of a page that is not loaded: it teaches nothing.
    pub(super) fn of_refused(self) -> Examined {
        Examined { endpoint: self.endpoint, drift: self.drift, profile: None }
    }
}

impl Loader<'_> {
    /// Compares a page with what is known of its endpoint; `None` where its layout is not followed.
    pub(super) fn examine(
        &mut self,
        rows: &PageRows<'_>,
        context: &PageContext,
        open: Open<'_>,
    ) -> Result<Option<Examination>, PageError> {
        let page = rows.page;
        let source = self.parts.source.as_ref();
        let mut sample = PageSample::new(page.fetched_at, source.mapped(rows.endpoint));
        let body = open().map_err(|error| spool_failed(&error))?;
        let by_id = matches!(context.framing, Framing::JsonArray { .. });
        let long = context.rows > SAMPLED_ROWS;
        let step = context.rows.div_ceil(SAMPLED_ROWS).max(1);
        let (mut seen, mut followed) = (0_u64, false);
        let (mut looked_at, mut bad) = (0_u64, 0_u64);
        rows.each(source, body, |reader, cut| {
            seen = cut.ordinal + 1;
            // Of a page whose rows nobody counted these are the first.
            let evenly = cut.ordinal.is_multiple_of(step) && looked_at < SAMPLED_ROWS;
            looked_at += u64::from(evenly);
            let Ok(row) = cut.row else {
                bad += u64::from(evenly);
                return Ok(ControlFlow::Continue(()));
            };
            if !(evenly || long && by_id) {
                return Ok(ControlFlow::Continue(()));
            }
            let read = reader.read(row);
            // Of a long list always the rows of the same listings, wherever they stand, so that pages can
            // be compared row by row.
            let wanted = match sampled_as(&read).filter(|_| long && by_id) {
                Some(order) => u64::from(order) < (1 << 32) / context.rows * SAMPLED_ROWS,
                None => evenly,
            };
            if evenly {
                bad += u64::from(!believable(read, page.fetched_at));
            }
            if wanted && let Some(mut members) = reader.members(row) {
                if holds_nul(row) {
                    without_nul(&mut members);
                }
                sample.add(&members);
                followed = true;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if !followed && context.walk.is_none() {
            return Ok(None);
        }
        let sample = sample.finish(seen);
        let (endpoint, walk) = (layout_of(page), context.walk.clone());
        let profile = self.profile(&endpoint)?;
        let drift = profile.compare(&sample);
        let rows = Sampled { looked_at, bad };
        Ok(Some(Examination { endpoint, drift, profile, sample, walk, rows }))
    }

    /// Why a page is not to be believed as a whole, as far as its rows need not be read for that.
    pub(super) fn objection(&self, found: &Examination) -> Result<Option<PageError>, PageError> {
        let Judging::Rules(rules) = self.parts.judging else { return Ok(None) };
        if let Some(walk) = &found.walk
            && let Some(usual) = found.profile.usual_rows(&walk.key)
            && walk.rows.saturating_mul(100) < usual.saturating_mul(rules.min_rows_percent.into())
        {
            return Ok(Some(too_few_rows(walk.rows, usual)));
        }
        let refusing: Vec<&DriftEvent> =
            found.drift.iter().filter(|event| rules.drift.refuses(event.severity)).collect();
        if refusing.is_empty() {
            return Ok(None);
        }
        let accepted = DriftFilter {
            sources: vec![self.parts.name.clone()],
            endpoint: Some(found.endpoint.clone()),
            status: Some(DriftStatus::Accepted),
            ..DriftFilter::default()
        };
        let accepted = Handle::current()
            .block_on(self.parts.store.drift(accepted))
            .map_err(|error| store_failed(&error))?;
        let left = refusing
            .into_iter()
            .find(|event| !accepted.iter().any(|row| row.event.key == event.key));
        Ok(left.map(drifted))
    }

    /// What is kept with the last batch of a page that is loaded: it is learned from.
    pub(super) fn learn(&mut self, found: Examination) -> Examined {
        let Examination { endpoint, drift, mut profile, sample, walk, rows: _ } = found;
        profile.learn(&sample);
        if let Some(walk) = walk {
            profile.note_rows(&walk.key, walk.rows);
        }
        let state = profile.to_json();
        self.memory.profiles.insert(endpoint.clone(), profile);
        Examined { endpoint, drift, profile: Some(state) }
    }

    /// What is kept of a page whose bytes came before.
    pub(super) fn seen_again(&mut self, page: &RawPage) -> Result<Option<Examined>, PageError> {
        let endpoint = layout_of(page);
        let mut profile = self.profile(&endpoint)?;
        if profile.pages() == 0 {
            return Ok(None);
        }
        let drift = profile.same_bytes(page.fetched_at).into_iter().collect();
        let state = profile.to_json();
        self.memory.profiles.insert(endpoint.clone(), profile);
        Ok(Some(Examined { endpoint, drift, profile: Some(state) }))
    }

    fn profile(&mut self, endpoint: &str) -> Result<Profile, PageError> {
        if let Some(known) = self.memory.profiles.get(endpoint) {
            return Ok(known.clone());
        }
        let stored = self.parts.store.profile(&self.parts.name, endpoint);
        let stored = Handle::current().block_on(stored).map_err(|error| store_failed(&error))?;
        Ok(Profile::from_json(endpoint, &stored.unwrap_or_default()))
    }
}

/// True for a row that passes every rule.
pub(super) fn believable(read: Result<Statement, Rejection>, fetched_at: Timestamp) -> bool {
    match read {
        Ok(Statement::Observation(seen)) => believe(seen, fetched_at).is_ok(),
        Ok(Statement::News(item)) => believe_news(item, fetched_at).is_ok(),
        Ok(Statement::Evidence(_)) => true,
        Err(_) => false,
    }
}

/// The place of a row among those that are compared by id; `None` where nobody knows whose row it is.
fn sampled_as(read: &Result<Statement, Rejection>) -> Option<u32> {
    match read {
        Ok(Statement::Observation(seen)) => Some(sample_order(&seen.external_id)),
        Ok(Statement::Evidence(stated)) => Some(sample_order(&stated.external_id)),
        Ok(Statement::News(item)) => Some(sample_order(&item.item_id)),
        Err(_) => None,
    }
}

/// True for a row in which U+0000 may stand, as such or escaped.
fn holds_nul(row: &[u8]) -> bool {
    row.contains(&0) || row.windows(4).any(|four| four == b"u000")
}

/// Replaces U+0000, which no store takes, in names and texts.
fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(values) => values.iter_mut().for_each(without_nul),
        Value::Object(members) => {
            let cleaned = std::mem::take(members).into_iter().map(|(name, mut value)| {
                without_nul(&mut value);
                (name.replace('\0', "\u{fffd}"), value)
            });
            *members = cleaned.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What shares one layout: an endpoint, or one text of a user, since each may have columns of its own.
pub(super) fn layout_of(page: &RawPage) -> String {
    let text = |name: &str| page.request.get(name).and_then(Value::as_str);
    let endpoint = text("endpoint").unwrap_or_default();
    match (text("file"), text("origin"), text("path")) {
        (Some(file), ..) => format!("{endpoint} {file}"),
        (None, Some(origin), path) => format!("{endpoint} {origin}{}", path.unwrap_or_default()),
        (None, None, _) => endpoint.to_owned(),
    }
}

/// The code of a page that is refused because its layout or values have changed.
pub(crate) const DRIFT: &str = "drift";
/// The code of a page that is refused because far fewer rows came than usual.
pub(crate) const TOO_FEW_ROWS: &str = "too_few_rows";
/// The code of a page that is refused because too many of its rows are bad.
pub(crate) const TOO_MANY_BAD_ROWS: &str = "too_many_bad_rows";

fn drifted(event: &DriftEvent) -> PageError {
    let hint = format!(
        "{}; see kasparro drift list, and once it is right: kasparro drift accept and \
         kasparro quarantine retry --page",
        event.suggestion.trim_end_matches('.')
    );
    PageError::stop(DRIFT, event.key.to_string(), hint)
}

fn too_few_rows(rows: u64, usual: u64) -> PageError {
    let message = format!("{rows} rows came where {usual} are usual");
    let hint = "if that is right: kasparro quarantine retry --page ID --force";
    PageError::stop(TOO_FEW_ROWS, message, hint)
}

/// Fewer bad rows than this refuse no page, whatever their share.
const FEW_BAD_ROWS: u64 = 5;

impl PageRules {
    /// Why a page with so many bad rows is not to be believed as a whole.
    pub(super) fn too_many_bad(self, bad: u64, received: u64) -> Option<PageError> {
        let most = received.saturating_mul(self.max_bad_percent.into());
        if bad < FEW_BAD_ROWS || bad.saturating_mul(100) <= most {
            return None;
        }
        let message = format!("{bad} of {received} rows are bad");
        let hint = "look at the page: its layout may have changed; to load the rest of it: \
                    kasparro quarantine retry --page ID --force";
        Some(PageError::stop(TOO_MANY_BAD_ROWS, message, hint))
    }
}
