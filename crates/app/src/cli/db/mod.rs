//! `db`: looking after the database.

mod copy;
mod migrate;
mod roles;
mod status;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Bring the schema up to date, and make it where there is none.
    #[command(after_help = migrate::EXPLAINED)]
    Migrate,
    /// Show the version of the schema, what is pending, and how large everything is; exits 3 where the schema is
    /// newer than this program.
    Status,
    /// Copy a whole store into another database, and compare the two.
    #[command(after_help = copy::EXPLAINED)]
    Copy(copy::Arguments),
    /// Print the SQL that makes the roles of least privilege, for PostgreSQL.
    Roles(roles::Arguments),
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::Migrate => migrate::execute(context).await,
        Action::Status => status::execute(context).await,
        Action::Copy(arguments) => copy::execute(context, arguments).await,
        Action::Roles(arguments) => roles::execute(&context, &arguments),
    }
}
