//! What things are: the words of the product as types.
//!
//! Nothing here performs I/O, reads a clock or is asynchronous, so every other crate can use it and
//! the same input always gives the same value. `docs/GLOSSARY.md` defines each term.

mod access;
mod alert;
mod anomaly;
mod checkpoint;
mod clock;
mod command;
mod decimal;
mod decision;
mod deployment;
mod drift;
mod evidence;
mod identity;
mod ids;
mod listing;
mod news;
mod observation;
mod page;
mod quote;
mod rejection;
mod relation;
mod run;
mod statement;
mod timestamp;

pub use access::{ApiKey, Scope};
pub use alert::{Alert, NewAlert};
pub use anomaly::{
    Anomaly, AnomalySubject, RunAnomaly, RunAnomalyKind, ValueAnomaly, ValueAnomalyKind,
};
pub use checkpoint::Checkpoint;
pub use clock::{Clock, ManualClock};
pub use command::{Command, CommandId, CommandKind, CommandState};
pub use decimal::{Decimal, DecimalError, MAX_DIGITS};
pub use decision::{Decision, DecisionId, DecisionKind, PageRow};
pub use deployment::Deployment;
pub use drift::{
    DriftEvent, DriftId, DriftKey, DriftKind, DriftMode, DriftRow, DriftSeverity, DriftStatus,
    FieldRole, FieldUse,
};
pub use evidence::Evidence;
pub use identity::{
    AssetClass, AssetEdge, EdgeKind, IdentityOverride, IdentityState, ListingKey, NotAListingKey,
    OverrideVerdict,
};
pub use ids::{AssetId, Generation, ListingId, PageId, RunId, SourceName};
pub use listing::{Attributes, Contract, Membership, SWEEPS_TO_INACTIVE};
pub use news::NewsItem;
pub use observation::Observation;
pub use page::{BodyHash, PageState, RawPage};
pub use quote::{Quote, QuoteField};
pub use rejection::{Rejection, RejectionReason};
pub use relation::{AssetRelation, EdgeTerms, NotADay, NotARatio};
pub use run::{Run, RunCounts, RunError, RunReason, RunStatus};
pub use statement::Statement;
pub use timestamp::{Timestamp, TimestampError};
