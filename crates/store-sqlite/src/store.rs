//! The handle, and the store's traits on it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Clock, Command, CommandId, CommandKind, Generation, ListingId, PageId, RawPage, Run,
    RunCounts, RunError, RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    AuditStore, Batch, BatchStore, CommandStore, Committed, CompressedBody, HistoryPoint,
    HistoryRange, HistoryStore, ListingRow, NewPage, PageStore, QuarantineCount, ReadStore,
    RunFilter, RunStore, RunUpdate, SourceMemory, SourceState, SourceSummary, StoreError,
    StoreInfo, StoreResult, TableDump,
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, watch};

use crate::error::{Queried, store_error};
use crate::lock::Lock;
use crate::open::{self, OpenMode};
use crate::queries::{audit, batches, commands, history, pages, runs, source_states};
use crate::readers::Readers;
use crate::writer::{Minted, Writer};

/// A page counts as so many rows where requests are committed together: its body is large.
const PAGE_ROWS: usize = 250;

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    readers: Arc<Readers>,
    writing: Writing,
}

/// What the handle may write.
#[derive(Debug)]
enum Writing {
    /// Everything. The writer stands first, so it is closed before the lock is given up.
    All { writer: Writer, lock: Lock },
    /// Commands and queued runs.
    Beside { connection: Arc<Mutex<Connection>>, silent: watch::Sender<Generation> },
    /// Nothing.
    Nothing { silent: watch::Sender<Generation> },
}

impl SqliteStore {
    /// Opens a store to read and write it: takes its lock, makes file and folder where they are
    /// missing, and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that holds the store; [`StoreError::Newer`] leaves a
    /// store of a newer program as it is; [`StoreError::Unavailable`] says what is wrong with the path.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::prepare_path(path.as_ref())?;
        let lock = Lock::take(&path, clock.now())?;
        let writer = Writer::start(open::open_writer(&path)?)?;
        Ok(Self {
            readers: Readers::new(path.clone()),
            path,
            writing: Writing::All { writer, lock },
        })
    }

    /// Opens a store to read it, beside whoever holds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no store, [`StoreError::Newer`] when a newer program
    /// made it.
    pub fn open_read_only(path: impl AsRef<Path>, _clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::existing_path(path.as_ref())?;
        open::check_readable(&open::open_reader(&path)?, &path)?;
        let silent = watch::Sender::new(Generation(0));
        Ok(Self { readers: Readers::new(path.clone()), path, writing: Writing::Nothing { silent } })
    }

    /// Opens a store to read it and to add commands and queued runs, beside the process that holds it.
    ///
    /// # Errors
    /// As [`SqliteStore::open_read_only`].
    pub fn open_beside(path: impl AsRef<Path>, _clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::existing_path(path.as_ref())?;
        open::check_readable(&open::open_reader(&path)?, &path)?;
        let connection = Arc::new(Mutex::new(open::open_beside(&path)?));
        let silent = watch::Sender::new(Generation(0));
        let writing = Writing::Beside { connection, silent };
        Ok(Self { readers: Readers::new(path.clone()), path, writing })
    }

    /// What the handle may do.
    #[must_use]
    pub const fn mode(&self) -> OpenMode {
        match self.writing {
            Writing::All { .. } => OpenMode::ReadWrite,
            Writing::Beside { .. } => OpenMode::Beside,
            Writing::Nothing { .. } => OpenMode::ReadOnly,
        }
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the address at which this process answers into the lock file, for those who find the
    /// store locked.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the handle holds no lock, [`StoreError::Unavailable`] when the
    /// file cannot be written.
    pub fn set_address(&self, address: &str) -> StoreResult<()> {
        match &self.writing {
            Writing::All { lock, .. } => lock.set_address(address),
            _ => self.cannot_write(),
        }
    }

    fn cannot_write<T>(&self) -> StoreResult<T> {
        Err(StoreError::Conflict(format!(
            "{} was opened beside its holder and cannot be changed so",
            self.path.display()
        )))
    }

    /// Writes through the writer, which only the holder of the lock has.
    async fn write<T, F>(&self, rows: usize, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Minted) -> Queried<T> + Send + 'static,
    {
        match &self.writing {
            Writing::All { writer, .. } => writer.ask(rows, act).await,
            _ => self.cannot_write(),
        }
    }

    /// Adds a row that other processes may add too.
    async fn add<T, F>(&self, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Queried<T> + Send + 'static,
    {
        let connection = match &self.writing {
            Writing::All { writer, .. } => {
                return writer.ask(1, move |connection, _| act(connection)).await;
            }
            Writing::Beside { connection, .. } => Arc::clone(connection),
            Writing::Nothing { .. } => return self.cannot_write(),
        };
        let adding = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| store_error(&error))?;
            let added = act(&transaction).map_err(StoreError::from)?;
            transaction.commit().map_err(|error| store_error(&error))?;
            Ok(added)
        });
        let gone = |_| StoreError::Unavailable("the program is shutting down".to_owned());
        adding.await.map_err(gone)?
    }
}

