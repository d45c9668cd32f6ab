//! Statements of a test, past the product.

use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Rows as text, in order; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Connects without TLS, for tests which hold a transaction or a lock open, or listen.
///
/// # Errors
/// What the server or the network says; never the URL.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config: Config = url.parse()?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(10));
    }
    let (client, connection) = config.connect(NoTls).await?;
    // Ends with the client; a lost connection shows in the client's next statement.
    tokio::spawn(connection);
    Ok(client)
}

/// Runs statements, separated by `;`, in a connection of their own, and gives the rows of them all.
///
/// # Errors
/// What the server or the network says; never the URL.
pub async fn execute(url: &str, sql: &str) -> Result<Rows, tokio_postgres::Error> {
    let client = connect(url).await?;
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

/// [`execute`] for tests that are not asynchronous; it may be called in one that is.
///
/// # Errors
/// What the server or the network says; never the URL.
pub fn execute_blocking(url: &str, sql: &str) -> Result<Rows, tokio_postgres::Error> {
    std::thread::scope(|scope| {
        // A runtime cannot block inside another one, so this one has a thread of its own.
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string()).map(|runtime| {
                let answer = runtime.block_on(execute(url, sql));
                // A connection that hangs must not keep the test.
                runtime.shutdown_background();
                answer
            })
        });
        match thread.join() {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => unusable(&error),
            Err(cause) => std::panic::resume_unwind(cause),
        }
    })
}

#[expect(clippy::panic, reason = "a test without threads has failed")]
fn unusable(error: &str) -> ! {
    panic!("a runtime for one statement: {error}")
}
