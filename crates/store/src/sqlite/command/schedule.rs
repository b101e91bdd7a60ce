//! Commands on schedules.

use payment_runs_engine::command::Output;
use payment_runs_engine::ids::Key;
use payment_runs_engine::recurrence::Start;
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::{Run, RunEvent};
use payment_runs_engine::run_rules::check_template;
use payment_runs_engine::run_schedule::{
    NewSchedule, PendingOccurrence, SCHEDULES_MAX, Schedule, ScheduleChange, ScheduleStatus,
};
use rusqlite::params;

use super::Desk;
use super::run::{check_names, check_organizations};
use crate::sqlite::access;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::schedules::{add_run, pending_run, record};
use crate::sqlite::sql::{execute, first, params_of};

/// How many schedules of an entity have not ended.
pub(crate) const ACTIVE: &str =
    "SELECT count(*) FROM schedule INDEXED BY schedule_active WHERE entity = ?1 AND status = 0";

pub(super) fn create(desk: &mut Desk<'_>, new: NewSchedule) -> Result<Output, Failure> {
    let mut schedule = Schedule {
        id: new.id,
        name: new.name,
        status: ScheduleStatus::Active,
        recurrence: new.recurrence,
        template: new.template,
        used: None,
        last_run: None,
        started: 0,
        next: None,
        stamps: desk.stamps(),
    };
    check(desk, &mut schedule)?;
    let start = first_start(desk, &schedule);
    check_room(desk)?;
    desk.checked()?;
    let Some(start) = start else { return Err(Failure::broken("a schedule without a start")) };
    row::schedule::insert(desk.db, desk.entity(), &schedule)?;
    let next = add_run(desk.db, desk.entity(), &schedule, start, desk.now, desk.ids, Some(desk.user))?;
    note(desk, EventKind::ScheduleCreated, &schedule, &next)?;
    Ok(Output::Schedule(Schedule { next: Some(next), ..schedule }))
}

/// Changes the schedule, and with it the pending run: where the template changes, what somebody changed in that run alone is
/// lost; where the rule changes, also when somebody moved it.
pub(super) fn update(desk: &mut Desk<'_>, key: &Key, change: ScheduleChange) -> Result<Output, Failure> {
    let before = need_schedule(desk, key)?;
    if before.status != ScheduleStatus::Active {
        desk.refuse(Refusal::WrongState { noun: Noun::Schedule, state: "ended".to_owned() });
        desk.checked()?;
    }
    let mut schedule = before.clone();
    schedule.name = change.name.or(schedule.name);
    schedule.template = change.template.unwrap_or(schedule.template);
    schedule.recurrence = change.recurrence.unwrap_or(schedule.recurrence);
    check(desk, &mut schedule)?;
    let is_moved = schedule.recurrence != before.recurrence;
    let pending = pending_run(desk.db, desk.entity(), &schedule)?;
    let start = if is_moved { first_start(desk, &schedule) } else { None };
    desk.checked()?;
    desk.restamp(&mut schedule.stamps);
    row::schedule::update(desk.db, desk.entity(), &schedule)?;
    let next = match (pending, start) {
        (Some(run), Some(start)) => Some(rewrite(desk, schedule.moved(run, start))?),
        (Some(run), None) if schedule.template != before.template => {
            Some(rewrite(desk, schedule.refreshed(run))?)
        }
        (Some(_), None) => before.next,
        (None, Some(start)) => {
            Some(add_run(desk.db, desk.entity(), &schedule, start, desk.now, desk.ids, Some(desk.user))?)
        }
        (None, None) => None,
    };
    if let Some(next) = &next {
        note(desk, EventKind::ScheduleUpdated, &schedule, next)?;
    }
    Ok(Output::Schedule(Schedule { next, ..schedule }))
}

/// Ends the schedule for good. Its pending run is given up; runs at work go on.
pub(super) fn end(desk: &mut Desk<'_>, key: &Key) -> Result<Output, Failure> {
    let mut schedule = need_schedule(desk, key)?;
    if schedule.status == ScheduleStatus::Ended {
        return Ok(Output::Schedule(schedule));
    }
    schedule.status = ScheduleStatus::Ended;
    desk.restamp(&mut schedule.stamps);
    row::schedule::update(desk.db, desk.entity(), &schedule)?;
    if let Some(run) = pending_run(desk.db, desk.entity(), &schedule)? {
        give_up(desk, run)?;
    }
    if let Some(pending) = &schedule.next {
        note(desk, EventKind::ScheduleEnded, &schedule, pending)?;
    }
    Ok(Output::Schedule(Schedule { next: None, ..schedule }))
}

