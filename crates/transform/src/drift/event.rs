//! Findings in the words of the domain.

use kasparro_domain::{DriftEvent, DriftKey, DriftKind, DriftSeverity};

use super::page::PageSample;

/// What a rule has found; the page says what it breaks.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) kind: DriftKind,
    pub(super) pointer: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) severity: DriftSeverity,
    pub(super) rows: usize,
    /// 0 to 1.
    pub(super) confidence: f64,
    pub(super) suggestion: String,
}

impl Finding {
    pub(super) fn event(self, endpoint: &str, page: &PageSample) -> DriftEvent {
        let breaks = page.breaks(&self.pointer);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let confidence_percent = (self.confidence.clamp(0.0, 1.0) * 100.0).round() as u8;
        DriftEvent {
            key: DriftKey {
                endpoint: endpoint.to_owned(),
                kind: self.kind,
                pointer: self.pointer,
                before: self.before,
                after: self.after,
            },
            severity: self.severity,
            rows_affected: self.rows as u64,
            rows_examined: page.rows_examined(),
            confidence_percent,
            suggestion: self.suggestion,
            breaks: if self.severity == DriftSeverity::Info { Vec::new() } else { breaks },
        }
    }
}

/// The event for a page of `endpoint` that is an error or a web page with status 200; `what` says in
/// a few words that do not vary what came in place of rows (`"HTML"`, `"error object"`).
#[must_use]
pub fn error_page(endpoint: &str, what: &str, rows_on_page: u64) -> DriftEvent {
    DriftEvent {
        key: DriftKey {
            endpoint: endpoint.to_owned(),
            kind: DriftKind::ErrorPage,
            pointer: String::new(),
            before: "rows".to_owned(),
            after: what.to_owned(),
        },
        severity: DriftSeverity::Breaking,
        rows_affected: rows_on_page,
        rows_examined: rows_on_page,
        confidence_percent: 100,
        suggestion:
            "The upstream answers with an error though the status is 200: look at the raw page, \
                     and wait or check key and plan."
                .to_owned(),
        breaks: Vec::new(),
    }
}
