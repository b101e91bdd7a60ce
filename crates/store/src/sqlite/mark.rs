//! The mark that tells a file that a server has open from one that it closed in order.
//!
//! It is a row that a start commits and copies from the log into the file before it serves, and that an orderly stop removes. So a
//! file that has the mark and no log beside it is a copy that was made of the file alone: what was in the log is missing, and the
//! pages may be of different times. The row holds the version that the schema had. `SQLite` gives a whole copy that it makes itself
//! (with `VACUUM INTO`, or page by page within one transaction) another one, so that such a copy is told from a plain one.

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior};

/// The mark as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// There is none: the file was closed in order.
    Absent,
    /// The mark of this very file, or of a plain copy of it.
    Own,
    /// A mark that a copy made by `SQLite` took over.
    Inherited,
}

/// Reads the mark.
pub(crate) fn read(db: &Connection) -> rusqlite::Result<Mark> {
    let has_table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'opened'";
    if db.query_row(has_table, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Mark::Absent);
    }
    let marked =
        db.query_row("SELECT schema_version FROM opened", [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(match marked {
        None => Mark::Absent,
        Some(version) if version == schema_version(db)? => Mark::Own,
        Some(_) => Mark::Inherited,
    })
}

/// Sets the mark in the file itself, not only in its log.
pub(crate) fn set(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "CREATE TABLE IF NOT EXISTS opened (id INTEGER PRIMARY KEY CHECK (id = 1), schema_version INTEGER NOT NULL) STRICT",
        [],
    )?;
    let version = schema_version(&transaction)?;
    transaction.execute("INSERT OR REPLACE INTO opened (id, schema_version) VALUES (1, ?1)", [version])?;
    transaction.commit()?;
    // The log keeps what it has: an empty one is what a copy of the file finds that somebody has looked into.
    if !db.query_row("PRAGMA wal_checkpoint(FULL)", [], is_complete)? {
        tracing::warn!(
            "a program that reads the database keeps the server from telling a copy of it from the original"
        );
    }
    Ok(())
}

/// Removes the mark and empties the log into the file. Says whether all of it is in the file: not while another program reads it,
/// which then does it when it ends.
pub(crate) fn remove(db: &Connection) -> rusqlite::Result<bool> {
    db.execute("DELETE FROM opened", [])?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_complete)
}

/// Grows with every change of the schema. It is not the step that the schema is at.
fn schema_version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "schema_version", |row| row.get(0))
}

/// Whether a checkpoint was not kept from its end.
fn is_complete(row: &Row<'_>) -> rusqlite::Result<bool> {
    row.get::<_, i64>(0).map(|busy| busy == 0)
}
