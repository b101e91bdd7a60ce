//! The counters of a run, one row per chunk and currency.

use std::sync::LazyLock;

use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::run::{Count, Tallies, Tally};
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, all, execute, params_of};

/// The chunk under which the counters of an ended run are folded.
const FOLDED: i64 = -1;

const NAMES: [&str; 25] = [
    "skipped",
    "invoices",
    "invoices_minor",
    "debit_memos",
    "debit_memos_minor",
    "payments",
    "payments_minor",
    "errors",
    "errors_minor",
    "processing",
    "processing_minor",
    "credit_memos",
    "credit_memos_minor",
    "unapplied_payments",
    "unapplied_payments_minor",
    "credit_balance",
    "credit_balance_minor",
    "unprocessed_invoices",
    "unprocessed_invoices_minor",
    "unprocessed_debit_memos",
    "unprocessed_debit_memos_minor",
    "processed_records",
    "error_records",
    // The key's last two columns, so that one list makes every statement.
    "chunk",
    "currency",
];
/// Bits of half a number.
const HALF_BITS: u32 = 32;
/// The bits of its lower half.
const LOWER_HALF: i64 = (1 << HALF_BITS) - 1;
/// How many of [`NAMES`] are counters.
const COUNTERS: usize = 23;

static ADD: LazyLock<String> = LazyLock::new(|| {
    let columns = NAMES.join(", ");
    let marks: Vec<String> = (1..=NAMES.len() + 2).map(|index| format!("?{index}")).collect();
    let sums: Vec<String> =
        NAMES[..COUNTERS].iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    format!(
        "INSERT INTO chunk_tally ({columns}, entity, run) VALUES ({}) \
         ON CONFLICT (entity, run, chunk, currency) DO UPDATE SET {}",
        marks.join(", "),
        sums.join(", ")
    )
});
/// A sum of amounts may be larger than SQLite's numbers, which is an error there. So the upper and the lower half of each number
/// are summed apart.
static SUM: LazyLock<String> = LazyLock::new(|| {
    let halves = |name| format!("sum({name} >> {HALF_BITS}), sum({name} & {LOWER_HALF})");
    let sums: Vec<String> = NAMES[..COUNTERS].iter().map(halves).collect();
    format!(
        "SELECT currency, {} FROM chunk_tally WHERE entity = ?1 AND run = ?2 GROUP BY currency",
        sums.join(", ")
    )
});

fn counts(tally: &mut Tally) -> [&mut Count; 10] {
    [
        &mut tally.invoices,
        &mut tally.debit_memos,
        &mut tally.payments,
        &mut tally.errors,
        &mut tally.processing,
        &mut tally.credit_memos,
        &mut tally.unapplied_payments,
        &mut tally.credit_balance,
        &mut tally.unprocessed_invoices,
        &mut tally.unprocessed_debit_memos,
    ]
}

fn to_values(tally: &Tally) -> Vec<Value> {
    let mut tally = *tally;
    let mut values = vec![Value::Integer(tally.skipped)];
    for count in counts(&mut tally) {
        values.push(Value::Integer(count.number));
        values.push(Value::Integer(count.amount_minor));
    }
    values.push(Value::Integer(tally.processed_records));
    values.push(Value::Integer(tally.error_records));
    values
}

/// Adds one set of counters to another.
pub(crate) fn merge(into: &mut Tally, from: &Tally) -> Result<(), Failure> {
    let add = |a: i64, b: i64| a.checked_add(b).ok_or_else(|| Failure::broken("a counter is too large"));
    let mut from = *from;
    into.skipped = add(into.skipped, from.skipped)?;
    into.processed_records = add(into.processed_records, from.processed_records)?;
    into.error_records = add(into.error_records, from.error_records)?;
    for (to, from) in counts(into).into_iter().zip(counts(&mut from)) {
        to.number = add(to.number, from.number)?;
        to.amount_minor = add(to.amount_minor, from.amount_minor)?;
    }
    Ok(())
}

/// Adds to the counters of a chunk.
pub(crate) fn add(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    chunk: u32,
    currency: Currency,
    tally: &Tally,
) -> Result<(), Failure> {
    add_to(db, entity, run, i64::from(chunk), currency, tally)
}

fn add_to(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    chunk: i64,
    currency: Currency,
    tally: &Tally,
) -> Result<(), Failure> {
    let mut values = to_values(tally);
    values.push(Value::Integer(chunk));
    values.push(Value::Text(currency.code().to_owned()));
    values.push(Value::Integer(i64::from(entity.0)));
    values.push(Value::Blob(run.to_blob().to_vec()));
    execute(db, &ADD, params_from_iter(values)).map(drop)
}

/// The next two columns as one sum; the largest number there is where it is larger.
fn whole(row: &mut Columns<'_>) -> Result<i64, Failure> {
    let (upper, lower): (i64, i64) = (row.get()?, row.get()?);
    let sum = (i128::from(upper) << HALF_BITS) + i128::from(lower);
    Ok(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

/// The counters of a run: the sum of its chunks'.
pub(crate) fn sum(db: &Connection, entity: EntityKey, run: RunId) -> Result<Tallies, Failure> {
    let rows = all(db, &SUM, params_of(entity, run), |row| {
        let currency = row.currency()?;
        let mut tally = Tally { skipped: whole(row)?, ..Tally::default() };
        for count in counts(&mut tally) {
            *count = Count { number: whole(row)?, amount_minor: whole(row)? };
        }
        tally.processed_records = whole(row)?;
        tally.error_records = whole(row)?;
        Ok((currency, tally))
    })?;
    Ok(rows.into_iter().collect())
}

/// Folds the counters of an ended run into one row per currency, so that reading them costs the same for every run.
pub(crate) fn fold(db: &Connection, entity: EntityKey, run: RunId) -> Result<(), Failure> {
    let tallies = sum(db, entity, run)?;
    let sql = "DELETE FROM chunk_tally WHERE entity = ?1 AND run = ?2";
    execute(db, sql, params_of(entity, run))?;
    for (currency, tally) in &tallies {
        add_to(db, entity, run, FOLDED, *currency, tally)?;
    }
    Ok(())
}
