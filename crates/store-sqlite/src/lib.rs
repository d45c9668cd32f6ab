//! The store in one SQLite file.
//!
//! One process writes it: it holds a lock file, and one thread owns the one connection that writes.
//! Others read beside it. Every promise after a kill rests on SQLite's transactions alone.

mod changes;
mod error;
mod lock;
mod open;
mod queries;
mod readers;
mod store;
mod transfer;
mod writer;

pub use open::OpenMode;
pub use store::SqliteStore;
