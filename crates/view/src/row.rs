//! One rendered listing.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use kasparro_domain::{
    AssetClass, AssetId, Contract, Decimal, IdentityState, ListingId, SourceName, Timestamp,
};
use memchr::memmem;

use crate::render::write_text;

/// Stands between the raw texts of a row whose JSON had to escape one of them.
const SEPARATOR: char = '\0';

/// An instant that may be unknown, in eight bytes: milliseconds since the Unix epoch, or -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(i64);

impl From<Option<Timestamp>> for Instant {
    fn from(instant: Option<Timestamp>) -> Self {
        Self(instant.map_or(-1, Timestamp::as_millis))
    }
}

impl Instant {
    fn get(self) -> Option<Timestamp> {
        Timestamp::from_millis(self.0).ok()
    }
}

/// A listing as readers see it, rendered once when it changed.
///
/// One allocation holds every text. What is asked for rarely is found in the rendered JSON, whose keys
/// cannot occur inside a value: a quotation mark within a string is always escaped. Of a listing
/// without a quote, of which there may be many more than of the others, only the members are kept that
/// differ from listing to listing; the rest is written when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row object (without a quote its members from `external_id` to `name`), the further members
    /// (without a quote those from `contracts` on), then, only where the JSON escapes one of them, the
    /// raw external id, symbol and name.
    pub(crate) text: Box<str>,
    pub(crate) json_end: u32,
    pub(crate) extra_end: u32,
    pub(crate) listing_id: ListingId,
    pub(crate) asset_id: AssetId,
    pub(crate) founded_asset_id: AssetId,
    pub(crate) source: Arc<SourceName>,
    pub(crate) price_usd: Option<Decimal>,
    pub(crate) observed_at: Instant,
    pub(crate) fetched_at: Instant,
    pub(crate) priced: bool,
    pub(crate) active: bool,
    pub(crate) stale: bool,
    pub(crate) unusual: bool,
    pub(crate) class: AssetClass,
    pub(crate) identity: IdentityState,
}

