//! How asking is described: the contract between a source and the engine.
//!
//! A [`Source`] is a value, not a process: it says what to ask and what an answer means, and never
//! touches network, clock or disk. The engine does all of that, once, for every source.

mod error;
pub mod frame;
mod limits;
mod request;
mod secret;
mod source;

pub use error::{ErrorClass, PageError, Remedy};
pub use limits::{Cost, Counted, LimitWindow, Limits};
pub use request::{Credential, HttpRequest, Purpose, Request, Target};
pub use secret::holds_secret;
pub use source::{
    Answer, Framing, OptionError, PageMeta, PageSummary, RowReader, RunStart, Source, SourceSpec,
};
