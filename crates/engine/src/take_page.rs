//! Taking one page over HTTP: ask, judge, survey, check, land.

use std::time::Duration;

use kasparro_domain::{NewAlert, RawPage, RunStatus};
use kasparro_extract::{
    ErrorClass, Framing, HttpRequest, PageError, PageSummary, Purpose, Request, frame,
};
use kasparro_faults::crash_point;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::ask::{Taken, Trip, Turn, empty};
use crate::body::Body;
use crate::fetch::{Fetched, Validators, freshened, repeats_secret};
use crate::hold;
use crate::land::{Arrival, PageContext, spool_failed, store_failed};
use crate::stored_body;

/// The status of an answer that is data.
const OK: u16 = 200;

/// The status of an answer that says that nothing changed (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;

/// The longest error with status 200 that is kept, in bytes: vendors say in less what is wrong.
const KEPT_ERROR_BYTES: u64 = 4096;

/// What was found in a page that is believed as a whole.
struct Checked {
    survey: Value,
    framing: Framing,
    rows: u64,
}

impl Trip<'_> {
    /// Fetches one page, makes sure that it is whole, and lands it.
    pub(crate) async fn take_page(
        &mut self,
        request: &Request,
        http: &HttpRequest,
        turn: &Turn,
    ) -> Result<Taken, PageError> {
        let last = self.last_loaded(&request.describe()).await?;
        let source = self.slot.settings.source.as_ref();
        let check = |fetched: &Fetched| -> Result<Checked, PageError> {
            let last = last.as_ref().filter(|last| last.body == fetched.body.hash);
            let (survey, framing, rows) = match last {
                // The same question and the same bytes: what was found in them then holds.
                Some(last) => {
                    let PageContext { survey, framing, .. } = PageContext::of(last)?;
                    (survey, framing, last.rows_done)
                }
                None => {
                    let open = || fetched.body.open().map_err(|error| spool_failed(&error));
                    let survey = source.survey(request, &mut open()?)?;
                    let framing = source.framing(request, &survey);
                    fetched.check_type(&framing)?;
                    let rows = frame::check(&framing, &survey, open()?);
                    (survey, framing, rows.map_err(|error| error.to_page_error())?)
                }
            };
            let hollow = rows == 0 && framing != Framing::Whole;
            // A page behind the last, and one of many lists, may well be empty.
            let meant = match request.purpose {
                // A feed may have nothing to tell.
                Purpose::Values => turn.number > 1 || http.conditional,
                Purpose::List => !request.completes_sweep,
            };
            if hollow && !meant { Err(empty()) } else { Ok(Checked { survey, framing, rows }) }
        };
        let validators = match (&last, request.purpose) {
            (Some(last), _) if http.conditional => Some(Validators::of(&last.headers)),
            // Another host may have sent it, whose times say nothing of this one.
            (Some(last), Purpose::List) => Validators::tag_of(&last.headers),
            _ => None,
        };
        let answer = self.fetch(http, validators.as_ref(), check).await;
        let (arrival, body, checked) = match (answer, &last) {
            (Ok(Answered::Page(fetched, checked)), _) => {
                let Fetched { arrival, body, .. } = *fetched;
                (arrival, body, checked)
            }
            // A feed tells what is new, a list who is there: of a list the same page has come again.
            (Ok(Answered::NotModified(arrival)), Some(last)) if !http.conditional => {
                self.come_again(last, arrival).await?
            }
            (Ok(Answered::NotModified(_)), _) => {
                self.watch.answered_not_modified();
                let survey = last.as_ref().map(PageContext::of).transpose()?;
                let survey = survey.map_or(Value::Null, |context| context.survey);
                return Ok(Taken { rows: 0, survey });
            }
            (Err(refused), _) => return Err(self.keep_refused(request, http, refused).await),
        };
        crash_point!("page.checked");
        let Checked { survey, framing, rows } = checked;
        let summary = PageSummary { rows, pages: turn.number, survey: &survey };
        let position = source.position_after(request, summary);
        let completes_sweep = turn.completes_sweep;
        let walk = self.walked(request, http, turn, &summary);
        let context =
            PageContext { survey: survey.clone(), framing, position, completes_sweep, rows, walk };
        let repeats = last.filter(|last| last.body == body.hash);
        self.lander.land(request.describe(), context, arrival, body, repeats).await?;
        Ok(Taken { rows, survey })
    }

    /// The page that was loaded last, for an answer that says that nothing has changed since.
    async fn come_again(
        &self,
        last: &RawPage,
        told: Arrival,
    ) -> Result<(Arrival, Body, Checked), PageError> {
        let PageContext { survey, framing, .. } = PageContext::of(last)?;
        let (store, spool_dir) = (self.engine.store.clone(), self.engine.spool_dir.clone());
        let body = stored_body::spooled(store, last.body, spool_dir).await;
        let body = body.map_err(|error| spool_failed(&error))?;
        let arrival = Arrival { headers: freshened(&last.headers, told.headers), ..told };
        Ok((arrival, body, Checked { survey, framing, rows: last.rows_done }))
    }

    /// Keeps an answer that was refused as it came, unless it holds a key of ours; returns why it was
    /// refused, or what kept it from being kept.
    pub(crate) async fn keep_refused(
        &mut self,
        request: &Request,
        http: &HttpRequest,
        refused: Refused,
    ) -> PageError {
        let Refused { error, page: Some(fetched) } = refused else { return refused.error };
        let body = &fetched.body;
        match block_in_place(|| repeats_secret(http, body.open()?)) {
            Ok(false) => {}
            Ok(true) => return error,
            Err(failure) => return spool_failed(&failure),
        }
        let (described, reason) = (request.describe(), error.to_run_error());
        let kept = self.lander.refuse(described, fetched.arrival, body, reason).await;
        kept.err().unwrap_or(error)
    }

    pub(crate) async fn last_loaded(&self, request: &Value) -> Result<Option<RawPage>, PageError> {
        let last = self.engine.store.last_loaded(&self.slot.name, request).await;
        last.map_err(|error| store_failed(&error))
    }

    /// Sends a request until an answer comes in whole and passes, or trying again is not worth it.
    pub(crate) async fn fetch<T>(
        &self,
        http: &HttpRequest,
        validators: Option<&Validators>,
        check: impl Fn(&Fetched) -> Result<T, PageError>,
    ) -> Result<Answered<T>, Refused> {
        let (engine, slot) = (self.engine, self.slot);
        let mut attempt = 1;
        let mut refused_before: Option<Refused> = None;
        loop {
            let ticket = match (self.leave_to_send(http, attempt).await, refused_before) {
                (Ok(ticket), _) => ticket,
                // Why it was refused says more than why it is not tried again.
                (Err(error), Some(refused)) if error.class != ErrorClass::Other => {
                    return Err(refused);
                }
                (Err(error), _) => return Err(error.into()),
            };
            self.go_on()?;
            self.watch.request_sent(http.cost.credits);
            crash_point!("fetch.sent");
            let spool_dir = &engine.spool_dir;
            let sent = tokio::select! {
                sent = engine.fetcher.send(http, validators, spool_dir, engine.clock.as_ref()) => sent,
                // An upstream that hangs must not hold up the end of the process.
                () = self.hold.ended.cancelled() => return Err(hold::ended(&engine.stopping).into()),
            };
            crash_point!("fetch.answered");
            let refused = match sent {
                Err(error) => {
                    self.tell_budget(http, ticket, Err(&error), Some(error.class)).await?;
                    Refused { error, page: None }
                }
                Ok(fetched)
                    if validators.is_some()
                        && fetched.arrival.http_status == Some(NOT_MODIFIED) =>
                {
                    self.tell_budget(http, ticket, Ok(&fetched), None).await?;
                    return Ok(Answered::NotModified(fetched.arrival));
                }
                Ok(fetched) => {
                    let passed = slot
                        .settings
                        .source
                        .judge(fetched.answer())
                        .map_err(|error| (error, false))
                        // Reading a whole body is work, not waiting.
                        .and_then(|()| {
                            block_in_place(|| check(&fetched)).map_err(|error| (error, true))
                        });
                    let class = passed.as_ref().err().map(|(error, _)| error.class);
                    self.tell_budget(http, ticket, Ok(&fetched), class).await?;
                    match passed {
                        Ok(value) => return Ok(Answered::Page(Box::new(fetched), value)),
                        Err((error, whole)) => {
                            let short = fetched.body.bytes <= KEPT_ERROR_BYTES;
                            let kept = whole || (fetched.arrival.http_status == Some(OK) && short);
                            Refused { error, page: kept.then(|| Box::new(fetched)) }
                        }
                    }
                }
            };
            self.tell_of_refusal(&refused.error);
            let Some(wait) = engine.fetcher.wait_before_retry(&refused.error, attempt) else {
                return Err(refused);
            };
            tracing::info!(source = %slot.name, attempt, error = %refused.error, "trying again");
            self.wait(wait, "before trying again").await?;
            refused_before = Some(refused);
            attempt += 1;
        }
    }

    /// Notes what no further request cures, for operators to hear of.
    fn tell_of_refusal(&self, error: &PageError) {
        let code = match error.class {
            ErrorClass::Key => "key_refused",
            ErrorClass::Plan => "plan",
            ErrorClass::Gone => "gone",
            ErrorClass::Transient | ErrorClass::RateLimited | ErrorClass::Other => return,
        };
        let (message, hint) = (error.message.clone(), error.hint.clone());
        self.watch.alert(NewAlert { code: code.to_owned(), message, hint });
    }

    pub(crate) async fn wait(&self, wait: Duration, what: &str) -> Result<(), PageError> {
        if wait.is_zero() {
            return Ok(());
        }
        let seconds = wait.as_secs().max(1);
        self.watch.show(RunStatus::Running, Some(format!("waiting {seconds} s {what}")));
        tokio::select! {
            () = self.engine.pauses.pause(wait) => Ok(()),
            () = self.hold.ended.cancelled() => Err(hold::ended(&self.engine.stopping)),
        }
    }
}

/// What an upstream said.
pub(crate) enum Answered<T> {
    /// A page that passed, with what was found in it.
    Page(Box<Fetched>, T),
    /// Nothing changed since the page whose validators were sent.
    NotModified(Arrival),
}

/// Why an answer was not taken, with the answer itself where it is worth keeping.
pub(crate) struct Refused {
    pub(crate) error: PageError,
    page: Option<Box<Fetched>>,
}

impl From<PageError> for Refused {
    fn from(error: PageError) -> Self {
        Self { error, page: None }
    }
}

impl From<Refused> for PageError {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}
