//! Bodies whose rows are elements of a JSON array.

use super::Drift;
use crate::replay::rows::external_id;
use crate::whole::{Whole, WholeRow};

/// The body with only the first rows, at least a share `keep` of them.
pub(super) fn first_rows(mut whole: Whole, keep: f64) -> Whole {
    let all = whole.rows.len();
    let is_kept = |number: &usize| share(*number, all) < keep;
    let kept = (0..all).take_while(is_kept).count();
    if let (Some(first), Some(last)) = (whole.rows.get(kept), whole.rows.last()) {
        // With the row goes what stands before it; the first row has nothing of the kind.
        let before = kept.checked_sub(1).and_then(|last| whole.rows.get(last));
        let start = before.map_or(first.bytes.start, |row| row.bytes.end);
        whole.body.drain(start..last.bytes.end);
        whole.rows.truncate(kept);
    }
    whole
}

fn share(number: usize, all: usize) -> f64 {
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    count(number) / count(all.max(1))
}

/// The body with every row changed. A body that is one object is a row, though the ledger has none.
pub(super) fn applied(drift: &Drift, whole: Whole) -> Whole {
    let row_text = |row: &WholeRow| {
        std::str::from_utf8(whole.body.get(row.bytes.clone()).unwrap_or_default()).ok()
    };
    if whole.rows.is_empty() {
        let text = std::str::from_utf8(&whole.body).unwrap_or_default();
        let changed = drift.row(&external_id(text), text);
        return changed.map_or(whole, |changed| Whole::text(changed.into_bytes()));
    }
    let mut body = Vec::with_capacity(whole.body.len());
    let mut rows = Vec::with_capacity(whole.rows.len());
    let mut copied = 0;
    for row in &whole.rows {
        body.extend_from_slice(whole.body.get(copied..row.bytes.start).unwrap_or_default());
        copied = row.bytes.end;
        let start = body.len();
        let mut stated = String::new();
        match row_text(row).and_then(|text| drift.row(&row.external_id, text)) {
            Some(changed) => {
                stated = external_id(&changed);
                body.extend_from_slice(changed.as_bytes());
            }
            None => body.extend_from_slice(whole.body.get(row.bytes.clone()).unwrap_or_default()),
        }
        let external_id = if stated.is_empty() { row.external_id.clone() } else { stated };
        rows.push(WholeRow { bytes: start..body.len(), external_id });
    }
    body.extend_from_slice(whole.body.get(copied..).unwrap_or_default());
    Whole { body, rows }
}
