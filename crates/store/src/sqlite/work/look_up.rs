//! Payments in doubt outside any chunk, handed out for look-ups.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::ports::Intent;
use rusqlite::{Connection, params};

use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, execute_one, time};

/// Payments that one call hands out at most.
const HANDED_OUT_MAX: usize = 1_000;

/// Payments whose time for a look-up has come. An intent is here only if it is of no run.
pub(crate) static DUE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM payment INDEXED BY payment_look_up WHERE next_look_up_at IS NOT NULL \
         AND next_look_up_at <= ?1 AND (state IN (1, 2) OR (state = 0 AND created_at <= ?2)) \
         ORDER BY next_look_up_at LIMIT ?3",
        row::payment::INTENT_SELECTED
    )
});

pub(crate) fn due(
    db: &Connection,
    now: Timestamp,
    again_at: Timestamp,
    single_before: Timestamp,
    limit: usize,
) -> Result<Vec<Intent>, Failure> {
    let limit = i64::try_from(limit.min(HANDED_OUT_MAX)).unwrap_or(i64::MAX);
    let values = params![time(now), time(single_before), limit];
    let intents = all(db, &DUE, values, row::payment::read_intent)?;
    for intent in &intents {
        let sql =
            "UPDATE payment SET look_ups = look_ups + 1, next_look_up_at = ?3 WHERE entity = ?1 AND id = ?2";
        let values = params![intent.entity.0, intent.payment.to_blob(), time(again_at)];
        execute_one(db, sql, values, "hand a payment out for a look-up")?;
    }
    Ok(intents)
}
