//! Stores of the fifth version.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::old_versions::{ROWS, TO_THIRD, migrate, third_version};

const V4: &str = include_str!("../../migrations/V4__watchfulness.sql");
pub(crate) const V5: &str = include_str!("../../migrations/V5__one_asset.sql");

/// Every migration up to that of the fifth version.
pub(crate) const TO_FIFTH: [(&str, &str); 5] =
    [TO_THIRD[0], TO_THIRD[1], TO_THIRD[2], ("watchfulness", V4), ("one_asset", V5)];

/// What the fourth and the fifth version added, such as they would have written it.
const NEW_ROWS: &str = r#"
    UPDATE quote SET unusual = 1;
    UPDATE generation SET value = 2, evidence_version = 4;
    UPDATE evidence SET kind = 'coin';
    INSERT INTO drift_profile VALUES (1, 'tickers', '{}');
    INSERT INTO drift VALUES (7, 1, 'tickers', 'type_changed', '/a', 'number', 'string', 'info', 1, 2, 90,
        '', '[]', 1, 0, 1500, 1500, 1, 'accepted');
    INSERT INTO anomaly VALUES (1, 1, 'price_jump', 1, 1400, 1, NULL, '9', '1', 1500);
    INSERT INTO budget VALUES (1, 'day', 3, '{}');
    INSERT INTO alert VALUES (2, 1, '00000000-0000-0000-0000-000000000001', 'x', 'm', 'h', 1500, 0, NULL,
        NULL);
    INSERT INTO evidence_past VALUES (1, '', '', 1300, 'XBT', NULL, NULL, NULL);
    INSERT INTO identity VALUES (1, 1, 'coin', 'single', NULL, '[]'), (2, 2, 'other', 'unresolved', NULL, '[]');
    INSERT INTO asset_edge VALUES (2, 'wrapped_of', 1, 'its name says so');
    INSERT INTO resolution VALUES (2, 4, 'identity/1', 1700, 2, 2, 0, 0, 0, x'01');
    INSERT INTO decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, pairs)
        VALUES (45, 'unlink', 1, '[]', 'ada', 'two chains', 1900, 2,
            '[[{"source":"coinpaprika","external_id":"btc"},{"source":"coinpaprika","external_id":"eth"}]]');
"#;

/// A store of the fifth version, which was one of the third before.
pub(crate) fn fifth_version() -> (TempDir, PathBuf) {
    let (folder, path) = third_version(ROWS);
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &TO_FIFTH);
    connection.execute_batch(NEW_ROWS).unwrap();
    (folder, path)
}
