//! What the environment sets, and the files with what came of the tests.

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use serde_json::{Map, Value, json};

use crate::machine;

#[expect(clippy::disallowed_methods, reason = "the settings of a test, not of the program")]
fn folder(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// A folder with captures of real upstreams; they are not part of the tree.
pub(crate) fn real_data() -> Option<PathBuf> {
    folder("KASPARRO_REAL_DATA")
}

/// True where evidence is to be written.
pub(crate) fn wanted() -> bool {
    target().is_some()
}

fn target() -> Option<PathBuf> {
    folder("KASPARRO_DRIFT_EVIDENCE")
}

/// What the tests of `drift.json` have brought so far; they run side by side.
static PARTS: LazyLock<Mutex<Map<String, Value>>> = LazyLock::new(Mutex::default);

/// Adds one part to `drift.json`.
pub(crate) fn note(part: &str, figures: Value) {
    let mut parts = PARTS.lock().unwrap();
    parts.insert(part.to_owned(), figures);
    write("drift.json", &Value::Object(parts.clone()));
}

/// Writes a file of evidence, where it is wanted.
pub(crate) fn write(file: &str, found: &Value) {
    let Some(folder) = target() else { return };
    let evidence = json!({
        "command": "make drift-evidence",
        "commit": machine::output_of("git", &["rev-parse", "HEAD"]),
        "seed": crate::SEED,
        "machine": machine::machine(),
        "found": found,
    });
    std::fs::write(folder.join(file), format!("{evidence:#}\n")).unwrap();
}
