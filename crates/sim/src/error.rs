//! Why a replay folder cannot be served, or a plan not played.

use std::io;
use std::path::PathBuf;

use crate::faults::FaultPlanError;
use crate::limits::HiddenLimitsError;

/// A folder of captures or a plan of faults or limits that is not as it should be; each message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The manifest cannot be read; mostly the folder or the file is not there.
    #[error("cannot read {}: {source}", path.display())]
    ManifestUnreadable {
        /// The manifest.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The manifest is no array of captures.
    #[error("{} is not a manifest: {source}", path.display())]
    ManifestMalformed {
        /// The manifest.
        path: PathBuf,
        /// What is wrong and where.
        source: serde_json::Error,
    },
    /// A field of one capture makes no sense.
    #[error("{}: the entry {file:?} has a {field} that is not understood: {value:?}", path.display())]
    EntryInvalid {
        /// The manifest.
        path: PathBuf,
        /// The `file` of the entry.
        file: String,
        /// The field.
        field: &'static str,
        /// What stands in it.
        value: String,
    },
    /// A capture lies outside of the folder.
    #[error("{}: the file {file:?} is not inside the folder", path.display())]
    CaptureOutside {
        /// The manifest.
        path: PathBuf,
        /// The `file` of the entry.
        file: String,
    },
    /// A capture is listed and not there.
    #[error("{} lists {}, which cannot be read: {source}", manifest.display(), path.display())]
    CaptureMissing {
        /// The manifest.
        manifest: PathBuf,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No capture says at which path it is served.
    #[error("{} lists nothing that can be served", path.display())]
    NothingToServe {
        /// The manifest.
        path: PathBuf,
    },
    /// The fault plan cannot be read.
    #[error("cannot read the fault plan {}: {source}", path.display())]
    FaultsUnreadable {
        /// The plan.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The fault plan is not understood.
    #[error("the fault plan {}: {source}", path.display())]
    FaultsInvalid {
        /// The plan.
        path: PathBuf,
        /// Which field, and what is wrong with it.
        source: FaultPlanError,
    },
    /// The file of limits cannot be read.
    #[error("cannot read the limits {}: {source}", path.display())]
    LimitsUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The limits are not understood.
    #[error("the limits {}: {source}", path.display())]
    LimitsInvalid {
        /// The file.
        path: PathBuf,
        /// Which field, and what is wrong with it.
        source: HiddenLimitsError,
    },
}

impl SimError {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ManifestUnreadable { .. } => "replay_unreadable",
            Self::ManifestMalformed { .. } | Self::EntryInvalid { .. } => "replay_manifest_invalid",
            Self::CaptureOutside { .. } => "replay_capture_outside",
            Self::CaptureMissing { .. } => "replay_capture_missing",
            Self::NothingToServe { .. } => "replay_empty",
            Self::FaultsUnreadable { .. } => "faults_unreadable",
            Self::FaultsInvalid { .. } => "bad_fault_plan",
            Self::LimitsUnreadable { .. } => "limits_unreadable",
            Self::LimitsInvalid { .. } => "bad_limits",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::ManifestUnreadable { .. } => {
                "name a folder with a manifest.json that this user can read"
            }
            Self::ManifestMalformed { .. } => {
                "write a JSON array of objects with at least the field \"file\""
            }
            Self::EntryInvalid { .. } => "correct the field, or take the entry out",
            Self::CaptureOutside { .. } => {
                "name files by their path below the folder, without .. and without a leading /"
            }
            Self::CaptureMissing { .. } => {
                "put the file there and make it readable, or take its entry out of the manifest"
            }
            Self::NothingToServe { .. } => {
                "give entries a request_url, an endpoint like \"GET /v1/tickers\" or a file named *.csv"
            }
            Self::FaultsUnreadable { .. } => {
                "name a file with a fault plan that this user can read"
            }
            Self::FaultsInvalid { source, .. } => source.hint,
            Self::LimitsUnreadable { .. } => "name a file with limits that this user can read",
            Self::LimitsInvalid { source, .. } => source.hint,
        }
    }
}
