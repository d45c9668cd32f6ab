//! One path per operation.

/// What every path may begin with.
const PREFIX: &str = "/api/v1";

/// The path an operation is registered under: without the prefix `/api/v1` and without one trailing
/// slash.
pub(crate) fn normal_path(path: &str) -> &str {
    let path = path.get(prefix(path).len()..).unwrap_or_default();
    match path.strip_suffix('/').unwrap_or(path) {
        "" => "/",
        path => path,
    }
}

/// The prefix with which a path was asked for: what else the client is sent to has it too.
pub(crate) fn prefix(path: &str) -> &'static str {
    let rest = path.strip_prefix(PREFIX);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) { PREFIX } else { "" }
}

#[cfg(test)]
mod tests {
    use super::normal_path;

    #[test]
    fn prefix_and_one_trailing_slash_make_no_difference() {
        for path in ["/data", "/data/", "/api/v1/data", "/api/v1/data/"] {
            assert_eq!(normal_path(path), "/data", "{path}");
        }
        for path in ["/", "/api/v1", "/api/v1/", ""] {
            assert_eq!(normal_path(path), "/", "{path}");
        }
        assert_eq!(normal_path("/api"), "/api");
        assert_eq!(normal_path("/api/v1/api"), "/api");
        assert_eq!(normal_path("/api/v10/data"), "/api/v10/data");
        assert_eq!(normal_path("/data//"), "/data/");
    }
}
