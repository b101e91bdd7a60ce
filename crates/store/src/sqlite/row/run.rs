//! Payment runs and their data records.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{AccountId, EntityKey, Key, OrganizationId, RunId};
use payment_runs_engine::run::{DataRecord, Run, RunFilter, RunOptions};
use payment_runs_engine::run_schedule::Occurrence;
use rusqlite::{Connection, params};

use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{
    BlobId, Columns, blob, execute, first, from_json, insert_sql, opt_date, opt_time, params_of, time,
    to_json, upsert_sql,
};

const COLUMNS: &str = "entity, id, number, status, filter_account, filter_batch, filter_bill_cycle_day, \
     filter_bill_run, filter_currency, filter_gateway, apply_credit_balance, auto_apply_credit_memo, \
     auto_apply_unapplied_payment, collect_payment, consolidated_payment, process_payment_with_closed_pm, \
     use_custom_payment_methods, ignore_retry_rule, target_date, run_at, organizations, record_count, executed_at, \
     completed_at, error_message, created_at, created_by, updated_at, updated_by, \
     schedule, occurrence_day, recurrence, start_at";
/// What [`read`] reads.
pub(crate) const SELECTED: &str = "id, number, status, filter_account, filter_batch, filter_bill_cycle_day, \
     filter_bill_run, filter_currency, filter_gateway, apply_credit_balance, auto_apply_credit_memo, \
     auto_apply_unapplied_payment, collect_payment, consolidated_payment, process_payment_with_closed_pm, \
     use_custom_payment_methods, ignore_retry_rule, target_date, run_at, organizations, record_count, executed_at, \
     completed_at, error_message, created_at, created_by, updated_at, updated_by, \
     schedule, occurrence_day, recurrence";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("run", COLUMNS));
static UPSERT: LazyLock<String> = LazyLock::new(|| upsert_sql("run", COLUMNS, "entity, id", &[], "1"));
static INSERT_RECORD: LazyLock<String> =
    LazyLock::new(|| insert_sql("run_record", "entity, run, position, account, body"));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM run WHERE entity = ?1 AND id = ?2 AND is_deleted = 0"));
static BY_NUMBER: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {SELECTED} FROM run WHERE entity = ?1 AND number = ?2 AND is_deleted = 0")
});

pub(crate) fn read(row: &mut Columns<'_>) -> Result<Run, Failure> {
    let run = Run {
        id: row.id()?,
        number: row.get()?,
        status: row.code()?,
        filter: RunFilter {
            account: row.opt_id()?,
            batch: row.get()?,
            bill_cycle_day: row.opt_number()?,
            bill_run: row.opt_id()?,
            currency: row.opt_currency()?,
            gateway: row.opt_id()?,
        },
        options: RunOptions {
            apply_credit_balance: row.get()?,
            auto_apply_credit_memo: row.get()?,
            auto_apply_unapplied_payment: row.get()?,
            collect_payment: row.get()?,
            consolidated_payment: row.get()?,
            process_payment_with_closed_pm: row.get()?,
            use_custom_payment_methods: row.get()?,
            ignore_retry_rule: row.get()?,
        },
        target_date: row.opt_date()?,
        run_at: row.opt_time()?,
        organizations: from_json(&row.get::<String>()?)?,
        occurrence: None,
        record_count: row.number()?,
        executed_at: row.opt_time()?,
        completed_at: row.opt_time()?,
        error_message: row.get()?,
        stamps: read_stamps(row)?,
    };
    Ok(Run { occurrence: read_occurrence(row)?, ..run })
}

fn read_occurrence(row: &mut Columns<'_>) -> Result<Option<Occurrence>, Failure> {
    let (schedule, day) = (row.opt_id()?, row.opt_date()?);
    match (schedule, day, row.get::<Option<String>>()?) {
        (Some(schedule), Some(day), Some(recurrence)) => {
            Ok(Some(Occurrence { schedule, day, recurrence: from_json(&recurrence)? }))
        }
        _ => Ok(None),
    }
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, run: &Run) -> Result<(), Failure> {
    write(db, &INSERT, entity, run)
}

/// Writes every field of a run that exists; what the work keeps about it stays.
pub(crate) fn update(db: &Connection, entity: EntityKey, run: &Run) -> Result<(), Failure> {
    write(db, &UPSERT, entity, run)
}

