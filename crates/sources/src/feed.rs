//! News feeds: RSS 0.91 to 2.0, RSS 1.0, Atom and JSON Feed, told apart by what they hold.
//!
//! Upstreams declare types and encodings loosely, so nothing rests on the content type, undeclared
//! entities of HTML are understood, and one item that is no XML costs only itself.

mod dates;
mod draft;
mod elements;
mod encoding;
mod json;
mod survey;
mod text;
mod xml;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::FieldUse;
use kasparro_extract::{
    Answer, Framing, HttpRequest, Limits, OptionError, PageError, PageMeta, PageSummary, Purpose,
    Request, RowReader, RunStart, Source, SourceSpec, Target,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::options::Options;
use crate::{address, answers};
use survey::{Kind, Notes};

pub(crate) static SPEC: SourceSpec = SourceSpec {
    name: "feed",
    title: "News feeds",
    documentation: "https://www.rssboard.org/rss-specification",
    default_interval: Duration::from_secs(15 * 60),
    lists_interval: None,
    secret_options: &[],
};

pub(crate) const OPTION_KEYS: &[&str] = &["urls"];

/// Requests a minute to web addresses, of whose limits nothing is known: one a second is polite.
const REQUESTS_PER_MINUTE: u32 = 60;

#[derive(Debug)]
struct Feeds {
    addresses: Vec<HttpRequest>,
}

pub(crate) fn build(options: &Options<'_>) -> Result<Arc<dyn Source>, OptionError> {
    let urls = address::list(options, "urls", "write a list of http(s) addresses of feeds")?;
    let address = |url| {
        let address = address::web(url).map_err(|remedy| options.refuse("urls", remedy))?;
        Ok(HttpRequest { conditional: true, ..address })
    };
    Ok(Arc::new(Feeds { addresses: urls.into_iter().map(address).collect::<Result<_, _>>()? }))
}

impl Source for Feeds {
    fn spec(&self) -> &'static SourceSpec {
        &SPEC
    }

    fn limits(&self) -> Limits {
        Limits::per_minute(REQUESTS_PER_MINUTE)
    }

    /// Nothing: every item chooses its own members, so none is missed.
    fn mapped(&self, _: &str) -> &'static [FieldUse] {
        &[]
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        let asked = self.addresses.iter().filter(|_| start.values);
        let request = |address: &HttpRequest| Request {
            endpoint: "feed",
            purpose: Purpose::Values,
            completes_sweep: false,
            target: Target::Http(address.clone()),
        };
        asked.map(request).collect()
    }

    fn next(&self, _: &Request, _: PageSummary<'_>) -> Vec<Request> {
        Vec::new()
    }

    fn position_after(&self, _: &Request, _: PageSummary<'_>) -> Option<Value> {
        Some(json!({}))
    }

    fn framing(&self, _: &Request, survey: &Value) -> Framing {
        match survey.get("kind").map(Kind::deserialize) {
            Some(Ok(Kind::Json)) => Framing::JsonArray { pointer: "/items".into() },
            _ => Framing::XmlItems,
        }
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        if answer.status != 200 {
            let refused = answers::access_refused(SPEC.title, &answer);
            return Err(refused.unwrap_or_else(|| answers::status(SPEC.title, &answer, "")));
        }
        if survey::web_page(answer.head) {
            return Err(survey::not_feed("a web page"));
        }
        Ok(())
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        let notes = Notes::of(request, body)?;
        serde_json::to_value(&notes).map_err(|error| {
            PageError::stop("internal", error.to_string(), "please report this as a defect")
        })
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        let notes = Notes::deserialize(page.context).map_err(|error| {
            let message = format!("the notes about a feed cannot be read: {error}");
            PageError::stop("damaged", message, "restore the store from a backup")
        })?;
        Ok(match notes.kind {
            Kind::Json => Box::new(json::ItemReader),
            Kind::Rss | Kind::Atom => Box::new(xml::ItemReader::new(notes.encoding.as_deref())),
        })
    }
}
