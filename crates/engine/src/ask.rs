//! What a run asks for, one request after another.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;

use kasparro_domain::{Checkpoint, Timestamp};
use kasparro_extract::{
    ErrorClass, Framing, HttpRequest, PageError, PageSummary, Purpose, Remedy, Request, RunStart,
    Target,
};
use kasparro_faults::crash_point;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::hold::{self, Hold, LEASE_LOST};
use crate::land::{Lander, PageContext, STORE_FAILED, Walk, store_failed};
use crate::progress::Watch;
use crate::slot::Slot;
use crate::{Engine, Schedule};

/// Requests of one run, whatever the source says: an end to a source that never ends.
const MAX_PAGES: u64 = 10_000;

/// The code of an answer without a row.
pub(crate) const EMPTY: &str = "empty_answer";

/// The code of a run that ended because its process was asked to.
pub(crate) const STOPPED: &str = "stopped";

/// Codes of errors that every further request to the same upstream would meet too.
const OF_THE_UPSTREAM: [&str; 3] = ["blocked", "unavailable_here", "quota_used_up"];

/// Which lists a run asks for, where they are not switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Those that were not loaded within their interval.
    Due,
    /// All that the source names itself; those that follow from another list, of which there may be
    /// dozens, only where they are due.
    All,
}

/// What a run asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Values and news.
    pub(crate) values: bool,
    pub(crate) lists: Lists,
}

impl Asked {
    /// The same, and values.
    pub(crate) const fn with_values(self) -> Self {
        Self { values: true, ..self }
    }

    /// True when a run that asks for this also does what `other` wants.
    pub(crate) fn covers(self, other: Self) -> bool {
        (self.values || !other.values) && (self.lists == Lists::All || other.lists == Lists::Due)
    }
}

/// The asking half of one run.
pub(crate) struct Trip<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) slot: &'a Slot,
    pub(crate) hold: &'a Hold,
    pub(crate) lander: Lander<'a>,
    pub(crate) watch: &'a Watch,
    pub(crate) asked: Asked,
    /// Files that were read in this run.
    pub(crate) read: HashSet<PathBuf>,
    /// Rows of each walk so far, by path; `None` for one that did not begin at its beginning.
    pub(crate) walks: HashMap<String, Option<u64>>,
}

/// What came of one request.
pub(crate) struct Taken {
    pub(crate) rows: u64,
    /// What the survey noted.
    pub(crate) survey: Value,
}

/// What a request and its answer mean for the rest of the run.
pub(crate) struct Turn {
    /// Requests of this run so far, this one included.
    pub(crate) number: u64,
    /// True where the page, once loaded, ends a complete sweep.
    pub(crate) completes_sweep: bool,
    /// True where the run begins with the request, elsewhere than a run without a checkpoint would.
    pub(crate) resumed: bool,
}

