//! Runs as JSON and as a table.

use kasparro_domain::{Run, RunCounts, RunError, RunStatus, Timestamp};
use serde::Serialize;

use super::Table;
use super::one_line;
use crate::failure::Exit;

/// A run as `run --json` and `runs --json` give it.
#[derive(Debug, Serialize)]
pub(crate) struct RunDocument<'a> {
    run_id: String,
    source: &'a str,
    status: &'static str,
    reason: &'static str,
    #[serde(flatten)]
    counts: RunCounts,
    pages: u64,
    requests: u64,
    duration_ms: Option<u64>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    error: Option<&'a RunError>,
}

impl<'a> From<&'a Run> for RunDocument<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            run_id: run.run_id.to_string(),
            source: run.source.as_str(),
            status: run.status.name(),
            reason: run.reason.name(),
            counts: run.counts,
            pages: run.pages,
            requests: run.requests,
            duration_ms: run.duration_ms(),
            started_at: run.started_at,
            completed_at: run.completed_at,
            error: run.error.as_ref(),
        }
    }
}

/// `{"runs":[…]}`.
pub(crate) fn runs_document(runs: &[Run]) -> serde_json::Value {
    let runs: Vec<_> = runs.iter().map(RunDocument::from).collect();
    serde_json::json!({ "runs": runs })
}

/// Runs as a table, with the errors below it.
pub(crate) fn runs_table(runs: &[Run], with_ids: bool, colour: bool) -> String {
    let mut headings = vec!["source", "status"];
    headings.extend([
        "received",
        "inserted",
        "updated",
        "unchanged",
        "stale",
        "duplicate",
        "quarantined",
        "pages",
        "requests",
        "took",
    ]);
    if with_ids {
        headings.extend(["started", "run"]);
    }
    let mut table = Table::new(&headings, colour);
    for run in runs {
        let mut cells = vec![Table::words(run.source.as_str()), table.status(run.status.name())];
        let counts = &run.counts;
        cells.extend(
            [
                counts.received,
                counts.inserted,
                counts.updated,
                counts.unchanged,
                counts.stale,
                counts.duplicate,
                counts.quarantined,
                run.pages,
                run.requests,
            ]
            .map(Table::number),
        );
        cells.push(Table::number(took(run)));
        if with_ids {
            let started = run.started_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            cells.extend([Table::words(&started), Table::words(&run.run_id.to_string())]);
        }
        table.row(cells);
    }
    let mut text = table.text();
    for run in runs {
        if let Some(error) = &run.error {
            text.push('\n');
            text.push_str(&error_line(run, error));
        }
    }
    text
}

/// One run in full.
pub(crate) fn run_details(run: &Run) -> String {
    let mut lines = vec![
        ("run", run.run_id.to_string()),
        ("source", run.source.to_string()),
        ("status", run.status.to_string()),
        ("reason", run.reason.name().to_owned()),
        ("asked", run.created_at.to_string()),
        ("started", run.started_at.map_or_else(|| "-".to_owned(), |at| at.to_string())),
        ("ended", run.completed_at.map_or_else(|| "-".to_owned(), |at| at.to_string())),
        ("took", took(run)),
        ("pages", run.pages.to_string()),
        ("requests", run.requests.to_string()),
    ];
    let counts = &run.counts;
    lines.extend([
        ("received", counts.received.to_string()),
        ("inserted", counts.inserted.to_string()),
        ("updated", counts.updated.to_string()),
        ("unchanged", counts.unchanged.to_string()),
        ("stale", counts.stale.to_string()),
        ("duplicate", counts.duplicate.to_string()),
        ("quarantined", counts.quarantined.to_string()),
    ]);
    if let Some(error) = &run.error {
        lines.extend([
            ("error", error.code.clone()),
            ("message", error.message.clone()),
            ("hint", error.hint.clone()),
        ]);
    }
    let lines = lines.iter().map(|(name, value)| format!("{name:12}{}", one_line(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The exit code that a set of runs asks for.
pub(crate) fn exit_of(runs: &[Run]) -> Exit {
    let succeeded = |run: &Run| run.status == RunStatus::Success;
    let failed = |run: &Run| matches!(run.status, RunStatus::Failed | RunStatus::Abandoned);
    if runs.iter().all(succeeded) {
        Exit::Done
    } else if runs.iter().all(failed) {
        Exit::Failed
    } else {
        Exit::Partial
    }
}

fn took(run: &Run) -> String {
    match run.duration_ms() {
        None => "-".to_owned(),
        Some(millis @ 0..=9_999) => format!("{millis} ms"),
        Some(millis) => super::ago(millis / 1000),
    }
}

fn error_line(run: &Run, error: &RunError) -> String {
    one_line(&format!("{}: {} ({}); {}", run.source, error.message, error.code, error.hint))
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{RunId, RunReason, SourceName};

    use super::*;

    fn run(status: RunStatus) -> Run {
        Run {
            run_id: RunId(uuid::Uuid::nil()),
            source: SourceName::new("csv"),
            status,
            reason: RunReason::Manual,
            counts: RunCounts { received: 3, inserted: 2, quarantined: 1, ..RunCounts::default() },
            pages: 1,
            requests: 1,
            created_at: Timestamp::EPOCH,
            started_at: Some(Timestamp::EPOCH),
            completed_at: Timestamp::from_millis(1500).ok(),
            error: Some(RunError {
                code: "timed_out".to_owned(),
                message: "too\nslow \u{1b}[31m".to_owned(),
                hint: "wait".to_owned(),
            }),
        }
    }

    #[test]
    fn the_exit_code_tells_all_some_and_none_apart() {
        use RunStatus::{Abandoned, Failed, Partial, Success};
        for (statuses, exit) in [
            (vec![Success, Success], Exit::Done),
            (vec![], Exit::Done),
            (vec![Failed], Exit::Failed),
            (vec![Failed, Abandoned], Exit::Failed),
            (vec![Failed, Success], Exit::Partial),
            (vec![Partial], Exit::Partial),
        ] {
            let runs: Vec<_> = statuses.iter().copied().map(run).collect();
            assert_eq!(exit_of(&runs), exit, "{statuses:?}");
        }
    }

    #[test]
    fn a_run_has_exactly_the_documented_fields_in_order() {
        let json = serde_json::to_string(&RunDocument::from(&run(RunStatus::Failed))).unwrap();
        assert_eq!(
            json,
            "{\"run_id\":\"00000000-0000-0000-0000-000000000000\",\"source\":\"csv\",\
             \"status\":\"failed\",\"reason\":\"manual\",\"received\":3,\"inserted\":2,\"updated\":0,\
             \"unchanged\":0,\"stale\":0,\"duplicate\":0,\"quarantined\":1,\"pages\":1,\"requests\":1,\
             \"duration_ms\":1500,\"started_at\":\"1970-01-01T00:00:00Z\",\
             \"completed_at\":\"1970-01-01T00:00:01.500Z\",\"error\":{\"code\":\"timed_out\",\
             \"message\":\"too\\nslow \\u001b[31m\",\"hint\":\"wait\"}}"
        );
    }

    #[test]
    fn upstream_text_cannot_write_terminal_commands() {
        let text = runs_table(&[run(RunStatus::Failed)], true, false);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("too slow"), "{text}");
    }
}