fn note(
    desk: &Desk<'_>,
    kind: EventKind,
    schedule: &Schedule,
    pending: &PendingOccurrence,
) -> Result<(), Failure> {
    record(desk.db, desk.entity(), desk.now, kind, schedule, pending.run, Some(desk.user))
}

fn need_schedule(desk: &Desk<'_>, key: &Key) -> Result<Schedule, Failure> {
    Desk::need_path(row::schedule::find(desk.db, desk.scope, key)?, Noun::Schedule, key)
}

/// The rules of the template and of its names, and the rule by which it starts.
fn check(desk: &mut Desk<'_>, schedule: &mut Schedule) -> Result<(), Failure> {
    let settings = access::settings(desk.db, desk.entity())?;
    desk.refuse_all(check_template(&schedule.template, &settings));
    check_names(desk, &schedule.template.filter)?;
    let organizations = std::mem::take(&mut schedule.template.organizations);
    schedule.template.organizations = check_organizations(desk, organizations);
    for fault in schedule.recurrence.faults() {
        let message = fault.to_string();
        desk.refuse(Refusal::Invalid { field: Field::Recurrence, message });
    }
    Ok(())
}

fn check_room(desk: &mut Desk<'_>) -> Result<(), Failure> {
    let active = first(desk.db, ACTIVE, params![desk.entity().0], |row| row.number::<u32>())?;
    if active.unwrap_or_default() >= SCHEDULES_MAX {
        let state = format!("one too many: at most {SCHEDULES_MAX} schedules are active at a time");
        desk.refuse(Refusal::WrongState { noun: Noun::Schedule, state });
    }
    Ok(())
}

/// The next start; a refusal where there is none.
fn first_start(desk: &mut Desk<'_>, schedule: &Schedule) -> Option<Start> {
    let start = schedule.following(desk.now);
    if start.is_none() && schedule.recurrence.faults().is_empty() {
        desk.invalid(Field::Recurrence, "leaves no start in the future");
    }
    start
}

/// Writes the pending run after a change of its schedule.
fn rewrite(desk: &Desk<'_>, mut run: Run) -> Result<PendingOccurrence, Failure> {
    let sql = "DELETE FROM run_record WHERE entity = ?1 AND run = ?2";
    execute(desk.db, sql, params_of(desk.entity(), run.id))?;
    desk.restamp(&mut run.stamps);
    row::run::update(desk.db, desk.entity(), &run)?;
    let event = Event::run(EventKind::RunUpdated, run.id, Some(desk.user));
    append(desk.db, desk.entity(), desk.now, &[event])?;
    Ok(PendingOccurrence { at: row::run::start_at(&run), run: run.id, number: run.number })
}

fn give_up(desk: &Desk<'_>, mut run: Run) -> Result<(), Failure> {
    let Some(status) = run.status.after(RunEvent::Cancel) else {
        return Err(Failure::broken("a pending run cannot be given up"));
    };
    run.status = status;
    run.completed_at = Some(desk.now);
    desk.restamp(&mut run.stamps);
    row::run::update(desk.db, desk.entity(), &run)?;
    let event = Event::run(EventKind::RunCanceled, run.id, Some(desk.user));
    append(desk.db, desk.entity(), desk.now, &[event])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Scope;
    use payment_runs_engine::ids::{EntityKey, UserId};
    use payment_runs_engine::ports::Ids;

    use super::*;
    use crate::sqlite::open_file::{OpenFile, Opening};

    struct One;
    impl Ids for One {
        fn next_id(&self) -> u128 {
            1
        }
    }

    #[test]
    fn an_entity_has_a_bounded_number_of_active_schedules() {
        let folder = tempfile::tempdir().unwrap();
        let file = OpenFile::open(&folder.path().join("store.db"), Opening::default()).unwrap();
        let db = &file.db;
        let scope = Scope::entity(EntityKey::FIRST);
        let add = |count: u32| {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                       INSERT INTO schedule SELECT 1, randomblob(16), NULL, i % 2, '', '', '', '[]', NULL, NULL, 0, \
                       0, x'', 0, x'' FROM n";
            db.execute(sql, params![count * 2]).unwrap();
        };
        let (user, now) = (UserId::from_u128(1), Timestamp::UNIX_EPOCH);
        let room = || {
            let mut desk = Desk { db, scope: &scope, user, now, ids: &One, refusals: Vec::new() };
            check_room(&mut desk).unwrap();
            desk.refusals
        };
        add(SCHEDULES_MAX - 1);
        assert_eq!(room(), [], "ended ones do not count");
        add(1);
        assert!(matches!(room()[..], [Refusal::WrongState { noun: Noun::Schedule, .. }]));
    }
}