/// Whether somebody stopped the run.
pub(crate) fn is_stopping(db: &Connection, entity: EntityKey, run: RunId) -> Result<bool, Failure> {
    let sql = "SELECT is_stopping FROM run WHERE entity = ?1 AND id = ?2";
    Ok(first(db, sql, params_of(entity, run), |row| row.get())?.unwrap_or(false))
}

/// When a run wants to start: a scheduled one at its time, another one at once.
pub(crate) fn start_at(run: &Run) -> Timestamp {
    run.run_at.unwrap_or(run.stamps.created_at)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, run: &Run) -> Result<(), Failure> {
    let (filter, options, occurrence) = (&run.filter, &run.options, run.occurrence.as_ref());
    let values = params![
        entity.0,
        run.id.to_blob(),
        run.number,
        run.status.code(),
        blob(filter.account),
        filter.batch,
        filter.bill_cycle_day,
        blob(filter.bill_run),
        filter.currency.as_ref().map(|currency| currency.code().to_owned()),
        blob(filter.gateway),
        options.apply_credit_balance,
        options.auto_apply_credit_memo,
        options.auto_apply_unapplied_payment,
        options.collect_payment,
        options.consolidated_payment,
        options.process_payment_with_closed_pm,
        options.use_custom_payment_methods,
        options.ignore_retry_rule,
        opt_date(run.target_date),
        opt_time(run.run_at),
        to_json(&run.organizations)?,
        run.record_count,
        opt_time(run.executed_at),
        opt_time(run.completed_at),
        run.error_message,
        time(run.stamps.created_at),
        run.stamps.created_by.to_blob(),
        time(run.stamps.updated_at),
        run.stamps.updated_by.to_blob(),
        blob(occurrence.map(|one| one.schedule)),
        opt_date(occurrence.map(|one| one.day)),
        occurrence.map(|one| to_json(&one.recurrence)).transpose()?,
        time(start_at(run)),
    ];
    execute(db, sql, values).map(drop)
}

/// Writes one data record with the account it names, if that exists.
pub(crate) fn insert_record(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    position: u32,
    account: Option<AccountId>,
    record: &DataRecord,
) -> Result<(), Failure> {
    let account = account.map(|id| id.to_blob().to_vec()).unwrap_or_default();
    let values = params![entity.0, run.to_blob(), position, account, to_json(record)?];
    execute(db, &INSERT_RECORD, values).map(drop)
}

/// A run that is not deleted.
pub(crate) fn by_id(db: &Connection, entity: EntityKey, id: RunId) -> Result<Option<Run>, Failure> {
    first(db, &BY_ID, params_of(entity, id), read)
}

/// The run that a caller names, also a deleted one, if it is in the caller's scope.
pub(crate) fn find_audited(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<RunId>, Failure> {
    let sql = format!("SELECT {SELECTED} FROM run WHERE entity = ?1 AND id = ?2");
    let found = match key.as_id() {
        Some(id) => first(db, &sql, params_of(scope.entity, RunId::from_u128(id)), read)?,
        None => None,
    };
    let sql = format!("SELECT {SELECTED} FROM run WHERE entity = ?1 AND number = ?2");
    let found = match found {
        None => first(db, &sql, params![scope.entity.0, key.as_str()], read)?,
        found => found,
    };
    Ok(found.filter(|run| is_visible(scope, run)).map(|run| run.id))
}

/// The run that a caller names, by identifier or else by number, if it is in the caller's scope and not deleted.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<Run>, Failure> {
    let found = match key.as_id() {
        Some(id) => by_id(db, scope.entity, RunId::from_u128(id))?,
        None => None,
    };
    let found = match found {
        None => first(db, &BY_NUMBER, params![scope.entity.0, key.as_str()], read)?,
        found => found,
    };
    Ok(found.filter(|run| is_visible(scope, run)))
}

fn is_visible(scope: &Scope, run: &Run) -> bool {
    is_for(scope, &run.organizations)
}

/// Whether what is for these organizations is in scope: those who see only some see what is for no others.
pub(super) fn is_for(scope: &Scope, organizations: &[OrganizationId]) -> bool {
    match &scope.organizations {
        None => true,
        Some(allowed) => !organizations.is_empty() && organizations.iter().all(|one| allowed.contains(one)),
    }
}
