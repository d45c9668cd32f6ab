//! Opening the files a source asks for.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use kasparro_domain::Clock;
use kasparro_extract::PageError;
use tokio::task::block_in_place;

use crate::body::{Body, BodyWriter};
use crate::fetch::{body_too_large, bomb, most_unpacked};
use crate::land::spool_failed;

/// Times that a file is read which is being written to.
const READS: u32 = 8;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// How long after its last change a file may still be in the middle of a line: less than the reads and
/// pauses take together, so that a file left so is taken as it is.
const HALF_WRITTEN: Duration = Duration::from_millis(1_500);

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

/// Reads a file into the spool as it is at one moment, decompressing gzip.
///
/// Others may write to the file meanwhile. It is read again when it was not the same file, of the same
/// length and time, before and after; a file that was replaced by a rename is read to its end as it was.
/// A text whose last line has no end, of a file that was changed a moment ago, is waited for: its writer
/// may be in the middle of that line.
///
/// # Errors
/// [`PageError`] when the file cannot be read, or changes whenever it is looked at.
pub(crate) async fn snapshot(
    path: &Path,
    spool_dir: &Path,
    clock: &dyn Clock,
) -> Result<Body, PageError> {
    let unreadable = |error: io::Error| {
        let message = format!("{}: {error}", path.display());
        PageError::stop("file_unreadable", message, "check the file and its permissions")
    };
    let mut last = None;
    for attempt in 0..READS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let look = || {
            let file = File::open(path)?;
            let before = file.metadata()?;
            let text = file.try_clone().and_then(|file| gunzipped(Box::new(file)));
            let read = text
                .map_err(SpoolError::Read)
                // A file is somebody's own: its length is no attack.
                .and_then(|text| spool(text, u64::MAX, spool_dir));
            Ok((before, read, file.metadata()?))
        };
        let (before, read, after) = block_in_place(look).map_err(unreadable)?;
        let still = same_state(&before, &after);
        match read {
            Ok((body, true)) if still => return Ok(body),
            Ok((body, false)) if still && !fresh(&after, clock) => return Ok(body),
            Ok((body, false)) if still => last = Some(Ok(body)),
            Ok(_) => {}
            Err(SpoolError::Write(error)) => return Err(spool_failed(&error)),
            // Its writer may be in the middle of it.
            Err(SpoolError::Read(error)) if fresh(&after, clock) => last = Some(Err(error)),
            Err(SpoolError::Read(error)) => return Err(unreadable(error)),
            Err(SpoolError::TooLong) => {}
        }
    }
    match last {
        Some(read) => read.map_err(unreadable),
        None => {
            let message = format!("{} is being written to", path.display());
            let hint =
                "write to another name and rename the file when it is whole; the next run reads it";
            Err(PageError::retry("file_changing", message, hint))
        }
    }
}

/// True when nothing was written to a file between two looks at it.
fn same_state(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

/// True for a file that was changed within the last moments.
fn fresh(file: &Metadata, clock: &dyn Clock) -> bool {
    let changed = file.modified().ok().and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
    let now = u64::try_from(clock.now().as_millis()).unwrap_or(0);
    changed.is_some_and(|changed| Duration::from_millis(now).abs_diff(changed) < HALF_WRITTEN)
}

/// Why a text could not be taken into the spool.
enum SpoolError {
    Read(io::Error),
    Write(io::Error),
    /// It is longer than it may be.
    TooLong,
}

/// Takes a text of at most `max_bytes` into the spool; says whether it ends with the end of a line.
fn spool(
    mut text: Box<dyn Read + Send>,
    max_bytes: u64,
    spool_dir: &Path,
) -> Result<(Body, bool), SpoolError> {
    let mut writer = BodyWriter::new(spool_dir).map_err(SpoolError::Write)?;
    let mut piece = vec![0; 1 << 16];
    let mut ends_line = true;
    loop {
        let read = text.read(&mut piece).map_err(SpoolError::Read)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
            return Ok((writer.finish().map_err(SpoolError::Write)?, ends_line));
        };
        ends_line = read.ends_with(b"\n") || read.ends_with(b"\r");
        writer.write(read).map_err(SpoolError::Write)?;
        if writer.bytes() > max_bytes {
            return Err(SpoolError::TooLong);
        }
    }
}

/// A body of which `arrived_bytes` came over the web, as it is read: decompressed where it is gzip.
///
/// # Errors
/// [`PageError`] when it is damaged, decompressed longer than `max_bytes` or than what arrived allows, or the
/// spool cannot be written.
pub(crate) fn plain(
    body: Body,
    arrived_bytes: u64,
    max_bytes: u64,
    spool_dir: &Path,
) -> Result<Body, PageError> {
    if !body.head.starts_with(&GZIP_MAGIC) {
        return Ok(body);
    }
    let opened = body.open().and_then(gunzipped).map_err(|error| spool_failed(&error))?;
    let by_ratio = most_unpacked(arrived_bytes);
    match spool(opened, max_bytes.min(by_ratio), spool_dir) {
        Ok((text, _)) => Ok(text),
        Err(SpoolError::TooLong) if by_ratio < max_bytes => Err(bomb("the text")),
        Err(SpoolError::TooLong) => Err(body_too_large("the text", max_bytes)),
        Err(SpoolError::Write(error)) => Err(spool_failed(&error)),
        Err(SpoolError::Read(error)) => {
            let message = format!("the compressed text cannot be read: {error}");
            let hint = "the file may be damaged or half transferred";
            Err(PageError::retry("bad_compression", message, hint))
        }
    }
}

/// The same bytes, decompressed where they are gzip.
fn gunzipped(body: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut body = BufReader::with_capacity(1 << 16, body);
    if body.fill_buf()?.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(body)));
    }
    Ok(Box::new(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kasparro_domain::{ManualClock, Timestamp};
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

    fn now() -> ManualClock {
        let now = std::fs::metadata(".").unwrap().modified().unwrap();
        let millis = now.duration_since(UNIX_EPOCH).unwrap().as_millis();
        ManualClock::new(Timestamp::from_millis(i64::try_from(millis).unwrap()).unwrap())
    }

    fn text(body: &Body) -> String {
        let mut text = String::new();
        body.open().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn gzip_is_recognised_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assets.csv");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"symbol,price\nBTC,1\n").unwrap();
        std::fs::write(&path, gzip.finish().unwrap()).unwrap();
        let body = snapshot(&path, folder.path(), &now()).await.unwrap();
        assert_eq!(text(&body), "symbol,price\nBTC,1\n");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_half_written_last_line_is_waited_for_and_an_old_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assets.csv");
        std::fs::write(&path, "symbol,price\nBTC,12").unwrap();
        let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
        let millis = changed.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let clock =
            ManualClock::new(Timestamp::from_millis(i64::try_from(millis).unwrap()).unwrap());
        let writer = {
            let path = path.clone();
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE / 2).await;
                let mut file = File::options().append(true).open(path).unwrap();
                file.write_all(b"345\n").unwrap();
            })
        };
        let body = snapshot(&path, folder.path(), &clock).await.unwrap();
        writer.await.unwrap();
        assert_eq!(text(&body), "symbol,price\nBTC,12345\n");

        std::fs::write(&path, "symbol,price\nBTC,12").unwrap();
        let later = ManualClock::new(clock.now().plus(Duration::from_secs(60)));
        let body = snapshot(&path, folder.path(), &later).await.unwrap();
        assert_eq!(text(&body), "symbol,price\nBTC,12");
    }
}
