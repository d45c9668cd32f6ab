//! Which form a client wants.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::query::{Params, one_of};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Format {
    /// One JSON document with its page around it.
    #[default]
    Json,
    /// Comma-separated values (RFC 4180) with a line of names; the page stands in headers.
    Csv,
    /// One JSON object on each line; the page stands in headers.
    Ndjson,
}

/// The forms by their names.
pub(crate) const FORMATS: [(&str, Format); 3] =
    [("json", Format::Json), ("csv", Format::Csv), ("ndjson", Format::Ndjson)];

/// Media types by the form that they name.
const MEDIA_TYPES: [(&str, Format); 9] = [
    ("application/json", Format::Json),
    ("application/*", Format::Json),
    ("*/*", Format::Json),
    ("text/csv", Format::Csv),
    ("text/*", Format::Csv),
    ("application/x-ndjson", Format::Ndjson),
    ("application/ndjson", Format::Ndjson),
    ("application/jsonl", Format::Ndjson),
    ("application/x-jsonlines", Format::Ndjson),
];

impl Format {
    /// Its name, as `format=` takes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// What `format=` says, else what `Accept` prefers.
    pub(crate) fn read(params: &mut Params<'_>, accepted: Self) -> Self {
        params.read_as("format", |text| one_of(text, &FORMATS)).unwrap_or(accepted)
    }
}

/// The form that the header `Accept` prefers. JSON where the header is missing or names nothing that there
/// is: an answer in another form is of more use than none.
pub(crate) fn accepted(headers: &HeaderMap) -> Format {
    let mut best = (0, Format::Json);
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let known = MEDIA_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(media_type));
        let weight = parts.find_map(|part| thousandths(part.strip_prefix("q=")?)).unwrap_or(1000);
        if let Some((_, format)) = known
            && weight > best.0
        {
            best = (weight, *format);
        }
    }
    best.1
}

/// A weight from 0 to 1 with at most three digits, in thousandths (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u32> {
    let weight: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(accept: &[&'static str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        accepted(&headers)
    }

    #[test]
    fn the_heaviest_form_that_there_is_wins_and_json_where_there_is_none() {
        for (accept, format) in [
            (&[][..], Format::Json),
            (&["*/*"], Format::Json),
            (&["text/csv"], Format::Csv),
            (&["TEXT/CSV; charset=utf-8"], Format::Csv),
            (&["application/x-ndjson"], Format::Ndjson),
            (&["application/json, text/csv"], Format::Json),
            (&["application/json;q=0.5, text/csv;q=0.9"], Format::Csv),
            (&["application/json;q=0.5", "text/csv"], Format::Csv),
            (&["text/csv;q=0, */*;q=0.1"], Format::Json),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Format::Json),
            (&["image/png"], Format::Json),
            (&["text/csv;q=2"], Format::Csv),
        ] {
            assert_eq!(wanted(accept), format, "{accept:?}");
        }
    }
}
