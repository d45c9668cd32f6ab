//! A store in memory: the reference that the others are compared with.
//!
//! It keeps plain maps behind one lock and commits by changing a copy, so that what it does can be
//! checked by reading it. It is for tests; nothing survives the process.

mod access;
mod anomalies;
mod audit;
mod budgets;
mod commit;
mod drift;
mod identity;
mod news;
mod quarantine;
mod read;
mod statements;
mod tables;

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use compact_str::CompactString;
use kasparro_domain::{
    BodyHash, Clock, Command, CommandId, CommandKind, CommandState, Decision, DecisionKind,
    Generation, PageId, PageRow, PageState, RawPage, Run, RunCounts, RunError, RunId, RunReason,
    RunStatus, SourceName, Timestamp,
};
use tokio::sync::watch;

use crate::{
    Batch, BatchStore, CHUNK_BYTES, CommandStore, Committed, CompressedBody, Examined,
    KnownEvidence, KnownListing, KnownNews, KnownQuote, Lease, LeaseStore, NewPage, Once,
    PageFilter, PageRecord, PageStore, Reopening, SourceMemory, StoreError, StoreResult, Submitted,
};
use tables::{Body, Tables, of_sources};

/// An in-memory store for tests.
#[derive(Debug)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    announced: watch::Sender<Generation>,
    /// Its time; without one it stands at the epoch.
    clock: Option<Arc<dyn Clock>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

fn refused<T>(why: impl Into<String>) -> StoreResult<T> {
    Err(StoreError::Conflict(why.into()))
}

impl MemoryStore {
    /// An empty store whose time is that of a clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..Self::new() }
    }

    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        let tables = Mutex::new(Tables::default());
        Self { tables, announced: watch::Sender::new(Generation(0)), clock: None }
    }

    /// A call that panicked has not replaced the tables, so what the lock holds is whole.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pages that fit by ascending number; paging left aside.
fn fitting(tables: &Tables, filter: &PageFilter) -> Vec<PageRecord> {
    let fits = |record: &&PageRecord| {
        let page = &record.page;
        of_sources(&filter.sources, &page.source)
            && filter.state.is_none_or(|state| page.state == state)
            && filter.run_id.is_none_or(|run_id| page.run_id == run_id)
    };
    tables.pages.values().filter(fits).cloned().collect()
}

#[async_trait]
impl PageStore for MemoryStore {
    async fn land(&self, page: NewPage, mut body: CompressedBody) -> StoreResult<RawPage> {
        let mut tables = self.tables();
        tables.check_epoch(&page.source, page.epoch)?;
        match tables.runs.get(&page.run_id) {
            Some(run) if run.source == page.source => {}
            _ => {
                return refused(format!("run {} of {} is not known", page.run_id, page.source));
            }
        }
        let known = tables.bodies.get(&body.hash).map(|known| known.body_bytes);
        let body_bytes = known.unwrap_or(body.body_bytes);
        if known.is_none() {
            let mut bytes = Vec::new();
            body.frame.read_to_end(&mut bytes).map_err(|error| {
                StoreError::Unavailable(format!("cannot read the body: {error}"))
            })?;
            tables.bodies.insert(body.hash, Body { body_bytes, frame: Arc::from(bytes) });
        }
        let page_id =
            tables.pages.last_key_value().map_or(PageId(1), |(last, _)| PageId(last.0 + 1));
        let landed = RawPage {
            page_id,
            source: page.source,
            run_id: page.run_id,
            sequence: page.sequence,
            request: page.request,
            context: page.context,
            http_status: page.http_status,
            headers: page.headers,
            fetched_at: page.fetched_at,
            body: body.hash,
            body_bytes,
            state: PageState::Landed,
            rows_done: 0,
        };
        tables.pages.insert(page_id, PageRecord { page: landed.clone(), error: None });
        if let Some(run) = tables.runs.get_mut(&landed.run_id) {
            run.pages += 1;
        }
        Ok(landed)
    }

    async fn refuse(
        &self,
        page: PageId,
        epoch: u64,
        error: RunError,
        examined: Option<Examined>,
    ) -> StoreResult<()> {
        if let Some(examined) = &examined {
            examined.check()?;
        }
        let mut tables = self.tables();
        if let Some(source) = tables.pages.get(&page).map(|record| record.page.source.clone()) {
            tables.check_epoch(&source, epoch)?;
        }
        match tables.pages.get_mut(&page) {
            Some(record) if record.page.state == PageState::Landed => {
                record.page.state = PageState::Refused;
                record.error = Some(error);
            }
            _ => return refused(format!("page {page} is not landed")),
        }
        match &examined {
            Some(examined) => drift::examined(&mut tables, page, examined, true),
            None => Ok(()),
        }
    }

