//! Payments: what was decided, what is sent, what came of it.

use std::sync::{Arc, LazyLock};

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{AccountId, EntityKey, Key, PaymentId};
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentPart};
use payment_runs_engine::ports::{ChargeRequest, Intent};
use rusqlite::{CachedStatement, Connection, params};

use super::account::is_account_visible;
use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, all, blob, execute, first, opt_time, time};

const COLUMNS: &str = "entity, id, number, account, run, kind, state, currency, amount_minor, unapplied_minor, \
     payment_method, gateway, reference, code, message, effective_date, reference_id, comment, standalone, settled_at, \
     created_at, created_by, updated_at, updated_by, chunk, records_counted, idempotency_key, body, next_look_up_at";
/// What [`read`] reads.
pub(crate) const SELECTED: &str = "id, number, account, run, kind, state, currency, amount_minor, unapplied_minor, \
     payment_method, gateway, idempotency_key, reference, code, message, effective_date, reference_id, comment, standalone, settled_at, \
     created_at, created_by, updated_at, updated_by";
/// What [`read_intent`] reads.
pub(crate) const INTENT_SELECTED: &str = "entity, id, state, gateway, idempotency_key, currency, amount_minor, body, \
     created_at, look_ups, deliveries, bars_delivery, coalesce((SELECT is_stopping FROM run WHERE run.entity = payment.entity AND run.id = payment.run), 0)";
const PART_COLUMNS: &str = "entity, payment, ordinal, document, amount_minor";

static INSERT: LazyLock<String> = LazyLock::new(|| crate::sqlite::sql::insert_sql("payment", COLUMNS));
static INSERT_PART: LazyLock<String> =
    LazyLock::new(|| crate::sqlite::sql::insert_sql("payment_part", PART_COLUMNS));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM payment WHERE entity = ?1 AND id = ?2"));
static BY_NUMBER: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM payment WHERE entity = ?1 AND number = ?2"));
/// Processed payments of an account with something left, oldest first.
pub(crate) static UNAPPLIED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {SELECTED} FROM payment INDEXED BY payment_unapplied WHERE entity = ?1 AND account = ?2 AND state = 3 AND unapplied_minor > 0 \
         ORDER BY effective_date, number"
    )
});

/// What a payment has beside its noun: its place in a run, and what is sent for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backing {
    /// The chunk of the run that made it.
    pub(crate) chunk: Option<u32>,
    /// Data records that count with its outcome.
    pub(crate) records_counted: u32,
    /// Key and exact body; only an electronic payment has them.
    pub(crate) charge: Option<(String, Arc<[u8]>)>,
    /// When it is next to be looked up, in milliseconds UTC.
    pub(crate) next_look_up_at: Option<i64>,
}

/// Reads a payment without its parts.
pub(crate) fn read(row: &mut Columns<'_>) -> Result<Payment, Failure> {
    Ok(Payment {
        id: row.id()?,
        number: row.get()?,
        account: row.id()?,
        run: row.opt_id()?,
        kind: row.code()?,
        state: row.code()?,
        currency: row.currency()?,
        amount_minor: row.get()?,
        unapplied_minor: row.get()?,
        payment_method: row.opt_id()?,
        gateway: row.opt_id()?,
        charge_key: row.get()?,
        answer: GatewayAnswer { reference: row.get()?, code: row.get()?, message: row.get()? },
        effective_date: row.date()?,
        reference_id: row.get()?,
        comment: row.get()?,
        standalone: row.get()?,
        settled_at: row.opt_time()?,
        parts: Vec::new(),
        stamps: read_stamps(row)?,
    })
}

/// Reads a charge that has no definite outcome. A row that is read back may always have been sent before.
pub(crate) fn read_intent(row: &mut Columns<'_>) -> Result<Intent, Failure> {
    Ok(Intent {
        entity: EntityKey(row.get()?),
        payment: row.id()?,
        state: row.code()?,
        gateway: row.id()?,
        request: read_request(row)?,
        created_at: row.time()?,
        look_ups: row.number()?,
        deliveries: row.number()?,
        may_have_been_sent: true,
        bars_delivery: row.get()?,
        run_stopped: row.get()?,
    })
}

