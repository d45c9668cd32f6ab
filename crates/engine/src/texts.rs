//! Taking delimited texts, from files or the web: survey the whole, land it in chunks.

use std::path::Path;

use kasparro_extract::frame::{self, CsvChunks};
use kasparro_extract::{Framing, HttpRequest, PageError, PageSummary, Request, Target};
use kasparro_faults::crash_point;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::ask::{EMPTY, STOPPED, Taken, Trip, Turn, empty};
use crate::body::{Body, BodyWriter};
use crate::fetch::Fetched;
use crate::files;
use crate::hold::LEASE_LOST;
use crate::land::{Arrival, PageContext, STORE_FAILED, spool_failed};
use crate::take_page::Answered;

/// Longest piece in which a delimited text is landed, in bytes: two of them are in memory at a time.
const CSV_CHUNK_BYTES: usize = 2 << 20;

/// How one text of a request stands to the run.
struct TextTurn {
    /// Requests of the run so far, where the text's last chunk carries the position that they reach.
    position_for: Option<u64>,
    /// True where its last chunk ends a complete sweep.
    completes_sweep: bool,
}

impl Trip<'_> {
    /// Lands a delimited text at a web address.
    pub(crate) async fn take_web_text(
        &mut self,
        request: &Request,
        http: &HttpRequest,
        turn: &Turn,
    ) -> Result<Taken, PageError> {
        let fetched = match self.fetch(http, None, |_| Ok(())).await {
            Ok(Answered::Page(fetched, ())) => *fetched,
            Ok(Answered::NotModified(_)) => return Ok(Taken { rows: 0, survey: Value::Null }),
            Err(refused) => return Err(self.keep_refused(request, http, refused).await),
        };
        let Fetched { arrival, arrived_bytes, body, .. } = fetched;
        let max_bytes = self.engine.fetcher.settings.max_body_bytes;
        let spool_dir = &self.engine.spool_dir;
        let text = block_in_place(|| files::plain(body, arrived_bytes, max_bytes, spool_dir))?;
        let text_turn =
            TextTurn { position_for: Some(turn.number), completes_sweep: turn.completes_sweep };
        self.land_text(request, &text_turn, arrival, &text).await
    }

    /// Lands every file that a pattern names.
    pub(crate) async fn take_files(
        &mut self,
        request: &Request,
        pattern: &str,
        turn: &Turn,
    ) -> Result<Taken, PageError> {
        let paths = files::expand(pattern)?;
        // A file that another pattern named was read in this run already.
        let paths: Vec<_> =
            paths.into_iter().filter(|path| self.read.insert(path.clone())).collect();
        let last = paths.len().saturating_sub(1);
        let mut rows = 0;
        let mut first_failure = None;
        for (index, path) in paths.into_iter().enumerate() {
            let name = path.display().to_string();
            let target = Target::Files { pattern: name.clone() };
            let one = Request { target, ..request.clone() };
            let text_turn = TextTurn {
                position_for: (index == last).then_some(turn.number),
                completes_sweep: index == last && turn.completes_sweep && first_failure.is_none(),
            };
            match self.take_file(&one, &path, &text_turn).await {
                Ok(taken) => rows += taken.rows,
                Err(error) if [STORE_FAILED, STOPPED, LEASE_LOST].contains(&error.code) => {
                    return Err(error);
                }
                Err(mut error) => {
                    if !error.message.contains(&name) {
                        error.message = format!("{name}: {}", error.message);
                    }
                    first_failure.get_or_insert(error);
                }
            }
        }
        first_failure.map_or(Ok(Taken { rows, survey: Value::Null }), Err)
    }

    async fn take_file(
        &mut self,
        request: &Request,
        path: &Path,
        turn: &TextTurn,
    ) -> Result<Taken, PageError> {
        let engine = self.engine;
        let text = files::snapshot(path, &engine.spool_dir, engine.clock.as_ref()).await?;
        crash_point!("text.read");
        let headers = Value::Object(serde_json::Map::new());
        let arrival = Arrival { http_status: None, headers, fetched_at: engine.clock.now() };
        self.land_text(request, turn, arrival, &text).await
    }

    /// Cuts a delimited text into chunks and lands each; the last one carries the position and ends the
    /// sweep.
    async fn land_text(
        &mut self,
        request: &Request,
        turn: &TextTurn,
        arrival: Arrival,
        text: &Body,
    ) -> Result<Taken, PageError> {
        let source = self.slot.settings.source.as_ref();
        let open = || text.open().map_err(|error| spool_failed(&error));
        let whole_survey = block_in_place(|| source.survey(request, &mut open()?))?;
        let mut chunks = CsvChunks::new(open()?, CSV_CHUNK_BYTES);
        let mut next_chunk =
            || block_in_place(|| chunks.next_chunk().map_err(|error| error.to_page_error()));
        let mut current = next_chunk()?;
        let (mut rows, mut number) = (0, 0_u64);
        while let Some(chunk) = current {
            self.go_on()?;
            let following = next_chunk()?;
            let last = following.is_none();
            let survey = of_chunk(&whole_survey, number);
            let check = || frame::check(&Framing::Csv, &survey, chunk.as_slice());
            let chunk_rows = block_in_place(check).map_err(|error| error.to_page_error())?;
            rows += chunk_rows;
            let summary = |pages| PageSummary { rows, pages, survey: &whole_survey };
            let position = turn
                .position_for
                .filter(|_| last)
                .and_then(|pages| source.position_after(request, summary(pages)));
            let body = block_in_place(|| whole(&chunk, &self.engine.spool_dir))
                .map_err(|error| spool_failed(&error))?;
            let mut described = request.describe();
            if let Some(described) = described.as_object_mut() {
                described.insert("chunk".to_owned(), number.into());
            }
            if rows == 0 && last {
                let error = empty().to_run_error();
                self.lander.refuse(described, arrival, &body, error).await?;
                return Err(empty());
            }
            // Equal bytes mean the same only under the same header and the same repeated keys.
            let repeats = self.last_loaded(&described).await?.filter(|last| {
                last.body == body.hash
                    && PageContext::of(last).is_ok_and(|context| context.survey == survey)
            });
            let completes_sweep = last && turn.completes_sweep;
            let context = PageContext {
                survey,
                framing: Framing::Csv,
                position,
                completes_sweep,
                rows: chunk_rows,
                walk: None,
            };
            self.lander.land(described, context, arrival.clone(), body, repeats).await?;
            current = following;
            number += 1;
        }
        if number == 0 {
            return Err(PageError::stop(EMPTY, "the text is empty", empty().hint));
        }
        Ok(Taken { rows, survey: whole_survey })
    }
}

/// The survey of a whole text, for its chunk number `number`: only the first holds the header.
pub(crate) fn of_chunk(survey: &Value, number: u64) -> Value {
    let mut survey = survey.clone();
    if let Some(survey) = survey.as_object_mut() {
        survey.insert("chunk".to_owned(), number.into());
        survey.insert("first".to_owned(), (number == 0).into());
    }
    survey
}

fn whole(bytes: &[u8], spool_dir: &Path) -> std::io::Result<Body> {
    let mut writer = BodyWriter::new(spool_dir)?;
    writer.write(bytes)?;
    writer.finish()
}
