//! Keys of the API.

use kasparro_domain::{ApiKey, Scope, Timestamp};
use kasparro_store::{KeyEnd, KeysMark, NewKey};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use xxhash_rust::xxh3::Xxh3;

use super::{each, instant, int, maybe_instant, named, text, walk};
use crate::error::{Queried, damaged, refused};

const ALL: &str = "SELECT key_id, name, scope, hmac, requests, created_at, expires_at, revoked_at,
        last_used_at
    FROM api_key ORDER BY created_at, key_id";

/// What the mark of the keys is made of: everything but their last use, in the order in which they lie.
const MARKED: &str =
    "SELECT key_id, name, scope, hmac, requests, created_at, expires_at, revoked_at
    FROM api_key ORDER BY key_id";
const MARKED_COLUMNS: usize = 8;

/// Ends the key ?1 at ?2, where it was good at ?3.
const REPLACE: &str = "UPDATE api_key SET expires_at = min(coalesce(expires_at, ?2), ?2)
    WHERE key_id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR ?3 < expires_at)";
const EXPIRE: &str = "UPDATE api_key SET expires_at = min(coalesce(expires_at, ?2), ?2)
    WHERE key_id = ?1";
const REVOKE: &str = "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE key_id = ?1";
/// Leaves a row alone that says as much or more, so that nothing is written for it.
const NOTE_USE: &str = "UPDATE api_key SET last_used_at = ?2
    WHERE key_id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";

fn read_key(row: &Row<'_>) -> Queried<ApiKey> {
    let requests: Option<i64> = row.get(4)?;
    let requests = requests
        .map(|number| u64::try_from(number).map_err(|_| damaged("the requests of a key", number)));
    Ok(ApiKey {
        key_id: text(row, 0)?.to_owned(),
        name: text(row, 1)?.to_owned(),
        scope: named(row, 2, Scope::named)?,
        hmac: row.get(3)?,
        requests: requests.transpose()?,
        created_at: instant(row, 5)?,
        expires_at: maybe_instant(row, 6)?,
        revoked_at: maybe_instant(row, 7)?,
        last_used_at: maybe_instant(row, 8)?,
    })
}

/// Every key, by instant of making and public id.
pub(crate) fn all(connection: &Connection) -> Queried<Vec<ApiKey>> {
    each(connection, ALL, [], read_key)
}

/// Every key and their mark, unless they still have the mark `known`.
pub(crate) fn since(
    connection: &Connection,
    known: Option<&KeysMark>,
) -> Queried<Option<(KeysMark, Vec<ApiKey>)>> {
    let mark = mark(connection)?;
    if known == Some(&mark) {
        return Ok(None);
    }
    Ok(Some((mark, all(connection)?)))
}

/// Made from the rows as they lie in the file: no key is built, and nothing is sorted.
fn mark(connection: &Connection) -> Queried<KeysMark> {
    let mut hash = Xxh3::new();
    walk(connection, MARKED, [], |row| {
        for column in 0..MARKED_COLUMNS {
            match row.get_ref(column)? {
                ValueRef::Null => hash.update(&[0]),
                ValueRef::Integer(number) => {
                    hash.update(&[1]);
                    hash.update(&number.to_le_bytes());
                }
                ValueRef::Real(number) => {
                    hash.update(&[2]);
                    hash.update(&number.to_le_bytes());
                }
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    hash.update(&[3]);
                    hash.update(&bytes.len().to_le_bytes());
                    hash.update(bytes);
                }
            }
        }
        Ok(())
    })?;
    Ok(KeysMark(hash.digest128().to_le_bytes().to_vec()))
}

/// Adds a key, and ends the one that it replaces.
pub(crate) fn add(connection: &Connection, NewKey { key, replaces }: &NewKey) -> Queried<()> {
    let mut known = connection.prepare_cached("SELECT 1 FROM api_key WHERE key_id = ?1")?;
    if known.exists([key.key_id.as_str()])? {
        return refused(format!("key {} exists; make another one", key.key_id));
    }
    if let Some((replaced, good_until)) = replaces {
        let params = params![replaced, good_until.as_millis(), key.created_at.as_millis()];
        if connection.prepare_cached(REPLACE)?.execute(params)? != 1 {
            return refused(format!(
                "key {replaced} is not known or not good any more; make a new key that replaces none"
            ));
        }
    }
    insert(connection, key)
}

/// Adds a key where there is none; false where there is one.
pub(crate) fn add_first(connection: &Connection, key: &ApiKey) -> Queried<bool> {
    if connection.prepare_cached("SELECT 1 FROM api_key")?.exists([])? {
        return Ok(false);
    }
    insert(connection, key)?;
    Ok(true)
}

fn insert(connection: &Connection, key: &ApiKey) -> Queried<()> {
    let at = |instant: Option<Timestamp>| instant.map(Timestamp::as_millis);
    connection
        .prepare_cached(
            "INSERT INTO api_key (key_id, name, scope, hmac, requests, created_at, expires_at,
                                  revoked_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            key.key_id,
            key.name,
            key.scope.name(),
            key.hmac,
            key.requests.map(int).transpose()?,
            key.created_at.as_millis(),
            at(key.expires_at),
            at(key.revoked_at),
            at(key.last_used_at)
        ])?;
    Ok(())
}

/// Ends a key; false where it is not known.
pub(crate) fn end(connection: &Connection, key_id: &str, end: KeyEnd) -> Queried<bool> {
    let (sql, at) = match end {
        KeyEnd::Revoked(at) => (REVOKE, at),
        KeyEnd::Expires(at) => (EXPIRE, at),
    };
    Ok(connection.prepare_cached(sql)?.execute(params![key_id, at.as_millis()])? == 1)
}

/// Records when keys were used last.
pub(crate) fn note_uses(connection: &Connection, uses: &[(String, Timestamp)]) -> Queried<()> {
    let mut note = connection.prepare_cached(NOTE_USE)?;
    for (key_id, used_at) in uses {
        note.execute(params![key_id, used_at.as_millis()])?;
    }
    Ok(())
}