impl Row {
    /// The row object of `/data` as JSON: `id`, `asset_id`, `source`, `external_id`, `symbol`, `name`,
    /// `price_usd`, `market_cap`, `volume_24h`, `price_change_24h` (percent), `rank`, `active`,
    /// `stale`, `updated_at`, `ingested_at`, in this order. Unknown is `null`.
    #[must_use]
    pub fn json(&self) -> Cow<'_, str> {
        let kept = self.kept_json();
        if self.priced {
            return Cow::Borrowed(kept);
        }
        let mut json = String::with_capacity(kept.len() + 256);
        let (id, asset_id, source) = (self.listing_id, self.asset_id, self.source.as_str());
        // Writing to a String cannot fail.
        let _ = write!(json, r#"{{"id":{id},"asset_id":{asset_id},"source":"#);
        write_text(&mut json, Some(source));
        json.push_str(kept);
        json.push_str(r#","price_usd":null,"market_cap":null,"volume_24h":null"#);
        json.push_str(r#","price_change_24h":null,"rank":null"#);
        json.push_str(if self.active { r#","active":true"# } else { r#","active":false"# });
        json.push_str(r#","stale":false,"updated_at":null,"ingested_at":null}"#);
        Cow::Owned(json)
    }

    fn kept_json(&self) -> &str {
        self.text.get(..self.json_end as usize).unwrap_or_default()
    }

    /// Further members for an object, without braces: `circulating_supply`, `total_supply`,
    /// `max_supply`, `fully_diluted_valuation`, `contracts`, `last_seen_at`.
    #[must_use]
    pub fn extra_json(&self) -> Cow<'_, str> {
        let kept = self.text.get(self.json_end as usize..self.extra_end as usize);
        let kept = kept.unwrap_or_default();
        if self.priced {
            return Cow::Borrowed(kept);
        }
        let unknown = r#""circulating_supply":null,"total_supply":null,"max_supply":null,"#;
        Cow::Owned(format!(r#"{unknown}"fully_diluted_valuation":null,{kept}"#))
    }

    /// The last of the further members, without braces: `contracts`, `last_seen_at`.
    #[must_use]
    pub fn listed_json(&self) -> &str {
        let kept = self.text.get(self.json_end as usize..self.extra_end as usize);
        let kept = kept.unwrap_or_default();
        memmem::find(kept.as_bytes(), br#""contracts":"#)
            .and_then(|at| kept.get(at..))
            .unwrap_or_default()
    }

    /// The contracts that its lists state, as a JSON array.
    pub(crate) fn contracts_json(&self) -> &str {
        let listed = self.listed_json().strip_prefix(r#""contracts":"#).unwrap_or_default();
        // The member behind holds an instant or null, never a text of the source.
        let end = listed.rfind(r#","last_seen_at":"#).unwrap_or_default();
        listed.get(..end).unwrap_or_default()
    }

    /// The contracts that its lists state.
    #[must_use]
    pub fn contracts(&self) -> Vec<Contract> {
        match self.contracts_json() {
            "" | "[]" => Vec::new(),
            json => serde_json::from_str(json).unwrap_or_default(),
        }
    }

    /// The listing's id.
    #[must_use]
    pub const fn listing_id(&self) -> ListingId {
        self.listing_id
    }

    /// The asset it belongs to.
    #[must_use]
    pub const fn asset_id(&self) -> AssetId {
        self.asset_id
    }

    /// The asset that it founded: another one where it was found to be another listing's asset.
    #[must_use]
    pub const fn founded_asset_id(&self) -> AssetId {
        self.founded_asset_id
    }

    /// What sort of thing it is.
    #[must_use]
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// How far it is decided what it is.
    #[must_use]
    pub const fn identity(&self) -> IdentityState {
        self.identity
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The source's id of it.
    #[must_use]
    pub fn external_id(&self) -> &str {
        self.raw(0, r#","external_id":"#).unwrap_or_default()
    }

    /// The symbol as sent, where the source gives one.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        self.raw(1, r#","symbol":"#)
    }

    /// The name as sent, where the source gives one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.raw(2, r#","name":"#)
    }

    /// The source's rank by market capitalisation, where it gives one.
    #[must_use]
    pub fn rank(&self) -> Option<u32> {
        self.number(r#","rank":"#).parse().ok()
    }

    /// The market capitalisation in US dollars as canonical text, where it is known.
    #[must_use]
    pub fn market_cap(&self) -> Option<&str> {
        Some(self.number(r#","market_cap":"#)).filter(|text| *text != "null")
    }

    /// Price of one unit in US dollars, where it is known.
    #[must_use]
    pub const fn price_usd(&self) -> Option<&Decimal> {
        self.price_usd.as_ref()
    }

    /// The instant the source gives for its values, where it gives one.
    #[must_use]
    pub fn observed_at(&self) -> Option<Timestamp> {
        self.observed_at.get()
    }

    /// When the values were fetched; `None` for a listing without a quote.
    #[must_use]
    pub fn fetched_at(&self) -> Option<Timestamp> {
        self.fetched_at.get()
    }

    /// The instant the source gives for the quote; `None` where it gives none, and without a quote.
    #[must_use]
    pub fn updated_at(&self) -> Option<Timestamp> {
        self.observed_at().filter(|_| self.priced)
    }

    /// When the quote was fetched; `None` without one.
    pub(crate) fn ingested_at(&self) -> Option<Timestamp> {
        self.fetched_at().filter(|_| self.priced)
    }

    /// When the quote was fetched, where the source gives no instant for it.
    pub(crate) fn untimed_fetch(&self) -> Option<Timestamp> {
        self.fetched_at().filter(|_| self.priced && self.observed_at().is_none())
    }

    /// The instant that the age of the quote counts from: the source's, or the fetch's where it gives
    /// none; `None` without a quote.
    pub(crate) fn aging_since(&self) -> Option<Timestamp> {
        self.updated_at().or_else(|| self.untimed_fetch())
    }

    /// True when the values were older than the source's limit when this was last judged.
    #[must_use]
    pub const fn stale(&self) -> bool {
        self.stale
    }

    /// True when something was found unusual about the values: they are shown, but no price of an asset is
    /// made of them.
    #[must_use]
    pub const fn unusual(&self) -> bool {
        self.unusual
    }

    /// False once the source no longer lists it.
    #[must_use]
    pub const fn active(&self) -> bool {
        self.active
    }

    /// True when there is a quote; its price may still be unknown.
    #[must_use]
    pub const fn priced(&self) -> bool {
        self.priced
    }

    /// The number under a key of the row object, as canonical text; `null` without a quote.
    pub(crate) fn number(&self, key: &str) -> &str {
        if !self.priced {
            return "null";
        }
        let value = self.value(key);
        value.split(',').next().unwrap_or_default()
    }

    /// The same row with another judgement of its age.
    pub(crate) fn judged(&self, stale: bool) -> Self {
        const KEY: &str = r#","stale":"#;
        let rest = self.value(KEY);
        let after = rest.strip_prefix("true").or_else(|| rest.strip_prefix("false"));
        let (Some(at), Some(after)) = (memmem::find(self.text.as_bytes(), KEY.as_bytes()), after)
        else {
            return self.clone();
        };
        let mut text = String::with_capacity(self.text.len() + 1);
        text.push_str(self.text.get(..at + KEY.len()).unwrap_or_default());
        text.push_str(if stale { "true" } else { "false" });
        text.push_str(after);
        let json_end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        text.push_str(self.text.get(self.json_end as usize..).unwrap_or_default());
        let extra_end = json_end + (self.extra_end - self.json_end);
        Self {
            text: text.into_boxed_str(),
            json_end,
            extra_end,
            listing_id: self.listing_id,
            asset_id: self.asset_id,
            founded_asset_id: self.founded_asset_id,
            source: Arc::clone(&self.source),
            price_usd: self.price_usd.clone(),
            observed_at: self.observed_at,
            fetched_at: self.fetched_at,
            priced: self.priced,
            active: self.active,
            stale,
            unusual: self.unusual,
            class: self.class,
            identity: self.identity,
        }
    }

    /// What stands behind a key of the kept part of the row object, up to its end.
    fn value(&self, key: &str) -> &str {
        let json = self.kept_json();
        memmem::find(json.as_bytes(), key.as_bytes())
            .and_then(|at| json.get(at + key.len()..))
            .unwrap_or_default()
    }

    fn raw(&self, place: usize, key: &str) -> Option<&str> {
        let value = self.value(key).strip_prefix('"')?;
        let kept = self.text.get(self.extra_end as usize..).unwrap_or_default();
        if kept.is_empty() { value.split('"').next() } else { kept.split(SEPARATOR).nth(place) }
    }
}
