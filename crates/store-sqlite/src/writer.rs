//! The one thread that writes.
//!
//! It owns the connection and commits together what is queued, since a commit costs a flush of the
//! disk whether it holds one request or fifty. Each request stands in a savepoint of its own, so one
//! that fails costs no neighbour; every answer is given after COMMIT.

use std::thread::JoinHandle;

use kasparro_domain::Generation;
use kasparro_faults::crash_point;
use kasparro_store::{StoreError, StoreResult};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Queried, store_error};

/// Rows that one transaction takes at most, so that the first of a group does not wait for long.
const GROUP_ROWS: usize = 5_000;
/// Requests that may wait; who asks for more waits to be let in.
const QUEUE_REQUESTS: usize = 256;

/// The numbers that the store mints, as they stand in the open transaction.
///
/// Kept here because there is one writer: asking the database would cost a query for each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minted {
    /// The newest listing.
    pub(crate) listing_id: i64,
    /// The newest asset.
    pub(crate) asset_id: i64,
    /// The newest generation.
    pub(crate) generation: u64,
}

impl Minted {
    /// Reads what was given out last.
    pub(crate) fn read(connection: &Connection) -> Queried<Self> {
        let newest = "SELECT (SELECT coalesce(max(listing_id), 0) FROM listing),
                             (SELECT coalesce(max(asset_id), 0) FROM asset),
                             (SELECT value FROM generation)";
        let minted = connection.query_row(newest, [], |row| {
            let generation: i64 = row.get(2)?;
            Ok(Self {
                listing_id: row.get(0)?,
                asset_id: row.get(1)?,
                generation: generation.cast_unsigned(),
            })
        })?;
        Ok(minted)
    }
}

/// A request on its way through the writer.
trait Request: Send {
    /// How many rows it writes, roughly.
    fn rows(&self) -> usize;
    /// Does its work within a savepoint; false when that has to be undone.
    fn work(&mut self, connection: &Connection, minted: &mut Minted) -> bool;
    /// Answers: with its outcome, or with `failure` where the transaction around it failed.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

struct Asked<T, F> {
    rows: usize,
    act: Option<F>,
    outcome: Option<StoreResult<T>>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Request for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Minted) -> Queried<T> + Send,
{
    fn rows(&self) -> usize {
        self.rows
    }

    fn work(&mut self, connection: &Connection, minted: &mut Minted) -> bool {
        let Some(act) = self.act.take() else {
            return false;
        };
        let outcome = act(connection, minted).map_err(StoreError::from);
        let done = outcome.is_ok();
        self.outcome = Some(outcome);
        done
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let outcome = match (self.outcome, failure) {
            // Its own error says more than that of the transaction.
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure.clone()),
            (Some(done), None) => done,
            (None, None) => Err(stopped()),
        };
        // Whoever asked may have gone; the work is done nevertheless.
        let _ = self.answer.send(outcome);
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer stopped; start the program again".to_owned())
}

/// The way to the writing thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Request>>>,
    thread: Option<JoinHandle<()>>,
    announced: watch::Sender<Generation>,
}

impl std::fmt::Debug for dyn Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

impl Writer {
    /// Starts the thread on a connection that is ready to write.
    pub(crate) fn start(connection: Connection) -> StoreResult<Self> {
        let minted = Minted::read(&connection).map_err(StoreError::from)?;
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        let announced = watch::Sender::new(Generation(minted.generation));
        let announcing = announced.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write(&connection, minted, requests, &announcing))
            .map_err(|error| {
                StoreError::Unavailable(format!("cannot start its writer: {error}"))
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread), announced })
    }

    /// The generations committed here.
    pub(crate) fn watch(&self) -> watch::Receiver<Generation> {
        self.announced.subscribe()
    }

    /// Has `act` carried out in a transaction; the answer comes once it is durable.
    pub(crate) async fn ask<T, F>(&self, rows: usize, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Minted) -> Queried<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = Asked { rows, act: Some(act), outcome: None, answer };
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(request)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Waits until what is queued is committed and the connection is closed: the lock goes after it.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Commits group after group until nobody can ask any more.
fn write(
    connection: &Connection,
    mut minted: Minted,
    mut requests: mpsc::Receiver<Box<dyn Request>>,
    announced: &watch::Sender<Generation>,
) {
    while let Some(first) = requests.blocking_recv() {
        let before = minted;
        let mut group = Vec::new();
        let failure = commit_group(connection, &mut minted, first, &mut requests, &mut group).err();
        if let Some(error) = &failure {
            tracing::error!(%error, requests = group.len(), "a transaction was rolled back");
            minted = before;
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a failed transaction cannot be ended");
            }
        } else if minted.generation != before.generation {
            announced.send_replace(Generation(minted.generation));
        }
        for request in group {
            request.answer(failure.as_ref());
        }
    }
}

/// Carries out one group in one transaction; `group` holds whatever was taken from the queue.
fn commit_group(
    connection: &Connection,
    minted: &mut Minted,
    first: Box<dyn Request>,
    requests: &mut mpsc::Receiver<Box<dyn Request>>,
    group: &mut Vec<Box<dyn Request>>,
) -> StoreResult<()> {
    let run = |sql: &'static str| -> StoreResult<()> {
        let done = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|error| store_error(&error))
    };
    let mut rows = 0;
    let mut next = Some(first);
    let mut begun = false;
    while let Some(mut request) = next.take() {
        rows += request.rows();
        let outcome = (|| {
            let before = *minted;
            // The first request of a transaction needs no savepoint, since nothing stands before it.
            // With one, SQLite would journal every page twice and walk that journal after each
            // statement, which made a batch of 5,000 updates half as fast.
            let alone = !begun;
            if alone {
                // At once as a writer: a transaction that became one later could fail for good when
                // another process adds a command in between.
                run("BEGIN IMMEDIATE")?;
                begun = true;
            } else {
                run("SAVEPOINT request")?;
            }
            let done = request.work(connection, minted);
            if !done {
                *minted = before;
                if alone {
                    begun = false;
                    return if connection.is_autocommit() { Ok(()) } else { run("ROLLBACK") };
                }
                if connection.is_autocommit() {
                    // Some errors, such as a full disk, make SQLite undo the whole transaction.
                    let why = "a neighbouring request ended the transaction; try again";
                    return Err(StoreError::Unavailable(why.to_owned()));
                }
                run("ROLLBACK TO request")?;
            }
            if alone { Ok(()) } else { run("RELEASE request") }
        })();
        group.push(request);
        outcome?;
        if rows < GROUP_ROWS {
            next = requests.try_recv().ok();
        }
    }
    if !begun {
        return Ok(());
    }
    crash_point!("transaction.full");
    run("COMMIT")?;
    crash_point!("transaction.committed");
    Ok(())
}
