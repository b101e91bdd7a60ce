//! Backups: a whole copy of a database file, also while a server writes to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::mark::{self, Mark};
use super::open_error::OpenError;
use super::place::{Place, sync_folder, unnamed_beside};
use super::schema;

/// Pages that are copied before the copy is written on.
const PAGES_PER_STEP: i32 = 4_096;
/// How long a lock is waited for that another program has on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How the name of a copy begins that is being made.
const NEW_PREFIX: &str = ".payment-runs-backup-";
/// Faults of a damaged copy that are told.
const FAULTS_MAX: u32 = 10;

/// A backup that was made and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The rows of each table.
    pub rows: BTreeMap<String, u64>,
}

/// Why there is no backup. What was begun is removed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database could not be opened.
    #[error("the database cannot be backed up")]
    Open(#[from] OpenError),
    /// There is a file already where the backup was to be.
    #[error("`{}` exists: a backup overwrites nothing", path.display())]
    Exists {
        /// That file.
        path: PathBuf,
    },
    /// The database could not be read, or the copy not be written.
    #[error("the database could not be copied")]
    Copy(#[from] rusqlite::Error),
    /// The file of the backup could not be made or given its name.
    #[error("the backup `{}` could not be written", path.display())]
    Write {
        /// Where it was to be.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The copy is damaged, and so probably is the database.
    #[error("the copy is damaged, and so the database may be: {}", faults.join("; "))]
    Damaged {
        /// What the check of the pages found.
        faults: Vec<String>,
    },
    /// The copy has not what the database had.
    #[error("the copy has {found} rows of `{table}`, and the database had {expected}")]
    Differs {
        /// The table.
        table: String,
        /// Rows in the database when it was copied.
        expected: u64,
        /// Rows in the copy.
        found: u64,
    },
}

/// Copies a database as it is at one moment to a file that does not exist yet, and verifies the copy: it is opened, its pages are
/// checked, and every table has as many rows as it had in the database. The file gets its name when all of that is done and on
/// the disk. A server may have the database open, and goes on meanwhile; its log grows until the copy is made.
pub fn back_up(database: &Path, to: &Path) -> Result<BackedUp, BackupError> {
    let failed = |source| BackupError::Write { path: to.to_owned(), source };
    let exists = || BackupError::Exists { path: to.to_owned() };
    if to.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let source = Source::open(database)?;
    let new = unnamed_beside(to, NEW_PREFIX).map_err(failed)?;
    let permissions = std::fs::metadata(&source.path).and_then(|found| {
        // It holds what the database holds.
        std::fs::set_permissions(&new, found.permissions())
    });
    permissions.map_err(failed)?;
    let rows = source.copy_to(&new)?;
    close_in_order(&new)?;
    verify(&new, &rows)?;
    // Nobody else knows of it, so it may be opened here.
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    let bytes = std::fs::metadata(&new).map_err(failed)?.len();
    new.persist_noclobber(to).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(),
        _ => failed(error.error),
    })?;
    sync_folder(to).map_err(failed)?;
    Ok(BackedUp { bytes, rows })
}

/// A database that is read, and left as it is.
struct Source {
    db: Connection,
    path: PathBuf,
}

impl Source {
    fn open(database: &Path) -> Result<Self, BackupError> {
        let place = Place::find(database)?;
        let has_log = place.has_log();
        // To read a file with a log, `SQLite` takes part in the file's locks, which it keeps in a file that it must write.
        let db = connect(&place.path)?;
        schema::keep_log(&db, true)?;
        db.pragma_update(None, "query_only", true)?;
        if mark::read(&db)? == Mark::Own && !has_log {
            schema::keep_log(&db, false)?;
            return Err(OpenError::Copy { path: database.to_owned() }.into());
        }
        Ok(Self { db, path: place.path })
    }

    /// Copies everything within one transaction, so that it is of one moment. Gives the rows of that moment.
    fn copy_to(&self, new: &Path) -> Result<BTreeMap<String, u64>, BackupError> {
        let mut copy = connect(new)?;
        let snapshot = self.db.unchecked_transaction()?;
        let rows = count_rows(&self.db)?;
        let backup = Backup::new(&self.db, &mut copy)?;
        while backup.step(PAGES_PER_STEP)? != StepResult::Done {}
        drop(backup);
        snapshot.commit()?;
        // A file that was closed in order is alone again. The log of any other one stays.
        if mark::read(&self.db)? == Mark::Absent {
            schema::keep_log(&self.db, false)?;
        }
        Ok(rows)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    Ok(db)
}

/// Makes the copy one that was closed in order.
fn close_in_order(copy: &Path) -> rusqlite::Result<()> {
    let db = connect(copy)?;
    db.pragma_update(None, "journal_mode", "DELETE")?;
    if mark::read(&db)? != Mark::Absent {
        mark::remove(&db)?;
    }
    db.close().map_err(|(_, error)| error)
}

fn verify(copy: &Path, expected: &BTreeMap<String, u64>) -> Result<(), BackupError> {
    let db = connect(copy)?;
    let mut check = db.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
    let faults: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if faults != ["ok"] {
        return Err(BackupError::Damaged { faults });
    }
    let found = count_rows(&db)?;
    for (table, &expected) in expected {
        let found = found.get(table).copied().unwrap_or_default();
        if found != expected {
            return Err(BackupError::Differs { table: table.clone(), expected, found });
        }
    }
    Ok(())
}

/// The rows of every table but that of the mark.
fn count_rows(db: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'opened'";
    let tables: Vec<String> = db.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let count = |table: String| {
        let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
        let rows: i64 = db.query_row(&sql, [], |row| row.get(0))?;
        Ok((table, u64::try_from(rows).unwrap_or_default()))
    };
    tables.into_iter().map(count).collect()
}
