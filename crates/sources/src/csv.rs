//! CSV: files, glob patterns and web addresses of delimited texts with a header.
//!
//! Nothing about the columns is fixed: the survey finds delimiter, header and key of each text and
//! notes them with the page, so that the page can be read again without the file.

mod layout;
mod reader;
mod settings;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use kasparro_extract::{
    Answer, Framing, Next, OptionError, PageError, PageMeta, PageSummary, Request, RowReader,
    RunStart, Source, SourceSpec, Target,
};
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
    fn ask(&self, index: usize) -> Next {
        self.texts.get(index).map_or(Next::Done, |text| Next::Ask(Box::new(text.request.clone())))
    }

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

    fn requests_per_minute(&self) -> Option<u32> {
        let web = |text: &Text| matches!(text.request.target, Target::Http(_));
        self.texts.iter().any(web).then_some(REQUESTS_PER_MINUTE)
    }

    fn first(&self, _: RunStart<'_>) -> Next {
        self.ask(0)
    }

    fn next(&self, request: &Request, _: PageSummary) -> Next {
        let described = request.describe();
        let asked = self.texts.iter().position(|text| text.request.describe() == described);
        asked.map_or(Next::Done, |index| self.ask(index + 1))
    }

    fn position_after(&self, _: &Request, _: PageSummary) -> Value {
        json!({})
    }

    fn framing(&self, _: &Request) -> Framing {
        Framing::Csv
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        if answer.status != 200 {
            return Err(answers::status(SPEC.title, &answer, ""));
        }
        if answers::html(&answer) {
            let hint =
                "check the address: a web page is no CSV; a portal or proxy may also send one";
            return Err(PageError::retry("not_csv", "CSV: the answer is a web page", hint));
        }
        Ok(())
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        let layout = Layout::find(&self.settings_for(request), body)?;
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
