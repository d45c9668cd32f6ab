//! Handing commands in, once for each name that a caller gave.

use std::time::Duration;

use kasparro_domain::{CommandId, CommandKind};
use kasparro_store::{Once, Submitted};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Change;
use crate::Shared;
use crate::problem::{Code, Problem};

/// For how long a request is known again.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Commands, and what the answer is made from; or why there are none.
pub(crate) type Decided = Result<(Vec<CommandKind>, Value), Problem>;

/// What was handed in, now or when the request came first.
#[derive(Debug)]
pub(crate) struct HandedIn {
    /// The commands, in their order.
    pub(crate) commands: Vec<CommandId>,
    /// What the answer is made from.
    pub(crate) answer: Value,
    /// False where the same was handed in before.
    pub(crate) new: bool,
}

/// What is kept of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Answer(Value),
    Problem { code: String, detail: String },
}

impl Change {
    /// Hands in what was decided. Under a name, the first to hand in decides what comes of it: whoever comes
    /// later with the same is told the same, also that it was not possible.
    ///
    /// # Errors
    /// The problem that was decided; 422 where the name stands for another request; 503 without a database.
    pub(crate) async fn hand_in(
        &self,
        shared: &Shared,
        decided: Decided,
    ) -> Result<HandedIn, Problem> {
        let now = shared.clock.now();
        let Some(name) = &self.name else {
            let (kinds, answer) = decided?;
            let mut commands = Vec::with_capacity(kinds.len());
            for kind in kinds {
                commands.push(shared.ask(shared.store.submit(kind, now)).await?);
            }
            return Ok(HandedIn { commands, answer, new: true });
        };
        let (kinds, kept) = match decided {
            Ok((kinds, answer)) => (kinds, Kept::Answer(answer)),
            Err(problem) if lasting(problem.code) => {
                let Problem { code, detail, .. } = problem;
                (Vec::new(), Kept::Problem { code: code.name().to_owned(), detail })
            }
            Err(problem) => return Err(problem),
        };
        let once = Once {
            caller: self.caller.name(),
            name: name.clone(),
            asked: self.asked,
            answer: json!(kept),
        };
        let submitting = shared.store.submit_once(once, kinds, now, now.minus(KEPT));
        let (commands, kept, new) = match shared.ask(submitting).await? {
            Submitted::New(commands) => (commands, kept, true),
            Submitted::Before(commands, kept) => (commands, read(kept)?, false),
            Submitted::Other => return Err(other()),
        };
        match kept {
            Kept::Answer(answer) => Ok(HandedIn { commands, answer, new }),
            Kept::Problem { code, detail } => {
                let code = Code::ALL.iter().copied().find(|known| known.name() == code);
                Err(Problem::new(code.unwrap_or(Code::Internal), detail))
            }
        }
    }
}

/// True for what is so for as long as the name is known: the same request is told it again, whatever has
/// happened since.
const fn lasting(code: Code) -> bool {
    matches!(code.status().as_u16(), 404 | 409)
}

fn read(kept: Value) -> Result<Kept, Problem> {
    serde_json::from_value(kept).map_err(|error| {
        tracing::error!(%error, "what is kept of a request cannot be read");
        Problem::new(Code::Internal, "what is kept of the request cannot be read")
    })
}

fn other() -> Problem {
    Problem::new(
        Code::IdempotencyConflict,
        "this Idempotency-Key came with another method, path, query or body before",
    )
}
