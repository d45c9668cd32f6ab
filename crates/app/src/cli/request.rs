//! One request to the process that holds the store, and its answer.

use std::path::Path;

use kasparro_domain::{Clock, Command, CommandId, CommandKind, CommandState};
use kasparro_store::{Store, StoreError};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::beside::{CLAIM_PATIENCE, POLL, STILL, not_claimed};
use crate::failure::{Exit, Failure};
use crate::output::{note, one_line};

/// A request, until it is answered or taken back. It outlives a holder that goes, so that the next one is
/// not asked for the same again.
#[derive(Debug)]
pub(super) struct Request {
    kind: CommandKind,
    left: Option<CommandId>,
}

/// Where a request is left.
pub(super) struct Holder<'a> {
    /// The store, opened beside its holder.
    pub(super) store: &'a dyn Store,
    /// The time.
    pub(super) clock: &'a dyn Clock,
    /// The path of the store.
    pub(super) path: &'a Path,
    /// Who holds the store, for people.
    pub(super) words: &'a str,
}

impl Request {
    pub(super) const fn new(kind: CommandKind) -> Self {
        Self { kind, left: None }
    }

    /// Leaves the request and waits for the holder's answer; `None` when the holder is gone before that.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3 where the holder does not take the request up, with exit code 2
    /// where it refuses it.
    pub(super) async fn ask(
        &mut self,
        holder: &Holder<'_>,
        holder_alive: impl Fn() -> bool,
    ) -> Result<Option<Value>, Failure> {
        let Holder { store, clock, path, words } = *holder;
        let command_id = match self.left {
            Some(left) => left,
            None => {
                let submitted = store.submit(self.kind.clone(), clock.now()).await;
                submitted.map_err(|error| Failure::store(&error, path))?
            }
        };
        self.left = Some(command_id);
        let asked_at = Instant::now();
        let (mut looked_at, mut notice) = (asked_at, Notice::new(words));
        loop {
            let command = command(store, command_id, path).await?;
            if command.state == CommandState::Done {
                return answer(command).map(Some);
            }
            if command.state == CommandState::Pending && asked_at.elapsed() >= CLAIM_PATIENCE {
                return Err(not_claimed(path));
            }
            if looked_at.elapsed() >= STILL {
                if !holder_alive() {
                    return Ok(None);
                }
                looked_at = Instant::now();
            }
            notice.say_when_long();
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes the request back from a store that this process holds; the answer where a former holder gave
    /// one after all.
    ///
    /// # Errors
    /// As [`Request::ask`].
    pub(super) async fn withdraw(
        &self,
        store: &dyn Store,
        path: &Path,
    ) -> Result<Option<Value>, Failure> {
        match self.left {
            Some(left) => withdraw(store, left, path).await?.map(answer).transpose(),
            None => Ok(None),
        }
    }
}

/// Takes a request back from a store that this process holds, so that no later holder carries it out; the
/// request where a former holder carried it out after all.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(super) async fn withdraw(
    store: &dyn Store,
    command_id: CommandId,
    path: &Path,
) -> Result<Option<Command>, Failure> {
    let failed = |error: StoreError| Failure::store(&error, path);
    let left = command(store, command_id, path).await?;
    match left.state {
        CommandState::Done => return Ok(Some(left)),
        // Takes those of others as well; the next holder that serves takes these up again.
        CommandState::Pending => drop(store.claim(false).await.map_err(failed)?),
        CommandState::Claimed => {}
    }
    store.complete(command_id, json!({ "withdrawn": true })).await.map_err(failed)?;
    Ok(None)
}

async fn command(store: &dyn Store, id: CommandId, path: &Path) -> Result<Command, Failure> {
    let command = store.command(id).await.map_err(|error| Failure::store(&error, path))?;
    let gone = || StoreError::Corrupt("a request is gone".to_owned());
    command.ok_or_else(|| Failure::store(&gone(), path))
}

fn answer(command: Command) -> Result<Value, Failure> {
    let answer = command.result.unwrap_or_default();
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(refused(error)),
        None => Ok(answer),
    }
}

/// Says once who is waited for, where that takes long.
pub(super) struct Notice<'a> {
    holder: &'a str,
    since: Instant,
    said: bool,
}

