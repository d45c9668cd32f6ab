//! CSV: files, glob patterns and web addresses of delimited texts with a header.
//!
//! Nothing about the columns is fixed: the survey finds delimiter, header and key of each text and
//! notes them with the page, so that the page can be read again without the file.

mod dated;
mod layout;
mod members;
mod reader;
mod settings;

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::FieldUse;
use kasparro_extract::{
    Answer, Framing, Limits, OptionError, PageError, PageMeta, PageSummary, Request, RowReader,
    RunStart, Source, SourceSpec, Target,
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers;
use crate::options::Options;
use layout::Layout;
use reader::RecordReader;
use settings::{Settings, Text};

pub(crate) static SPEC: SourceSpec = SourceSpec {
    name: "csv",
    title: "CSV",
    documentation: "https://www.rfc-editor.org/rfc/rfc4180",
    default_interval: Duration::from_secs(3600),
    lists_interval: None,
    secret_options: &[],
};

pub(crate) const OPTION_KEYS: &[&str] = &["files", "paths"];

/// Requests a minute to web addresses, of whose limits nothing is known: one a second is polite.
const REQUESTS_PER_MINUTE: u32 = 60;

#[derive(Debug)]
struct Csv {
    /// What is read, in order.
    texts: Vec<Text>,
    /// How some of it is to be read.
    settings: Vec<Settings>,
}

pub(crate) fn build(options: &Options<'_>) -> Result<Arc<dyn Source>, OptionError> {
    Ok(Arc::new(Csv { texts: settings::texts(options)?, settings: settings::files(options)? }))
}

impl Csv {
    fn settings_for(&self, request: &Request) -> Settings {
        let described = request.describe();
        let name = match &request.target {
            Target::Files { pattern } => pattern.as_str(),
            Target::Http(http) => {
                let known = self.texts.iter().find(|text| text.request.describe() == described);
                known.map_or(http.path.as_str(), |text| text.name.as_str())
            }
        };
        self.settings.iter().find(|settings| settings.fits(name)).cloned().unwrap_or_default()
    }
}

impl Source for Csv {
    fn spec(&self) -> &'static SourceSpec {
        &SPEC
    }

    fn limits(&self) -> Limits {
        let web = |text: &Text| matches!(text.request.target, Target::Http(_));
        let any = self.texts.iter().any(web);
        if any { Limits::per_minute(REQUESTS_PER_MINUTE) } else { Limits::default() }
    }

    fn mapped(&self, _: &str) -> &'static [FieldUse] {
        members::MAPPED
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        let asked = self.texts.iter().filter(|_| start.values);
        asked.map(|text| text.request.clone()).collect()
    }

    fn next(&self, _: &Request, _: PageSummary<'_>) -> Vec<Request> {
        Vec::new()
    }

    fn position_after(&self, _: &Request, _: PageSummary<'_>) -> Option<Value> {
        Some(json!({}))
    }

    fn framing(&self, _: &Request, _: &Value) -> Framing {
        Framing::Csv
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        if answer.status != 200 {
            let refused = answers::access_refused(SPEC.title, &answer);
            return Err(refused.unwrap_or_else(|| answers::status(SPEC.title, &answer, "")));
        }
        if answers::html(&answer) {
            let hint =
                "check the address: a web page is no CSV; a portal or proxy may also send one";
            return Err(PageError::retry("not_csv", "CSV: the answer is a web page", hint));
        }
        Ok(())
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        let layout = Layout::find(&self.settings_for(request), &file_name(request), body)?;
        serde_json::to_value(&layout).map_err(|error| {
            PageError::stop("internal", error.to_string(), "please report this as a defect")
        })
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        let layout = Layout::deserialize(page.context).map_err(|error| {
            let message =
                format!("the notes about the columns of a CSV page cannot be read: {error}");
            PageError::stop("damaged", message, "restore the store from a backup")
        })?;
        Ok(Box::new(RecordReader::new(layout)))
    }
}

/// The last part of a path or of the path of an address.
fn file_name(request: &Request) -> Cow<'_, str> {
    match &request.target {
        Target::Files { pattern } => last_part(pattern).into(),
        Target::Http(http) => percent_decode_str(last_part(&http.path)).decode_utf8_lossy(),
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
