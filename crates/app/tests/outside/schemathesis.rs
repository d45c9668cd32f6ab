//! Schemathesis: requests made up from the description, right ones and wrong ones.

use std::time::Duration;

use serde_json::Value;

use crate::served::{ADMIN, Served};
use crate::tools;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Nobody,
    /// With keys that are all no good, one kind after another.
    Stranger,
    Reader,
    Admin,
}

impl Caller {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "without a key",
            Self::Stranger => "with keys that are no good",
            Self::Reader => "with a read key",
            Self::Admin => "with an admin key",
        }
    }
}

/// What came of a round.
pub(crate) struct Round {
    pub(crate) ended: tools::Ended,
    /// Its report; `null` where it wrote none.
    pub(crate) report: Value,
}

impl Round {
    /// Requests that were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.report["test_cases"]["generated"].as_u64().unwrap_or(0)
    }

    /// True where it went through to its end and no check complained.
    pub(crate) fn fine(&self) -> bool {
        self.ended.well && self.report["complete"] == true && self.requests() > 0
    }
}

/// How much is asked in a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// How often each operation is asked in a phase at least.
    pub(crate) examples: u32,
    /// Whether the edge cases of every parameter come on top: nine of ten requests of a small round.
    pub(crate) edge_cases: bool,
}

/// Asks every operation, with every check on; NULs are among what is sent.
pub(crate) fn round(served: &Served, caller: Caller, size: Size, seed: u64) -> Round {
    let folder = served.folder.path();
    let file = |name: &str| folder.join(format!("{caller:?}-{seed}-{name}"));
    let (report, log) = (file("report.json"), file("log"));
    let tool = tools::find("schemathesis").unwrap();
    let configuration = tools::root().join("tools/schemathesis.toml").display().to_string();
    let hooks = tools::root().join("tools").display().to_string();
    let (examples, seed) = (size.examples.to_string(), seed.to_string());
    let description = format!("{}/openapi.json", served.server.url);
    let mut arguments = vec!["--config-file", &configuration, "run", &description];
    arguments.extend(["--max-examples", &examples, "--seed", &seed, "--no-color"]);
    let report_path = report.display().to_string();
    arguments.extend(["--report", "json", "--report-json-path", &report_path]);
    let key = match caller {
        Caller::Nobody | Caller::Stranger => None,
        Caller::Reader => Some(served.read_key()),
        Caller::Admin => Some(ADMIN.to_owned()),
    };
    let header = key.map(|key| format!("X-API-Key:{key}"));
    if let Some(header) = &header {
        arguments.extend(["--header", header]);
    }
    if !size.edge_cases {
        let phases = if caller == Caller::Stranger {
            "examples,fuzzing"
        } else {
            "examples,fuzzing,stateful"
        };
        arguments.extend(["--phases", phases]);
    }
    let stranger = if caller == Caller::Stranger { "yes" } else { "" };
    let environment = [("PYTHONPATH", hooks.as_str()), ("KASPARRO_STRANGER", stranger)];
    let tool = tools::start(&tool, &arguments, &environment, folder, &log);
    let ended = tools::wait(tool, &log, Duration::from_secs(3_600));
    let report = std::fs::read(report).unwrap_or_default();
    Round { ended, report: serde_json::from_slice(&report).unwrap_or_default() }
}
