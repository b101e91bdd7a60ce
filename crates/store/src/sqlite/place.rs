//! Where a database file is, and how it is made where there is none.
//!
//! Nothing here opens a file that a server may have open: see [`super::lock`].

use std::io;
use std::path::{Path, PathBuf};

use super::open_error::OpenError;
use super::schema;

/// How the name of the log ends, which `SQLite` keeps beside a file that is open.
const LOG_SUFFIX: &str = "-wal";
/// How the name of a file begins that is being made.
const NEW_PREFIX: &str = ".payment-runs-new-";
/// Who may do what with a new file, before the process's mask: what `SQLite` gives its files.
#[cfg(unix)]
const READABLE_MODE: u32 = 0o644;

/// A database file that exists.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its real path, without symbolic links.
    pub(crate) path: PathBuf,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
}

impl Place {
    /// Finds the file, or makes it: whole or not at all, so that a file of 0 bytes is none of ours.
    pub(crate) fn find_or_make(path: &Path) -> Result<Self, OpenError> {
        let is_new = match std::fs::symlink_metadata(path) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
            Err(source) => return Err(OpenError::Find { path: path.to_owned(), source }),
        };
        Ok(Self { is_new, ..Self::find(path)? })
    }

    /// Finds the file.
    pub(crate) fn find(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Find { path: path.to_owned(), source };
        let real = path.canonicalize().map_err(failed)?;
        if std::fs::metadata(&real).map_err(failed)?.len() == 0 {
            return Err(OpenError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: real, is_new: false })
    }

    /// Whether there is a log beside it that holds anything.
    pub(crate) fn has_log(&self) -> bool {
        has_log(&self.path)
    }
}

/// The log of a database file.
pub(crate) fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(LOG_SUFFIX);
    PathBuf::from(name)
}

fn has_log(database: &Path) -> bool {
    std::fs::metadata(log_of(database)).is_ok_and(|log| log.len() > 0)
}

/// Makes an empty database under a name of its own and gives it its name when it is whole. Says whether it did: not where
/// somebody else was faster.
fn make(path: &Path) -> Result<bool, OpenError> {
    if has_log(path) {
        return Err(OpenError::LogAlone { path: path.to_owned(), log: log_of(path) });
    }
    let failed = |source| OpenError::Make { path: path.to_owned(), source };
    let new = unnamed_beside(path, NEW_PREFIX).map_err(failed)?;
    schema::make(&new)?;
    match new.persist_noclobber(path) {
        Ok(()) => sync_folder(path).map_err(failed).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error.error)),
    }
}

/// A file of 0 bytes in the folder of another, which everybody may read who may read what is made there, and which is removed
/// unless it is given a name.
pub(crate) fn unnamed_beside(path: &Path, prefix: &str) -> io::Result<tempfile::TempPath> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(READABLE_MODE));
    }
    builder.tempfile_in(folder_of(path)).map(tempfile::NamedTempFile::into_temp_path)
}

/// Makes sure that a name that was just given outlives a power cut.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened.
    if cfg!(unix) { std::fs::File::open(folder_of(path))?.sync_all() } else { Ok(()) }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
