//! How much clients used.

use std::collections::BTreeSet;

use kasparro_domain::Timestamp;
use kasparro_store::Usage;
use rusqlite::{Connection, Row, params};

use super::{each, instant, int, json_text, text, uint};
use crate::error::Queried;

/// Stops at the largest number that a row can hold.
pub(super) const COUNT: &str = "INSERT INTO request_usage (slot_at, client, requests)
    VALUES (?1, ?2, ?3)
    ON CONFLICT (slot_at, client) DO UPDATE
      SET requests = min(requests, 9223372036854775807 - excluded.requests) + excluded.requests";

/// Goes from slot to slot, of which there are few, and looks each client up: the other clients of a slot
/// may be many, and the writer waits for this.
pub(super) const OF_CLIENTS: &str = "WITH RECURSIVE slot (slot_at) AS (
      SELECT min(slot_at) FROM request_usage WHERE slot_at >= ?1
      UNION ALL
      SELECT (SELECT min(slot_at) FROM request_usage WHERE slot_at > slot.slot_at) FROM slot
      WHERE slot.slot_at IS NOT NULL)
    SELECT u.slot_at, u.client, u.requests
    FROM slot CROSS JOIN json_each(?2) AS asked
    CROSS JOIN request_usage AS u ON u.slot_at = slot.slot_at AND u.client = asked.value";

pub(super) const OF_ALL: &str =
    "SELECT slot_at, client, requests FROM request_usage WHERE slot_at >= ?1";

pub(super) const FORGET: &str = "DELETE FROM request_usage WHERE slot_at < ?1";

fn read_usage(row: &Row<'_>) -> Queried<Usage> {
    let (slot_at, client) = (instant(row, 0)?, text(row, 1)?.to_owned());
    Ok(Usage { client, slot_at, requests: uint(row, 2)? })
}

/// What was counted of every client in slots since then.
pub(crate) fn of_all(connection: &Connection, since: Timestamp) -> Queried<Vec<Usage>> {
    each(connection, OF_ALL, [since.as_millis()], read_usage)
}

/// Adds to what was counted, and returns what was counted of these clients in slots since then.
pub(crate) fn share(
    connection: &Connection,
    used: &[Usage],
    since: Timestamp,
) -> Queried<Vec<Usage>> {
    let mut count = connection.prepare_cached(COUNT)?;
    for one in used {
        count.execute(params![one.slot_at.as_millis(), one.client, int(one.requests)?])?;
    }
    let clients: BTreeSet<_> = used.iter().map(|one| one.client.as_str()).collect();
    let params = params![since.as_millis(), json_text(&clients)?];
    each(connection, OF_CLIENTS, params, read_usage)
}

/// Forgets slots that began before an instant.
pub(crate) fn forget(connection: &Connection, before: Timestamp) -> Queried<()> {
    connection.prepare_cached(FORGET)?.execute([before.as_millis()])?;
    Ok(())
}
