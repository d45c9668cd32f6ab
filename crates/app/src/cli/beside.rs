//! A run that is carried out by the process that holds the store, or the source.

use std::time::Duration;

use kasparro_domain::{
    Clock, CommandId, CommandKind, CommandState, Run, RunId, RunReason, SourceName,
};
use kasparro_engine::Lists;
use kasparro_store::{Store, StoreError};
use tokio::time::Instant;

use super::request::Notice;
use super::withdraw::{Held, withdraw as withdraw_one};
use crate::clock::new_run_id;
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::output::Progress;

/// How often the rows are looked at.
pub(super) const POLL: Duration = Duration::from_millis(100);

/// Longest wait for the holder to take a request up.
pub(super) const CLAIM_PATIENCE: Duration = Duration::from_secs(60);

/// Time without any change after which the holder is asked whether it is still there.
pub(super) const STILL: Duration = Duration::from_secs(2);

/// What is asked of whoever holds a store or sources.
pub(super) struct Asked<'a> {
    /// The store, opened beside the holder.
    pub(super) store: &'a dyn Store,
    /// The time.
    pub(super) clock: &'a dyn Clock,
    /// The sources to run.
    pub(super) names: &'a [SourceName],
    /// Which of their lists to ask for.
    pub(super) lists: Lists,
    /// Where the store is.
    pub(super) database: &'a Database,
    /// Who holds the store or the sources, for people.
    pub(super) holder: &'a str,
}

/// One request under way. It outlives a holder that goes, so that the next one is not asked for the same
/// again.
#[derive(Debug)]
pub(super) struct Pending {
    run_id: RunId,
    command_id: CommandId,
    ended: Option<Run>,
}

