//! The rows of one page, as they are read.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;

use kasparro_domain::RawPage;
use kasparro_extract::frame::{CutRow, RowCutter};
use kasparro_extract::{Framing, PageError, PageMeta, RowReader, Source};
use serde_json::Value;

use super::RetryReason;
use crate::land::PageContext;
use crate::memory::meaning;

/// What the rows of one page have in common.
pub(super) struct PageRows<'a> {
    pub(super) page: &'a RawPage,
    /// How the page is cut into rows.
    pub(super) framing: &'a Framing,
    /// What a survey noted about it.
    pub(super) survey: &'a Value,
    /// The endpoint that states what the rows say.
    pub(super) endpoint: &'a str,
    /// The feed that carries the rows.
    pub(super) feed: &'a str,
    /// What the page's survey says the bytes of a row mean.
    pub(super) meaning: u64,
    /// True where a newer page of the same request was loaded before.
    pub(super) late: bool,
    /// The rows that are read again; `None` for a page that is loaded the first time.
    pub(super) retried: Option<&'a RetriedRows<'a>>,
}

pub(super) struct RetriedRows<'a> {
    pub(super) ordinals: &'a BTreeSet<u64>,
    pub(super) reason: &'a RetryReason,
}

impl<'a> PageRows<'a> {
    pub(super) fn of(page: &'a RawPage, context: &'a PageContext) -> Self {
        Self::surveyed(page, &context.framing, &context.survey)
    }

    /// The rows of a page about which another survey noted this.
    pub(super) fn surveyed(page: &'a RawPage, framing: &'a Framing, survey: &'a Value) -> Self {
        let text = |value: Option<&'a Value>| value.and_then(Value::as_str).unwrap_or_default();
        Self {
            page,
            framing,
            survey,
            endpoint: text(page.request.get("endpoint")),
            feed: text(survey.get("feed").or_else(|| page.request.get("path"))),
            meaning: meaning(survey),
            late: false,
            retried: None,
        }
    }

    /// Hands every row of a body to `take`, with what reads it, until that breaks off.
    pub(super) fn each(
        &self,
        source: &dyn Source,
        body: Box<dyn Read + Send>,
        mut take: impl FnMut(&mut dyn RowReader, CutRow<'_>) -> Result<ControlFlow<()>, PageError>,
    ) -> Result<(), PageError> {
        let Self { page, survey, .. } = *self;
        let meta =
            PageMeta { request: &page.request, context: survey, fetched_at: page.fetched_at };
        let mut reader = source.reader(meta)?;
        let mut cutter = RowCutter::new(self.framing, survey, body);
        while let Some(cut) = cutter.next_row().map_err(|error| error.to_page_error())? {
            if take(reader.as_mut(), cut)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}