impl<'a> Notice<'a> {
    pub(super) fn new(holder: &'a str) -> Self {
        Self { holder, since: Instant::now(), said: false }
    }

    pub(super) fn say_when_long(&mut self) {
        if !self.said && self.since.elapsed() >= STILL {
            self.said = true;
            let words = format!("{}; waiting for it, the request stays in the store", self.holder);
            note(&one_line(&words));
        }
    }
}

fn refused(error: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "refused_by_holder",
        format!("the process that holds the store refused: {error}"),
        "give it the same version and configuration as this one, or stop it and ask again",
    )
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{ManualClock, Timestamp};
    use kasparro_store::{CommandStore, MemoryStore};

    use super::*;

    fn request() -> Request {
        Request::new(CommandKind::Discard { rows: vec![1], who: "me".into(), why: "so".into() })
    }

    async fn asked(store: &MemoryStore, alive: bool) -> Result<Option<Value>, Failure> {
        ask(&mut request(), store, alive).await
    }

    async fn ask(
        request: &mut Request,
        store: &MemoryStore,
        alive: bool,
    ) -> Result<Option<Value>, Failure> {
        let clock = ManualClock::new(Timestamp::EPOCH);
        let holder = Holder { store, clock: &clock, path: Path::new("x.db"), words: "pid 7" };
        request.ask(&holder, || alive).await
    }

    async fn claim(store: &MemoryStore) -> Command {
        loop {
            if let Some(command) = store.claim(false).await.unwrap().pop() {
                return command;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_of_the_holder_comes_back() {
        let store = MemoryStore::new();
        let work = async {
            let command = claim(&store).await;
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            store.complete(command.command_id, json!({"discarded": 1})).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked(&store, true), work);
        assert_eq!(answer.unwrap().unwrap(), json!({"discarded": 1}));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_holder_refuses_is_said_so() {
        let store = MemoryStore::new();
        let work = async {
            let command = claim(&store).await;
            store.complete(command.command_id, json!({"error": "no such source"})).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked(&store, true), work);
        let failure = answer.unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "refused_by_holder"));
        assert!(failure.message.contains("no such source"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_dies_or_takes_nothing_up_is_noticed() {
        let store = MemoryStore::new();
        assert_eq!(asked(&store, false).await.unwrap(), None);
        let begun = Instant::now();
        let failure = asked(&store, true).await.unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Store, "not_claimed"));
        assert!((60..65).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
    #[tokio::test(start_paused = true)]
    async fn a_request_outlives_its_holder_and_is_left_only_once() {
        let store = MemoryStore::new();
        let mut request = request();
        assert_eq!(ask(&mut request, &store, false).await.unwrap(), None);
        assert_eq!(ask(&mut request, &store, false).await.unwrap(), None);
        assert_eq!(store.claim(false).await.unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_own_request_is_taken_back() {
        let (store, path) = (MemoryStore::new(), Path::new("x.db"));
        let mut mine = request();
        assert_eq!(mine.withdraw(&store, path).await.unwrap(), None, "nothing was left");
        assert_eq!(ask(&mut mine, &store, false).await.unwrap(), None);
        assert_eq!(asked(&store, false).await.unwrap(), None);
        assert_eq!(mine.withdraw(&store, path).await.unwrap(), None);
        let left = store.claim(true).await.unwrap();
        assert_eq!(left.len(), 1, "that of the other stays: {left:?}");
        assert_ne!(Some(left[0].command_id), mine.left);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dead_holder_had_taken_up_is_taken_back_and_what_it_answered_counts() {
        let (store, path) = (MemoryStore::new(), Path::new("x.db"));
        let (mut begun, mut done) = (request(), request());
        for request in [&mut begun, &mut done] {
            assert_eq!(ask(request, &store, false).await.unwrap(), None);
            assert_eq!(store.claim(false).await.unwrap().len(), 1);
        }
        store.complete(done.left.unwrap(), json!({"discarded": 1})).await.unwrap();
        assert_eq!(begun.withdraw(&store, path).await.unwrap(), None);
        assert_eq!(done.withdraw(&store, path).await.unwrap(), Some(json!({"discarded": 1})));
        assert_eq!(store.claim(true).await.unwrap(), Vec::new());
    }
}
