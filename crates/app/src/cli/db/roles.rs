//! `db roles`.

use serde_json::json;

use super::Context;
use crate::config::Database;
use crate::failure::{Exit, Failure};

/// The schema where nothing names one.
const SCHEMA: &str = "kasparro";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro db roles | psql postgres://postgres@db.example.com/kasparro
  kasparro db roles --schema market > roles.sql

It makes kasparro_owner (migrates), kasparro_worker (reads and writes data) and kasparro_api (reads, and leaves
requests): groups without a login. Make a login for each process and put it into its group. Run it before
`kasparro db migrate`, which gives the groups that exist their rights; run after it, it gives them itself. The database
is not asked; the script may be run as often as one likes.")]
pub(crate) struct Arguments {
    /// The schema of the store; that of the configured database unless told otherwise.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
}

pub(super) fn execute(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let configured = match &context.config.database {
        Database::Postgres(settings) => settings.schema(),
        Database::Sqlite(_) => SCHEMA,
    };
    let schema = arguments.schema.as_deref().unwrap_or(configured);
    // Where a schema is named, its name goes into statements: only a plain one is taken.
    let url = format!("postgres://nobody@localhost/none?schema={schema}");
    if schema.contains(['&', '%', '?'])
        || kasparro_store_postgres::PostgresSettings::from_url(&url).is_err()
    {
        return Err(Failure::new(
            Exit::Usage,
            "bad_schema",
            format!("--schema {schema} is not the name of a schema"),
            "write lower-case letters, digits and _, at most 40, not beginning with a digit or pg_",
        ));
    }
    let sql = kasparro_store_postgres::roles_sql(schema);
    context.output.result(&json!({ "schema": schema, "sql": sql }), || sql.clone())?;
    Ok(Exit::Done)
}
