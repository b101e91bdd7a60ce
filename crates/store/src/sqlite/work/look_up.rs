//! Payments in doubt outside any chunk, handed out for look-ups.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, PaymentId};
use payment_runs_engine::ports::{DELIVERY_LIFE, Intent};
use rusqlite::{Connection, params};

use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, execute, execute_one, first, time};

/// Payments that one call hands out at most.
const HANDED_OUT_MAX: usize = 1_000;

/// Payments whose time for a look-up has come. An intent is here only if it is of no run.
pub(crate) static DUE: LazyLock<String> = LazyLock::new(|| select("next_look_up_at <= ?1"));
/// Payments whose look-up lies further ahead than any is put: the time of day was set back since.
pub(crate) static ASTRAY: LazyLock<String> = LazyLock::new(|| select("next_look_up_at > ?1"));

fn select(time: &str) -> String {
    format!(
        "SELECT {} FROM payment INDEXED BY payment_look_up WHERE next_look_up_at IS NOT NULL \
         AND {time} AND (state IN (1, 2) OR (state = 0 AND created_at <= ?2)) \
         ORDER BY next_look_up_at LIMIT ?3",
        row::payment::INTENT_SELECTED
    )
}

pub(crate) fn due(
    db: &Connection,
    now: Timestamp,
    again_at: Timestamp,
    single_before: Timestamp,
    limit: usize,
) -> Result<Vec<Intent>, Failure> {
    let limit = i64::try_from(limit.min(HANDED_OUT_MAX)).unwrap_or(i64::MAX);
    let find = |sql: &str, at| {
        all(db, sql, params![time(at), time(single_before), limit], row::payment::read_intent)
    };
    let mut intents = find(&DUE, now)?;
    if intents.is_empty() {
        intents = find(&ASTRAY, again_at)?;
    }
    for intent in &intents {
        let sql =
            "UPDATE payment SET look_ups = look_ups + 1, next_look_up_at = ?3 WHERE entity = ?1 AND id = ?2";
        let values = params![intent.entity.0, intent.payment.to_blob(), time(again_at)];
        execute_one(db, sql, values, "hand a payment out for a look-up")?;
    }
    Ok(intents)
}

/// Notes that a payment that was handed out is about to be delivered once more: its look-ups count anew. `false` when it
/// was handed out again since, or is Unknown no more.
pub(crate) fn begin_delivery(db: &Connection, intent: &Intent, now: Timestamp) -> Result<bool, Failure> {
    let sql = "UPDATE payment SET look_ups = 0, deliveries = deliveries + 1, delivery_begun_at = ?4 \
               WHERE entity = ?1 AND id = ?2 AND state = 2 AND look_ups = ?3 + 1";
    let values = params![intent.entity.0, intent.payment.to_blob(), intent.look_ups, time(now)];
    Ok(execute(db, sql, values)? == 1)
}

/// Notes that such a delivery is over.
pub(crate) fn end_delivery(db: &Connection, intent: &Intent) -> Result<(), Failure> {
    let sql = "UPDATE payment SET delivery_begun_at = NULL WHERE entity = ?1 AND id = ?2";
    execute(db, sql, params![intent.entity.0, intent.payment.to_blob()]).map(drop)
}

/// Whether a delivery of a payment in doubt may be under way.
pub(crate) fn is_being_delivered(
    db: &Connection,
    entity: EntityKey,
    payment: PaymentId,
    now: Timestamp,
) -> Result<bool, Failure> {
    let sql = "SELECT delivery_begun_at FROM payment WHERE entity = ?1 AND id = ?2";
    let begun_at = first(db, sql, params![entity.0, payment.to_blob()], |row| row.opt_time())?.flatten();
    Ok(begun_at.is_some_and(|at| now.duration_since(at).unsigned_abs() < DELIVERY_LIFE))
}
