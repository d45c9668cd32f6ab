//! Wrongs done to runs and commands.

use async_trait::async_trait;
use kasparro_domain::{
    Command, CommandId, CommandKind, Run, RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    CommandStore, LeaseStore, Once, QuarantineCount, RunFilter, RunStore, RunUpdate, SourceState,
    SourceSummary, StoreError, StoreResult, Submitted,
};

use super::{Fault, Twin};

#[async_trait]
impl RunStore for Twin {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let mut run = self.inner.queue_run(run_id, source, reason, now).await?;
        if self.fault == Fault::OpensASecondRun {
            run.run_id = run_id;
        }
        Ok(run)
    }

    async fn update_run(
        &self,
        run_id: RunId,
        epoch: u64,
        mut update: RunUpdate,
    ) -> StoreResult<()> {
        if let RunUpdate::Ended { findings, .. } = &mut update {
            self.spoil_findings(findings);
        }
        match self.inner.update_run(run_id, epoch, update).await {
            Err(StoreError::Fenced { .. }) if self.fault == Fault::LetsOldEpochsEndRuns => Ok(()),
            Err(_) if self.fault == Fault::LetsRunsGoBack => Ok(()),
            outcome => outcome,
        }
    }

    async fn run_options(&self, run_id: RunId) -> StoreResult<Option<serde_json::Value>> {
        match self.fault {
            Fault::ForgetsOptions => Ok(None),
            _ => self.inner.run_options(run_id).await,
        }
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        self.inner.run(run_id).await
    }

    async fn runs(&self, mut filter: RunFilter) -> StoreResult<Vec<Run>> {
        self.forget_sources(&mut filter.sources);
        let mut runs = self.inner.runs(filter).await?;
        if self.fault == Fault::ListsRunsOldestFirst {
            runs.reverse();
        }
        Ok(runs)
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        self.inner.count_runs(filter).await
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        let mut summaries = self.inner.source_summaries().await?;
        if self.fault == Fault::CountsRetriesAsFetches {
            for summary in &mut summaries {
                let filter =
                    RunFilter { sources: vec![summary.source.clone()], ..RunFilter::default() };
                summary.total_runs = self.inner.count_runs(filter.clone()).await?;
                let newest = RunFilter { limit: 1, ..filter };
                summary.last_run = self.inner.runs(newest).await?.into_iter().next();
            }
        }
        Ok(summaries)
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        self.inner.quarantine_counts().await
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.inner.put_source_state(state).await
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        self.inner.source_states().await
    }
}

#[async_trait]
impl CommandStore for Twin {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        let mut kind = kind;
        if self.fault == Fault::ForgetsWhoAsked
            && let CommandKind::Retry { who, .. } | CommandKind::Discard { who, .. } = &mut kind
        {
            who.clear();
        }
        self.inner.submit(kind, now).await
    }

    async fn submit_once(
        &self,
        mut once: Once,
        kinds: Vec<CommandKind>,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<Submitted> {
        if self.fault == Fault::TakesAnyBody {
            once.asked = [0; 32];
        }
        let again = kinds.clone();
        let submitted = self.inner.submit_once(once, kinds, now, forget_before).await?;
        if self.fault == Fault::SubmitsTwice && matches!(submitted, Submitted::Before(..)) {
            for kind in again {
                self.inner.submit(kind, now).await?;
            }
        }
        Ok(submitted)
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        match self.fault {
            Fault::ClaimsTwice => self.inner.claim(true).await,
            Fault::NeverReclaims => self.inner.claim(false).await,
            _ => self.inner.claim(reclaim).await,
        }
    }

    async fn claim_held(
        &self,
        held: &[(SourceName, u64)],
        under_way: &[CommandId],
    ) -> StoreResult<Vec<Command>> {
        match self.fault {
            Fault::ClaimsForAnybody => {
                let mut newest = Vec::new();
                for lease in self.inner.leases().await? {
                    newest.push((lease.source, lease.epoch));
                }
                self.inner.claim_held(&newest, under_way).await
            }
            Fault::ClaimsWhatIsUnderWay => self.inner.claim_held(held, &[]).await,
            Fault::NeverReclaims => {
                let claimed = self.inner.claim_held(held, under_way).await?;
                let first =
                    |command: &Command| self.note(|notes| notes.claimed.insert(command.command_id));
                Ok(claimed.into_iter().filter(first).collect())
            }
            _ => self.inner.claim_held(held, under_way).await,
        }
    }

    async fn complete(
        &self,
        command: CommandId,
        epoch: u64,
        result: serde_json::Value,
    ) -> StoreResult<()> {
        match self.inner.complete(command, epoch, result).await {
            Err(_) if self.fault == Fault::TakesAnyOutcome => Ok(()),
            outcome => outcome,
        }
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        self.inner.command(command).await
    }
}
