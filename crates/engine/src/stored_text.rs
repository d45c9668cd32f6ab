//! A body that was landed in chunks, put together again.

use std::io::{self, Read};
use std::sync::Arc;

use kasparro_domain::{BodyHash, RawPage};
use kasparro_extract::{HttpRequest, Request, RunStart, Source, Target};
use kasparro_store::{Store, StoreResult};
use serde_json::Value;

use crate::stored_body::StoredBody;

/// The pages that one answer or file was landed in, in order; one page for most answers.
///
/// A run may have read one file twice: the text is the row of chunks, from number 0 on, in which the page
/// stands.
pub(crate) async fn pages_of_text(store: &dyn Store, page: &RawPage) -> StoreResult<Vec<RawPage>> {
    if chunk_of(page).is_none() {
        return Ok(vec![page.clone()]);
    }
    let asked = without_chunk(&page.request);
    let mut text: Vec<RawPage> = Vec::new();
    for other in store.loaded_pages(page.run_id).await? {
        if without_chunk(&other.request) != asked {
            continue;
        }
        if chunk_of(&other) == Some(0) {
            if text.iter().any(|found| found.page_id == page.page_id) {
                break;
            }
            text.clear();
        }
        text.push(other);
    }
    Ok(text)
}

fn chunk_of(page: &RawPage) -> Option<u64> {
    page.request.get("chunk").and_then(Value::as_u64)
}

fn without_chunk(request: &Value) -> Value {
    let mut request = request.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("chunk");
    }
    request
}

/// Reads pages one after another, one of them open at a time.
pub(crate) fn open_text(store: &Arc<dyn Store>, pages: &[RawPage]) -> impl Read + use<> {
    let bodies = pages.iter().map(|page| page.body).collect::<Vec<_>>().into_iter();
    TextReader { store: Arc::clone(store), bodies, current: Box::new(io::empty()) }
}

struct TextReader {
    store: Arc<dyn Store>,
    bodies: std::vec::IntoIter<BodyHash>,
    current: Box<dyn Read + Send>,
}

impl Read for TextReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(body) = self.bodies.next() else { return Ok(0) };
            self.current = StoredBody::open(Arc::clone(&self.store), body)?;
        }
    }
}

/// The request behind a stored description, as far as a survey needs it; `None` where the source asks
/// nothing like it any more.
pub(crate) fn request_of(
    source: &dyn Source,
    described: &Value,
    start: RunStart<'_>,
) -> Option<Request> {
    let text = |name: &str| described.get(name).and_then(Value::as_str);
    let endpoint = text("endpoint")?;
    let mut like = source.first(start).into_iter().find(|asked| asked.endpoint == endpoint)?;
    like.target = match (text("file"), text("path"), like.target) {
        (Some(file), ..) => Target::Files { pattern: file.to_owned() },
        (None, Some(path), Target::Http(http)) => Target::Http(HttpRequest {
            origin: text("origin").map_or(http.origin, str::to_owned),
            path: path.to_owned(),
            query: described
                .get("query")
                .and_then(|query| serde_json::from_value(query.clone()).ok())
                .unwrap_or_default(),
            ..http
        }),
        (_, _, target) => target,
    };
    Some(like)
}