impl Asked<'_> {
    /// Leaves a request for every source where none is left, waits until the holder has carried them out,
    /// and returns the runs in the order of the names; `None` when the holder is gone before that.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3 where the holder does not take a request up, with exit code 2 where
    /// it does not know a source.
    pub(super) async fn carry_out(
        &self,
        pending: &mut Vec<Pending>,
        show: &mut dyn FnMut(Progress),
        holder_alive: impl AsyncFn() -> bool,
    ) -> Result<Option<Vec<Run>>, Failure> {
        let database = self.database;
        let failed = |error: StoreError| Failure::store(&error, database);
        for source in self.names.iter().skip(pending.len()) {
            let now = self.clock.now();
            let queued = self.store.queue_run(new_run_id(now), source, RunReason::Manual, now);
            let run_id = queued.await.map_err(failed)?.run_id;
            let lists = self.lists == Lists::All;
            let kind = CommandKind::Run { source: source.clone(), run_id, lists };
            let command_id = self.store.submit(kind, now).await.map_err(failed)?;
            pending.push(Pending { run_id, command_id, ended: None });
        }
        let asked_at = Instant::now();
        let (mut changed_at, mut seen) = (asked_at, Vec::new());
        let mut notice = Notice::new(self.holder);
        loop {
            let mut unclaimed = false;
            let mut seeing = Vec::new();
            for request in pending.iter_mut().filter(|request| request.ended.is_none()) {
                // The command first: a run that had not ended before its command was done never will.
                let command = self.store.command(request.command_id).await.map_err(failed)?;
                let run = self.store.run(request.run_id).await.map_err(failed)?;
                let run =
                    run.ok_or_else(|| failed(StoreError::Corrupt("a queued run is gone".into())))?;
                let state = command.as_ref().map(|command| command.state);
                unclaimed |= state == Some(CommandState::Pending);
                show(Progress::from(&run));
                if !run.status.open() {
                    request.ended = Some(run);
                    continue;
                }
                if state == Some(CommandState::Done) {
                    return Err(refused(&run, command.and_then(|command| command.result)));
                }
                seeing.push((state, run));
            }
            if let Some(runs) = ended(pending) {
                return Ok(Some(runs));
            }
            if seeing != seen {
                (changed_at, seen) = (Instant::now(), seeing);
            }
            if unclaimed && asked_at.elapsed() >= CLAIM_PATIENCE {
                return Err(not_claimed(database));
            }
            if changed_at.elapsed() >= STILL {
                if !holder_alive().await {
                    return Ok(None);
                }
                changed_at = Instant::now();
            }
            if unclaimed {
                notice.say_when_long();
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn ended(pending: &[Pending]) -> Option<Vec<Run>> {
    pending.iter().map(|request| request.ended.clone()).collect()
}

/// Takes requests back from a store or a source that this process holds; their runs where former holders carried all of
/// them out after all.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(super) async fn withdraw(
    store: &dyn Store,
    pending: &mut [Pending],
    held: Held<'_>,
    database: &Database,
) -> Result<Option<Vec<Run>>, Failure> {
    for request in pending.iter_mut().filter(|request| request.ended.is_none()) {
        if withdraw_one(store, request.command_id, held, database).await?.is_some() {
            let run = store.run(request.run_id).await;
            let run = run.map_err(|error| Failure::store(&error, database))?;
            request.ended = run.filter(|run| !run.status.open());
        }
    }
    Ok(if pending.is_empty() { None } else { ended(pending) })
}

fn refused(run: &Run, result: Option<serde_json::Value>) -> Failure {
    let said = result.as_ref().and_then(|result| result.get("error")?.as_str());
    Failure::new(
        Exit::Usage,
        "refused_by_holder",
        format!("{}: {}", run.source, said.unwrap_or("the holder of the store did not run it")),
        "give the process that holds the store the same configuration as this one",
    )
}

pub(super) fn not_claimed(database: &Database) -> Failure {
    Failure::new(
        Exit::Store,
        "not_claimed",
        match database {
            Database::Sqlite(_) => {
                format!("{database}: the process that holds the store took nothing up within 60 s")
            }
            Database::Postgres(_) => {
                format!("{database}: the process that holds the source took nothing up within 60 s")
            }
        },
        "check that it is a running `kasparro serve` or `kasparro worker`; the request stays and is taken up when it can",
    )
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{ManualClock, RunError, RunStatus, Timestamp};
    use kasparro_store::{CommandStore, Findings, MemoryStore, RunStore, RunUpdate};

    use super::*;

    fn database() -> Database {
        Database::Sqlite("x.db".into())
    }

    struct Holder {
        store: MemoryStore,
        clock: ManualClock,
        names: [SourceName; 1],
    }

    impl Holder {
        fn new() -> Self {
            let clock = ManualClock::new(Timestamp::from_millis(1_700_000_000_000).unwrap());
            Self { store: MemoryStore::new(), clock, names: [SourceName::new("csv")] }
        }

        async fn asked(&self, alive: bool) -> Result<Option<Vec<Run>>, Failure> {
            self.ask(&mut Vec::new(), alive).await
        }

        async fn ask(
            &self,
            pending: &mut Vec<Pending>,
            alive: bool,
        ) -> Result<Option<Vec<Run>>, Failure> {
            let asked = Asked {
                store: &self.store,
                clock: &self.clock,
                names: &self.names,
                lists: Lists::Due,
                database: &database(),
                holder: "pid 7",
            };
            asked.carry_out(pending, &mut |_| {}, async || alive).await
        }

        /// Takes the next command up and returns it with its run.
        async fn claim(&self) -> (CommandId, RunId) {
            loop {
                if let Some(command) = self.store.claim(false).await.unwrap().pop() {
                    let CommandKind::Run { run_id, .. } = command.kind else {
                        panic!("{command:?}");
                    };
                    return (command.command_id, run_id);
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_takes_nothing_up_is_given_a_minute() {
        let holder = Holder::new();
        let begun = Instant::now();
        let failure = holder.asked(true).await.unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Store, "not_claimed"));
        assert!((60..65).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_dies_is_noticed() {
        let holder = Holder::new();
        let (outcome, _) = tokio::join!(holder.asked(false), holder.claim());
        assert_eq!(outcome.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_the_holder_does_not_know_is_said_so() {
        let holder = Holder::new();
        let refuse = async {
            let (command_id, _) = holder.claim().await;
            let result = serde_json::json!({"error": "no source is called csv"});
            holder.store.complete(command_id, 0, result).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(holder.asked(true), refuse);
        let failure = outcome.unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "refused_by_holder"));
        assert!(failure.message.contains("no source is called csv"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_run_is_waited_for_to_its_end() {
        let holder = Holder::new();
        let work = async {
            let (command_id, run_id) = holder.claim().await;
            let at = holder.clock.now();
            let started = RunUpdate::Started { at, options: serde_json::json!({}) };
            holder.store.update_run(run_id, 0, started).await.unwrap();
            tokio::time::sleep(Duration::from_secs(600)).await;
            let error = RunError { code: "x".into(), message: "y".into(), hint: "z".into() };
            let ended = RunUpdate::Ended {
                at,
                status: RunStatus::Failed,
                requests: 3,
                error: Some(error),
                findings: Findings::default(),
            };
            holder.store.update_run(run_id, 0, ended).await.unwrap();
            holder.store.complete(command_id, 0, serde_json::json!({})).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(holder.asked(true), work);
        let runs = outcome.unwrap().unwrap();
        assert_eq!((runs[0].status, runs[0].requests), (RunStatus::Failed, 3));
    }
    #[tokio::test(start_paused = true)]
    async fn a_request_is_left_once_and_taken_back_unless_it_was_carried_out() {
        let (holder, database) = (Holder::new(), database());
        let mut pending = Vec::new();
        assert_eq!(
            withdraw(&holder.store, &mut pending, Held::Store, &database).await.unwrap(),
            None
        );
        assert_eq!(holder.ask(&mut pending, false).await.unwrap(), None);
        assert_eq!(holder.ask(&mut pending, false).await.unwrap(), None);
        assert_eq!(
            withdraw(&holder.store, &mut pending, Held::Store, &database).await.unwrap(),
            None
        );
        assert_eq!(holder.store.claim(true).await.unwrap(), Vec::new(), "nothing is left to do");

        let mut pending = Vec::new();
        assert_eq!(holder.ask(&mut pending, false).await.unwrap(), None);
        let (command_id, run_id) = holder.claim().await;
        let at = holder.clock.now();
        let started = RunUpdate::Started { at, options: serde_json::json!({}) };
        holder.store.update_run(run_id, 0, started).await.unwrap();
        let ended = RunUpdate::Ended {
            at,
            status: RunStatus::Success,
            requests: 1,
            error: None,
            findings: Findings::default(),
        };
        holder.store.update_run(run_id, 0, ended).await.unwrap();
        holder.store.complete(command_id, 0, serde_json::json!({})).await.unwrap();
        let runs =
            withdraw(&holder.store, &mut pending, Held::Store, &database).await.unwrap().unwrap();
        assert_eq!((runs[0].run_id, runs[0].status), (run_id, RunStatus::Success));
    }
}
