//! Opening the files a source asks for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use kasparro_extract::PageError;

/// First bytes of a gzip stream (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The files that a path or glob pattern names, in name order.
pub(crate) fn expand(pattern: &str) -> Result<Vec<PathBuf>, PageError> {
    let found: Vec<PathBuf> = if Path::new(pattern).is_file() {
        vec![PathBuf::from(pattern)]
    } else {
        let paths = glob::glob(pattern).map_err(|error| {
            let message = format!("{pattern} is not a path or pattern: {error}");
            PageError::stop("bad_pattern", message, "correct the path in the configuration")
        })?;
        paths.filter_map(Result::ok).filter(|path| path.is_file()).collect()
    };
    if found.is_empty() {
        let hint = "put the file there, or correct the path in the configuration";
        return Err(PageError::stop("file_missing", format!("{pattern}: no such file"), hint));
    }
    Ok(found)
}

/// Opens a file, decompressing gzip.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read + Send>, PageError> {
    File::open(path).and_then(|file| gunzipped(Box::new(file))).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        PageError::stop("file_unreadable", message, "check the file and its permissions")
    })
}

/// The same bytes, decompressed where they are gzip.
pub(crate) fn gunzipped(body: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut body = BufReader::with_capacity(1 << 16, body);
    if body.fill_buf()?.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(body)));
    }
    Ok(Box::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn patterns_name_files_in_order_and_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "c.txt"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let pattern = folder.path().join("*.csv").display().to_string();
        let names: Vec<_> = expand(&pattern).unwrap();
        assert_eq!(names, [folder.path().join("a.csv"), folder.path().join("b.csv")]);
        let missing = folder.path().join("none.csv").display().to_string();
        assert_eq!(expand(&missing).unwrap_err().code, "file_missing");
        assert_eq!(expand("[").unwrap_err().code, "bad_pattern");
    }

    #[test]
    fn gzip_is_recognised_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assets.csv");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"symbol,price\nBTC,1\n").unwrap();
        std::fs::write(&path, gzip.finish().unwrap()).unwrap();
        let mut text = String::new();
        open(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "symbol,price\nBTC,1\n");
    }
}