#[async_trait]
impl PageStore for SqliteStore {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        self.write(PAGE_ROWS, move |connection, _| pages::land(connection, page, body)).await
    }

    async fn refuse(&self, page: PageId, error: RunError) -> StoreResult<()> {
        self.write(1, move |connection, _| pages::refuse(connection, page, &error)).await
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let source = source.clone();
        self.readers.read(move |connection| pages::landed(connection, &source)).await
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        self.readers.read(move |connection| pages::loaded_pages(connection, run_id)).await
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        let (source, request) = (source.clone(), request.to_string());
        self.readers.read(move |connection| pages::last_loaded(connection, &source, &request)).await
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        self.readers.read(move |connection| pages::page(connection, page)).await
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        self.readers.read(move |connection| pages::body_chunk(connection, body, index)).await
    }
}

#[async_trait]
impl BatchStore for SqliteStore {
    async fn acquire(&self, source: &SourceName, holder: &str) -> StoreResult<u64> {
        let (source, holder) = (source.clone(), holder.to_owned());
        self.write(1, move |connection, _| batches::acquire(connection, &source, &holder)).await
    }

    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let source = source.clone();
        self.readers.read(move |connection| batches::memory(connection, &source)).await
    }

    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        self.readers.read(move |connection| batches::settled(connection, page)).await
    }

    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        let rows = batch.rows.len() + batch.quarantined.len() + 1;
        self.write(rows, move |connection, minted| batches::commit(connection, minted, &batch))
            .await
    }
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let source = source.clone();
        self.add(move |connection| runs::queue(connection, run_id, &source, reason, now)).await
    }

    async fn update_run(&self, run_id: RunId, update: RunUpdate) -> StoreResult<()> {
        self.write(1, move |connection, _| runs::update(connection, run_id, &update)).await
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        self.readers.read(move |connection| runs::run(connection, run_id)).await
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        self.readers.read(move |connection| runs::list(connection, &filter)).await
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| runs::count(connection, &filter)).await
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        self.readers.read(runs::summaries).await
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        self.readers.read(runs::quarantine_counts).await
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.write(1, move |connection, _| source_states::put(connection, &state)).await
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        self.readers.read(source_states::all).await
    }
}

#[async_trait]
impl CommandStore for SqliteStore {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        self.add(move |connection| commands::submit(connection, &kind, now)).await
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        self.write(1, move |connection, _| commands::claim(connection, reclaim)).await
    }

    async fn complete(&self, command: CommandId, result: serde_json::Value) -> StoreResult<()> {
        self.write(1, move |connection, _| commands::complete(connection, command, &result)).await
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        self.readers.read(move |connection| commands::command(connection, command)).await
    }
}

#[async_trait]
impl ReadStore for SqliteStore {
    async fn generation(&self) -> StoreResult<Generation> {
        self.readers.read(crate::changes::generation).await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        match &self.writing {
            Writing::All { writer, .. } => writer.watch(),
            Writing::Beside { silent, .. } | Writing::Nothing { silent } => silent.subscribe(),
        }
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.readers.read(move |connection| crate::changes::send(connection, since, &pieces)).await
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.readers
            .read(|connection| {
                connection.query_row("SELECT value FROM generation", [], |_| Ok(()))?;
                Ok(StoreInfo { kind: "sqlite", schema_version: open::known_version() })
            })
            .await
    }
}

#[async_trait]
impl HistoryStore for SqliteStore {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        self.readers.read(move |connection| history::points(connection, listing, range)).await
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn dump(&self) -> StoreResult<Vec<TableDump>> {
        self.readers.read(audit::dump).await
    }
}