    async fn reopen(&self, page: PageId, epoch: u64, reopening: Reopening) -> StoreResult<RawPage> {
        let mut tables = self.tables();
        if let Some(source) = tables.pages.get(&page).map(|record| record.page.source.clone()) {
            tables.check_epoch(&source, epoch)?;
        }
        let reopened = match tables.pages.get_mut(&page) {
            Some(record) if record.page.state == PageState::Refused => {
                record.page.state = PageState::Landed;
                record.error = None;
                record.page.clone()
            }
            _ => return refused(format!("page {page} is not refused")),
        };
        let decision = Decision {
            decision_id: quarantine::next_decision(&tables),
            kind: DecisionKind::Reopen,
            source: reopened.source.clone(),
            rows: vec![PageRow { page_id: page, ordinal: 0 }],
            drift: Vec::new(),
            pairs: Vec::new(),
            relation: None,
            forced: reopening.forced,
            who: reopening.who,
            why: reopening.why,
            decided_at: reopening.decided_at,
            after_page: tables.last_page(),
            run_id: Some(reopening.run_id),
        };
        tables.decisions.push(decision);
        Ok(reopened)
    }

    async fn pages(&self, filter: PageFilter) -> StoreResult<Vec<PageRecord>> {
        let pages = fitting(&self.tables(), &filter).into_iter();
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(pages.skip(offset).take(limit.unwrap_or(usize::MAX)).collect())
    }

    async fn count_pages(&self, filter: PageFilter) -> StoreResult<u64> {
        Ok(fitting(&self.tables(), &filter).len() as u64)
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let tables = self.tables();
        let pages = tables.pages.values().map(|record| &record.page);
        let landed = |page: &&RawPage| page.source == *source && page.state == PageState::Landed;
        Ok(pages.filter(landed).cloned().collect())
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        let tables = self.tables();
        let pages = tables.pages.values().map(|record| &record.page);
        let loaded = pages.filter(|page| page.run_id == run_id && page.state == PageState::Loaded);
        Ok(loaded.cloned().collect())
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        let tables = self.tables();
        let mut newest_first = tables.pages.values().map(|record| &record.page).rev();
        let found = newest_first.find(|page| {
            page.source == *source && page.state == PageState::Loaded && page.request == *request
        });
        Ok(found.cloned())
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        Ok(self.tables().pages.get(&page).map(|record| record.page.clone()))
    }

    async fn pages_after(&self, after: PageId, limit: u32) -> StoreResult<Vec<PageRecord>> {
        let tables = self.tables();
        let behind = tables.pages.range(PageId(after.0.saturating_add(1))..);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(behind.take(limit).map(|(_, record)| record.clone()).collect())
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        let tables = self.tables();
        let Some(body) = tables.bodies.get(&body) else {
            return Ok(None);
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(body.frame.chunks(CHUNK_BYTES).nth(index).map(<[u8]>::to_vec))
    }
}

#[async_trait]
impl BatchStore for MemoryStore {
    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        let tables = self.tables();
        let loaded = tables.pages.get(&page).map(|record| &record.page);
        let Some(loaded) = loaded.filter(|page| page.state == PageState::Loaded) else {
            return Ok(None);
        };
        let of_source = tables.batches.iter().rev().filter(|((name, _), _)| *name == loaded.source);
        let mut counts = RunCounts::default();
        for (_, batch) in of_source {
            if batch.page_id == page && !batch.retry {
                counts.add(&batch.counts);
                if counts.received >= loaded.rows_done {
                    return Ok(Some(counts));
                }
            } else if (batch.retry || batch.run_id != loaded.run_id)
                && batch.counts.inserted + batch.counts.updated + batch.counts.stale > 0
            {
                return Ok(None);
            }
        }
        Ok(None)
    }

