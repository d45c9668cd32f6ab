//! Pairs of ids, as CSV.

use super::super::{InputError, InputFile};
use super::table::Table;
use super::{Text, text};

/// Two ids, as `id_a,id_b` says them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Pair {
    pub(in super::super) a: String,
    pub(in super::super) b: String,
}

/// Reads the pairs of files; the same pair twice counts once.
pub(in super::super) fn pairs(files: &[InputFile<'_>]) -> Result<Vec<Pair>, InputError> {
    let mut found = Vec::new();
    for file in files {
        let Text::Csv(bytes) = text(file)? else {
            return Err(InputError::file(
                file.name,
                "pairs are not read from JSON",
                "give CSV with the header id_a,id_b",
            ));
        };
        let table = Table::read(file, bytes, &["id_a", "id_b"])?;
        for row in table.rows() {
            let (a, b) = (row.need("id_a")?, row.need("id_b")?);
            found.push(Pair { a: a.to_owned(), b: b.to_owned() });
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
