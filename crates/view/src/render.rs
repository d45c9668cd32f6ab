//! Rendering a stored listing into a row, its keys and its folded texts.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Attributes, Contract, Decimal, Quote, SourceName, Timestamp};
use kasparro_store::ListingRow;

use crate::fold::Folds;
use crate::further::write_further;
use crate::key::{Exact, Field, FieldSet, Keys, instant_key, number_key, rank_key};
use crate::{Row, ViewSettings};

/// A rendered listing on its way into a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) row: Arc<Row>,
    pub(crate) column: Column,
    pub(crate) folds: Folds,
}

/// What is asked of many rows at once, kept beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) listing_id: i64,
    pub(crate) keys: Keys,
    /// Number of the source in [`Sources`].
    pub(crate) source: u32,
    pub(crate) priced: bool,
    /// Fields whose key another value might share.
    pub(crate) loose: FieldSet,
}

/// The sources that occur, numbered in order of first sight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources(Vec<Arc<SourceName>>);

impl Sources {
    /// The number of a source that occurs.
    pub(crate) fn number(&self, name: &SourceName) -> Option<u32> {
        let place = self.0.iter().position(|known| **known == *name)?;
        u32::try_from(place).ok()
    }

    /// The sources with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &SourceName)> {
        (0..).zip(self.0.iter().map(Arc::as_ref))
    }

    fn take(&mut self, name: SourceName) -> (u32, Arc<SourceName>) {
        let place = self.0.iter().position(|known| **known == name).unwrap_or_else(|| {
            self.0.push(Arc::new(name));
            self.0.len() - 1
        });
        let shared = self.0.get(place).map_or_else(|| Arc::new(SourceName::new("")), Arc::clone);
        (u32::try_from(place).unwrap_or(u32::MAX), shared)
    }
}

/// Renders listings as they are at one instant.
#[derive(Debug)]
pub(crate) struct Renderer<'a> {
    sources: Sources,
    settings: &'a ViewSettings,
    now: Timestamp,
    buffer: String,
}

impl<'a> Renderer<'a> {
    pub(crate) const fn new(sources: Sources, settings: &'a ViewSettings, now: Timestamp) -> Self {
        Self { sources, settings, now, buffer: String::new() }
    }

    /// The sources known from before and those met while rendering.
    pub(crate) fn into_sources(self) -> Sources {
        self.sources
    }

    /// Renders one listing.
    pub(crate) fn render(&mut self, listing: ListingRow) -> Fresh {
        let stale_after = self.settings.stale_after(&listing.source);
        let (number, source) = self.sources.take(listing.source);
        let priced = listing.quote.is_some();
        let quote = listing.quote.unwrap_or_default();
        let observed_at = listing.observed_at.filter(|_| listing.source_timed);
        let mut row = Row {
            text: Box::default(),
            json_end: 0,
            extra_end: 0,
            listing_id: listing.listing_id,
            asset_id: listing.asset_id,
            founded_asset_id: listing.founded_asset_id,
            source,
            price_usd: quote.price_usd.clone(),
            observed_at: observed_at.into(),
            fetched_at: listing.fetched_at.into(),
            priced,
            active: listing.active,
            stale: false,
            unusual: listing.unusual,
            class: listing.class,
            identity: listing.identity,
        };
        row.stale = row.aging_since().is_some_and(|instant| older(instant, stale_after, self.now));
        let attributes = &listing.attributes;
        self.buffer.clear();
        if priced {
            write_json(&mut self.buffer, &row, &listing.external_id, attributes, &quote);
        } else {
            write_names(&mut self.buffer, &listing.external_id, attributes);
        }
        row.json_end = length(&self.buffer);
        if priced {
            write_further(&mut self.buffer, &quote);
        }
        write_listed(&mut self.buffer, &listing.contracts, listing.last_seen_at);
        row.extra_end = length(&self.buffer);
        let (symbol, name) = (attributes.symbol.as_deref(), attributes.name.as_deref());
        if ![Some(listing.external_id.as_str()), symbol, name].into_iter().flatten().all(plain) {
            self.buffer.push_str(&listing.external_id);
            self.buffer.push('\0');
            self.buffer.push_str(symbol.unwrap_or_default());
            self.buffer.push('\0');
            self.buffer.push_str(name.unwrap_or_default());
        }
        row.text = Box::from(self.buffer.as_str());
        let folds = Folds::new(symbol, name, &listing.external_id);
        let loose = loose(&quote, &folds, row.source.as_str());
        let column = Column {
            listing_id: row.listing_id.0,
            keys: Keys {
                price_usd: number_key(quote.price_usd.as_ref()),
                market_cap: number_key(quote.market_cap.as_ref()),
                volume_24h: number_key(quote.volume_24h.as_ref()),
                price_change_24h: number_key(quote.price_change_24h.as_ref()),
                rank: rank_key(quote.rank),
                updated_at: instant_key(row.updated_at()),
            },
            source: number,
            priced,
            loose,
        };
        Fresh { row: Arc::new(row), column, folds }
    }
}

