//! Who may do what: the owner migrates, workers write, the API reads and asks.

use tokio_postgres::Client;

use crate::error::Queried;

const CREATE: &str = include_str!("roles/create.sql");

/// Roles that get rights, and the statements that give them.
const GRANTED: [(&str, &str); 2] = [
    ("kasparro_worker", include_str!("roles/worker.sql")),
    ("kasparro_api", include_str!("roles/api.sql")),
];

/// The statements that make the group roles `kasparro_owner`, `kasparro_worker` and `kasparro_api` and give
/// them their rights in a schema. They may be run again at any time.
#[must_use]
pub fn roles_sql(schema: &str) -> String {
    let mut sql = CREATE.to_owned();
    for (_, grants) in GRANTED {
        let grants = grants.replace("{schema}", schema);
        // Before the first migration there is nothing that rights could be given on.
        sql.push_str(&format!(
            "\nDO $grants$ BEGIN IF to_regclass('{schema}.generation') IS NOT NULL THEN\n\
             {grants}END IF; END $grants$;\n"
        ));
    }
    sql
}

/// Gives the roles that exist their rights.
pub(crate) async fn grant(client: &Client, schema: &str) -> Queried<()> {
    for (role, grants) in GRANTED {
        let found = client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await?;
        if !found.is_empty() {
            client.batch_execute(&grants.replace("{schema}", schema)).await?;
        }
    }
    Ok(())
}
