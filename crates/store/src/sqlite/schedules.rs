//! Schedules: how each run leaves the next one behind, and the port [`Schedules`].

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::{Scope, Stamps};
use payment_runs_engine::ids::{EntityKey, Key, RunId, ScheduleId, UserId};
use payment_runs_engine::ports::{Ids, ScheduleQuery, Schedules, StoreError};
use payment_runs_engine::recurrence::Start;
use payment_runs_engine::run::Run;
use payment_runs_engine::run_schedule::{PendingOccurrence, Schedule, ScheduleStatus};
use rusqlite::{Connection, params_from_iter};

use super::events::{Event, EventKind, append};
use super::failure::Failure;
use super::query::{Query, schedules};
use super::sequence::{Sequence, next_text};
use super::sql::all;
use super::{SqliteStore, row};

/// An occurrence that has just begun, or was given up.
pub(crate) struct Gone {
    pub(crate) schedule: ScheduleId,
    pub(crate) day: Date,
    pub(crate) run: RunId,
    pub(crate) has_begun: bool,
    /// Who gave it up.
    pub(crate) user: Option<UserId>,
}

/// Makes the run that follows an occurrence, in the transaction in which that one began or was given up. Where none follows,
/// the schedule ends.
pub(crate) fn follow(
    db: &Connection,
    entity: EntityKey,
    gone: &Gone,
    now: Timestamp,
    ids: &dyn Ids,
) -> Result<(), Failure> {
    let found = row::schedule::by_id(db, entity, gone.schedule)?;
    let Some(mut schedule) = found else { return Ok(()) };
    schedule.used = schedule.used.max(Some(gone.day));
    if gone.has_begun {
        schedule.last_run = Some(gone.run);
        schedule.started += 1;
    }
    if let Some(start) = schedule.following(now) {
        add_run(db, entity, &schedule, start, now, ids, gone.user)?;
    } else if schedule.status == ScheduleStatus::Active {
        schedule.status = ScheduleStatus::Ended;
        record(db, entity, now, EventKind::ScheduleEnded, &schedule, gone.run, gone.user)?;
    }
    row::schedule::update(db, entity, &schedule)
}

/// Makes a pending run of a schedule.
pub(crate) fn add_run(
    db: &Connection,
    entity: EntityKey,
    schedule: &Schedule,
    start: Start,
    now: Timestamp,
    ids: &dyn Ids,
    user: Option<UserId>,
) -> Result<PendingOccurrence, Failure> {
    let number = next_text(db, entity, Sequence::PaymentRun)?;
    // What a schedule does by itself, it does for whoever said last what it is to do.
    let stamps = Stamps::new(now, user.unwrap_or(schedule.stamps.updated_by));
    let run = schedule.run_at(start, RunId::from_u128(ids.next_id()), number, stamps);
    row::run::insert(db, entity, &run)?;
    record(db, entity, now, EventKind::OccurrenceCreated, schedule, run.id, user)?;
    Ok(PendingOccurrence { run: run.id, number: run.number, at: start.at })
}

/// Records what happened to a schedule. It stands with the run that the schedule had pending then, and names the schedule.
pub(crate) fn record(
    db: &Connection,
    entity: EntityKey,
    now: Timestamp,
    kind: EventKind,
    schedule: &Schedule,
    run: RunId,
    user: Option<UserId>,
) -> Result<(), Failure> {
    let event = Event { detail: Some(format!("schedule {}", schedule.id)), ..Event::run(kind, run, user) };
    append(db, entity, now, &[event])
}

/// The run with which a schedule goes on, as a whole.
pub(crate) fn pending_run(
    db: &Connection,
    entity: EntityKey,
    schedule: &Schedule,
) -> Result<Option<Run>, Failure> {
    match &schedule.next {
        Some(next) => row::run::by_id(db, entity, next.run),
        None => Ok(None),
    }
}

#[async_trait]
impl Schedules for SqliteStore {
    async fn find_schedule(&self, scope: &Scope, key: &Key) -> Result<Option<Schedule>, StoreError> {
        let (scope, key) = (scope.clone(), key.clone());
        self.read("find a schedule", move |db| row::schedule::find(db, &scope, &key)).await
    }

    async fn list_schedules(&self, scope: &Scope, query: ScheduleQuery) -> Result<Vec<Schedule>, StoreError> {
        let scope = scope.clone();
        self.read("list schedules", move |db| list(db, &scope, &query)).await
    }
}

fn list(db: &Connection, scope: &Scope, asked: &ScheduleQuery) -> Result<Vec<Schedule>, Failure> {
    let Query { sql, values } = schedules(scope, asked)?;
    let found = all(db, &sql, params_from_iter(values), row::schedule::read)?;
    let complete = |schedule: Schedule| {
        let next = row::schedule::pending(db, scope.entity, schedule.id)?;
        Ok(Schedule { next, ..schedule })
    };
    found.into_iter().map(complete).collect()
}
