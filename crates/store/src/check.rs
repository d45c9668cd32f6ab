//! What can be wrong with a batch, whatever is stored.

use std::collections::BTreeSet;

use kasparro_domain::{Attributes, Decimal, DriftKey, Evidence, NewsItem, QuoteField, Rejection};

use crate::{Batch, Examined, Retry, RowAnomaly, StoreError, StoreResult};

/// What is wrong with a text that PostgreSQL would refuse.
const NUL: &str = "holds the character U+0000";

impl Examined {
    /// Checks what can be checked without looking at what is stored; stores call it before they keep
    /// what came with a refused page, too.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] when an endpoint is empty, a text holds U+0000 or one change is
    /// told twice.
    pub fn check(&self) -> StoreResult<()> {
        if self.endpoint.is_empty() || self.endpoint.contains('\0') {
            let what = "what examining a page brought names no endpoint, or one with U+0000";
            return Err(StoreError::Conflict(what.to_owned()));
        }
        let mut keys = BTreeSet::new();
        for event in &self.drift {
            let DriftKey { endpoint, kind: _, pointer, before, after } = &event.key;
            if endpoint.is_empty() {
                let what = format!("the change at {pointer:?} names no endpoint");
                return Err(StoreError::Conflict(what));
            }
            let texts = [endpoint, pointer, before, after, &event.suggestion];
            if texts.into_iter().chain(&event.breaks).any(|text| text.contains('\0')) {
                return Err(StoreError::Conflict(format!("the change at {pointer:?} {NUL}")));
            }
            if !keys.insert(&event.key) {
                return Err(StoreError::Conflict(format!(
                    "the change at {pointer:?} is told twice"
                )));
            }
        }
        Ok(())
    }
}

impl Batch {
    /// Checks what can be checked without looking at what is stored; stores call it before they
    /// write.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] when a row has two dispositions, a text holds U+0000, a rank is
    /// 0, an amount lies below zero, or a retry does not account for exactly the rows that it names.
    pub fn check(&self) -> StoreResult<()> {
        for row in &self.rows {
            let Attributes { symbol, name } = &row.attributes;
            let mut texts =
                [Some(&row.external_id), symbol.as_ref(), name.as_ref()].into_iter().flatten();
            if texts.any(|text| text.contains('\0')) {
                return Err(self.refusal(row.ordinal, NUL));
            }
            if row.external_id.is_empty() {
                return Err(self.refusal(row.ordinal, "has an empty external id"));
            }
            if row.quote.rank == Some(0) {
                return Err(self.refusal(row.ordinal, "has rank 0"));
            }
            let below_zero = |field: &QuoteField| {
                !field.signed() && row.quote.get(*field).is_some_and(Decimal::negative)
            };
            if QuoteField::ALL.iter().any(below_zero) {
                return Err(self.refusal(row.ordinal, "has an amount below zero"));
            }
        }
        self.check_anomalies()?;
        self.check_examined()?;
        self.check_evidence()?;
        self.check_news()?;
        self.check_quarantined()?;
        self.check_retry()
    }

    /// A retry accounts for the rows that it names, each once, and for nothing else: its page was
    /// accounted for when it was loaded.
    fn check_retry(&self) -> StoreResult<()> {
        let Some(Retry { who, why, ordinals }) = &self.retry else {
            return Ok(());
        };
        let refuse = |what: &str| {
            let (source, sequence) = (&self.source, self.sequence);
            Err(StoreError::Conflict(format!("{source}: the retry of batch {sequence} {what}")))
        };
        if who.contains('\0') || why.contains('\0') {
            return refuse(NUL);
        }
        if self.page_done || self.position.is_some() || self.sweep.is_some() {
            return refuse("moves its page or its source on");
        }
        if !ordinals.is_sorted_by(|one, next| one < next) {
            return refuse("names its rows out of order");
        }
        let written = self.rows.iter().map(|row| row.ordinal);
        let written = written.chain(self.evidence.iter().map(|row| row.ordinal));
        let written = written.chain(self.news.iter().map(|row| row.ordinal));
        let mut all = written.chain(self.quarantined.iter().map(|row| row.ordinal));
        if let Some(stranger) = all.find(|ordinal| ordinals.binary_search(ordinal).is_err()) {
            return Err(self.refusal(stranger, "was not to be read again"));
        }
        let read = self.rows.len() + self.evidence.len() + self.news.len() + self.quarantined.len();
        if read as u64 + self.unchanged + self.duplicate != ordinals.len() as u64 {
            return refuse("does not account for each of its rows once");
        }
        Ok(())
    }

