//! Follows the generation that any process commits.
//!
//! A notification only makes it quick; the generation that is read every second is what counts, since
//! notifications get lost with their connection.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::tokio_postgres::AsyncMessage;
use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use kasparro_domain::Generation;
use kasparro_store::{StoreError, StoreResult};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::connect::{self, Driver};
use crate::error::store_error;
use crate::known::Known;
use crate::settings::PostgresSettings;
use crate::store::announce;

/// How often the generation is read.
const EVERY: Duration = Duration::from_secs(1);
/// A server that has not answered by then is taken for gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// From the loss of a connection to the next attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// The task that follows; it ends with this value.
#[derive(Debug)]
pub(crate) struct Listener(Option<JoinHandle<()>>);

impl Listener {
    /// Starts to follow, within a runtime; outside of one nothing is followed.
    pub(crate) fn start(
        settings: PostgresSettings,
        known: Arc<Known>,
        announced: watch::Sender<Generation>,
    ) -> Self {
        let runtime = tokio::runtime::Handle::try_current().ok();
        Self(runtime.map(|runtime| runtime.spawn(follow(settings, known, announced))))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

async fn follow(
    settings: PostgresSettings,
    known: Arc<Known>,
    announced: watch::Sender<Generation>,
) {
    let mut told = false;
    loop {
        let outcome = follow_once(&settings, &known, &announced, &mut told).await;
        if let Err(error) = outcome
            && !told
        {
            // Once for each loss: a server that is away for an hour says nothing new each second.
            tracing::warn!(%error, "the announcements of the database were lost; trying again");
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Follows until the connection is lost.
async fn follow_once(
    settings: &PostgresSettings,
    known: &Known,
    announced: &watch::Sender<Generation>,
    told: &mut bool,
) -> StoreResult<()> {
    let (client, driver) = connect::alone(settings).await?;
    let (sender, mut notified) = mpsc::channel(16);
    let driving = Driving(tokio::spawn(drive(driver, sender)));
    in_time(known.look(&client, settings)).await?;
    listen(&client, settings).await?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // The first tick comes at once: what was committed during a loss is caught up with.
            _ = ticks.tick() => {
                let generation = within(read(&client)).await?;
                announce(announced, generation);
                *told = false;
            }
            notification = notified.recv() => match notification {
                Some(generation) => announce(announced, generation),
                None => break,
            }
        }
    }
    drop(driving);
    Err(StoreError::Unavailable("the connection was closed".to_owned()))
}

/// Asks to be notified. A standby cannot notify; there the generation is only read.
async fn listen(client: &Client, settings: &PostgresSettings) -> StoreResult<()> {
    let listening = format!("LISTEN {}", settings.channel());
    let asked = async {
        match client.batch_execute(&listening).await {
            Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Ok(()),
            asked => asked,
        }
    };
    within(asked).await
}

async fn read(client: &Client) -> Result<Generation, tokio_postgres::Error> {
    let row = client.query_one("SELECT value FROM generation", &[]).await?;
    Ok(Generation(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0)))
}

async fn within<T>(
    asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> StoreResult<T> {
    in_time(async { asking.await.map_err(|error| store_error(&error)) }).await
}

async fn in_time<T>(asking: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    let silent = || StoreError::Unavailable("the server does not answer".to_owned());
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent()))
}

/// Ends the task that drives a connection, also one that never answers again.
struct Driving(JoinHandle<()>);

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Moves the connection on and hands out the generations that it is notified of.
async fn drive(mut driver: Driver, sender: mpsc::Sender<Generation>) {
    let mut messages = std::pin::pin!(poll_fn(move |context| driver.poll_message(context)));
    while let Some(Ok(message)) = messages.next().await {
        if let AsyncMessage::Notification(notification) = message
            && let Ok(generation) = notification.payload().parse()
        {
            // When several wait already the newest will be read with the next tick.
            let _ = sender.try_send(Generation(generation));
        }
    }
}
