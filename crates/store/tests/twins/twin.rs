//! A store that does one thing wrong and hands the rest to the in-memory store.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod access;
mod commit;
mod drift;
mod identity;
mod leases;
mod pages;
mod people;
mod reads;
mod runs;
mod unusual;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use compact_str::CompactString;
use kasparro_domain::{
    Attributes, BodyHash, Checkpoint, CommandId, DriftEvent, DriftKey, Generation, ListingId,
    PageId, RunCounts, RunError, SourceName,
};
use kasparro_store::{MemoryStore, StoredEdge};
use tokio::sync::watch;

/// What a twin does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    AnnouncesNothing,
    AnswersEachListing,
    AppliesTwice,
    BringsRefusedPagesBack,
    ClaimsForAnybody,
    ClaimsTwice,
    ClaimsWhatIsUnderWay,
    ClearsProfiles,
    CountsEveryAcceptance,
    CountsEveryDiscard,
    CountsEvidenceOnce,
    CountsNewsAsListings,
    CountsNoDecisions,
    CountsOneListOfPages,
    CountsOnePageOfAnomalies,
    CountsOnePageOfDrift,
    CountsOnePageOfNews,
    CountsOnePageOfQuarantine,
    CountsOneSighting,
    CountsPricesAsEvidence,
    CountsRepeatsAnew,
    CountsRetriesAsFetches,
    CountsRetriesTowardsThePage,
    CutsBodies,
    DatesChangesByTheFirst,
    DatesStatementsByListings,
    DecidesNothing,
    DeliversAlertsTwice,
    DigestsHowItCame,
    DigestsOnce,
    DoesNotFence,
    DropsQuarantine,
    FindsAnyLoadedPage,
    FindsEdgesAtEachEnd,
    FindsEdgesFromTheirEnd,
    FindsEdgesFromTheirStart,
    FindsItsTablesBroken,
    ForgetsAlertsOfResolutions,
    ForgetsAssets,
    ForgetsClients,
    ForgetsDelisting,
    ForgetsDriftOfRefusedPages,
    ForgetsFindings,
    ForgetsFounded,
    ForgetsItsResolutions,
    ForgetsKinds,
    ForgetsLoadedPages,
    ForgetsNews,
    ForgetsOptions,
    ForgetsPairs,
    ForgetsPastContracts,
    ForgetsProgress,
    ForgetsReasons,
    ForgetsRelations,
    ForgetsReturns,
    ForgetsStatements,
    ForgetsStates,
    ForgetsSweeps,
    ForgetsTermsOfEdges,
    ForgetsTermsOfRelations,
    ForgetsTheEndOfKeys,
    ForgetsUnwantedAlerts,
    ForgetsWhatIsTheSame,
    ForgetsWhatListsSaid,
    ForgetsWhatReadersSaw,
    ForgetsWhatWasRefused,
    ForgetsWhatWasTheSame,
    ForgetsWhereItRead,
    ForgetsWhoAsked,
    GivesFoundedAssetsAway,
    GrantsWithoutCounting,
    HidesUnquoted,
    IgnoresAnomalyRun,
    IgnoresBudgetVersions,
    IgnoresDriftNumber,
    IgnoresNewsOffset,
    IgnoresPageLimit,
    IgnoresPageState,
    IgnoresQuarantineFilter,
    IgnoresQuarantineNumber,
    IgnoresResolutionLimit,
    KeepsAssetsApart,
    KeepsChangesTwice,
    KeepsCheckpointBack,
    KeepsEqualBytesOnce,
    KeepsHalfABatch,
    KeepsLastRevisionOnly,
    KeepsOldEdges,
    KeepsOldNames,
    KeepsReplacedKeys,
    KeepsRetriedRowsOpen,
    KeepsTheFirstBudget,
    KeepsTheFirstProfile,
    KeepsTheFirstRefusal,
    KeepsTheFirstText,
    KeepsTheFirstWords,
    LandsUnderOldEpochs,
    LeavesTheErrorOfReopenedPages,
    LetsFoundersLeave,
    LetsListingsOfASourceShare,
    LetsListsRename,
    LetsOldEpochsEndRuns,
    LetsOldPagesSpeakLast,
    LetsRunsGoBack,
    LetsTwoHold,
    ListsAnomaliesOldestFirst,
    ListsNewsOldestFirst,
    ListsNoBudgets,
    ListsResolutionsOldestFirst,
    ListsRunsOldestFirst,
    LosesAnomaliesOfTheLate,
    LosesPointsOfNewListings,
    MakesEveryKeyTheFirst,
    MarksNewKeysAlone,
    MarksNothing,
    MarksUsesOfKeys,
    Miscounts,
    MovesCheckpointOnFailure,
    MovesReadersByDecisions,
    NeverEndsActivity,
    NeverEndsLeases,
    NeverGivesAlertsUp,
    NeverGivesUp,
    NeverReclaims,
    NeverRemovesMarks,
    NotesOneUse,
    NotesRefusedResolutions,
    NumbersFromZero,
    OpensASecondRun,
    OrdersEdgesByTheOrderOfKinds,
    PutsDecisionsBeforePages,
    PutsEndsOff,
    RefusesUnderOldEpochs,
    RelatesListingsToNobody,
    RelatesListingsToThemselves,
    RenewsNothingEnded,
    RenewsOldEpochs,
    ReopensAnything,
    ReopensChanges,
    ReopensForAnybody,
    ReopensRows,
    ReplacesByLateStatements,
    ResolvesBehindAnother,
    ResolvesEvidenceAhead,
    ResolvesInAnyOrder,
    ResolvesOldEvidence,
    ResolvesTheUnknown,
    RetriesAnything,
    SeesFirstSightOnly,
    SendsAlertsOfOthers,
    SendsAlertsTooEarly,
    SendsEveryInput,
    SendsEverything,
    SendsRowsTwice,
    SendsUnwantedAlerts,
    SetsCheckpointBack,
    SettlesTooSoon,
    SharesProfiles,
    ShowsOneContract,
    SightsBehindAnInstant,
    SightsFromTheStart,
    SightsInTheOrderOfLanding,
    SightsLandedPages,
    SightsWhatOthersLoaded,
    SkipsRefusedPages,
    SubmitsTwice,
    SweepsStrangers,
    TakesAnyAnomaly,
    TakesAnyBody,
    TakesAnyChange,
    TakesAnyInBatch,
    TakesAnyNameForThatOfAQuote,
    TakesAnyOutcome,
    TakesAnyStatement,
    TakesChangesOfUnfinishedPages,
    TakesDecisionsAboutNobody,
    TakesDecisionsAboutRows,
    TakesNoPairs,
    TakesNoShareForNone,
    TakesPairsInAnyOrder,
    TakesRelationsOfOthers,
    TakesRelationsWithoutTheirKind,
    TakesPointsBesideNoQuote,
    TakesSharesAboveOne,
    TakesOneSource,
    TakesWildcards,
    TrustsProgress,
    TurnsIdsRound,
    UnresolvesWhatIsPriced,
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
    /// Why pages were refused.
    errors: BTreeMap<PageId, RunError>,
    /// What was said of each change last, whatever the page.
    said: BTreeMap<(SourceName, DriftKey), DriftEvent>,
    /// Endpoints that came with a profile, on their way in.
    profiled: BTreeSet<(SourceName, String)>,
    /// Endpoints whose profile is kept, in the order of the commits.
    profiles: Vec<(SourceName, String)>,
    /// Listings whose quote was unusual once.
    marked: BTreeSet<CompactString>,
    /// Listings that got a newer price.
    priced: BTreeSet<ListingId>,
    /// Decisions about listings.
    decided: u64,
    /// Edges of every resolution.
    edges: Vec<StoredEdge>,
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

    /// Leaves the first of several sources that a filter asks for.
    fn forget_sources(&self, asked: &mut Vec<SourceName>) {
        if self.fault == Fault::TakesOneSource {
            asked.truncate(1);
        }
    }

    fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap())
    }
}
