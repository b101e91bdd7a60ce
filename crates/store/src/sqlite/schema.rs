//! Opening the file: its settings, and its schema brought up to date step by step.

use std::path::PathBuf;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::lock::FileLock;

/// The steps of the schema in their order. A step that was released is never changed; a new one is added at the end.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_init.sql"),
    include_str!("../../migrations/sqlite/0002_async_requests.sql"),
    include_str!("../../migrations/sqlite/0003_schedules.sql"),
    include_str!("../../migrations/sqlite/0004_control.sql"),
    include_str!("../../migrations/sqlite/0005_webhooks.sql"),
    include_str!("../../migrations/sqlite/0006_imports.sql"),
    include_str!("../../migrations/sqlite/0007_delivery.sql"),
    include_str!("../../migrations/sqlite/0008_deliveries.sql"),
    include_str!("../../migrations/sqlite/0009_charge_keys.sql"),
];

/// How long a statement waits for a lock that a reader's checkpoint may hold, in milliseconds.
const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Prepared statements that each connection keeps.
const STATEMENTS_MAX: usize = 256;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Page cache of each reader, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;
/// Pages in the write-ahead log before it is copied back: large enough that a page changed by several batches is copied once.
const CHECKPOINT_PAGES: i64 = 4_000;
/// What the log file is cut back to after a large transaction, in bytes.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error("the database `{}` is in use: one server at a time may open it", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The lock file beside it could not be made or locked.
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

/// Takes the lock, opens the writer and brings the schema up to date.
pub(crate) fn open_writer(path: &std::path::Path) -> Result<(Connection, FileLock), OpenError> {
    let lock = FileLock::take(path)?;
    let mut db = connect(path, WRITER_CACHE_KIB)?;
    migrate(&mut db)?;
    end_leases(&db).map_err(|source| OpenError::Connect { path: path.to_owned(), source })?;
    Ok((db, lock))
}

/// Holds the file's locks from now on, instead of taking them for every transaction.
pub(crate) fn keep_others_out(db: &Connection, path: &std::path::Path) -> Result<(), OpenError> {
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")
        .map_err(|source| OpenError::Connect { path: path.to_owned(), source })
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

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &std::path::Path) -> Result<Connection, OpenError> {
    let db = connect(path, READER_CACHE_KIB)?;
    db.pragma_update(None, "query_only", true)
        .map_err(|source| OpenError::Connect { path: path.to_owned(), source })?;
    Ok(db)
}

fn connect(path: &std::path::Path, cache_kib: i64) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        db.pragma_update(None, "cache_size", -cache_kib)?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        db.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        // Plans never depend on the values of parameters. Otherwise SQLite prepares hot statements anew each time they
        // are bound, to look whether a value makes a better plan, which costs more than the statements themselves.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(db)
    };
    open().map_err(|source| OpenError::Connect { path: path.to_owned(), source })
}

fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let failed = |step: usize| move |source| OpenError::Migrate { step, source };
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(OpenError::TooNew { found, known: MIGRATIONS.len() });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        let step = index + 1;
        let apply = |db: &mut Connection| -> rusqlite::Result<()> {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", i64::try_from(step).unwrap_or(i64::MAX))?;
            transaction.commit()
        };
        apply(db).map_err(failed(step))?;
    }
    Ok(())
}