fn read_request(row: &mut Columns<'_>) -> Result<ChargeRequest, Failure> {
    let (idempotency_key, currency) = (row.get()?, row.currency()?);
    let money = Money::new(row.get()?, currency);
    Ok(ChargeRequest { idempotency_key, money, body: Arc::from(row.get::<Vec<u8>>()?) })
}

/// Whether a payment has this idempotency key.
pub(crate) fn has_key(db: &Connection, key: &str) -> Result<bool, Failure> {
    Ok(first(db, "SELECT 1 FROM payment WHERE idempotency_key = ?1", params![key], |_| Ok(()))?.is_some())
}

/// Whether a payment has this key under which something can have been charged: it was planned while its gateway's charges were
/// compared.
pub(crate) fn may_have_charge(db: &Connection, key: &str) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM payment WHERE idempotency_key = ?1 AND is_uncompared = 0";
    Ok(first(db, sql, params![key], |_| Ok(()))?.is_some())
}

/// The payment with this key, if it was taken over from a gateway's books.
pub(crate) fn adopted_by_key(
    db: &Connection,
    key: &str,
) -> Result<Option<(EntityKey, PaymentId, String)>, Failure> {
    let sql = "SELECT entity, id, number FROM payment WHERE idempotency_key = ?1 AND is_adopted = 1";
    first(db, sql, params![key], |row| Ok((EntityKey(row.get()?), row.id()?, row.get()?)))
}

/// The statement by which payments are inserted, prepared once for many.
pub(crate) fn prepare_insert(db: &Connection) -> Result<CachedStatement<'_>, Failure> {
    Ok(db.prepare_cached(&INSERT)?)
}

/// The statement by which parts are inserted, prepared once for many.
pub(crate) fn prepare_insert_part(db: &Connection) -> Result<CachedStatement<'_>, Failure> {
    Ok(db.prepare_cached(&INSERT_PART)?)
}

/// Executes [`prepare_insert`] for one payment; its parts are written by [`insert_parts`].
pub(crate) fn insert_with(
    statement: &mut CachedStatement<'_>,
    entity: EntityKey,
    payment: &Payment,
    backing: &Backing,
) -> Result<(), Failure> {
    let values = params![
        entity.0,
        payment.id.to_blob(),
        payment.number,
        payment.account.to_blob(),
        blob(payment.run),
        payment.kind.code(),
        payment.state.code(),
        payment.currency.code(),
        payment.amount_minor,
        payment.unapplied_minor,
        blob(payment.payment_method),
        blob(payment.gateway),
        payment.answer.reference,
        payment.answer.code,
        payment.answer.message,
        payment.effective_date.to_string(),
        payment.reference_id,
        payment.comment,
        payment.standalone,
        opt_time(payment.settled_at),
        time(payment.stamps.created_at),
        payment.stamps.created_by.to_blob(),
        time(payment.stamps.updated_at),
        payment.stamps.updated_by.to_blob(),
        backing.chunk,
        backing.records_counted,
        backing.charge.as_ref().map(|(key, _)| key),
        backing.charge.as_ref().map(|(_, body)| &**body),
        backing.next_look_up_at,
    ];
    statement.execute(values)?;
    Ok(())
}

/// Executes [`prepare_insert_part`] for every part of a payment.
pub(crate) fn insert_parts(
    statement: &mut CachedStatement<'_>,
    entity: EntityKey,
    payment: &Payment,
) -> Result<(), Failure> {
    for (ordinal, part) in payment.parts.iter().enumerate() {
        let ordinal = i64::try_from(ordinal).unwrap_or(i64::MAX);
        statement.execute(params![
            entity.0,
            payment.id.to_blob(),
            ordinal,
            part.document.to_blob(),
            part.amount_minor
        ])?;
    }
    Ok(())
}

