//! Payment methods.

use std::sync::LazyLock;

use payment_runs_engine::account::{RetryRule, Scope};
use payment_runs_engine::ids::{EntityKey, Key, PaymentMethodId};
use payment_runs_engine::payment_method::{Instrument, PaymentMethod};
use rusqlite::{Connection, params};

use super::account::is_account_visible;
use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, blob, execute, first, insert_sql, opt_time, time, upsert_sql};

const COLUMNS: &str = "entity, id, account, kind, kind_name, status, mask, brand, expiration_month, \
     expiration_year, holder_name, token, customer, use_default_retry_rule, max_consecutive_failures, retry_window_hours, \
     consecutive_failures, last_failed_at, last_transaction_at, last_transaction, processed_payments, error_payments, \
     created_at, created_by, updated_at, updated_by";

/// What only outcomes change.
const HISTORY: &[&str] = &[
    "consecutive_failures",
    "last_failed_at",
    "last_transaction_at",
    "last_transaction",
    "processed_payments",
    "error_payments",
];

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("payment_method", COLUMNS));
static UPSERT: LazyLock<String> =
    LazyLock::new(|| upsert_sql("payment_method", COLUMNS, "entity, id", HISTORY, "1"));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM payment_method WHERE entity = ?1 AND id = ?2"));

pub(crate) fn read(row: &mut Columns<'_>) -> Result<PaymentMethod, Failure> {
    row.get::<i32>()?;
    Ok(PaymentMethod {
        id: row.id()?,
        account: row.opt_id()?,
        kind: row.code()?,
        kind_name: row.get()?,
        status: row.code()?,
        instrument: Instrument {
            mask: row.get()?,
            brand: row.get()?,
            expiration_month: row.opt_number()?,
            expiration_year: row.opt_number()?,
            holder_name: row.get()?,
            token: row.get()?,
            customer: row.get()?,
        },
        use_default_retry_rule: row.get()?,
        retry_rule: RetryRule {
            max_consecutive_failures: row.opt_number()?,
            retry_window_hours: row.opt_number()?,
        },
        consecutive_failures: row.number()?,
        last_failed_at: row.opt_time()?,
        last_transaction_at: row.opt_time()?,
        last_transaction: row.opt_code()?,
        processed_payments: row.number()?,
        error_payments: row.number()?,
        stamps: read_stamps(row)?,
    })
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, method: &PaymentMethod) -> Result<(), Failure> {
    write(db, &INSERT, entity, method)
}

/// Writes the payment method, over one with the same identifier if there is one, whose history stays.
pub(crate) fn upsert(db: &Connection, entity: EntityKey, method: &PaymentMethod) -> Result<(), Failure> {
    write(db, &UPSERT, entity, method)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, method: &PaymentMethod) -> Result<(), Failure> {
    let instrument = &method.instrument;
    let values = params![
        entity.0,
        method.id.to_blob(),
        blob(method.account),
        method.kind.code(),
        method.kind_name,
        method.status.code(),
        instrument.mask,
        instrument.brand,
        instrument.expiration_month,
        instrument.expiration_year,
        instrument.holder_name,
        instrument.token,
        instrument.customer,
        method.use_default_retry_rule,
        method.retry_rule.max_consecutive_failures,
        method.retry_rule.retry_window_hours,
        method.consecutive_failures,
        opt_time(method.last_failed_at),
        opt_time(method.last_transaction_at),
        method.last_transaction.map(Code::code),
        method.processed_payments,
        method.error_payments,
        time(method.stamps.created_at),
        method.stamps.created_by.to_blob(),
        time(method.stamps.updated_at),
        method.stamps.updated_by.to_blob(),
    ];
    execute(db, sql, values).map(drop)
}

pub(crate) fn by_id(
    db: &Connection,
    entity: EntityKey,
    id: PaymentMethodId,
) -> Result<Option<PaymentMethod>, Failure> {
    first(db, &BY_ID, params![entity.0, id.to_blob()], read)
}

/// The payment method that a caller names by identifier, if it is in the caller's scope. One without an account
/// belongs to everybody in the entity until an account takes it.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<PaymentMethod>, Failure> {
    let Some(id) = key.as_id() else { return Ok(None) };
    let Some(method) = by_id(db, scope.entity, PaymentMethodId::from_u128(id))? else { return Ok(None) };
    let is_visible = match method.account {
        Some(account) => is_account_visible(db, scope, account)?,
        None => true,
    };
    Ok(is_visible.then_some(method))
}