    async fn next_sequence(&self, source: &SourceName) -> StoreResult<u64> {
        Ok(self.tables().next_sequence(source))
    }

    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let tables = self.tables();
        let listings = tables.listings.values().filter(|listing| listing.source == *source);
        let known = |listing: &tables::Listing| KnownListing {
            listing_id: listing.listing_id,
            external_id: listing.external_id.clone(),
            attributes: listing.attributes.clone(),
            quote: listing.quote.as_ref().map(|quote| KnownQuote {
                values: quote.values.clone(),
                observed_at: quote.observed_at,
                source_timed: quote.source_timed,
                raw_hash: quote.origin.raw_hash,
            }),
            missed: listing.missed,
        };
        let stated = listings.clone().flat_map(|listing| {
            let known = |(endpoint, stated): (&_, &tables::Statement)| KnownEvidence {
                listing_id: listing.listing_id,
                endpoint: CompactString::clone(endpoint),
                part: stated.evidence.part.clone(),
                content_hash: stated.content_hash,
            };
            tables.statements(listing.listing_id).map(known)
        });
        let of_source = tables.news.iter().filter(|((name, ..), _)| name == source);
        let news = of_source.map(|((_, feed, item_id), news)| KnownNews {
            feed: feed.clone(),
            item_id: item_id.clone(),
            content_hash: news.content_hash,
        });
        Ok(SourceMemory {
            checkpoint: tables.checkpoints.get(source).cloned(),
            next_sequence: tables.next_sequence(source),
            listings: listings.map(known).collect(),
            evidence: stated.collect(),
            news: news.collect(),
        })
    }

    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        let mut tables = self.tables();
        let mut copy = tables.clone();
        let committed = commit::commit(&mut copy, batch)?;
        let generation = Generation(copy.generation);
        *tables = copy;
        drop(tables);
        self.announced.send_replace(generation);
        Ok(committed)
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn acquire(&self, source: &SourceName, holder: &str, ttl: Duration) -> StoreResult<u64> {
        let mut tables = self.tables();
        let lease = tables.leases.entry(source.clone()).or_default();
        if !lease.left.is_zero() && lease.holder != holder {
            return Err(StoreError::Held {
                source_name: source.clone(),
                holder: lease.holder.clone(),
                left_ms: u64::try_from(lease.left.as_millis()).unwrap_or(u64::MAX),
            });
        }
        lease.holder = holder.to_owned();
        lease.epoch += 1;
        lease.left = ttl;
        Ok(lease.epoch)
    }

    async fn renew(&self, source: &SourceName, epoch: u64, ttl: Duration) -> StoreResult<()> {
        let mut tables = self.tables();
        tables.check_epoch(source, epoch)?;
        if let Some(lease) = tables.leases.get_mut(source) {
            lease.left = ttl;
        }
        Ok(())
    }

    async fn release(&self, source: &SourceName, epoch: u64) -> StoreResult<()> {
        let mut tables = self.tables();
        if let Some(lease) = tables.leases.get_mut(source).filter(|lease| lease.epoch == epoch) {
            lease.left = Duration::ZERO;
        }
        Ok(())
    }

    async fn leases(&self) -> StoreResult<Vec<Lease>> {
        let tables = self.tables();
        let leases = tables.leases.iter().map(|(source, lease)| Lease {
            source: source.clone(),
            holder: lease.holder.clone(),
            epoch: lease.epoch,
            expires_at: Timestamp::default().plus(lease.left),
            live: !lease.left.is_zero(),
        });
        Ok(leases.collect())
    }
}

#[async_trait]
impl CommandStore for MemoryStore {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        Ok(add_command(&mut self.tables(), kind, now))
    }

    async fn submit_once(
        &self,
        once: Once,
        kinds: Vec<CommandKind>,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<Submitted> {
        Ok(access::submit_once(&mut self.tables(), once, kinds, now, forget_before))
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        let mut tables = self.tables();
        let mut claimed = Vec::new();
        for command in tables.commands.values_mut() {
            let takes = command.state == CommandState::Pending
                || (reclaim && command.state == CommandState::Claimed);
            if takes {
                command.state = CommandState::Claimed;
                command.epoch = 0;
                claimed.push(command.clone());
            }
        }
        Ok(claimed)
    }

    async fn claim_held(
        &self,
        held: &[(SourceName, u64)],
        under_way: &[CommandId],
    ) -> StoreResult<Vec<Command>> {
        let mut tables = self.tables();
        let Tables { commands, leases, .. } = &mut *tables;
        let mut claimed = Vec::new();
        for command in commands.values_mut() {
            let source = command.kind.source();
            let Some((_, epoch)) = held.iter().find(|(name, epoch)| {
                name == source && leases.get(name).is_some_and(|lease| lease.epoch == *epoch)
            }) else {
                continue;
            };
            let known = command.epoch == *epoch && under_way.contains(&command.command_id);
            let takes = command.state == CommandState::Pending
                || (command.state == CommandState::Claimed && !known);
            if takes {
                command.state = CommandState::Claimed;
                command.epoch = *epoch;
                claimed.push(command.clone());
            }
        }
        Ok(claimed)
    }

    async fn complete(
        &self,
        command: CommandId,
        epoch: u64,
        result: serde_json::Value,
    ) -> StoreResult<()> {
        let mut tables = self.tables();
        let Tables { commands, leases, .. } = &mut *tables;
        let held = |source| epoch == 0 || leases.get(source).is_some_and(|one| one.epoch == epoch);
        match commands.get_mut(&command) {
            Some(row)
                if row.state == CommandState::Claimed
                    && row.epoch == epoch
                    && held(row.kind.source()) =>
            {
                row.state = CommandState::Done;
                row.result = Some(result);
                Ok(())
            }
            _ => refused(format!("command {} is not claimed", command.0)),
        }
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        Ok(self.tables().commands.get(&command).cloned())
    }
}

/// Writes a pending command down.
fn add_command(tables: &mut Tables, kind: CommandKind, now: Timestamp) -> CommandId {
    let last = tables.commands.last_key_value();
    let command_id = last.map_or(CommandId(1), |(last, _)| CommandId(last.0 + 1));
    let command = Command {
        command_id,
        kind,
        state: CommandState::Pending,
        epoch: 0,
        created_at: now,
        result: None,
    };
    tables.commands.insert(command_id, command);
    command_id
}

/// A run that was just asked for.
fn queued(run_id: RunId, source: &SourceName, reason: RunReason, now: Timestamp) -> Run {
    Run {
        run_id,
        source: source.clone(),
        status: RunStatus::Queued,
        reason,
        counts: RunCounts::default(),
        pages: 0,
        requests: 0,
        created_at: now,
        started_at: None,
        completed_at: None,
        error: None,
    }
}
