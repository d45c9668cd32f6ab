//! Replay folders made by hand after the vendors' documents; nothing in them was captured.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use kasparro_sim::SimSettings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Running, start};
use crate::ledger::hash;

/// A folder that is filled file by file.
pub(crate) struct Folder {
    directory: TempDir,
    entries: Vec<Value>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), entries: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, compressed if its name says so, and lists it with these fields.
    pub(crate) fn add(&mut self, file: &str, body: &str, fields: Value) -> &mut Self {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.extension().is_some_and(|kind| kind == "gz") {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body.as_bytes()).unwrap();
            std::fs::write(path, encoder.finish().unwrap()).unwrap();
        } else {
            std::fs::write(path, body).unwrap();
        }
        let mut entry = json!({ "file": file, "sha256_uncompressed": hash(body) });
        for (name, value) in fields.as_object().unwrap() {
            entry[name] = value.clone();
        }
        self.entries.push(entry);
        self
    }

    /// One capture of a request to CoinGecko.
    pub(crate) fn gecko(&mut self, captured: &str, target: &str, body: &str) -> &mut Self {
        let file = format!("coingecko/{}.json", self.entries.len());
        let url = format!("https://api.coingecko.com/api/v3{target}");
        let fields = json!({
            "endpoint": "GET /api/v3/coins/markets", "captured": captured, "shape": "array",
            "request_url": url, "http_status": 200,
        });
        self.add(&file, body, fields)
    }

    pub(crate) fn write_manifest(&self) -> SimSettings {
        let manifest = self.path().join("manifest.json");
        std::fs::write(manifest, serde_json::to_vec(&self.entries).unwrap()).unwrap();
        SimSettings { replay: Some(self.path().to_owned()), ..SimSettings::default() }
    }

    pub(crate) async fn serve(&self) -> Running {
        start(self.write_manifest()).await
    }
}
