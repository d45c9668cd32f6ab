//! One empty database of a test.

use std::fmt;

use super::sql::{Rows, execute, execute_blocking};

/// A database of its own, dropped with whatever is still connected to it when the value is dropped. One
/// whose test process was killed stays behind on a server that `KASPARRO_TEST_DATABASE_URL` names.
pub struct Database {
    /// Its name: lower-case letters, digits and `_`.
    pub name: String,
    superuser_url: String,
}

impl fmt::Debug for Database {
    // The URL of a given server may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn create(superuser_url: String) -> Result<Self, tokio_postgres::Error> {
        let name = format!("kasparro_test_{}", uuid::Uuid::now_v7().simple());
        // template1 may hold tables on a given server, and cannot be copied while somebody is in it.
        execute_blocking(&superuser_url, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(Self { name, superuser_url })
    }

    /// `postgres://USER@HOST:PORT/NAME`, with the password and the options of a given server.
    #[must_use]
    pub fn url(&self) -> String {
        with_database(&self.superuser_url, &self.name)
    }

    /// The same through another address, for example `localhost:5432` or that of a relay.
    #[must_use]
    pub fn url_at(&self, host_and_port: &str) -> String {
        let url = self.url();
        let (start, end) = host_range(&url);
        format!("{}{host_and_port}{}", &url[..start], &url[end..])
    }

    /// `HOST:PORT` of the server.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.superuser_url)
    }

    /// Runs statements in a connection of their own, and gives their rows as text.
    ///
    /// # Panics
    /// When the server refuses one; the message is the server's.
    #[expect(clippy::panic, reason = "a test whose statement fails has failed")]
    pub async fn sql(&self, sql: &str) -> Rows {
        let answer = execute(&self.url(), sql).await;
        answer.unwrap_or_else(|error| panic!("{sql}: {}", told(&error)))
    }

    /// [`Self::sql`] for tests that are not asynchronous; it may be called in one that is.
    ///
    /// # Panics
    /// When the server refuses one; the message is the server's.
    #[expect(clippy::panic, reason = "a test whose statement fails has failed")]
    pub fn sql_blocking(&self, sql: &str) -> Rows {
        let answer = execute_blocking(&self.url(), sql);
        answer.unwrap_or_else(|error| panic!("{sql}: {}", told(&error)))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that the test stopped, or is being dropped with its databases, needs nothing.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = execute_blocking(&self.superuser_url, &drop);
    }
}

/// An error with what the server said.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Where host and port stand in a URL.
fn host_range(url: &str) -> (usize, usize) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    let start = url[authority..end].rfind('@').map_or(authority, |at| authority + at + 1);
    (start, end)
}

/// `HOST:PORT` of a URL.
pub(super) fn address(url: &str) -> String {
    let (start, end) = host_range(url);
    let host = &url[start..end];
    // A colon inside brackets belongs to an IPv6 address.
    let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    if has_port { host.to_owned() } else { format!("{host}:5432") }
}

/// The URL with another database, everything else as it is.
fn with_database(url: &str, name: &str) -> String {
    let (_, end) = host_range(url);
    let query = url[end..].find('?').map_or("", |at| &url[end + at..]);
    format!("{}/{name}{query}", &url[..end])
}

#[cfg(test)]
mod tests {
    use super::{Database, address, with_database};

    #[test]
    fn a_url_keeps_user_password_and_options() {
        for (url, expected) in [
            ("postgres://u:p%40@h:1/db?sslmode=disable", "postgres://u:p%40@h:1/x?sslmode=disable"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgres://u@h?a=b", "postgres://u@h/x?a=b"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }

    #[test]
    fn a_url_without_a_port_has_the_usual_one() {
        for (url, expected) in [
            ("postgres://u:p@h/db", "h:5432"),
            ("postgres://u@h:6000/db?x=a@b:1", "h:6000"),
            ("postgres://u@[::1]/db", "[::1]:5432"),
            ("postgres://[::1]:6000", "[::1]:6000"),
        ] {
            assert_eq!(address(url), expected);
        }
    }

    #[test]
    fn the_password_of_a_given_server_is_not_in_the_debug_text() {
        // Nothing listens on port 1, so dropping the value is quick and without effect.
        let superuser_url = "postgres://u:hidden@127.0.0.1:1/postgres".to_owned();
        let database = Database { name: "x".to_owned(), superuser_url };
        assert!(!format!("{database:?}").contains("hidden"));
        assert_eq!(database.url_at("localhost:2"), "postgres://u:hidden@localhost:2/x");
    }
}
