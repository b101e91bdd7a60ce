//! Opening the file: its settings, and its schema brought up to date step by step.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::open_error::OpenError;

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
    include_str!("../../migrations/sqlite/0010_gateway_accounts.sql"),
    include_str!("../../migrations/sqlite/0011_reconciliation.sql"),
    include_str!("../../migrations/sqlite/0012_customers.sql"),
    include_str!("../../migrations/sqlite/0013_kept_back.sql"),
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

/// Holds the file's locks from now on, instead of taking them for every transaction.
pub(crate) fn keep_others_out(db: &Connection, path: &Path) -> Result<(), OpenError> {
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")
        .map_err(|source| OpenError::Connect { path: path.to_owned(), source })
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path, READER_CACHE_KIB)?;
    db.pragma_update(None, "query_only", true)
        .map_err(|source| OpenError::Connect { path: path.to_owned(), source })?;
    Ok(db)
}

/// Opens the connection that writes.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    connect(path, WRITER_CACHE_KIB)
}

/// Makes an empty database in a file of 0 bytes that nobody else knows of, and leaves no log beside it.
pub(crate) fn make(path: &Path) -> Result<(), OpenError> {
    let mut db = open_writer(path)?;
    migrate(&mut db, 0)?;
    let close = |db: Connection| {
        keep_log(&db, false)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        db.close().map_err(|(_, error)| error)
    };
    close(db).map_err(|source| OpenError::Connect { path: path.to_owned(), source })
}

/// Whether the log stays beside the file when the connection is closed as the last one. Otherwise it is copied back and removed.
pub(crate) fn keep_log(db: &Connection, keep: bool) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// Opens a file that exists. The log stays beside it when it is closed, unless the connection is told otherwise.
fn connect(path: &Path, cache_kib: i64) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        keep_log(&db, true)?;
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

/// The step that a file's schema is at; 0 when it has none of ours.
pub(crate) fn step_of(db: &Connection) -> Result<usize, OpenError> {
    let found = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let found = found.map_err(|source| OpenError::Migrate { step: 0, source })?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > MIGRATIONS.len() {
        return Err(OpenError::TooNew { found, known: MIGRATIONS.len() });
    }
    Ok(found)
}

/// Brings the schema up to date from the step that it is at.
pub(crate) fn migrate(db: &mut Connection, found: usize) -> Result<(), OpenError> {
    let failed = |step: usize| move |source| OpenError::Migrate { step, source };
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
