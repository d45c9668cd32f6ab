//! `api`: the API without the scheduler.

use super::serve::{self, Role, needs_postgres, serve};
use super::{Context, shutdown};
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DATABASE_URL_FILE=./database-url kasparro api
  DATABASE_URL_FILE=./database-url kasparro api --listen 0.0.0.0:8080

Any number of APIs may run on one PostgreSQL database, beside workers that fetch (`kasparro worker`). All of them
need one KASPARRO_SECRET, so that each knows the keys and cursors that another handed out; without it they do not
start. Until the database is there with its schema, /livez answers 200 and /readyz 503; one that goes away later
leaves /readyz at 200 until the data are too old.

SIGTERM or Ctrl-C finishes open requests, then exits 0.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) listening: serve::Listening,
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    needs_postgres("an API", &context.config)?;
    serve(&context, Role::Api, shutdown::token()).await
}
