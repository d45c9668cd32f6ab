//! A real source in small: fewer rows on a page, so that a week of requests is soon simulated.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use kasparro_domain::FieldUse;
use kasparro_extract::{
    Answer, Cost, Framing, Limits, PageError, PageMeta, PageSummary, Purpose, Request, RowReader,
    RunStart, Source, SourceSpec, Target,
};
use serde_json::Value;

/// What is changed about a source. What its answers mean, and all that is asked for, stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thinning {
    /// Rows of a page, where the source asks for more.
    pub(crate) rows_per_page: Option<u32>,
    /// Times that each list that follows from another one is asked for, as if there were more of them.
    pub(crate) lists: u32,
    /// What the upstream is taken to allow, in place of the source's own figures.
    pub(crate) limits: Option<Limits>,
    /// What requests for these paths weigh.
    pub(crate) weights: BTreeMap<&'static str, u32>,
}

/// The source with its changes.
#[derive(Debug)]
pub(crate) struct Thin {
    pub(crate) whole: Arc<dyn Source>,
    pub(crate) thinning: Thinning,
}

impl Thin {
    fn thinned(&self, mut request: Request) -> Request {
        let Target::Http(http) = &mut request.target else { return request };
        for (name, value) in &mut http.query {
            if let Some(rows) = self.thinning.rows_per_page.filter(|_| name == "per_page") {
                *value = rows.to_string();
            }
        }
        if let Some(weight) = self.thinning.weights.get(http.path.as_str()) {
            http.cost = Cost { weight: *weight, ..http.cost };
        }
        request
    }

    /// The same list by other names.
    fn repeated(&self, request: Request) -> Vec<Request> {
        let copies = if request.purpose == Purpose::List { self.thinning.lists.max(1) } else { 1 };
        let copy = |number: u32| {
            let mut request = request.clone();
            if let (Target::Http(http), 2..) = (&mut request.target, number) {
                http.query.push(("copy".to_owned(), number.to_string()));
            }
            request
        };
        (1..=copies).map(copy).collect()
    }
}

impl Source for Thin {
    fn spec(&self) -> &'static SourceSpec {
        self.whole.spec()
    }

    fn limits(&self) -> Limits {
        self.thinning.limits.clone().unwrap_or_else(|| self.whole.limits())
    }

    fn mapped(&self, endpoint: &str) -> &'static [FieldUse] {
        self.whole.mapped(endpoint)
    }

    fn first(&self, start: RunStart<'_>) -> Vec<Request> {
        self.whole.first(start).into_iter().map(|request| self.thinned(request)).collect()
    }

    fn next(&self, request: &Request, page: PageSummary<'_>) -> Vec<Request> {
        let next = self.whole.next(request, page).into_iter();
        next.flat_map(|request| self.repeated(self.thinned(request))).collect()
    }

    fn position_after(&self, request: &Request, page: PageSummary<'_>) -> Option<Value> {
        self.whole.position_after(request, page)
    }

    fn framing(&self, request: &Request, survey: &Value) -> Framing {
        self.whole.framing(request, survey)
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        self.whole.judge(answer)
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        self.whole.survey(request, body)
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        self.whole.reader(page)
    }
}
