//! A store that does one thing wrong and hands the rest to the in-memory store.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod commit;
mod leases;
mod pages;
mod people;
mod reads;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use kasparro_domain::{
    Attributes, BodyHash, Checkpoint, CommandId, Generation, PageId, RunCounts, SourceName,
};
use kasparro_store::MemoryStore;
use tokio::sync::watch;

/// What a twin does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    AnnouncesNothing,
    AppliesTwice,
    BringsRefusedPagesBack,
    ClaimsForAnybody,
    ClaimsTwice,
    ClaimsWhatIsUnderWay,
    CountsEveryDiscard,
    CountsNewsAsListings,
    CountsOnePageOfNews,
    CountsOnePageOfQuarantine,
    CountsRepeatsAnew,
    CountsRetriesAsFetches,
    CountsRetriesTowardsThePage,
    CutsBodies,
    DecidesNothing,
    DigestsHowItCame,
    DigestsOnce,
    DoesNotFence,
    DropsQuarantine,
    FindsAnyLoadedPage,
    FindsItsTablesBroken,
    ForgetsDelisting,
    ForgetsLoadedPages,
    ForgetsNews,
    ForgetsOptions,
    ForgetsProgress,
    ForgetsReturns,
    ForgetsStatements,
    ForgetsSweeps,
    ForgetsWhoAsked,
    HidesUnquoted,
    IgnoresNewsOffset,
    IgnoresPageLimit,
    IgnoresQuarantineFilter,
    IgnoresQuarantineNumber,
    KeepsCheckpointBack,
    KeepsEqualBytesOnce,
    KeepsHalfABatch,
    KeepsLastRevisionOnly,
    KeepsOldNames,
    KeepsRetriedRowsOpen,
    KeepsTheFirstRefusal,
    KeepsTheFirstText,
    LandsUnderOldEpochs,
    LetsListsRename,
    LetsOldEpochsEndRuns,
    LetsRunsGoBack,
    LetsTwoHold,
    ListsNewsOldestFirst,
    ListsRunsOldestFirst,
    LosesPointsOfNewListings,
    Miscounts,
    MovesCheckpointOnFailure,
    NeverEndsActivity,
    NeverEndsLeases,
    NeverGivesUp,
    NeverReclaims,
    NumbersFromZero,
    OpensASecondRun,
    RefusesUnderOldEpochs,
    RenewsNothingEnded,
    RenewsOldEpochs,
    ReopensRows,
    ReplacesByLateStatements,
    RetriesAnything,
    SeesFirstSightOnly,
    SendsEverything,
    SendsRowsTwice,
    SetsCheckpointBack,
    SettlesTooSoon,
    ShowsOneContract,
    SkipsRefusedPages,
    SweepsStrangers,
    TakesAnyInBatch,
    TakesAnyOutcome,
    TakesAnyStatement,
    TakesPointsBesideNoQuote,
    TakesWildcards,
    TrustsProgress,
    TurnsIdsRound,
    UsesBinaryNumbers,
}

/// What a twin has to note to do it.
#[derive(Debug, Default)]
struct Notes {
    refused: Vec<PageId>,
    loaded: Option<PageId>,
    checkpoint: Option<Checkpoint>,
    epochs: BTreeMap<SourceName, u64>,
    claimed: BTreeSet<CommandId>,
    applied: BTreeSet<(SourceName, u64)>,
    sequence: u64,
    /// What lists called each listing last.
    stated: BTreeMap<String, Attributes>,
    /// Counts of retries by page.
    retried: BTreeMap<PageId, RunCounts>,
    digest: Option<String>,
    /// The first page of each body.
    bodies: BTreeMap<BodyHash, PageId>,
}

/// A store with a fault.
#[derive(Debug)]
pub(crate) struct Twin {
    inner: MemoryStore,
    fault: Fault,
    notes: Mutex<Notes>,
    silent: watch::Sender<Generation>,
}

impl Twin {
    pub(crate) fn new(fault: Fault) -> Self {
        let notes = Mutex::new(Notes { sequence: 1_000, ..Notes::default() });
        let silent = watch::Sender::new(Generation(0));
        Self { inner: MemoryStore::new(), fault, notes, silent }
    }

    /// The epoch that was granted last.
    fn newest_epoch(&self, source: &SourceName) -> Option<u64> {
        self.note(|notes| notes.epochs.get(source).copied())
    }

    fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap())
    }
}
