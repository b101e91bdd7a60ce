//! Invoices and debit memos, and their items.

use std::sync::LazyLock;

use payment_runs_engine::account::Scope;
use payment_runs_engine::document::{Document, DocumentItem, DocumentKind};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, Key};
use rusqlite::{Connection, params};

use super::account::is_account_visible;
use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{
    BlobId, Columns, all, blob, execute, first, insert_sql, opt_date, opt_time, time, upsert_sql,
};

const COLUMNS: &str = "entity, id, number, kind, account, status, currency, amount_minor, balance_minor, \
     paid_minor, credited_minor, document_date, due_date, auto_pay, bill_run, payment_method, held_by, comment, \
     reason_code, posted_at, created_at, created_by, updated_at, updated_by";
/// What [`read`] reads. A document is also held while its account has an unmatched payment in its currency.
pub(crate) const SELECTED: &str = "id, number, kind, account, status, currency, amount_minor, balance_minor, \
     paid_minor, credited_minor, document_date, due_date, auto_pay, bill_run, payment_method, \
     coalesce(held_by, (SELECT u.payment FROM unmatched_payment AS u WHERE u.entity = document.entity \
     AND u.account = document.account AND u.currency = document.currency LIMIT 1)), comment, \
     reason_code, posted_at, created_at, created_by, updated_at, updated_by";
const ITEM_COLUMNS: &str = "entity, account, document, ordinal, amount_minor, tax_minor, charge_name, \
     service_start, service_end";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("document", COLUMNS));
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let untouched = "document.held_by IS NULL AND document.paid_minor = 0 AND document.credited_minor = 0";
    upsert_sql("document", COLUMNS, "entity, account, id", &[], untouched)
});
static INSERT_ITEM: LazyLock<String> = LazyLock::new(|| insert_sql("document_item", ITEM_COLUMNS));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM document WHERE entity = ?1 AND id = ?2"));
static BY_NUMBER: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {SELECTED} FROM document WHERE entity = ?1 AND kind = ?2 AND number = ?3")
});
/// Every open document of an account, in the order in which it is paid.
pub(crate) static OPEN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {SELECTED} FROM document INDEXED BY document_open WHERE entity = ?1 AND account = ?2 AND status = 1 AND balance_minor > 0 \
         ORDER BY due_date, number, id"
    )
});

pub(crate) fn read(row: &mut Columns<'_>) -> Result<Document, Failure> {
    Ok(Document {
        id: row.id()?,
        number: row.get()?,
        kind: row.code()?,
        account: row.id()?,
        status: row.code()?,
        currency: row.currency()?,
        amount_minor: row.get()?,
        balance_minor: row.get()?,
        paid_minor: row.get()?,
        credited_minor: row.get()?,
        document_date: row.date()?,
        due_date: row.date()?,
        auto_pay: row.get()?,
        bill_run: row.opt_id()?,
        payment_method: row.opt_id()?,
        held_by: row.opt_id()?,
        comment: row.get()?,
        reason_code: row.get()?,
        posted_at: row.opt_time()?,
        stamps: read_stamps(row)?,
    })
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, document: &Document) -> Result<(), Failure> {
    write(db, &INSERT, entity, document)
}

/// Writes the document, over one with the same identifier if there is one, unless money has moved for that one or is
/// about to: then it stays as it is.
pub(crate) fn upsert(db: &Connection, entity: EntityKey, document: &Document) -> Result<(), Failure> {
    write(db, &UPSERT, entity, document)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, document: &Document) -> Result<(), Failure> {
    let values = params![
        entity.0,
        document.id.to_blob(),
        document.number,
        document.kind.code(),
        document.account.to_blob(),
        document.status.code(),
        document.currency.code(),
        document.amount_minor,
        document.balance_minor,
        document.paid_minor,
        document.credited_minor,
        document.document_date.to_string(),
        document.due_date.to_string(),
        document.auto_pay,
        blob(document.bill_run),
        blob(document.payment_method),
        blob(document.held_by),
        document.comment,
        document.reason_code,
        opt_time(document.posted_at),
        time(document.stamps.created_at),
        document.stamps.created_by.to_blob(),
        time(document.stamps.updated_at),
        document.stamps.updated_by.to_blob(),
    ];
    execute(db, sql, values).map(drop)
}

pub(crate) fn insert_items(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    document: DocumentId,
    items: &[DocumentItem],
) -> Result<(), Failure> {
    for (ordinal, item) in items.iter().enumerate() {
        let values = params![
            entity.0,
            account.to_blob(),
            document.to_blob(),
            i64::try_from(ordinal).unwrap_or(i64::MAX),
            item.amount_minor,
            item.tax_minor,
            item.charge_name,
            opt_date(item.service_start),
            opt_date(item.service_end),
        ];
        execute(db, &INSERT_ITEM, values)?;
    }
    Ok(())
}

/// The items of a document, in their order.
pub(crate) fn items(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    document: DocumentId,
) -> Result<Vec<DocumentItem>, Failure> {
    let sql = "SELECT amount_minor, tax_minor, charge_name, service_start, service_end FROM document_item \
               WHERE entity = ?1 AND account = ?2 AND document = ?3 ORDER BY ordinal";
    all(db, sql, params![entity.0, account.to_blob(), document.to_blob()], |row| {
        Ok(DocumentItem {
            amount_minor: row.get()?,
            tax_minor: row.get()?,
            charge_name: row.get()?,
            service_start: row.opt_date()?,
            service_end: row.opt_date()?,
        })
    })
}

pub(crate) fn by_id(db: &Connection, entity: EntityKey, id: DocumentId) -> Result<Option<Document>, Failure> {
    first(db, &BY_ID, params![entity.0, id.to_blob()], read)
}

pub(crate) fn by_number(
    db: &Connection,
    entity: EntityKey,
    kind: DocumentKind,
    number: &str,
) -> Result<Option<Document>, Failure> {
    first(db, &BY_NUMBER, params![entity.0, kind.code(), number], read)
}

/// Every open document of an account, in the order in which it is paid.
pub(crate) fn open_of_account(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
) -> Result<Vec<Document>, Failure> {
    all(db, &OPEN, params![entity.0, account.to_blob()], read)
}

/// The document of this kind that a caller names, by identifier or else by number, wherever it belongs.
pub(crate) fn lookup(
    db: &Connection,
    entity: EntityKey,
    kind: DocumentKind,
    key: &Key,
) -> Result<Option<Document>, Failure> {
    let found = match key.as_id() {
        Some(id) => by_id(db, entity, DocumentId::from_u128(id))?.filter(|one| one.kind == kind),
        None => None,
    };
    match found {
        None => by_number(db, entity, kind, key.as_str()),
        found => Ok(found),
    }
}

/// Like [`lookup`], if the document is in the caller's scope.
pub(crate) fn find(
    db: &Connection,
    scope: &Scope,
    kind: DocumentKind,
    key: &Key,
) -> Result<Option<Document>, Failure> {
    let Some(document) = lookup(db, scope.entity, kind, key)? else { return Ok(None) };
    Ok(is_account_visible(db, scope, document.account)?.then_some(document))
}
