//! The text of each table, kept or digested.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{TableAudit, TableDump};

/// What is made of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Dump,
    Digest,
}

/// Every table, so that an empty one counts too, and whether the digest covers it.
const TABLES: [(&str, bool); 35] = [
    ("alert", false),
    ("anomaly", true),
    ("anomaly_detail", false),
    ("asset_edge", false),
    ("batch", false),
    ("body", false),
    ("budget", false),
    ("checkpoint", true),
    ("command", false),
    ("decision", true),
    ("drift", true),
    ("drift_detail", false),
    ("evidence", true),
    ("evidence_origin", false),
    ("evidence_past", false),
    ("generation", false),
    ("history", true),
    ("identity", false),
    ("lease", false),
    ("listing", true),
    ("news", true),
    ("news_origin", false),
    ("origin", false),
    ("page", false),
    ("partition", true),
    ("profile", false),
    ("quarantine", true),
    ("quarantine_detail", false),
    ("quote", true),
    ("raw_body", true),
    ("resolution", false),
    ("run", false),
    ("run_anomaly", false),
    ("source_state", false),
    ("sweep", false),
];

#[derive(Debug, Default)]
struct Table {
    digested: bool,
    rows: u64,
    text: Vec<String>,
    sha256: Sha256,
    last_key: Vec<String>,
    unordered: bool,
}

#[derive(Debug)]
pub(super) struct Tables {
    mode: Mode,
    tables: BTreeMap<&'static str, Table>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Tables {
    pub(super) fn new(mode: Mode) -> Self {
        let table = |(name, digested)| (name, Table { digested, ..Table::default() });
        Self { mode, tables: TABLES.into_iter().map(table).collect() }
    }

    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn add(&mut self, table: &'static str, key: &[&str], row: &Value) {
        self.add_text(table, key, row.to_string());
    }

    pub(super) fn add_text(&mut self, table: &'static str, key: &[&str], row: String) {
        let table = self.tables.entry(table).or_default();
        table.rows += 1;
        match self.mode {
            Mode::Dump => table.text.push(row),
            Mode::Digest => {
                // Equal keys would make the digest depend on the order in which a store reads.
                let ascends = table.last_key.iter().map(String::as_str).lt(key.iter().copied());
                table.unordered |= table.rows > 1 && !ascends;
                table.last_key.clear();
                table.last_key.extend(key.iter().map(|part| (*part).to_owned()));
                table.sha256.update(row.as_bytes());
                table.sha256.update(b"\n");
            }
        }
    }

    pub(super) fn into_dump(self) -> Vec<TableDump> {
        let sorted = |(name, mut table): (&'static str, Table)| {
            table.text.sort_unstable();
            TableDump { name, digested: table.digested, rows: table.text }
        };
        self.tables.into_iter().map(sorted).collect()
    }

    /// The digest of all, that of each table, and a table whose rows were not in order.
    pub(super) fn into_digests(
        self,
    ) -> (String, BTreeMap<&'static str, TableAudit>, Option<&'static str>) {
        let (mut all, mut audits, mut unordered) = (Sha256::new(), BTreeMap::new(), None);
        for (name, table) in self.tables.into_iter().filter(|(_, table)| table.digested) {
            let digest = hex(&table.sha256.finalize());
            all.update(format!("{name} {} {digest}\n", table.rows));
            if table.unordered {
                unordered.get_or_insert(name);
            }
            audits.insert(name, TableAudit { rows: table.rows, digest });
        }
        (format!("sha256:{}", hex(&all.finalize())), audits, unordered)
    }
}