fn loose(quote: &Quote, folds: &Folds, source: &str) -> FieldSet {
    let number = |value: &Option<Decimal>| {
        value.as_ref().is_some_and(|value| Exact::Number(value.as_str()).loose())
    };
    let text = |text: &str| Exact::Text(text).loose();
    let mut loose = FieldSet::default();
    loose.set(Field::PriceUsd, number(&quote.price_usd));
    loose.set(Field::MarketCap, number(&quote.market_cap));
    loose.set(Field::Volume24h, number(&quote.volume_24h));
    loose.set(Field::PriceChange24h, number(&quote.price_change_24h));
    loose.set(Field::CirculatingSupply, number(&quote.circulating_supply));
    loose.set(Field::TotalSupply, number(&quote.total_supply));
    loose.set(Field::MaxSupply, number(&quote.max_supply));
    loose.set(Field::FullyDilutedValuation, number(&quote.fully_diluted_valuation));
    loose.set(Field::Symbol, text(folds.symbol()));
    loose.set(Field::Name, text(folds.name()));
    loose.set(Field::Source, text(source));
    loose
}

/// True when values from this instant are too old at `now`.
fn older(instant: Timestamp, stale_after: Duration, now: Timestamp) -> bool {
    instant.as_millis() < stale_before(stale_after, now)
}

/// Values from before this instant, in milliseconds since the Unix epoch, are too old at `now`.
pub(crate) fn stale_before(stale_after: Duration, now: Timestamp) -> i64 {
    now.as_millis().saturating_sub(i64::try_from(stale_after.as_millis()).unwrap_or(i64::MAX))
}

/// Length of the text; rows are far below 4 GiB, because pages are.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn write_json(
    out: &mut String,
    row: &Row,
    external_id: &str,
    attributes: &Attributes,
    quote: &Quote,
) {
    let mut digits = itoa::Buffer::new();
    out.push_str(r#"{"id":"#);
    out.push_str(digits.format(row.listing_id.0));
    out.push_str(r#","asset_id":"#);
    out.push_str(digits.format(row.asset_id.0));
    out.push_str(r#","source":"#);
    write_text(out, Some(row.source.as_str()));
    write_names(out, external_id, attributes);
    out.push_str(r#","price_usd":"#);
    write_number(out, quote.price_usd.as_ref());
    out.push_str(r#","market_cap":"#);
    write_number(out, quote.market_cap.as_ref());
    out.push_str(r#","volume_24h":"#);
    write_number(out, quote.volume_24h.as_ref());
    out.push_str(r#","price_change_24h":"#);
    write_number(out, quote.price_change_24h.as_ref());
    out.push_str(r#","rank":"#);
    out.push_str(quote.rank.map_or("null", |rank| digits.format(rank)));
    out.push_str(if row.active { r#","active":true"# } else { r#","active":false"# });
    out.push_str(if row.stale { r#","stale":true"# } else { r#","stale":false"# });
    out.push_str(r#","updated_at":"#);
    write_instant(out, row.updated_at());
    out.push_str(r#","ingested_at":"#);
    write_instant(out, row.fetched_at());
    out.push('}');
}

/// The members of the row object that every listing has its own of.
fn write_names(out: &mut String, external_id: &str, attributes: &Attributes) {
    out.push_str(r#","external_id":"#);
    write_text(out, Some(external_id));
    out.push_str(r#","symbol":"#);
    write_text(out, attributes.symbol.as_deref());
    out.push_str(r#","name":"#);
    write_text(out, attributes.name.as_deref());
}

/// What lists and sweeps say of the listing.
fn write_listed(out: &mut String, contracts: &[Contract], last_seen_at: Option<Timestamp>) {
    out.push_str(r#""contracts":["#);
    for (place, contract) in contracts.iter().enumerate() {
        out.push_str(if place == 0 { r#"{"platform":"# } else { r#",{"platform":"# });
        write_text(out, Some(&contract.platform));
        out.push_str(r#","address":"#);
        write_text(out, Some(&contract.address));
        out.push('}');
    }
    out.push_str(r#"],"last_seen_at":"#);
    write_instant(out, last_seen_at);
}

/// True when JSON writes the text as it is.
fn plain(text: &str) -> bool {
    !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\')
}

pub(crate) fn write_text(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) if plain(text) => {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        Some(text) => match serde_json::to_string(text) {
            Ok(json) => out.push_str(&json),
            Err(_) => out.push_str("null"),
        },
        None => out.push_str("null"),
    }
}

fn write_number(out: &mut String, number: Option<&Decimal>) {
    out.push_str(number.map_or("null", Decimal::as_str));
}

fn write_instant(out: &mut String, instant: Option<Timestamp>) {
    let Some(instant) = instant else {
        out.push_str("null");
        return;
    };
    let before = out.len();
    if write!(out, "\"{instant}\"").is_err() {
        out.truncate(before);
        out.push_str("null");
    }
}
