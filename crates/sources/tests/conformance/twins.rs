//! Sources with one flaw each, which show that the rules can fail.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kasparro_domain::{Decimal, Observation, QuoteField, Rejection};
use kasparro_extract::{
    Answer, Framing, Next, PageError, PageMeta, PageSummary, Request, RowReader, RunStart, Source,
    SourceSpec, Target,
};
use serde_json::Value;

use crate::fixtures::CANARY;

/// What is wrong with a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Numbers pass through `f64`.
    ThroughFloat,
    /// Unknown becomes 0.
    ZeroForUnknown,
    /// The key stands in the address.
    KeyInQuery,
    /// Errors repeat what the upstream said.
    KeyInError,
    /// A reading depends on earlier readings.
    Counting,
    /// A row that is not UTF-8 ends the process.
    Panicking,
    /// The same page again and again.
    Endless,
    /// A finished run leaves a position from which nothing is asked.
    AsksNothing,
    /// After a bad row every row is bad.
    Poisoned,
    /// Every answer is good.
    Gullible,
    /// The shape of a body is not looked at.
    Shapeless,
    /// Rejections do not say which field is wrong.
    Nameless,
}

impl Flaw {
    /// Every flaw with the rule that must notice it.
    pub(crate) const ALL: [(Self, &str); 12] = [
        (Self::ThroughFloat, "rows read as the fixtures say"),
        (Self::ZeroForUnknown, "rows read as the fixtures say"),
        (Self::KeyInQuery, "no secret leaves the credential"),
        (Self::KeyInError, "no secret leaves the credential"),
        (Self::Counting, "the same bytes read the same"),
        (Self::Panicking, "garbage never panics"),
        (Self::Endless, "asking comes to an end"),
        (Self::AsksNothing, "asking comes to an end"),
        (Self::Poisoned, "one bad row costs one row"),
        (Self::Gullible, "errors are recognised"),
        (Self::Shapeless, "a damaged page is no page"),
        (Self::Nameless, "every fault names its field"),
    ];
}

/// A source that is right but for one flaw.
#[derive(Debug)]
pub(crate) struct Twin {
    inner: Arc<dyn Source>,
    flaw: Flaw,
    readings: AtomicU64,
}

impl Twin {
    pub(crate) fn new(inner: Arc<dyn Source>, flaw: Flaw) -> Self {
        Self { inner, flaw, readings: AtomicU64::new(0) }
    }

    fn flawed(&self, next: Next) -> Next {
        let Next::Ask(mut request) = next else {
            return next;
        };
        if let (Flaw::KeyInQuery, Target::Http(http)) = (self.flaw, &mut request.target) {
            http.query.push(("api_key".to_owned(), CANARY.to_owned()));
        }
        Next::Ask(request)
    }
}

impl Source for Twin {
    fn spec(&self) -> &'static SourceSpec {
        self.inner.spec()
    }

    fn requests_per_minute(&self) -> Option<u32> {
        self.inner.requests_per_minute()
    }

    fn first(&self, start: RunStart<'_>) -> Next {
        if self.flaw == Flaw::AsksNothing && start.checkpoint.is_some() {
            return Next::Done;
        }
        self.flawed(self.inner.first(start))
    }

    fn next(&self, request: &Request, page: PageSummary) -> Next {
        if self.flaw == Flaw::Endless {
            return Next::Ask(Box::new(request.clone()));
        }
        self.flawed(self.inner.next(request, page))
    }

    fn position_after(&self, request: &Request, page: PageSummary) -> Value {
        self.inner.position_after(request, page)
    }

    fn framing(&self, request: &Request) -> Framing {
        if self.flaw == Flaw::Shapeless { Framing::Csv } else { self.inner.framing(request) }
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        match self.flaw {
            Flaw::Gullible | Flaw::Shapeless => Ok(()),
            Flaw::KeyInError => self.inner.judge(answer).map_err(|mut error| {
                error.message = String::from_utf8_lossy(answer.head).into_owned();
                error
            }),
            _ => self.inner.judge(answer),
        }
    }

    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        self.inner.survey(request, body)
    }

    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError> {
        let reading = self.readings.fetch_add(1, Ordering::SeqCst);
        // The reader of the inner source borrows from `self` only.
        let inner = self.inner.reader(page)?;
        Ok(Box::new(TwinReader { inner, flaw: self.flaw, reading, poisoned: false }))
    }
}

struct TwinReader<'a> {
    inner: Box<dyn RowReader + 'a>,
    flaw: Flaw,
    reading: u64,
    poisoned: bool,
}

impl RowReader for TwinReader<'_> {
    fn read(&mut self, row: &[u8]) -> Result<Observation, Rejection> {
        if self.flaw == Flaw::Panicking && std::str::from_utf8(row).is_err() {
            // Unwinds like a panic, without the message that would look like a failure.
            std::panic::resume_unwind(Box::new("not UTF-8"));
        }
        let read = self.inner.read(row);
        if self.flaw == Flaw::Nameless {
            return read.map_err(|mut rejection| {
                rejection.field.clear();
                rejection
            });
        }
        if self.flaw == Flaw::Poisoned {
            self.poisoned |= read.as_ref().is_err_and(|rejection| rejection.field.is_empty());
            if self.poisoned {
                let malformed = kasparro_domain::RejectionReason::Malformed;
                return Err(Rejection::new(malformed, "", "poisoned"));
            }
        }
        let mut seen = read?;
        for field in QuoteField::ALL {
            let value = seen.quote.get_mut(field);
            match (self.flaw, value.as_ref()) {
                (Flaw::ThroughFloat, Some(sent)) => {
                    *value = Decimal::parse(&sent.to_f64().to_string()).ok();
                }
                (Flaw::ZeroForUnknown, None) => *value = Some(Decimal::ZERO),
                _ => {}
            }
        }
        if self.flaw == Flaw::Counting {
            seen.quote.rank = u32::try_from(self.reading).ok();
        }
        Ok(seen)
    }
}
