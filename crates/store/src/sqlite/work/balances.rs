//! The only statements that move money between documents, credits and payments. Each changes exactly one row, guarded by
//! what must hold before, or fails and rolls its transaction back.

use jiff::Timestamp;
use payment_runs_engine::ids::{AccountId, CreditMemoId, DocumentId, EntityKey, PaymentId};
use payment_runs_engine::payment::PaymentPart;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, execute, execute_one, time};

/// Keeps a free document, and says how many charges under its keys have been answered.
pub(crate) const HOLD: &str = "UPDATE document SET held_by = ?4 \
     WHERE entity = ?1 AND account = ?2 AND id = ?3 AND held_by IS NULL RETURNING charges_answered";
/// Pays a part of a document by the payment that holds it, and lets go of it.
pub(crate) const PAY_AND_RELEASE: &str = "UPDATE document SET balance_minor = balance_minor - ?4, \
     paid_minor = paid_minor + ?4, held_by = NULL, updated_at = ?6, charges_answered = charges_answered + ?7 \
     WHERE entity = ?1 AND account = ?2 AND id = ?3 AND balance_minor >= ?4 AND held_by = ?5";

/// A payment pays a part of a document.
pub(crate) fn pay(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    part: &PaymentPart,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE document SET balance_minor = balance_minor - ?4, paid_minor = paid_minor + ?4, updated_at = ?5 \
               WHERE entity = ?1 AND account = ?2 AND id = ?3 AND balance_minor >= ?4";
    let values = params![entity.0, account.to_blob(), part.document.to_blob(), part.amount_minor, time(now)];
    execute_one(db, sql, values, "pay a document")
}

/// A payment that held the document pays its part and lets go of it, in one step. `answered` charges under the document's keys
/// count as answered.
pub(crate) fn pay_and_release(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    part: &PaymentPart,
    payment: PaymentId,
    answered: u32,
    now: Timestamp,
) -> Result<(), Failure> {
    let values = params![
        entity.0,
        account.to_blob(),
        part.document.to_blob(),
        part.amount_minor,
        payment.to_blob(),
        time(now),
        answered
    ];
    execute_one(db, PAY_AND_RELEASE, values, "pay a held document")
}

/// A credit pays a part of a document. Money of an unapplied payment counts as paid, other credit as credited.
pub(crate) fn credit(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    document: DocumentId,
    amount_minor: i64,
    is_payment: bool,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = if is_payment {
        "UPDATE document SET balance_minor = balance_minor - ?4, paid_minor = paid_minor + ?4, updated_at = ?5 \
         WHERE entity = ?1 AND account = ?2 AND id = ?3 AND balance_minor >= ?4 AND held_by IS NULL"
    } else {
        "UPDATE document SET balance_minor = balance_minor - ?4, credited_minor = credited_minor + ?4, updated_at = ?5 \
         WHERE entity = ?1 AND account = ?2 AND id = ?3 AND balance_minor >= ?4 AND held_by IS NULL"
    };
    let values = params![entity.0, account.to_blob(), document.to_blob(), amount_minor, time(now)];
    execute_one(db, sql, values, "credit a document")
}

/// Takes from a posted credit memo.
pub(crate) fn take_from_memo(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    memo: CreditMemoId,
    amount_minor: i64,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE credit_memo SET unapplied_minor = unapplied_minor - ?4, updated_at = ?5 \
               WHERE entity = ?1 AND account = ?2 AND id = ?3 AND status = 1 AND unapplied_minor >= ?4";
    let values = params![entity.0, account.to_blob(), memo.to_blob(), amount_minor, time(now)];
    execute_one(db, sql, values, "use a credit memo")
}

/// Takes from what a processed payment has left.
pub(crate) fn take_from_payment(
    db: &Connection,
    entity: EntityKey,
    payment: PaymentId,
    amount_minor: i64,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE payment SET unapplied_minor = unapplied_minor - ?3, updated_at = ?4 \
               WHERE entity = ?1 AND id = ?2 AND state = 3 AND unapplied_minor >= ?3";
    let values = params![entity.0, payment.to_blob(), amount_minor, time(now)];
    execute_one(db, sql, values, "use an unapplied payment")
}

/// Takes from an account's credit balance.
pub(crate) fn take_from_account(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    amount_minor: i64,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE account SET credit_balance_minor = credit_balance_minor - ?3, updated_at = ?4 \
               WHERE entity = ?1 AND id = ?2 AND credit_balance_minor >= ?3";
    let values = params![entity.0, account.to_blob(), amount_minor, time(now)];
    execute_one(db, sql, values, "use a credit balance")
}

/// Keeps free documents for payments until their outcomes are known.
pub(crate) struct Hold<'a> {
    statement: CachedStatement<'a>,
}

impl<'a> Hold<'a> {
    /// Prepares the statement once for many documents.
    pub(crate) fn prepare(db: &'a Connection) -> Result<Self, Failure> {
        Ok(Self { statement: db.prepare_cached(HOLD)? })
    }

    /// Keeps one document, and says how many charges under its keys have been answered; fails when another payment has it.
    pub(crate) fn hold(
        &mut self,
        entity: EntityKey,
        account: AccountId,
        document: DocumentId,
        payment: PaymentId,
    ) -> Result<u32, Failure> {
        let values = params![entity.0, account.to_blob(), document.to_blob(), payment.to_blob()];
        let held = self.statement.query_row(values, |row| row.get(0)).optional()?;
        held.ok_or_else(|| Failure::broken(format!("document {document} is held by another payment")))
    }
}

/// Lets go of a document that a payment held, if it still does. `answered` charges under the document's keys count as answered.
pub(crate) fn release(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
    document: DocumentId,
    payment: PaymentId,
    answered: u32,
) -> Result<(), Failure> {
    let sql = "UPDATE document SET held_by = NULL, charges_answered = charges_answered + ?5 \
               WHERE entity = ?1 AND account = ?2 AND id = ?3 AND held_by = ?4";
    let values = params![entity.0, account.to_blob(), document.to_blob(), payment.to_blob(), answered];
    execute(db, sql, values).map(drop)
}
