//! Which paths a rule is about.

/// A path, or the beginning of paths.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    Exact(String),
    Prefix(String),
}

impl Path {
    /// Reads a path, or with a `*` at its end the beginning of paths; `None` for what no path matches.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (start, is_prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        if start.contains(['*', '?']) || !(start.starts_with('/') || text == "*") {
            return None;
        }
        Some(if is_prefix { Self::Prefix(start.to_owned()) } else { Self::Exact(text.to_owned()) })
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
        }
    }

    /// What stands before the `*`, or everything.
    pub(crate) fn start(&self) -> &str {
        match self {
            Self::Exact(start) | Self::Prefix(start) => start,
        }
    }
}