/// Writes one new payment with its parts.
pub(crate) fn insert(
    db: &Connection,
    entity: EntityKey,
    payment: &Payment,
    backing: &Backing,
) -> Result<(), Failure> {
    insert_with(&mut prepare_insert(db)?, entity, payment, backing)?;
    insert_parts(&mut prepare_insert_part(db)?, entity, payment)
}

/// Writes a payment that was made elsewhere. One with the same identifier stays as it is: payments are never undone.
pub(crate) fn insert_if_new(db: &Connection, entity: EntityKey, payment: &Payment) -> Result<(), Failure> {
    let sql = "SELECT 1 FROM payment WHERE entity = ?1 AND id = ?2";
    match first(db, sql, params![entity.0, payment.id.to_blob()], |_| Ok(()))? {
        Some(()) => Ok(()),
        None => insert(db, entity, payment, &Backing::default()),
    }
}

/// Adds what a credit application took from an unapplied payment to the parts of that payment.
pub(crate) fn add_part(
    db: &Connection,
    entity: EntityKey,
    payment: PaymentId,
    part: &PaymentPart,
) -> Result<(), Failure> {
    let sql = "INSERT INTO payment_part (entity, payment, ordinal, document, amount_minor) \
               SELECT ?1, ?2, coalesce(max(ordinal), -1) + 1, ?3, ?4 FROM payment_part \
               WHERE entity = ?1 AND payment = ?2";
    let values = params![entity.0, payment.to_blob(), part.document.to_blob(), part.amount_minor];
    execute(db, sql, values).map(drop)
}

/// The parts of a payment, in their order.
pub(crate) fn parts(
    db: &Connection,
    entity: EntityKey,
    payment: PaymentId,
) -> Result<Vec<PaymentPart>, Failure> {
    let sql =
        "SELECT document, amount_minor FROM payment_part WHERE entity = ?1 AND payment = ?2 ORDER BY ordinal";
    all(db, sql, params![entity.0, payment.to_blob()], |row| {
        Ok(PaymentPart { document: row.id()?, amount_minor: row.get()? })
    })
}

/// A payment without its parts.
pub(crate) fn bare_by_id(
    db: &Connection,
    entity: EntityKey,
    id: PaymentId,
) -> Result<Option<Payment>, Failure> {
    first(db, &BY_ID, params![entity.0, id.to_blob()], read)
}

/// A payment with its parts.
pub(crate) fn by_id(db: &Connection, entity: EntityKey, id: PaymentId) -> Result<Option<Payment>, Failure> {
    let found = bare_by_id(db, entity, id)?;
    with_parts(db, entity, found)
}

/// The payment that a caller names, by identifier or else by number, if it is in the caller's scope.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<Payment>, Failure> {
    let found = match key.as_id() {
        Some(id) => by_id(db, scope.entity, PaymentId::from_u128(id))?,
        None => None,
    };
    let found = match found {
        None => {
            let found = first(db, &BY_NUMBER, params![scope.entity.0, key.as_str()], read)?;
            with_parts(db, scope.entity, found)?
        }
        found => found,
    };
    let Some(payment) = found else { return Ok(None) };
    Ok(is_account_visible(db, scope, payment.account)?.then_some(payment))
}

fn with_parts(
    db: &Connection,
    entity: EntityKey,
    payment: Option<Payment>,
) -> Result<Option<Payment>, Failure> {
    let Some(mut payment) = payment else { return Ok(None) };
    payment.parts = parts(db, entity, payment.id)?;
    Ok(Some(payment))
}

/// Processed payments of an account with something left, oldest first, without their parts.
pub(crate) fn unapplied_of_account(
    db: &Connection,
    entity: EntityKey,
    account: AccountId,
) -> Result<Vec<Payment>, Failure> {
    all(db, &UNAPPLIED, params![entity.0, account.to_blob()], read)
}
