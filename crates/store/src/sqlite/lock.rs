//! The lock of a database file: one process at a time, and one store in a process, by whatever name the file is opened.
//!
//! A lock file is named by the device and the inode of the database file, so that symbolic links, hard links and renames lead to
//! the same one. It is locked in two folders. The one beside the database is seen by every process that sees the database, also
//! where each has a folder for temporary files of its own. The one in [`SHARED_FOLDER`] is seen through hard links in other
//! folders, and it holds when somebody deletes the first. The operating system frees both when the process ends, however it ends.
//!
//! The database file itself is only looked at here and never opened: closing it would drop the locks that `SQLite` has on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// Where every process of a machine finds the same folder, whatever its environment says.
const SHARED_FOLDER: &str = "/tmp";
/// How often a lock file is opened anew that its last holder removed meanwhile. Each time another server has ended.
const ATTEMPTS_MAX: u32 = 10;

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    _held: Vec<LockFile>,
}

impl FileLock {
    /// Takes the lock of a database file, which exists and is given by its real path, or says that somebody else has it.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let name = lock_name(database)?;
        let folder = database.parent().unwrap_or(database);
        let mut held = vec![LockFile::take(&folder.join(&name), database)?];
        let shared = Path::new(SHARED_FOLDER);
        if cfg!(unix) && folder != shared {
            match LockFile::take(&shared.join(&name), database) {
                Ok(lock) => held.push(lock),
                Err(in_use @ OpenError::InUse { .. }) => return Err(in_use),
                // The other one holds. Some containers have no such folder, or may not write to it.
                Err(error) => tracing::warn!(
                    error = %payment_runs_engine::ports::Chain(&error),
                    "a second server that opens the database through a hard link in another folder would not be noticed"
                ),
            }
        }
        // Before the lock was ours, the file may have been replaced by another.
        if lock_name(database)? == name {
            Ok(Self { _held: held })
        } else {
            Err(OpenError::InUse { path: database.to_owned() })
        }
    }
}

/// One lock file, locked. It is removed before it is unlocked.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    _file: File,
}

impl LockFile {
    fn take(path: &Path, database: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::LockFile { path: path.to_owned(), source };
        for _ in 0..ATTEMPTS_MAX {
            let file = open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            if is_at(&file, path) {
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
        Err(OpenError::InUse { path: database.to_owned() })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // One that stays, as after a crash, is locked by the next server.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a lock file, which is made when absent. To lock it, it need not be writable: it may belong to another user.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    match file {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path).map_err(|_| error),
        file => file,
    }
}

/// Whether a file is still the one that its path leads to, and not one that its last holder removed.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(open), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// Elsewhere lock files are not removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// The name of the lock file: by device and inode.
#[cfg(unix)]
fn lock_name(database: &Path) -> Result<String, OpenError> {
    use std::os::unix::fs::MetadataExt as _;
    let failed = |source| OpenError::Find { path: database.to_owned(), source };
    let metadata = std::fs::metadata(database).map_err(failed)?;
    Ok(format!("payment-runs-{}-{}.lock", metadata.dev(), metadata.ino()))
}

/// The name of the lock file where files have no number: links to the file are not seen through.
#[cfg(not(unix))]
fn lock_name(database: &Path) -> Result<String, OpenError> {
    let name = database.file_name().unwrap_or(database.as_os_str());
    Ok(format!("payment-runs-{}.lock", name.to_string_lossy()))
}
