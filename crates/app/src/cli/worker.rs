//! `worker`: the scheduler without the API.

use super::serve::{Role, needs_postgres, serve};
use super::{Context, shutdown};
use crate::failure::{Exit, Failure};
use crate::wire;

pub(super) const EXPLAINED: &str = "\
Examples:
  DATABASE_URL_FILE=./database-url kasparro worker
  kasparro worker --json                 {\"working\":\"MACHINE pid 7 (a1b2c3)\"} on stdout, once it works
  kasparro healthcheck --worker          are the sources held, by a worker here or elsewhere?

Any number of workers share the sources of one PostgreSQL database: each source is held by one of them, by a
lease that it renews (lease.ttl, lease.renew_every). A worker that stops gives its sources up at once; those of one
that dies are taken over when its leases end. A database that is away is waited for.

SIGTERM or Ctrl-C finishes open pages, then exits 0.";

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    needs_postgres("a worker", &context.config)?;
    wire::warn_of_plain_upstream(&context.config);
    serve(&context, Role::Worker, shutdown::token()).await
}
