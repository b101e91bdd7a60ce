//! Schedules of payment runs.

use std::sync::LazyLock;

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, Key, ScheduleId};
use payment_runs_engine::run_schedule::{PendingOccurrence, RunTemplate, Schedule};
use rusqlite::{Connection, params};

use super::read_stamps;
use super::run::is_for;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{
    BlobId, Columns, blob, execute, first, from_json, insert_sql, opt_date, time, to_json, upsert_sql,
};

const COLUMNS: &str = "entity, id, name, status, recurrence, filter, options, organizations, used_day, \
     last_run, started, created_at, created_by, updated_at, updated_by";
/// What [`read`] reads of a schedule. The pending run is another row.
pub(crate) const SELECTED: &str = "id, name, status, recurrence, filter, options, organizations, used_day, \
     last_run, started, created_at, created_by, updated_at, updated_by";
/// The pending run of a schedule.
pub(crate) const PENDING: &str = "SELECT id, number, start_at FROM run INDEXED BY run_pending_occurrence \
     WHERE entity = ?1 AND schedule = ?2 AND schedule IS NOT NULL AND status = 0 AND is_deleted = 0";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("schedule", COLUMNS));
static UPSERT: LazyLock<String> = LazyLock::new(|| upsert_sql("schedule", COLUMNS, "entity, id", &[], "1"));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM schedule WHERE entity = ?1 AND id = ?2"));

pub(crate) fn read(row: &mut Columns<'_>) -> Result<Schedule, Failure> {
    Ok(Schedule {
        id: row.id()?,
        name: row.get()?,
        status: row.code()?,
        recurrence: from_json(&row.get::<String>()?)?,
        template: RunTemplate {
            filter: from_json(&row.get::<String>()?)?,
            options: from_json(&row.get::<String>()?)?,
            organizations: from_json(&row.get::<String>()?)?,
        },
        used: row.opt_date()?,
        last_run: row.opt_id()?,
        started: row.number()?,
        next: None,
        stamps: read_stamps(row)?,
    })
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, schedule: &Schedule) -> Result<(), Failure> {
    write(db, &INSERT, entity, schedule)
}

/// Writes every field of a schedule that exists.
pub(crate) fn update(db: &Connection, entity: EntityKey, schedule: &Schedule) -> Result<(), Failure> {
    write(db, &UPSERT, entity, schedule)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, schedule: &Schedule) -> Result<(), Failure> {
    let (template, stamps) = (&schedule.template, &schedule.stamps);
    let values = params![
        entity.0,
        schedule.id.to_blob(),
        schedule.name,
        schedule.status.code(),
        to_json(&schedule.recurrence)?,
        to_json(&template.filter)?,
        to_json(&template.options)?,
        to_json(&template.organizations)?,
        opt_date(schedule.used),
        blob(schedule.last_run),
        i64::try_from(schedule.started).unwrap_or(i64::MAX),
        time(stamps.created_at),
        stamps.created_by.to_blob(),
        time(stamps.updated_at),
        stamps.updated_by.to_blob(),
    ];
    execute(db, sql, values).map(drop)
}

/// The pending run of a schedule, if it has one.
pub(crate) fn pending(
    db: &Connection,
    entity: EntityKey,
    schedule: ScheduleId,
) -> Result<Option<PendingOccurrence>, Failure> {
    first(db, PENDING, params![entity.0, schedule.to_blob()], |row| {
        Ok(PendingOccurrence { run: row.id()?, number: row.get()?, at: row.time()? })
    })
}

/// The schedule with its pending run.
pub(crate) fn by_id(db: &Connection, entity: EntityKey, id: ScheduleId) -> Result<Option<Schedule>, Failure> {
    let Some(schedule) = first(db, &BY_ID, params![entity.0, id.to_blob()], read)? else { return Ok(None) };
    let next = pending(db, entity, id)?;
    Ok(Some(Schedule { next, ..schedule }))
}

/// The schedule that a caller names, if it is in the caller's scope.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<Schedule>, Failure> {
    let Some(id) = key.as_id() else { return Ok(None) };
    let found = by_id(db, scope.entity, ScheduleId::from_u128(id))?;
    Ok(found.filter(|schedule| is_for(scope, &schedule.template.organizations)))
}
