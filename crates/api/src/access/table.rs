//! Every operation with who may ask for it: one table, made from the routes.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;

use super::Access;
#[cfg(test)]
use super::Area;
use crate::routes;

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The path, with parameters in braces.
    pub(crate) path: String,
    /// `GET` or `POST`. What takes `GET` takes `HEAD` too.
    pub(crate) method: &'static str,
    /// Who may ask.
    pub(crate) access: Access,
    /// What it does, in a line.
    pub(crate) summary: String,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut operations = routes::operations();
    operations.sort_by(|a, b| (&a.path, a.method).cmp(&(&b.path, b.method)));
    operations
});

/// Every operation, by path and method.
pub(crate) fn operations() -> &'static [Operation] {
    &OPERATIONS
}

static ACCESS: LazyLock<HashMap<String, Vec<(&'static str, Access)>>> = LazyLock::new(|| {
    let mut table: HashMap<_, Vec<_>> = HashMap::new();
    for operation in operations() {
        table.entry(operation.path.clone()).or_default().push((operation.method, operation.access));
    }
    table
});

/// Who may ask for the operation of a method at a path, as it is registered; `None` where there is none.
pub(crate) fn of_operation(path: &str, method: &Method) -> Option<Access> {
    let name = if method == Method::HEAD { Method::GET.as_str() } else { method.as_str() };
    let of_path = ACCESS.get(path)?;
    of_path.iter().find(|(known, _)| *known == name).map(|(_, access)| *access)
}

/// The table as it stands in the documents.
#[cfg(test)]
pub(crate) fn access_table() -> String {
    let mut text =
        String::from("| method | path | who may ask | what it does |\n|---|---|---|---|\n");
    for Operation { path, method, access, summary } in operations() {
        let who = match access {
            Access::Open(area) => {
                let closing = Area::ALL.into_iter().filter(|closed| closed.closes(*area));
                let names: Vec<_> = closing.map(|area| format!("`{}`", area.name())).collect();
                format!("anybody; a key with `read` where {} is closed", names.join(" or "))
            }
            Access::Needs(scope) => format!("a key with `{scope}`"),
        };
        text.push_str(&format!("| {method} | `{path}` | {who} | {summary} |\n"));
    }
    text
}
