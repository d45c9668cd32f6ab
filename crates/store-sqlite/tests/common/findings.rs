//! A change and something unusual, for the tests.

use kasparro_domain::{DriftEvent, DriftKey, DriftKind, DriftSeverity, ValueAnomalyKind};
use kasparro_store::RowAnomaly;

/// A change of the member at `pointer`.
pub(crate) fn change(pointer: &str) -> DriftEvent {
    DriftEvent {
        key: DriftKey {
            endpoint: "tickers".to_owned(),
            kind: DriftKind::TypeChanged,
            pointer: pointer.to_owned(),
            before: "number".to_owned(),
            after: "string".to_owned(),
        },
        severity: DriftSeverity::Warning,
        rows_affected: 3,
        rows_examined: 4,
        confidence_percent: 90,
        suggestion: "look at the page".to_owned(),
        breaks: vec!["price_usd".to_owned()],
    }
}

/// A kind, and what is said of it.
pub(crate) fn unusual(kind: ValueAnomalyKind) -> RowAnomaly {
    RowAnomaly { kind, value: "9000".to_owned(), expected: "about 2".to_owned() }
}
