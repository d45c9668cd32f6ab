//! Reading the files.

mod contracts;
mod json;
mod pairs;
mod table;
mod universe;

pub(super) use contracts::contracts;
pub(super) use pairs::{Pair, pairs};
pub(super) use universe::{Listing, Universe, universe};

use super::{InputError, InputFile};

/// What a file holds.
enum Text<'a> {
    Json(&'a [u8]),
    Csv(&'a [u8]),
}

/// The text of a file without a byte order mark, and what sort of text it is.
fn text<'a>(file: &InputFile<'a>) -> Result<Text<'a>, InputError> {
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(InputError::file(
            file.name,
            "the file is compressed",
            "unpack it with gunzip first",
        ));
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(InputError::file(
            file.name,
            "the file is empty",
            "a CSV file begins with a header, a JSON file with [",
        )),
        Some(b'[' | b'{') => Ok(Text::Json(bytes)),
        Some(_) => Ok(Text::Csv(bytes)),
    }
}
