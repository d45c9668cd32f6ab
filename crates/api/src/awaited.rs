//! `X-Min-Generation`: an answer that is at least as new as what a client has seen.
//!
//! Every operation whose answer comes from stored data takes it, and it means the same everywhere: the answer is
//! made once the read model shows that generation. What is read from the store then holds it too, because
//! the read model never shows more than the store has.

use http::{HeaderMap, HeaderName};
use kasparro_domain::Generation;
use kasparro_view::View;

use crate::data;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::whole_number;
use crate::settings::GENERATION_TIMEOUT;

const X_MIN_GENERATION: HeaderName = HeaderName::from_static("x-min-generation");
/// The header as it is described and named in problems.
pub(crate) const NAME: &str = "X-Min-Generation";

/// Operations that do not take the header: they tell of the API, of the process or of its database, or look at
/// the store alone before they change something there.
const WITHOUT: [&str; 20] = [
    "/",
    "/api",
    "/livez",
    "/health",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/problems",
    "/docs/{file}",
    "/redoc",
    "/redoc/{file}",
    "/trigger-etl",
    "/commands/{id}",
    "/quarantine/retry",
    "/quarantine/discard",
    "/quarantine/pages/{id}/retry",
    "/drift/accept",
    "/keys",
    "/keys/{id}/revoke",
    "/keys/{id}/rotate",
];

/// True where the operation under this path takes the header.
pub(crate) fn taken_by(path: &str) -> bool {
    !WITHOUT.contains(&path)
}

/// The generation that a request asks for, if it names one.
pub(crate) fn asked(headers: &HeaderMap) -> Result<Option<Generation>, Problem> {
    let mut values = headers.get_all(X_MIN_GENERATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let number = match values.next() {
        Some(_) => Err("is given more than once"),
        None => whole_number(value.to_str().unwrap_or_default()),
    };
    let mut mistakes = Mistakes::default();
    if let Err(message) = number {
        mistakes.add(Code::InvalidHeader, NAME, message);
    }
    mistakes.check(number.ok().map(Generation))
}

/// True when the read model shows this generation.
pub(crate) fn shown(view: &View, generation: Generation) -> bool {
    view.snapshot().generation() >= generation
}

/// Waits until the read model shows this generation, at most two seconds. Swaps of the read model end
/// the wait; nothing of the store is held meanwhile, and a client that goes away drops it.
pub(crate) async fn wait(view: &View, generation: Generation) -> Result<(), Problem> {
    if tokio::time::timeout(GENERATION_TIMEOUT, view.reached(generation)).await.is_ok() {
        return Ok(());
    }
    if !view.loaded() {
        return Err(data::not_loaded());
    }
    let present = view.snapshot().generation();
    let detail = format!(
        "generation {generation} was not shown within {} seconds; {present} is",
        GENERATION_TIMEOUT.as_secs()
    );
    Err(Problem::new(Code::GenerationNotReached, detail).at_generation(present))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<Option<Generation>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_MIN_GENERATION, HeaderValue::from_static(value));
        }
        asked(&headers)
    }

    #[test]
    fn the_header_is_one_whole_number() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["0"]), Ok(Some(Generation(0))));
        assert_eq!(read(&["18446744073709551615"]), Ok(Some(Generation(u64::MAX))));
        for values in [&[""][..], &["x"], &["-1"], &["1.5"], &["18446744073709551616"], &["1", "1"]]
        {
            let problem = read(values).unwrap_err();
            assert_eq!(problem.code, Code::InvalidHeader, "{values:?}");
            assert_eq!(problem.errors[0].field, NAME, "{values:?}");
            assert!(problem.detail.contains(NAME), "{values:?}");
        }
    }
}