impl Trip<'_> {
    /// Asks for everything and lands what comes. What is returned is what kept a list from being
    /// believed, where nothing worse happened.
    pub(crate) async fn fetch_all(
        mut self,
        checkpoint: Option<&Checkpoint>,
        started_at: Timestamp,
    ) -> Result<Option<PageError>, PageError> {
        let source = self.slot.settings.source.as_ref();
        let values = self.asked.values;
        let first = |checkpoint| source.first(RunStart { checkpoint, now: started_at, values });
        let beginnings: Vec<Value> = first(None).iter().map(Request::describe).collect();
        let begun = |requests: Vec<Request>| requests.into_iter().map(|request| (request, true));
        let mut queue: VecDeque<_> = begun(first(checkpoint)).collect();
        let (mut number, mut first_failure, mut empty_list) = (0_u64, None, None);
        while let Some((request, named)) = queue.pop_front() {
            self.go_on()?;
            if number >= MAX_PAGES {
                let message = format!("the source asked for more than {MAX_PAGES} pages");
                let hint = "lower the configured depth";
                return Err(PageError::stop("too_many_pages", message, hint));
            }
            if let Some(known) = self.known_list(&request, named).await? {
                follow(&mut queue, source.next(&request, summary(&known, number)));
                continue;
            }
            number += 1;
            crash_point!("ask.begin");
            let completes_sweep = request.completes_sweep && first_failure.is_none();
            let resumed = named && !beginnings.contains(&request.describe());
            let turn = Turn { number, completes_sweep, resumed };
            if request.purpose == Purpose::List {
                self.watch.list_asked();
            }
            match self.take(&request, &turn).await {
                Ok(taken) => follow(&mut queue, source.next(&request, summary(&taken, number))),
                Err(error) if error.code == EMPTY && request.purpose == Purpose::List => {
                    tracing::warn!(source = %self.slot.name, endpoint = request.endpoint, "a list is empty");
                    empty_list.get_or_insert(error);
                }
                Err(error) if error.code == EMPTY && number == 1 && turn.resumed => {
                    // The run before ended just at the end of the list: this one begins anew.
                    queue = begun(first(None)).collect();
                    number = 0;
                    self.walks.clear();
                }
                Err(error) if ends_the_run(&error, &request) => return Err(error),
                // Requests have nothing to do with each other: one that fails leaves the others.
                Err(error) => {
                    first_failure.get_or_insert(error);
                }
            }
        }
        match first_failure {
            Some(error) => Err(error),
            None => Ok(empty_list),
        }
    }

    /// # Errors
    /// The end of the run, where the process is to stop or the source may be somebody else's.
    pub(crate) fn go_on(&self) -> Result<(), PageError> {
        if self.hold.valid() { Ok(()) } else { Err(hold::ended(&self.engine.stopping)) }
    }

    /// Counts the rows of a page towards the walk through its endpoint; told on the page with which the walk
    /// ends. A feed is no walk: it may well be shorter than before.
    pub(crate) fn walked(
        &mut self,
        request: &Request,
        http: &HttpRequest,
        turn: &Turn,
        page: &PageSummary<'_>,
    ) -> Option<Walk> {
        if http.conditional {
            return None;
        }
        let begun = if turn.resumed { None } else { Some(0) };
        let rows = self.walks.entry(http.path.clone()).or_insert(begun).as_mut()?;
        *rows += page.rows;
        let source = self.slot.settings.source.as_ref();
        let goes_on = source
            .next(request, *page)
            .iter()
            .any(|next| matches!(&next.target, Target::Http(next) if next.path == http.path));
        let options = xxh3_64(self.slot.settings.options.to_string().as_bytes());
        let key = format!("{} {options:016x}", http.path);
        (!goes_on).then_some(Walk { key, rows: *rows })
    }

    async fn take(&mut self, request: &Request, turn: &Turn) -> Result<Taken, PageError> {
        let source = self.slot.settings.source.as_ref();
        match &request.target {
            Target::Files { pattern } => self.take_files(request, pattern, turn).await,
            Target::Http(http) if source.framing(request, &Value::Null) == Framing::Csv => {
                self.take_web_text(request, http, turn).await
            }
            Target::Http(http) => self.take_page(request, http, turn).await,
        }
    }

    /// What a list brought last, where it is not to be asked for now; `named` tells a request that the
    /// source begins with.
    async fn known_list(&self, request: &Request, named: bool) -> Result<Option<Taken>, PageError> {
        if request.purpose != Purpose::List {
            return Ok(None);
        }
        let lists = &self.slot.settings.lists;
        if matches!(lists, Schedule::Never) {
            return Ok(Some(Taken { rows: 0, survey: Value::Null }));
        }
        if named && self.asked.lists == Lists::All {
            return Ok(None);
        }
        let last = self.engine.store.last_loaded(&self.slot.name, &request.describe()).await;
        let Some(last) = last.map_err(|error| store_failed(&error))? else { return Ok(None) };
        let now = self.engine.clock.now();
        let due = lists.next_after(last.fetched_at, now);
        if due.is_some_and(|due| due <= now.plus(lists.slack())) {
            return Ok(None);
        }
        Ok(Some(Taken { rows: last.rows_done, survey: PageContext::of(&last)?.survey }))
    }
}

const fn summary(taken: &Taken, pages: u64) -> PageSummary<'_> {
    PageSummary { rows: taken.rows, pages, survey: &taken.survey }
}

/// Puts what a page brought with it in front of what else is to be asked.
fn follow(queue: &mut VecDeque<(Request, bool)>, following: Vec<Request>) {
    for request in following.into_iter().rev() {
        queue.push_front((request, false));
    }
}

/// True for what ends a run whatever else it could still ask for: the store failed, the process stops, or
/// the upstream that everything is asked from is away or refuses us.
fn ends_the_run(error: &PageError, request: &Request) -> bool {
    let one_upstream = matches!(&request.target, Target::Http(http) if !http.origin_matters);
    let away = matches!(error.remedy, Remedy::Retry { .. })
        || error.class == ErrorClass::Key
        || OF_THE_UPSTREAM.contains(&error.code);
    [STORE_FAILED, STOPPED, LEASE_LOST].contains(&error.code) || (one_upstream && away)
}

pub(crate) fn empty() -> PageError {
    let hint = "an empty answer is no proof that nothing exists; the schedule asks again";
    PageError::stop(EMPTY, "there is not a single row", hint)
}

pub(crate) fn stopped() -> PageError {
    let hint = "what was committed is kept; the next run goes on from there";
    PageError::stop(STOPPED, "the process was asked to stop", hint)
}
