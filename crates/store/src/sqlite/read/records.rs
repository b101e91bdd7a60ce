//! The data records of a run, with what became of each.

use std::sync::LazyLock;

use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::{RecordResult, RecordTransaction};
use rusqlite::{Connection, params};

use crate::sqlite::failure::Failure;
use crate::sqlite::query::PAGE_ROWS_MAX;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, from_json};

/// The error of a record whose payment was declined without a code.
const CODE_DECLINED: &str = "Payment_Declined";

pub(crate) const PAGE: &str = "SELECT position, body, is_decided, error_code, error_message, amount_minor, currency \
     FROM run_record WHERE entity = ?1 AND run = ?2 AND position >= ?3 ORDER BY position LIMIT ?4";
/// The payments for one record, with how much of each is for it.
pub(crate) static PAYMENTS: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<String> =
        row::payment::SELECTED.split(',').map(|column| format!("p.{}", column.trim())).collect();
    format!(
        "SELECT r.amount_minor, {} FROM payment_record AS r CROSS JOIN payment AS p \
         WHERE r.entity = ?1 AND r.run = ?2 AND r.position = ?3 AND p.entity = ?1 AND p.id = r.payment ORDER BY r.payment",
        columns.join(", ")
    )
});
/// The credits applied for one record.
pub(crate) const CREDITS: &str = "SELECT amount_minor, source_kind, source FROM credit_application INDEXED BY credit_application_record \
     WHERE entity = ?1 AND run = ?2 AND record = ?3 AND record IS NOT NULL ORDER BY chunk, ordinal";

pub(crate) fn records(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    from: u32,
    limit: u32,
) -> Result<Vec<RecordResult>, Failure> {
    let limit = limit.min(PAGE_ROWS_MAX);
    let mut results = all(db, PAGE, params![entity.0, run.to_blob(), from, limit], |row| {
        let position = row.number()?;
        let record = from_json(&row.get::<String>()?)?;
        let decided = row.get()?;
        let error = row.get::<Option<String>>()?.zip(row.get::<Option<String>>()?);
        let amount_to_collect = row.get::<Option<i64>>()?.zip(row.opt_currency()?);
        Ok(RecordResult { position, record, error, decided, amount_to_collect, transactions: Vec::new() })
    })?;
    for result in &mut results {
        let key = params![entity.0, run.to_blob(), result.position];
        let payments = all(db, &PAYMENTS, key, |row| {
            let applied_minor = row.get()?;
            Ok(RecordTransaction::Payment { payment: row::payment::read(row)?, applied_minor })
        })?;
        let key = params![entity.0, run.to_blob(), result.position];
        let credits = all(db, CREDITS, key, |row| {
            let applied_minor = row.get()?;
            Ok(RecordTransaction::Credit { source: row::decision::read_source(row)?, applied_minor })
        })?;
        result.error = result.error.take().or_else(|| payment_error(&payments));
        result.transactions = payments;
        result.transactions.extend(credits);
    }
    Ok(results)
}

/// The error of a record whose payment was declined or never sent.
fn payment_error(transactions: &[RecordTransaction]) -> Option<(String, String)> {
    transactions.iter().find_map(|transaction| match transaction {
        RecordTransaction::Payment { payment, .. }
            if matches!(payment.state, PaymentState::Declined | PaymentState::Canceled) =>
        {
            let answer = &payment.answer;
            Some((
                answer.code.clone().unwrap_or_else(|| CODE_DECLINED.to_owned()),
                answer.message.clone().unwrap_or_default(),
            ))
        }
        _ => None,
    })
}
