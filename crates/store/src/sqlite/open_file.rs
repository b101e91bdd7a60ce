//! The database file while it is open: found or made, locked, marked, and closed in order.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::lock::FileLock;
use super::mark::{self, Mark};
use super::open_error::OpenError;
use super::place::Place;
use super::schema;

/// How a database file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// There was none, and an empty one was made.
    New,
    /// It had been closed in order.
    Closed,
    /// It had not been closed in order: its server or its machine was stopped by force.
    LeftOpen,
    /// It is a copy of a file that a server had open.
    Copy,
}

/// How a database file is opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Opening {
    /// Whether a plain copy of an open file is taken.
    pub(crate) is_restored: bool,
    /// Whether the file has the mark while it is open. It costs two commits.
    pub(crate) has_mark: bool,
}

/// The file with the connection that writes. It is closed in order when this is dropped.
pub(crate) struct OpenFile {
    pub(crate) db: Connection,
    /// Its real path, without symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    /// Whether it has the mark while it is open.
    has_mark: bool,
    /// Whether it is known to be one of ours.
    is_ours: bool,
    /// Dropped after the connection.
    _lock: FileLock,
}

impl OpenFile {
    /// Finds or makes the file, takes its lock, marks it as open and brings its schema up to date. A plain copy of an open file is
    /// refused unless it is said to be restored.
    pub(crate) fn open(path: &Path, opening: Opening) -> Result<Self, OpenError> {
        let place = Place::find_or_make(path)?;
        let lock = FileLock::take(&place.path)?;
        let has_log = place.has_log();
        let db = schema::open_writer(&place.path)?;
        let failed = |source| OpenError::Connect { path: path.to_owned(), source };
        // A log that was there belongs to the mark. One that was not is in nobody's way.
        schema::keep_log(&db, has_log).map_err(failed)?;
        let origin = match (mark::read(&db).map_err(failed)?, has_log) {
            _ if place.is_new => Origin::New,
            (Mark::Absent, _) => Origin::Closed,
            (Mark::Own | Mark::Inherited, true) => Origin::LeftOpen,
            (Mark::Own, false) if !opening.is_restored => {
                return Err(OpenError::Copy { path: path.to_owned() });
            }
            (Mark::Own | Mark::Inherited, false) => Origin::Copy,
        };
        let step = schema::step_of(&db)?;
        let has_mark = opening.has_mark;
        let mut file = Self { db, path: place.path, origin, has_mark, is_ours: false, _lock: lock };
        if step > 0 {
            file.set_mark().map_err(failed)?;
        }
        if step < schema::MIGRATIONS.len() {
            schema::migrate(&mut file.db, step)?;
            file.set_mark().map_err(failed)?;
        }
        end_leases(&file.db).map_err(failed)?;
        Ok(file)
    }

    /// From here on the log must stay until the mark is removed.
    fn set_mark(&mut self) -> rusqlite::Result<()> {
        schema::keep_log(&self.db, true)?;
        self.is_ours = true;
        if self.has_mark { mark::set(&mut self.db) } else { Ok(()) }
    }

    /// Removes the mark and then, when the connection is closed, the log.
    fn remove_mark(&self) -> rusqlite::Result<()> {
        if self.has_mark && !mark::remove(&self.db)? {
            tracing::warn!("another program reads the database, and its log stays until that ends");
        }
        schema::keep_log(&self.db, false)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = self.remove_mark()
        {
            // The log stays with the mark, as after a crash.
            tracing::warn!(%error, "the database could not be closed in order; the next start recovers it");
        }
    }
}

/// Ends every lease. Whoever holds the file's lock is alone with it, so a lease that is still running belonged to a worker
/// that is gone, and its work need not wait until the lease runs out. Epochs stay, so that nothing old can be written. The lease
/// of a chunk ends at the first moment there is and not at none, which would make it one that nobody has begun.
fn end_leases(db: &Connection) -> rusqlite::Result<()> {
    db.execute("UPDATE chunk SET lease_until = 1 WHERE stage < 2 AND lease_until > 1", [])?;
    db.execute(
        "UPDATE run SET selection_lease_until = 0 WHERE selection_complete = 0 AND selection_lease_until > 0",
        [],
    )?;
    Ok(())
}
