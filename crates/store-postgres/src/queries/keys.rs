//! What is kept of keys.

use std::collections::BTreeMap;

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{ApiKey, Scope, Timestamp};
use kasparro_store::{KeyEnd, KeysMark, NewKey};
use tokio_postgres::Row;

use super::{Instant, each, execute, first, get, instant, int, maybe_instant, named, uint};
use crate::error::{Queried, damaged, refused};

/// Made from everything but the last use, and within the server: no row leaves it. The first sum stays the same
/// where two rows change values with each other, since a row's hash is a sum itself; the second does not.
/// OFFSET keeps each row from being hashed for each of them.
const MARK: &str = "
    SELECT concat_ws(' ', count(*), sum(kept), sum(hashint8extended(kept, 0)))
    FROM (SELECT hash_record_extended(
            ROW(key_id, name, scope, hmac, requests, created_at, expires_at, revoked_at), 0) AS kept
          FROM api_key OFFSET 0) AS keys";

fn read_key(row: &Row) -> Queried<ApiKey> {
    let key_id: String = get(row, 0)?;
    let hmac = <[u8; 32]>::try_from(get::<&[u8]>(row, 3)?);
    let requests = get::<Option<i64>>(row, 4)?.map(|_| uint(row, 4)).transpose()?;
    Ok(ApiKey {
        name: get(row, 1)?,
        scope: named(row, 2, Scope::named)?,
        hmac: hmac.map_err(|_| damaged("the HMAC of a key", &key_id))?,
        requests,
        created_at: instant(row, 5)?,
        expires_at: maybe_instant(row, 6)?,
        revoked_at: maybe_instant(row, 7)?,
        last_used_at: maybe_instant(row, 8)?,
        key_id,
    })
}

/// Every key, by instant of making and public id.
pub(crate) async fn all(client: &impl GenericClient) -> Queried<Vec<ApiKey>> {
    let sql = "SELECT key_id, name, scope, hmac, requests, created_at, expires_at, revoked_at, last_used_at
               FROM api_key ORDER BY created_at, key_id";
    each(client, sql, &[], read_key).await
}

/// Every key and their mark, unless they still have the mark `known`.
pub(crate) async fn since(
    client: &impl GenericClient,
    known: Option<&KeysMark>,
) -> Queried<Option<(KeysMark, Vec<ApiKey>)>> {
    // The mark first, and on the same connection: a change in between shows in keys that are newer than their
    // mark, which are then read once more. The other way round it would go unseen.
    let mark = first(client, MARK, &[], |row| get::<String>(row, 0)).await?;
    let mark = KeysMark(mark.unwrap_or_default().into_bytes());
    if known == Some(&mark) {
        return Ok(None);
    }
    Ok(Some((mark, all(client).await?)))
}

/// Adds a key; false where its public id is taken.
async fn insert(client: &impl GenericClient, key: &ApiKey) -> Queried<bool> {
    let sql = "INSERT INTO api_key (key_id, name, scope, hmac, requests, created_at, expires_at, revoked_at,
                                    last_used_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let requests = key.requests.map(int).transpose()?;
    let params: super::Params<'_> = &[
        &key.key_id,
        &key.name,
        &key.scope.name(),
        &key.hmac.as_slice(),
        &requests,
        &Instant(key.created_at),
        &key.expires_at.map(Instant),
        &key.revoked_at.map(Instant),
        &key.last_used_at.map(Instant),
    ];
    Ok(execute(client, sql, params).await? == 1)
}

/// Adds a key, and ends the one that it replaces.
pub(crate) async fn add(transaction: &Transaction<'_>, new: &NewKey) -> Queried<()> {
    let NewKey { key, replaces } = new;
    if let Some((replaced, good_until)) = replaces {
        let sql = "UPDATE api_key SET expires_at = least(expires_at, $2)
                   WHERE key_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)";
        let params: super::Params<'_> =
            &[replaced, &Instant(*good_until), &Instant(key.created_at)];
        if execute(transaction, sql, params).await? == 0 {
            return refused(format!("key {replaced} is not known or not good any more"));
        }
    }
    if insert(transaction, key).await? {
        return Ok(());
    }
    refused(format!("there is a key {}: make another", key.key_id))
}

/// Adds a key where there is none; true where it did.
pub(crate) async fn add_first(transaction: &Transaction<'_>, key: &ApiKey) -> Queried<bool> {
    let sql = "SELECT 1 FROM api_key LIMIT 1";
    if first(transaction, sql, &[], |_| Ok(())).await?.is_some() {
        return Ok(false);
    }
    // There is no row that those who come at once could wait for.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.api_key', 0))";
    execute(transaction, lock, &[]).await?;
    if first(transaction, sql, &[], |_| Ok(())).await?.is_some() {
        return Ok(false);
    }
    insert(transaction, key).await
}

/// Ends a key; false where it is not known.
pub(crate) async fn end(client: &impl GenericClient, key_id: &str, end: KeyEnd) -> Queried<bool> {
    let (expires_at, revoked_at) = match end {
        KeyEnd::Expires(at) => (Some(Instant(at)), None),
        KeyEnd::Revoked(at) => (None, Some(Instant(at))),
    };
    // NULL is no end, and `least` leaves it out.
    let sql = "UPDATE api_key SET expires_at = least(expires_at, $2), revoked_at = coalesce(revoked_at, $3)
               WHERE key_id = $1";
    Ok(execute(client, sql, &[&key_id, &expires_at, &revoked_at]).await? == 1)
}

/// Locked by ascending id, so that processes that saw the same keys wait and do not deadlock.
const NOTE_USES: &str = "UPDATE api_key SET last_used_at = seen.used_at
    FROM (SELECT key_id, used.used_at
          FROM api_key JOIN unnest($1::text[], $2::timestamptz[]) AS used (key_id, used_at) USING (key_id)
          WHERE last_used_at IS NULL OR last_used_at < used.used_at
          ORDER BY key_id FOR UPDATE OF api_key) AS seen
    WHERE api_key.key_id = seen.key_id";

/// Records when keys were used last.
pub(crate) async fn note_uses(
    client: &impl GenericClient,
    uses: Vec<(String, Timestamp)>,
) -> Queried<()> {
    let mut last = BTreeMap::new();
    for (key_id, used_at) in uses {
        let known = last.entry(key_id).or_insert(used_at);
        *known = used_at.max(*known);
    }
    if last.is_empty() {
        return Ok(());
    }
    let (keys, used_at): (Vec<_>, Vec<_>) =
        last.into_iter().map(|(key, at)| (key, Instant(at))).unzip();
    execute(client, NOTE_USES, &[&keys, &used_at]).await?;
    Ok(())
}
