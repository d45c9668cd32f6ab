//! What is wrong with what was given.

/// A file or an option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", self.place())]
pub struct InputError {
    /// The file's name; absent where an option is wrong.
    pub file: Option<String>,
    /// The line of a CSV or JSON text, from 1; for an entry of a JSON array that is well-formed, its
    /// number from 1.
    pub line: Option<u64>,
    /// True where `line` counts entries.
    pub entries: bool,
    /// The column, field or option.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl InputError {
    fn place(&self) -> String {
        let mut place = Vec::new();
        if let Some(file) = &self.file {
            place.push(file.clone());
        }
        if let Some(line) = self.line {
            place.push(format!("{} {line}", if self.entries { "entry" } else { "line" }));
        }
        match (&self.field, &self.file) {
            (Some(field), Some(_)) => place.push(format!("`{field}`")),
            (Some(option), None) => place.push(format!("--{option}")),
            (None, _) => {}
        }
        place.join(", ") + ": "
    }

    /// A file that cannot be used.
    pub(crate) fn file(file: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            line: None,
            entries: false,
            field: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An option that cannot be used.
    pub(crate) fn option(
        option: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            file: None,
            line: None,
            entries: false,
            field: Some(option.to_owned()),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn at_line(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(crate) fn at_entry(self, entry: u64) -> Self {
        Self { line: Some(entry), entries: true, ..self }
    }

    pub(crate) fn about(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }
}
