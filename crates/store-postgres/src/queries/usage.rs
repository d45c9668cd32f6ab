//! How much clients used.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use kasparro_domain::Timestamp;
use kasparro_store::{SharedUsage, Usage};
use tokio_postgres::Row;

use super::{Instant, execute, get, instant, int, maybe_instant, uint};
use crate::error::{Queried, damaged};

/// Adds and reads in one statement, which is one round trip and one transaction. Rows are locked by client and
/// slot, so that processes that count the same clients wait and do not deadlock. `added` is newer than the
/// snapshot of the statement, where others have added meanwhile: counts only grow, so the larger one of both is
/// the newer one.
pub(super) const SHARE: &str = "WITH added AS (
      INSERT INTO request_usage AS held (client, slot_at, requests)
      SELECT client, slot_at, requests
      FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]) AS used (client, slot_at, requests)
      ORDER BY client COLLATE \"C\", slot_at
      ON CONFLICT (client, slot_at) DO UPDATE SET requests = held.requests + excluded.requests
      RETURNING client, slot_at, requests)
    SELECT clock.now, counted.client, counted.slot_at, counted.requests
    FROM (SELECT store_now() AS now) AS clock LEFT JOIN (
      SELECT client, slot_at, max(requests) AS requests FROM (
        SELECT client, slot_at, requests FROM added WHERE slot_at >= $4
        UNION ALL
        SELECT client, slot_at, requests FROM request_usage
        WHERE client = ANY ($1) AND slot_at >= $4) AS seen
      GROUP BY client, slot_at
    ) AS counted ON true";

/// What everybody used.
const EVERYBODY: &str = "SELECT clock.now, client, slot_at, requests
    FROM (SELECT store_now() AS now) AS clock LEFT JOIN request_usage ON slot_at >= $1";

/// What others are about to add to is left for the next time, so that nobody waits for this.
pub(super) const FORGET: &str = "DELETE FROM request_usage WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM request_usage WHERE slot_at < $1 FOR UPDATE SKIP LOCKED))";

/// Adds what was counted, and returns what all have counted together.
pub(crate) async fn share(
    client: &impl GenericClient,
    used: Vec<Usage>,
    since: Timestamp,
) -> Queried<SharedUsage> {
    let everybody = used.is_empty();
    // A statement adds to a row once.
    let mut added = BTreeMap::<_, u64>::new();
    for Usage { client, slot_at, requests } in used {
        let count = added.entry((client, slot_at)).or_default();
        *count = count.saturating_add(requests);
    }
    let (mut clients, mut slots, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for ((client, slot_at), count) in added {
        clients.push(client);
        slots.push(Instant(slot_at));
        requests.push(int(count)?);
    }
    let since = Instant(since);
    let params: super::Params<'_> = &[&clients, &slots, &requests, &since];
    let (sql, params) = if everybody { (EVERYBODY, &params[3..]) } else { (SHARE, params) };
    let statement = client.prepare_cached(sql).await?;
    read_shared(&client.query(&statement, params).await?)
}

/// The time of the database, and what was counted; a row without a client stands for none.
fn read_shared(rows: &[Row]) -> Queried<SharedUsage> {
    let Some(first) = rows.first() else {
        return Err(damaged("the time of the database", "there is none").into());
    };
    let mut shared = SharedUsage { now: instant(first, 0)?, used: Vec::new() };
    for row in rows {
        let Some(slot_at) = maybe_instant(row, 2)? else { continue };
        shared.used.push(Usage { client: get(row, 1)?, slot_at, requests: uint(row, 3)? });
    }
    Ok(shared)
}

/// Forgets old slots.
pub(crate) async fn forget(client: &impl GenericClient, before: Timestamp) -> Queried<()> {
    execute(client, FORGET, &[&Instant(before)]).await?;
    Ok(())
}
