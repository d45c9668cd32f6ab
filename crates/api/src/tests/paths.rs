//! The paths that are served, with something at each that it can answer about.

use crate::openapi;

/// The paths that are read with `GET`, as they are registered; `GET /trigger-etl`, which starts something,
/// and `/commands/{id}`, where there is none, left aside.
pub(super) fn read() -> Vec<String> {
    let paths = openapi::document().paths.paths.into_iter();
    let read = paths.filter(|(_, item)| item.get.is_some()).map(|(path, _)| path);
    read.filter(|path| !["/trigger-etl", "/commands/{id}"].contains(&path.as_str())).collect()
}

/// What to ask for at a path, in a world with a run, a listing, a row and a change number 1.
pub(super) fn target(path: &str, run_id: &str) -> String {
    let id = if path.starts_with("/runs") { run_id } else { "1" };
    let file = if path.starts_with("/redoc") { "redoc.js" } else { "docs.js" };
    path.replace("{id}", id).replace("{file}", file)
}
