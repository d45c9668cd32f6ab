//! The lock file: one process writes a store.
//!
//! A file of its own instead of SQLite's `locking_mode=EXCLUSIVE`, which would shut readers out. The
//! operating system frees it however the process ends, so a stale one never has to be removed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kasparro_domain::Timestamp;
use kasparro_store::{StoreError, StoreResult};
use serde::{Deserialize, Serialize};

/// Who holds a store, as written into the lock file for others to read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since: Timestamp,
    address: Option<String>,
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Mutex<File>,
    holder: Mutex<Holder>,
}

/// The path of a database's lock file.
fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

impl Lock {
    /// Takes the lock of a database.
    ///
    /// # Errors
    /// [`StoreError::Locked`] naming the holder, [`StoreError::Unavailable`] when the file cannot be
    /// made.
    pub(crate) fn take(database: &Path, now: Timestamp) -> StoreResult<Self> {
        let path = lock_path(database);
        let unusable = |error: std::io::Error| {
            StoreError::Unavailable(format!(
                "cannot take {}: {error}; choose a folder that can be written",
                path.display()
            ))
        };
        // Not truncated: until the lock is ours, the content is somebody else's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(&mut file)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let holder = Holder { pid: std::process::id(), since: now, address: None };
        write(&mut file, &holder).map_err(unusable)?;
        Ok(Self { file: Mutex::new(file), holder: Mutex::new(holder) })
    }

    /// Adds the address at which the holder answers.
    pub(crate) fn set_address(&self, address: &str) -> StoreResult<()> {
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        holder.address = Some(address.to_owned());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file, &holder).map_err(|error| {
            StoreError::Unavailable(format!("cannot write the lock file: {error}"))
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Best effort: a holder that reads on after this one must not be told about it.
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = file.set_len(0);
    }
}

fn write(file: &mut File, holder: &Holder) -> std::io::Result<()> {
    let text = serde_json::to_string(holder)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

/// The error for a lock that another process holds. It may be writing its name at this moment, so
/// what cannot be read is left out.
fn locked(file: &mut File) -> StoreError {
    let mut text = String::new();
    let read = file.read_to_string(&mut text).ok();
    let holder: Option<Holder> = read.and_then(|_| serde_json::from_str(&text).ok());
    let holder = holder.map_or_else(
        || "it does not say who it is".to_owned(),
        |Holder { pid, since, address }| {
            let address = address.map(|address| format!(", answering at {address}"));
            format!("pid {pid} since {since}{}", address.unwrap_or_default())
        },
    );
    StoreError::Locked { holder }
}
