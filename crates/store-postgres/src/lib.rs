//! The store in PostgreSQL.
//!
//! Any number of processes share it. Who may move a source forward is said by its lease; what is written
//! about a source is checked against that under a row lock, in the transaction of the write. Every
//! promise after a kill rests on PostgreSQL's transactions alone.

mod changes;
mod commit;
mod connect;
mod error;
mod known;
mod listen;
mod migrate;
mod numeric;
mod queries;
mod roles;
mod settings;
mod store;
mod tls;
mod transfer;

pub use migrate::{Migrated, Status, migrate, status};
pub use roles::roles_sql;
pub use settings::{MigrateMode, PostgresSettings};
pub use store::PostgresStore;
