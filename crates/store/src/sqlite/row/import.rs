//! Imports, and the lines that they refused.

use std::sync::LazyLock;

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, ImportId, UserId};
use payment_runs_engine::import::{Import, RefusedLine};
use rusqlite::{CachedStatement, Connection, params};

use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{
    BlobId, Columns, all, execute, execute_one, first, from_json, insert_sql, time, to_json,
};

const COLUMNS: &str = "entity, id, name, kind, format, next_line, stored, refused, created_at, created_by, \
     updated_at, updated_by";
const SELECTED: &str = "id, name, kind, format, next_line, stored, refused, created_at, created_by, updated_at, \
     updated_by";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("import", COLUMNS));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM import WHERE entity = ?1 AND id = ?2"));
static NEWEST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {SELECTED} FROM import WHERE entity = ?1 AND id < ?2 AND (?3 IS NULL OR created_by = ?3) \
         ORDER BY id DESC LIMIT ?4"
    )
});

fn read(row: &mut Columns<'_>) -> Result<Import, Failure> {
    Ok(Import {
        id: row.id()?,
        name: row.get()?,
        kind: row.code()?,
        format: row.code()?,
        next_line: row.number()?,
        stored: row.number()?,
        refused: row.number()?,
        stamps: read_stamps(row)?,
    })
}

/// A count as it is stored.
fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, import: &Import) -> Result<(), Failure> {
    let values = params![
        entity.0,
        import.id.to_blob(),
        import.name,
        import.kind.code(),
        import.format.code(),
        count(import.next_line),
        count(import.stored),
        count(import.refused),
        time(import.stamps.created_at),
        import.stamps.created_by.to_blob(),
        time(import.stamps.updated_at),
        import.stamps.updated_by.to_blob(),
    ];
    execute(db, &INSERT, values).map(drop)
}

/// Writes how far the import is.
pub(crate) fn advance(db: &Connection, entity: EntityKey, import: &Import) -> Result<(), Failure> {
    let sql = "UPDATE import SET next_line = ?3, stored = ?4, refused = ?5, updated_at = ?6, updated_by = ?7 \
               WHERE entity = ?1 AND id = ?2";
    let values = params![
        entity.0,
        import.id.to_blob(),
        count(import.next_line),
        count(import.stored),
        count(import.refused),
        time(import.stamps.updated_at),
        import.stamps.updated_by.to_blob(),
    ];
    execute_one(db, sql, values, "advance an import")
}

/// The user whose imports alone are seen; `None` sees those of everybody.
fn only_own(scope: &Scope, user: UserId) -> Option<UserId> {
    scope.organizations.is_some().then_some(user)
}

/// An import that is in the caller's scope.
pub(crate) fn find(
    db: &Connection,
    scope: &Scope,
    user: UserId,
    id: ImportId,
) -> Result<Option<Import>, Failure> {
    let found = first(db, &BY_ID, params![scope.entity.0, id.to_blob()], read)?;
    Ok(found.filter(|import| only_own(scope, user).is_none_or(|own| own == import.stamps.created_by)))
}

/// Imports in the caller's scope, newest first.
pub(crate) fn list(
    db: &Connection,
    scope: &Scope,
    user: UserId,
    before: Option<ImportId>,
    limit: u32,
) -> Result<Vec<Import>, Failure> {
    let before = before.unwrap_or(ImportId::from_u128(u128::MAX));
    let own = only_own(scope, user).map(BlobId::to_blob);
    all(db, &NEWEST, params![scope.entity.0, before.to_blob(), own, limit], read)
}

/// The statement by which refused lines are inserted, prepared once for many.
pub(crate) fn prepare_refused(db: &Connection) -> Result<CachedStatement<'_>, Failure> {
    Ok(db.prepare_cached("INSERT INTO import_fault (entity, import, line, faults) VALUES (?1, ?2, ?3, ?4)")?)
}

/// Executes [`prepare_refused`] for one line.
pub(crate) fn insert_refused(
    statement: &mut CachedStatement<'_>,
    entity: EntityKey,
    import: ImportId,
    line: &RefusedLine,
) -> Result<(), Failure> {
    statement.execute(params![entity.0, import.to_blob(), count(line.line), to_json(&line.faults)?])?;
    Ok(())
}

/// Refused lines, in their order.
pub(crate) fn refused(
    db: &Connection,
    entity: EntityKey,
    import: ImportId,
    after: u64,
    limit: u32,
) -> Result<Vec<RefusedLine>, Failure> {
    let sql = "SELECT line, faults FROM import_fault WHERE entity = ?1 AND import = ?2 AND line > ?3 \
               ORDER BY line LIMIT ?4";
    all(db, sql, params![entity.0, import.to_blob(), count(after), limit], |row| {
        Ok(RefusedLine { line: row.number()?, faults: from_json(&row.get::<String>()?)? })
    })
}
