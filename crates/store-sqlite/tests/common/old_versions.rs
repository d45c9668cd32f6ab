//! Stores of earlier versions, and what their tables hold.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const V1: &str = include_str!("../../migrations/V1__first_store.sql");
pub(crate) const V2: &str = include_str!("../../migrations/V2__nothing_lost.sql");
pub(crate) const V3: &str = include_str!("../../migrations/V3__leases.sql");

/// Every migration up to that of the third version.
pub(crate) const TO_THIRD: [(&str, &str); 3] =
    [("first_store", V1), ("nothing_lost", V2), ("leases", V3)];

/// Rows in every table, such as the third version would have written them.
pub(crate) const ROWS: &str = r#"
    INSERT INTO source VALUES (1, 'coinpaprika'), (2, 'coingecko');
    UPDATE generation SET value = 1;
    INSERT INTO raw_body VALUES (1, zeroblob(32), 4);
    INSERT INTO raw_chunk VALUES (1, 0, x'00');
    INSERT INTO run (run_id, source_id, status, reason, received, inserted, quarantined, pages,
            requests, created_at, started_at, completed_at, options) VALUES
        ('00000000-0000-0000-0000-000000000001', 1, 'success', 'schedule', 4, 3, 1, 2, 2, 1000, 1100,
            1900, '{"a" : 1}'),
        ('00000000-0000-0000-0000-000000000002', 1, 'success', 'retry', 0, 0, 0, 0, 0, 2000, 2100,
            2200, '{}');
    INSERT INTO page VALUES
        (1, 1, '00000000-0000-0000-0000-000000000001', 0, '{"path":"/v1"}', 7, 'null', 200, '{}', 1500,
            1, 'loaded', 4, NULL),
        (2, 1, '00000000-0000-0000-0000-000000000001', 1, '{"path":"/v2"}', 8, 'null', 200, '{}', 1600,
            1, 'refused', 0, '{"code":"bad","message":"bad","hint":"none"}');
    INSERT INTO asset VALUES (1), (2);
    INSERT INTO listing (listing_id, source_id, external_id, asset_id, symbol, first_seen_at, missed,
            last_seen_at) VALUES
        (1, 1, 'btc', 1, 'BTC', 1500, 0, NULL), (2, 1, 'eth', 2, NULL, 1500, 1, 1500);
    INSERT INTO quote VALUES
        (1, 1400, 1, 1500, '47123.45678901', NULL, NULL, NULL, NULL, NULL, '21000000', NULL, 1, -5, 1,
            3);
    INSERT INTO history VALUES (0, 1, 1400, 0, 1, '47123.45678901', NULL, NULL);
    INSERT INTO evidence VALUES (2, 'coins', '', 'ETH', NULL, NULL, NULL, 5, 1, 1, 1500, 1500);
    INSERT INTO sweep VALUES (1, 1500);
    INSERT INTO news (news_id, source_id, feed, item_id, title, content_hash, page_id, ordinal,
            first_seen_at, fetched_at) VALUES (3, 1, 'feed', 'item', 'a headline', 9, 1, 2, 1500, 1500);
    INSERT INTO quarantine VALUES
        (1, 1, 1, 0, 1, '00000000-0000-0000-0000-000000000001', 'bad', 'bad_number', '/price', '1e400',
            'domain/1', 'discarded', 1500);
    INSERT INTO batch VALUES
        (1, 1, 0, '00000000-0000-0000-0000-000000000001', 1, 1, 4, 3, 0, 0, 0, 0, 1, 1, x'0101', 1600,
            0, 2);
    INSERT INTO checkpoint VALUES (1, '{"page":1}', 1500);
    INSERT INTO lease VALUES (1, 'pid 7', 1, 0);
    INSERT INTO command VALUES
        (1, '{"kind":"run","source":"coinpaprika","run_id":"00000000-0000-0000-0000-000000000001"}',
            'pending', 1000, NULL, 1, 0);
    INSERT INTO source_state VALUES (1, '{"source":"coinpaprika","enabled":true,
        "schedule":"every 1h","next_run_at":null,"stale_after_seconds":7200}');
    INSERT INTO decision VALUES
        (1, 'discard', 1, '[{"page_id":1,"ordinal":0}]', 'ada', 'noise', 1700, 2, NULL),
        (4, 'retry', 1, '[]', 'bob', '', 1800, 2, '00000000-0000-0000-0000-000000000002');
    -- As after a copy that brought numbers beyond its rows.
    UPDATE sqlite_sequence SET seq = 40 WHERE name = 'decision';
"#;

/// Brings a database to the version of the last of these migrations.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[(&str, &str)]) {
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let migrations: Vec<_> = migrations
        .iter()
        .zip(1..)
        .map(|((name, sql), version)| {
            refinery::Migration::unapplied(&format!("V{version}__{name}"), sql).unwrap()
        })
        .collect();
    refinery::Runner::new(&migrations).set_grouped(true).run(connection).unwrap();
}

/// A store of the third version.
pub(crate) fn third_version(rows: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &TO_THIRD);
    connection.execute_batch(rows).unwrap();
    (folder, path)
}

/// Every table with its columns.
pub(crate) fn columns(path: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT t.name, c.name FROM pragma_table_list AS t
               JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                 AND t.name <> 'refinery_schema_history'";
    let mut statement = connection.prepare(sql).unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        tables.entry(row.get(0).unwrap()).or_default().push(row.get(1).unwrap());
    }
    tables
}

/// Each table with the digest of what these columns hold, and how many rows it has.
pub(crate) fn digests(
    path: &Path,
    tables: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, (usize, String)> {
    let connection = Connection::open(path).unwrap();
    let digest = |(table, columns): (&String, &Vec<String>)| {
        let columns_text = columns.join(", ");
        let sql = format!("SELECT {columns_text} FROM {table} ORDER BY {columns_text}");
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let (mut count, mut sha256) = (0, Sha256::new());
        while let Some(row) = rows.next().unwrap() {
            count += 1;
            for place in 0..columns.len() {
                let value: rusqlite::types::Value = row.get(place).unwrap();
                sha256.update(format!("{value:?}\n"));
            }
        }
        (table.clone(), (count, format!("{:?}", sha256.finalize())))
    };
    tables.iter().map(digest).collect()
}