    /// What is unusual about a row is said once of each kind.
    fn check_anomalies(&self) -> StoreResult<()> {
        for row in self.rows.iter().filter(|row| !row.anomalies.is_empty()) {
            let mut kinds = BTreeSet::new();
            for RowAnomaly { kind, value, expected } in &row.anomalies {
                if value.contains('\0') || expected.contains('\0') {
                    return Err(self.refusal(row.ordinal, NUL));
                }
                if !kinds.insert(*kind) {
                    return Err(self.refusal(row.ordinal, "has an anomaly of one kind twice"));
                }
            }
        }
        Ok(())
    }

    /// What examining a page brought stands with the batch that ends it.
    fn check_examined(&self) -> StoreResult<()> {
        let Some(examined) = &self.examined else { return Ok(()) };
        if !self.page_done {
            let (source, sequence) = (&self.source, self.sequence);
            let what = "tells what its page shows, and the page goes on";
            return Err(StoreError::Conflict(format!("{source}: batch {sequence} {what}")));
        }
        examined.check()
    }

    fn check_evidence(&self) -> StoreResult<()> {
        for row in &self.evidence {
            let Evidence { external_id, part, attributes, contracts, active: _, kind, same_as } =
                &row.evidence;
            let contracts = contracts.iter().flat_map(|stated| [&stated.platform, &stated.address]);
            let named = [attributes.symbol.as_ref(), attributes.name.as_ref(), kind.as_ref()];
            let mut texts =
                [external_id, part].into_iter().chain(named.into_iter().flatten()).chain(contracts);
            let mut others = same_as.iter().flat_map(|key| [key.source.as_str(), &key.external_id]);
            if texts.any(|text| text.contains('\0'))
                || others.clone().any(|text| text.contains('\0'))
            {
                return Err(self.refusal(row.ordinal, NUL));
            }
            if others.any(str::is_empty) {
                return Err(self.refusal(row.ordinal, "is the same as a listing without a name"));
            }
            if external_id.is_empty() {
                return Err(self.refusal(row.ordinal, "has an empty external id"));
            }
            if row.endpoint.is_empty() || row.endpoint.contains('\0') {
                return Err(self.refusal(row.ordinal, "names no endpoint, or one with U+0000"));
            }
        }
        Ok(())
    }

    fn check_news(&self) -> StoreResult<()> {
        for row in &self.news {
            let NewsItem { item_id, title, link, summary, author, published_at: _ } = &row.item;
            let texts = [Some(title), link.as_ref(), summary.as_ref(), author.as_ref()];
            let mut texts = texts.into_iter().flatten().map(String::as_str);
            if texts.any(|text| text.contains('\0'))
                || [item_id, &row.feed].into_iter().any(|text| text.contains('\0'))
            {
                return Err(self.refusal(row.ordinal, NUL));
            }
            if item_id.is_empty() || row.feed.is_empty() {
                return Err(self.refusal(row.ordinal, "has an empty id"));
            }
        }
        Ok(())
    }

    /// A row that is quarantined must be so once, and must not be written as well (invariant I1).
    fn check_quarantined(&self) -> StoreResult<()> {
        if self.quarantined.is_empty() {
            return Ok(());
        }
        let mut seen: BTreeSet<u64> = self.rows.iter().map(|row| row.ordinal).collect();
        seen.extend(self.evidence.iter().map(|row| row.ordinal));
        seen.extend(self.news.iter().map(|row| row.ordinal));
        for row in &self.quarantined {
            if !seen.insert(row.ordinal) {
                return Err(self.refusal(row.ordinal, "has two dispositions"));
            }
            let Rejection { field, value, external_id, .. } = &row.rejection;
            if [Some(field), Some(value), external_id.as_ref()]
                .into_iter()
                .flatten()
                .any(|text| text.contains('\0'))
            {
                return Err(self.refusal(row.ordinal, NUL));
            }
        }
        Ok(())
    }

    /// The refusal of this batch because of one of its rows.
    fn refusal(&self, ordinal: u64, what: &str) -> StoreError {
        StoreError::Conflict(format!(
            "{}: row {ordinal} of batch {} {what}",
            self.source, self.sequence
        ))
    }
}
