//! Decisions about documents, and the credits that were applied to them.

use std::sync::LazyLock;

use payment_runs_engine::ids::{AccountId, CreditMemoId, EntityKey, PaymentId, RunId};
use payment_runs_engine::plan::{CreditSource, CreditUse};
use payment_runs_engine::run::Decision;
use rusqlite::{Connection, params};

use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, blob, insert_sql};

const COLUMNS: &str = "entity, run, chunk, ordinal, document, kind, number, account, currency, balance_minor, \
     reason, credit_minor, charge_minor, payment, payment_method";
/// What [`read`] reads.
pub(crate) const SELECTED: &str = "document, kind, number, account, currency, balance_minor, reason, \
     credit_minor, charge_minor, payment, payment_method";
const CREDIT_COLUMNS: &str = "entity, run, chunk, ordinal, account, document, source_kind, source, \
     amount_minor, record, applied_at";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("decision", COLUMNS));
static INSERT_CREDIT: LazyLock<String> = LazyLock::new(|| insert_sql("credit_application", CREDIT_COLUMNS));

pub(crate) fn read(row: &mut Columns<'_>) -> Result<Decision, Failure> {
    Ok(Decision {
        document: row.id()?,
        kind: row.code()?,
        number: row.get()?,
        account: row.id()?,
        currency: row.currency()?,
        balance_minor: row.get()?,
        skipped: row.opt_code()?,
        credit_minor: row.get()?,
        charge_minor: row.get()?,
        payment: row.opt_id()?,
        payment_method: row.opt_id()?,
    })
}

/// Writes the decisions of a chunk, in their order.
pub(crate) fn insert_all(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    chunk: u32,
    decisions: &[Decision],
) -> Result<(), Failure> {
    let mut statement = db.prepare_cached(&INSERT)?;
    for (ordinal, decision) in decisions.iter().enumerate() {
        statement.execute(params![
            entity.0,
            run.to_blob(),
            chunk,
            i64::try_from(ordinal).unwrap_or(i64::MAX),
            decision.document.to_blob(),
            decision.kind.code(),
            decision.number,
            decision.account.to_blob(),
            decision.currency.code(),
            decision.balance_minor,
            decision.skipped.map(Code::code),
            decision.credit_minor,
            decision.charge_minor,
            blob(decision.payment),
            blob(decision.payment_method),
        ])?;
    }
    Ok(())
}

/// Writes down the credits that a chunk applied, in their order.
pub(crate) fn insert_credits(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    chunk: u32,
    credits: &[CreditUse],
    at: i64,
) -> Result<(), Failure> {
    let mut statement = db.prepare_cached(&INSERT_CREDIT)?;
    for (ordinal, credit) in credits.iter().enumerate() {
        let (kind, source) = source_columns(credit.source);
        statement.execute(params![
            entity.0,
            run.to_blob(),
            chunk,
            i64::try_from(ordinal).unwrap_or(i64::MAX),
            credit.account.to_blob(),
            credit.document.to_blob(),
            kind,
            source,
            credit.amount_minor,
            credit.record,
            at,
        ])?;
    }
    Ok(())
}

fn source_columns(source: CreditSource) -> (i64, [u8; 16]) {
    match source {
        CreditSource::CreditMemo(id) => (0, id.to_blob()),
        CreditSource::UnappliedPayment(id) => (1, id.to_blob()),
        CreditSource::CreditBalance(id) => (2, id.to_blob()),
    }
}

/// Reads the columns `source_kind, source`.
pub(crate) fn read_source(row: &mut Columns<'_>) -> Result<CreditSource, Failure> {
    let kind: i64 = row.get()?;
    let source: [u8; 16] = row.get()?;
    match kind {
        0 => Ok(CreditSource::CreditMemo(CreditMemoId::from_blob(source))),
        1 => Ok(CreditSource::UnappliedPayment(PaymentId::from_blob(source))),
        2 => Ok(CreditSource::CreditBalance(AccountId::from_blob(source))),
        other => Err(Failure::Corrupt(format!("credit source {other}"))),
    }
}
