//! Sources with one flaw each, which show that the rules can fail.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kasparro_domain::{Decimal, FieldRole, FieldUse, QuoteField, Rejection, Statement};
use kasparro_extract::{
    Answer, ErrorClass, Framing, Limits, PageError, PageMeta, PageSummary, Purpose, Request,
    RowReader, RunStart, Source, SourceSpec, Target,
};
use serde_json::{Value, json};

use crate::fixtures::{CANARY, Fixture, read_page};

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
    /// A flag passes for a text.
    FlagForText,
    /// Every page moves the position.
    ListsMove,
    /// Values are asked for whatever the run is for.
    AlwaysValues,
    /// Every page completes a sweep.
    CompleteEachTime,
    /// Lists use other ids than values.
    OtherIds,
    /// Markup is passed on.
    Markup,
    /// Errors do not say whose fault they are.
    Unclassed,
    /// The table of what is read names a member that nothing reads.
    NamesTooMuch,
    /// The table of what is read leaves a member out.
    NamesTooLittle,
    /// The table of what is read takes a price for an amount.
    WrongRole,
}

impl Flaw {
    /// Every flaw with the rule that must notice it.
    pub(crate) const ALL: [(Self, &str); 22] = [
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
        (Self::FlagForText, "every fault names its field"),
        (Self::ListsMove, "lists never move the position"),
        (Self::AlwaysValues, "lists are asked for with and without values"),
        (Self::CompleteEachTime, "a sweep is complete once"),
        (Self::OtherIds, "lists and values name the same listings"),
        (Self::Markup, "news is plain text"),
        (Self::Unclassed, "errors are recognised"),
        (Self::NamesTooMuch, "what is mapped is what is read"),
        (Self::NamesTooLittle, "what is mapped is what is read"),
        (Self::WrongRole, "what is mapped is what is read"),
    ];

    /// True where the source has what the flaw is about. One that asks at no address has no key, no
    /// errors, and rows of any shape.
    pub(crate) fn concerns(self, fixture: &Fixture) -> bool {
        let reached = fixture.reachable();
        let asks_an_address =
            reached.first().is_some_and(|one| matches!(one.request.target, Target::Http(_)));
        let states = |wanted: fn(&Statement) -> bool| {
            fixture.pages.iter().any(|page| {
                let rows = read_page(fixture.source.as_ref(), &page.request, &page.body);
                rows.is_ok_and(|rows| rows.iter().flatten().any(wanted))
            })
        };
        let concerned = match self {
            Self::KeyInError => {
                let keyed = !fixture.source.spec().secret_options.is_empty();
                keyed || fixture.errors.iter().any(|case| case.body.contains(CANARY))
            }
            Self::ListsMove => reached.iter().any(|one| one.request.purpose == Purpose::List),
            Self::CompleteEachTime => reached.len() > 1,
            Self::Nameless | Self::FlagForText => fixture.pages.iter().any(|page| {
                let noted = fixture.source.survey(&page.request, &mut page.body.as_slice());
                let framing = |noted| fixture.source.framing(&page.request, &noted);
                matches!(noted.map(framing), Ok(Framing::JsonArray { .. }))
            }),
            Self::NamesTooLittle => fixture
                .pages
                .iter()
                .any(|page| !fixture.source.mapped(page.request.endpoint).is_empty()),
            Self::Markup => states(|row| matches!(row, Statement::News(_))),
            Self::OtherIds => states(|row| matches!(row, Statement::Evidence(_))),
            Self::ThroughFloat | Self::ZeroForUnknown | Self::WrongRole => {
                states(|row| matches!(row, Statement::Observation(_)))
            }
            _ => true,
        };
        asks_an_address && concerned
    }
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

    fn flawed(&self, mut requests: Vec<Request>) -> Vec<Request> {
        for request in &mut requests {
            if let (Flaw::KeyInQuery, Target::Http(http)) = (self.flaw, &mut request.target) {
                http.query.push(("api_key".to_owned(), CANARY.to_owned()));
            }
            request.completes_sweep |= self.flaw == Flaw::CompleteEachTime;
        }
        requests
    }
}

impl Source for Twin {
    fn spec(&self) -> &'static SourceSpec {
        self.inner.spec()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn mapped(&self, endpoint: &str) -> &'static [FieldUse] {
        let mut uses = self.inner.mapped(endpoint).to_vec();
        match self.flaw {
            Flaw::NamesTooMuch => {
                let (pointer, field) = ("/no_such_member", "rank");
                uses.push(FieldUse { pointer, field, role: FieldRole::Rank });
            }
            Flaw::NamesTooLittle => {
                uses.pop();
            }
            Flaw::WrongRole => {
                for price in uses.iter_mut().filter(|one| one.role == FieldRole::Price) {
                    price.role = FieldRole::Amount;
                }
            }
            _ => return self.inner.mapped(endpoint),
        }
        uses.leak()
    }

    fn first(&self, mut start: RunStart<'_>) -> Vec<Request> {
        if self.flaw == Flaw::AsksNothing && start.checkpoint.is_some() {
            return Vec::new();
        }
        start.values |= self.flaw == Flaw::AlwaysValues;
        self.flawed(self.inner.first(start))
    }

    fn next(&self, request: &Request, page: PageSummary<'_>) -> Vec<Request> {
        if self.flaw == Flaw::Endless {
            return vec![request.clone()];
        }
        self.flawed(self.inner.next(request, page))
    }

    fn position_after(&self, request: &Request, page: PageSummary<'_>) -> Option<Value> {
        let position = self.inner.position_after(request, page);
        position.or_else(|| (self.flaw == Flaw::ListsMove).then(|| json!({})))
    }

    fn framing(&self, request: &Request, survey: &Value) -> Framing {
        match self.flaw {
            Flaw::Shapeless => Framing::Csv,
            _ => self.inner.framing(request, survey),
        }
    }

    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError> {
        match self.flaw {
            Flaw::Gullible | Flaw::Shapeless => Ok(()),
            Flaw::KeyInError => self.inner.judge(answer).map_err(|mut error| {
                error.message = String::from_utf8_lossy(answer.head).into_owned();
                error
            }),
            Flaw::Unclassed => {
                self.inner.judge(answer).map_err(|error| error.of_class(ErrorClass::Other))
            }
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
    fn members(&mut self, row: &[u8]) -> Option<Value> {
        self.inner.members(row)
    }

    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        if self.flaw == Flaw::Panicking && std::str::from_utf8(row).is_err() {
            // Unwinds like a panic, without the message that would look like a failure.
            std::panic::resume_unwind(Box::new("not UTF-8"));
        }
        let mut read = self.inner.read(row);
        if self.flaw == Flaw::FlagForText
            && read.as_ref().is_err_and(|it| it.value == "true" && it.external_id.is_some())
        {
            let text = String::from_utf8_lossy(row).replace(":true", ":\"true\"");
            read = self.inner.read(text.as_bytes());
        }
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
        let mut statement = read?;
        match &mut statement {
            Statement::Observation(seen) => {
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
            }
            Statement::Evidence(evidence) if self.flaw == Flaw::OtherIds => {
                evidence.external_id.push('x');
            }
            Statement::Evidence(_) => {}
            Statement::News(news) => match self.flaw {
                Flaw::Counting => news.author = Some(self.reading.to_string()),
                Flaw::Markup => news.summary = Some("<p>Markup</p>".to_owned()),
                _ => {}
            },
        }
        Ok(statement)
    }
}
