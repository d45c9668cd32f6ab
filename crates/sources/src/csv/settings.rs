//! The options of the CSV source: which texts are read, and how some of them differ.

use glob::Pattern;
use kasparro_extract::{OptionError, Purpose, Request, Target};
use serde_json::Value;

use super::layout::{self, ChangeUnit};
use crate::address;
use crate::options::Options;

/// One text to read, or several by a pattern.
#[derive(Debug)]
pub(super) struct Text {
    /// Path, pattern or web address as configured.
    pub(super) name: String,
    pub(super) request: Request,
}

/// How a text is to be read where the header does not tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Which texts this is about.
    pattern: Option<Pattern>,
    /// Our name of a column and the header that it has in the text.
    pub(super) columns: Vec<(&'static str, String)>,
    pub(super) change: ChangeUnit,
    pub(super) zero_is_unknown: bool,
    pub(super) delimiter: Option<u8>,
    /// True where a date in the name of the text says nothing about its rows.
    pub(super) ignores_date_in_name: bool,
}

impl Settings {
    /// True when the settings are meant for the text of this name. A pattern without a folder fits in
    /// every folder.
    pub(super) fn fits(&self, name: &str) -> bool {
        let Some(pattern) = &self.pattern else {
            return false;
        };
        let name = name.strip_prefix("./").unwrap_or(name);
        let file = name.rsplit('/').next().unwrap_or(name);
        pattern.as_str() == name
            || pattern.matches(name)
            || (!pattern.as_str().contains('/') && pattern.matches(file))
    }
}

/// Reads `paths`: a list, or one text with commas between.
pub(super) fn texts(options: &Options<'_>) -> Result<Vec<Text>, OptionError> {
    const WANTED: &str = "write a list of paths, glob patterns or http(s) addresses";
    let names = address::list(options, "paths", WANTED)?;
    let count = names.len();
    let text = |(index, name): (usize, &str)| {
        let target = target(name).map_err(|remedy| options.refuse("paths", remedy))?;
        let request = Request {
            endpoint: "csv",
            purpose: Purpose::Values,
            completes_sweep: index + 1 == count,
            target,
        };
        Ok(Text { name: name.to_owned(), request })
    };
    names.into_iter().enumerate().map(text).collect()
}

fn target(name: &str) -> Result<Target, &'static str> {
    match address::split_scheme(name) {
        Some((scheme, _)) if scheme == "http" || scheme == "https" => {
            address::web(name).map(Target::Http)
        }
        Some(_) => Err(address::ONLY_WEB),
        None if Pattern::new(name).is_err() => Err("is not a glob pattern: check *, ? and [ ]"),
        None => Ok(Target::Files { pattern: name.to_owned() }),
    }
}

/// Reads `files`: a list of tables.
pub(super) fn files(options: &Options<'_>) -> Result<Vec<Settings>, OptionError> {
    let list = match options.get("files") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(options.refuse("files", "write a list of tables, each with a path")),
    };
    list.iter().enumerate().map(|(index, table)| file(index, table)).collect()
}

fn file(index: usize, table: &Value) -> Result<Settings, OptionError> {
    const KEYS: [&str; 7] =
        ["path", "columns", "change", "zero_is_unknown", "time", "delimiter", "date_in_name"];
    let options = Options::under(format!("files[{index}]."), table, &KEYS, &[])?;
    let path = options.text("path")?;
    let pattern = path
        .and_then(|path| Pattern::new(path.strip_prefix("./").unwrap_or(path)).ok())
        .ok_or_else(|| {
            options.refuse("path", "write the path or pattern that the table is about")
        })?;
    let units = [("percent", ChangeUnit::Percent), ("fraction", ChangeUnit::Fraction)];
    let delimiters = [(",", b','), (";", b';'), ("|", b'|'), ("tab", b'\t')];
    let mut columns = match options.get("columns") {
        Some(table) => columns(index, table)?,
        None => Vec::new(),
    };
    if let Some(header) = options.text("time")? {
        columns.push((layout::TIME, header.to_owned()));
    }
    // A tab alone would count as an empty text.
    let tab = table.get("delimiter").and_then(Value::as_str) == Some("\t");
    Ok(Settings {
        pattern: Some(pattern),
        columns,
        change: options.choice("change", &units)?.unwrap_or_default(),
        zero_is_unknown: options.flag("zero_is_unknown")?.unwrap_or(false),
        delimiter: if tab { Some(b'\t') } else { options.choice("delimiter", &delimiters)? },
        ignores_date_in_name: options.flag("date_in_name")? == Some(false),
    })
}

fn columns(index: usize, table: &Value) -> Result<Vec<(&'static str, String)>, OptionError> {
    let known: Vec<&'static str> = layout::column_names().collect();
    let options = Options::under(format!("files[{index}].columns."), table, &known, &[])?;
    let mut columns = Vec::new();
    for name in known {
        if let Some(header) = options.text(name)? {
            columns.push((name, header.to_owned()));
        }
    }
    Ok(columns)
}
