//! One request to the process that works on a source, and its answer.

use kasparro_domain::{Clock, Command, CommandId, CommandKind, CommandState};
use kasparro_store::Store;
use serde_json::Value;
use tokio::time::Instant;

use super::beside::{CLAIM_PATIENCE, POLL, STILL, not_claimed};
use super::withdraw::{Held, command, withdraw};
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::output::{note, one_line};

/// A request, until it is answered or taken back. It outlives a holder that goes, so that the next one is
/// not asked for the same again.
#[derive(Debug)]
pub(super) struct Request {
    kind: CommandKind,
    left: Option<CommandId>,
    answer: Option<Value>,
}

/// Where a request is left.
pub(super) struct Holder<'a> {
    /// The store, opened beside the holder.
    pub(super) store: &'a dyn Store,
    /// The time.
    pub(super) clock: &'a dyn Clock,
    /// Where the store is.
    pub(super) database: &'a Database,
    /// Who holds the store or the source, for people.
    pub(super) words: &'a str,
}

impl Request {
    pub(super) const fn new(kind: CommandKind) -> Self {
        Self { kind, left: None, answer: None }
    }

    /// What is asked.
    pub(super) const fn kind(&self) -> &CommandKind {
        &self.kind
    }

    /// The answer, where there is one.
    pub(super) const fn answer(&self) -> Option<&Value> {
        self.answer.as_ref()
    }

    /// Leaves the request and waits for the holder's answer; `None` when the holder is gone before that.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3 where the holder does not take the request up, with exit code 2
    /// where it refuses it.
    pub(super) async fn ask(
        &mut self,
        holder: &Holder<'_>,
        holder_alive: impl AsyncFn() -> bool,
    ) -> Result<Option<Value>, Failure> {
        if self.answer.is_some() {
            return Ok(self.answer.clone());
        }
        let Holder { store, clock, database, words } = *holder;
        let command_id = match self.left {
            Some(left) => left,
            None => {
                let submitted = store.submit(self.kind.clone(), clock.now()).await;
                submitted.map_err(|error| Failure::store(&error, database))?
            }
        };
        self.left = Some(command_id);
        let asked_at = Instant::now();
        let (mut looked_at, mut notice) = (asked_at, Notice::new(words));
        loop {
            let command = command(store, command_id, database).await?;
            if command.state == CommandState::Done {
                self.answer = Some(answer(command)?);
                return Ok(self.answer.clone());
            }
            if command.state == CommandState::Pending && asked_at.elapsed() >= CLAIM_PATIENCE {
                return Err(not_claimed(database));
            }
            if looked_at.elapsed() >= STILL {
                if !holder_alive().await {
                    return Ok(None);
                }
                looked_at = Instant::now();
            }
            notice.say_when_long();
            tokio::time::sleep(POLL).await;
        }
    }

    /// Takes the request back from a store or a source that this process holds; the answer where a former
    /// holder gave one after all.
    ///
    /// # Errors
    /// As [`Request::ask`].
    pub(super) async fn withdraw(
        &mut self,
        store: &dyn Store,
        held: Held<'_>,
        database: &Database,
    ) -> Result<Option<Value>, Failure> {
        if self.answer.is_none()
            && let Some(left) = self.left
        {
            let done = withdraw(store, left, held, database).await?;
            self.answer = done.map(answer).transpose()?;
        }
        Ok(self.answer.clone())
    }
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
    use kasparro_domain::{ManualClock, SourceName, Timestamp};
    use kasparro_store::{CommandStore, LeaseStore, MemoryStore};
    use serde_json::json;

    use super::*;

    fn request() -> Request {
        let (source, who, why) = (SourceName::new("csv"), "me".into(), "so".into());
        Request::new(CommandKind::Discard { source, rows: vec![1], who, why })
    }

    fn database() -> Database {
        Database::Sqlite("x.db".into())
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
        let holder = Holder { store, clock: &clock, database: &database(), words: "pid 7" };
        request.ask(&holder, async || alive).await
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
            store.complete(command.command_id, 0, json!({"discarded": 1})).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked(&store, true), work);
        assert_eq!(answer.unwrap().unwrap(), json!({"discarded": 1}));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_holder_refuses_is_said_so() {
        let store = MemoryStore::new();
        let work = async {
            let command = claim(&store).await;
            store
                .complete(command.command_id, 0, json!({"error": "no such source"}))
                .await
                .unwrap();
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
        let (store, at) = (MemoryStore::new(), database());
        let mut mine = request();
        assert_eq!(
            mine.withdraw(&store, Held::Store, &at).await.unwrap(),
            None,
            "nothing was left"
        );
        assert_eq!(ask(&mut mine, &store, false).await.unwrap(), None);
        assert_eq!(asked(&store, false).await.unwrap(), None);
        assert_eq!(mine.withdraw(&store, Held::Store, &at).await.unwrap(), None);
        let left = store.claim(true).await.unwrap();
        assert_eq!(left.len(), 1, "that of the other stays: {left:?}");
        assert_ne!(Some(left[0].command_id), mine.left);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dead_holder_had_taken_up_is_taken_back_and_what_it_answered_counts() {
        let (store, at) = (MemoryStore::new(), database());
        let (mut begun, mut done) = (request(), request());
        for request in [&mut begun, &mut done] {
            assert_eq!(ask(request, &store, false).await.unwrap(), None);
            assert_eq!(store.claim(false).await.unwrap().len(), 1);
        }
        store.complete(done.left.unwrap(), 0, json!({"discarded": 1})).await.unwrap();
        assert_eq!(begun.withdraw(&store, Held::Store, &at).await.unwrap(), None);
        assert_eq!(
            done.withdraw(&store, Held::Store, &at).await.unwrap(),
            Some(json!({"discarded": 1}))
        );
        assert_eq!(store.claim(true).await.unwrap(), Vec::new());
        let again = done.withdraw(&store, Held::Store, &at).await.unwrap();
        assert_eq!(again, Some(json!({"discarded": 1})), "an answer stays");
    }

    #[tokio::test(start_paused = true)]
    async fn i4_whoever_takes_the_source_over_takes_the_request_back() {
        let (store, at, csv) = (MemoryStore::new(), database(), SourceName::new("csv"));
        let ttl = std::time::Duration::from_secs(30);
        for taken_up_before in [false, true] {
            let mut request = request();
            assert_eq!(ask(&mut request, &store, false).await.unwrap(), None);
            let old = store.acquire(&csv, "dead", ttl).await.unwrap();
            if taken_up_before {
                assert_eq!(store.claim_held(&[(csv.clone(), old)], &[]).await.unwrap().len(), 1);
            }
            store.release(&csv, old).await.unwrap();
            let epoch = store.acquire(&csv, "me", ttl).await.unwrap();
            let held = Held::Source(&csv, epoch);
            assert_eq!(request.withdraw(&store, held, &at).await.unwrap(), None);
            assert_eq!(store.claim_held(&[(csv.clone(), epoch)], &[]).await.unwrap(), Vec::new());
            store.release(&csv, epoch).await.unwrap();
        }
    }
}
