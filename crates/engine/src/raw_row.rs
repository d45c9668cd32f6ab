//! One row of a stored page with what stands around it, for people to look at.

use std::io::Read;
use std::sync::Arc;

use kasparro_domain::PageId;
use kasparro_extract::Framing;
use kasparro_extract::frame::RowCutter;
use kasparro_store::{Store, StoreError};
use tokio::task::block_in_place;

use crate::EngineError;
use crate::land::PageContext;
use crate::stored_body::StoredBody;
use crate::stored_text::{open_text, pages_of_text};

/// Longest piece of a row that is shown, in bytes.
const SHOWN_BYTES: usize = 4096;

/// A row in its surroundings. Texts are cut to 4 KiB; bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRowContext {
    /// The first line of a delimited text.
    pub header: Option<String>,
    /// The row and its neighbours by their place on the page.
    pub rows: Vec<(u64, String)>,
}

/// Cuts row number `ordinal` out of a stored page, with up to `around` rows before and behind it.
///
/// # Errors
/// [`EngineError::Store`] when the page is not there or cannot be read.
pub async fn raw_row(
    store: &Arc<dyn Store>,
    page: PageId,
    ordinal: u64,
    around: u64,
) -> Result<RawRowContext, EngineError> {
    let gone = || StoreError::Corrupt(format!("page {page} cannot be read"));
    let page = store.page(page).await?.ok_or_else(gone)?;
    let context = PageContext::of(&page).map_err(|_| gone())?;
    let text = pages_of_text(store.as_ref(), &page).await?;
    let unreadable = |error: std::io::Error| StoreError::Corrupt(error.to_string());
    let cut = block_in_place(|| {
        let header = match context.framing {
            Framing::Csv => Some(first_line(open_text(store, &text))),
            Framing::JsonArray { .. } | Framing::XmlItems | Framing::Whole => None,
        };
        let body = StoredBody::open(Arc::clone(store), page.body).map_err(unreadable)?;
        let mut cutter = RowCutter::new(&context.framing, &context.survey, body);
        let mut rows = Vec::new();
        while let Some(row) = cutter.next_row().map_err(|_| gone())? {
            if row.ordinal > ordinal.saturating_add(around) {
                break;
            }
            if row.ordinal.saturating_add(around) >= ordinal {
                let shown = row.row.map_or_else(|refused| refused.value, lossy);
                rows.push((row.ordinal, shown));
            }
        }
        Ok::<_, StoreError>(RawRowContext { header, rows })
    })?;
    Ok(cut)
}

fn lossy(row: &[u8]) -> String {
    String::from_utf8_lossy(row.get(..SHOWN_BYTES).unwrap_or(row)).into_owned()
}

fn first_line(text: impl Read) -> String {
    let mut begin = Vec::new();
    // What cannot be read is not shown; the row itself says more.
    let _ = text.take(SHOWN_BYTES as u64).read_to_end(&mut begin);
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    lossy(line.strip_suffix(b"\r").unwrap_or(line))
}
