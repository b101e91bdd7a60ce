//! Credit memos.

use std::sync::LazyLock;

use payment_runs_engine::account::Scope;
use payment_runs_engine::document::CreditMemo;
use payment_runs_engine::ids::{AccountId, CreditMemoId, EntityKey, Key};
use rusqlite::{Connection, params};

use super::account::is_account_visible;
use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, all, execute, first, insert_sql, time, upsert_sql};

const COLUMNS: &str = "entity, id, number, account, status, currency, amount_minor, unapplied_minor, \
     effective_date, reason_code, comment, created_at, created_by, updated_at, updated_by";
const SELECTED: &str = "id, number, account, status, currency, amount_minor, unapplied_minor, \
     effective_date, reason_code, comment, created_at, created_by, updated_at, updated_by";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("credit_memo", COLUMNS));
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let untouched = "credit_memo.unapplied_minor = credit_memo.amount_minor";
    upsert_sql("credit_memo", COLUMNS, "entity, account, id", &[], untouched)
});
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM credit_memo WHERE entity = ?1 AND id = ?2"));
static BY_NUMBER: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM credit_memo WHERE entity = ?1 AND number = ?2"));
/// The posted credit memos of an account with something left, oldest first.
pub(crate) static OPEN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {SELECTED} FROM credit_memo INDEXED BY credit_memo_open WHERE entity = ?1 AND account = ?2 AND status = 1 \
         AND unapplied_minor > 0 ORDER BY effective_date, number"
    )
});

fn read(row: &mut Columns<'_>) -> Result<CreditMemo, Failure> {
    Ok(CreditMemo {
        id: row.id()?,
        number: row.get()?,
        account: row.id()?,
        status: row.code()?,
        currency: row.currency()?,
        amount_minor: row.get()?,
        unapplied_minor: row.get()?,
        effective_date: row.date()?,
        reason_code: row.get()?,
        comment: row.get()?,
        stamps: read_stamps(row)?,
    })
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, memo: &CreditMemo) -> Result<(), Failure> {
    write(db, &INSERT, entity, memo)
}

/// Writes the credit memo, over one with the same identifier if there is one, unless some of that one was used: then it
/// stays as it is.
pub(crate) fn upsert(db: &Connection, entity: EntityKey, memo: &CreditMemo) -> Result<(), Failure> {
    write(db, &UPSERT, entity, memo)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, memo: &CreditMemo) -> Result<(), Failure> {
    let values = params![
        entity.0,
        memo.id.to_blob(),
        memo.number,
        memo.account.to_blob(),
        memo.status.code(),
        memo.currency.code(),
        memo.amount_minor,
        memo.unapplied_minor,
        memo.effective_date.to_string(),
        memo.reason_code,
        memo.comment,
        time(memo.stamps.created_at),
        memo.stamps.created_by.to_blob(),
        time(memo.stamps.updated_at),
        memo.stamps.updated_by.to_blob(),
    ];
    execute(db, sql, values).map(drop)
}

pub(crate) fn by_number(
    db: &Connection,
    entity: EntityKey,
    number: &str,
) -> Result<Option<CreditMemo>, Failure> {
    first(db, &BY_NUMBER, params![entity.0, number], read)
}

/// The posted credit memos of an account with something left, oldest first.
pub(crate) fn open_of_account(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
) -> Result<Vec<CreditMemo>, Failure> {
    all(db, &OPEN, params![entity.0, account.to_blob()], read)
}

/// The credit memo that a caller names, by identifier or else by number, if it is in the caller's scope.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<CreditMemo>, Failure> {
    let found = match key.as_id() {
        Some(id) => {
            let id = CreditMemoId::from_u128(id);
            first(db, &BY_ID, params![scope.entity.0, id.to_blob()], read)?
        }
        None => None,
    };
    let found = match found {
        None => by_number(db, scope.entity, key.as_str())?,
        found => found,
    };
    let Some(memo) = found else { return Ok(None) };
    Ok(is_account_visible(db, scope, memo.account)?.then_some(memo))
}
