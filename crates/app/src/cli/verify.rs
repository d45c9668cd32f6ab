//! `verify`: the digest of a store, and whether everything in it holds together.

use std::collections::BTreeMap;

use kasparro_store::{AuditReport, StoreError, TableAudit, Violation};
use serde::Serialize;

use super::Context;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, one_line};
use crate::wire;

/// The document of `verify --json`, and one half of that of `replay --json`.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    ok: bool,
    pub(super) digest: String,
    generation: u64,
    pub(super) tables: BTreeMap<&'static str, TableAudit>,
    pub(super) violations: Vec<Violation>,
}

impl From<AuditReport> for Verified {
    fn from(report: AuditReport) -> Self {
        let AuditReport { digest, generation, tables, violations } = report;
        Self { ok: violations.is_empty(), digest, generation, tables, violations }
    }
}

pub(super) const EXPLAINED: &str = "\
Examples:
  kasparro verify                        the digest, and every invariant that does not hold
  kasparro verify --json | jq -r .digest

The digest covers what is known and not when or by which process it was stored: two stores with the same
raw pages and decisions have the same digest. It may run beside a server, of which it sees one generation.

Exit codes: 0 everything holds; 1 something does not; 3 there is no store, or it cannot be read.";

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let report = store.verify().await.map_err(|error| {
        let mut failure = Failure::store(&error, &config.database);
        if matches!(error, StoreError::Corrupt(_)) {
            failure.exit = Exit::Failed;
        }
        failure
    })?;
    let verified = Verified::from(report);
    output.result(&verified, || text(&verified, output.colour))?;
    Ok(if verified.ok { Exit::Done } else { Exit::Failed })
}

fn text(verified: &Verified, colour: bool) -> String {
    let mut table = Table::new(&["table", "rows", "digest"], colour);
    for (name, audit) in &verified.tables {
        table.row(vec![Table::words(name), Table::number(audit.rows), Table::words(&audit.digest)]);
    }
    let mut text = table.text();
    text.push_str(&format!("\ngeneration {}\n{}\n", verified.generation, verified.digest));
    text.push_str(&violations(&verified.violations));
    text
}

/// What does not hold, one line each, below how much there is of it.
pub(super) fn violations(violations: &[Violation]) -> String {
    let mut text = match violations.len() {
        0 => "every invariant holds".to_owned(),
        1 => "1 violation:".to_owned(),
        many => format!("{many} violations:"),
    };
    for Violation { invariant, detail } in violations {
        text.push('\n');
        text.push_str(&one_line(&format!("{invariant}: {detail}")));
    }
    text
}
