//! `GET /docs/problems`

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::Response;

use crate::openapi::Problems;
use crate::problem::Code;
use crate::respond;

/// Codes, titles and hints are ours and need no escaping.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Problems</title>\n<h1>Problems</h1>\n<dl>\n",
    );
    for code in Code::ALL {
        let (name, status) = (code.name(), code.status().as_u16());
        let (title, hint) = (code.title(), code.hint());
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "<dt id=\"{name}\"><code>{name}</code> ({status})</dt><dd>{title}: {hint}.</dd>"
        );
    }
    page.push_str("</dl>\n</html>\n");
    page
});

/// Explains the codes of problems.
#[utoipa::path(
    get, path = "/docs/problems", tag = "Service",
    responses((status = 200, description = "A page for people", content_type = "text/html", body = String), Problems),
)]
pub(crate) async fn problems() -> Response {
    respond::text("text/html; charset=utf-8", PAGE.as_str())
}
