//! Files that only the user of this process may read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::store::beside;

/// Makes a file with one line, whole or not at all; false where there is one of this name already.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn make_private(path: &Path, line: &str) -> Result<bool> {
    let draft = beside(path, &format!(".{:08x}.new", rand::random::<u32>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = writeln!(file, "{line}").and_then(|()| file.sync_all());
    // A link never replaces a file, so of two processes that make one both go on with the same.
    let placed = written.and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !path.exists() => {
            // Some file systems have no links.
            std::fs::rename(&draft, path)
        }
        linked => linked,
    });
    let _ = std::fs::remove_file(&draft);
    match placed {
        Ok(()) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            // After a power cut the name would be gone, and with it what is made from the file.
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        assert!(make_private(&path, "first").unwrap());
        assert!(!make_private(&path, "second").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        assert!(make_private(&folder.path().join("absent/private"), "x").is_err());
    }

    #[test]
    fn of_many_that_make_it_at_once_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private");
        let makers: Vec<_> = (0..8)
            .map(|number| {
                let path = path.clone();
                std::thread::spawn(move || make_private(&path, &number.to_string()).unwrap())
            })
            .collect();
        let made = makers.into_iter().filter_map(|maker| maker.join().ok()).filter(|made| *made);
        assert_eq!(made.count(), 1);
    }
}
