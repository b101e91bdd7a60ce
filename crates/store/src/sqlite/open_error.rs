//! Why a database file could not be opened.

use std::path::PathBuf;

/// Why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open, be it by another name.
    #[error("the database `{}` is in use: one server at a time may open it", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file could not be found out about.
    #[error("the database `{}` could not be looked at", path.display())]
    Find {
        /// The database file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// There was no file, and none could be made.
    #[error("the database `{}` does not exist and could not be made", path.display())]
    Make {
        /// The database file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file has no content, which no server leaves behind.
    #[error(
        "the database `{}` is a file of 0 bytes, as a copy that failed leaves it: put the right file there, or remove it to \
         begin with an empty ledger",
        path.display()
    )]
    Empty {
        /// The database file.
        path: PathBuf,
    },
    /// There is no file, but the log of one.
    #[error(
        "the database `{}` does not exist, but its log `{}` does: put the file back, or remove the log to begin with an empty \
         ledger",
        path.display(), log.display()
    )]
    LogAlone {
        /// The database file.
        path: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// The file is a plain copy of one that a server had open.
    #[error(
        "the database `{}` was copied while a server had it open, and without its log: what was committed last may be missing. \
         Use a copy that `payment-runs backup` made; or serve this one with `--restored`, if nothing better is left",
        path.display()
    )]
    Copy {
        /// The database file.
        path: PathBuf,
    },
    /// The lock file could not be made or locked.
    #[error("the lock file `{}` could not be locked", path.display())]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file could not be opened or set up.
    #[error("the database `{}` could not be opened", path.display())]
    Connect {
        /// The database file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// A step of the schema failed; the file is as it was before that step.
    #[error("step {step} of the database schema could not be applied")]
    Migrate {
        /// The step, from 1.
        step: usize,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a newer version.
    #[error("the database schema is at step {found}, and this version knows {known}")]
    TooNew {
        /// The file's step.
        found: usize,
        /// The newest step known here.
        known: usize,
    },
    /// A thread could not be started.
    #[error("a database thread could not be started")]
    Thread {
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}
