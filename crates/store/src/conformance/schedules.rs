//! Schedules: each run leaves the next one behind, exactly once.

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::account::Scope;
use payment_runs_engine::audit::{AuditQuery, EventKind};
use payment_runs_engine::command::{Change, Command, Output, Request, RunChange};
use payment_runs_engine::ids::{OrganizationId, ScheduleId};
use payment_runs_engine::ports::ledger::RunQuery;
use payment_runs_engine::ports::{ChunkClaim, ScheduleQuery};
use payment_runs_engine::recurrence::{Recurrence, Repeat};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::{DeletePolicy, Run, RunFilter, RunOptions, RunStatus};
use payment_runs_engine::run_schedule::{NewSchedule, RunTemplate, Schedule, ScheduleChange, ScheduleStatus};
use payment_runs_engine::search::RunSearch;

use super::fixtures::{ENTITY, Stand, USER, at, key, lease, scope};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// Every day at six o'clock in UTC, from the first day of the cases on.
fn daily() -> Recurrence {
    Recurrence {
        repeat: Repeat::Daily,
        hour: 6,
        time_zone: "UTC".to_owned(),
        from: date(2026, 1, 1),
        to: None,
    }
}

/// When the occurrence of a day of January begins, in seconds of the cases.
fn six(day: i64) -> i64 {
    (day - 1) * DAY_S + 6 * HOUR_S
}

fn template() -> RunTemplate {
    RunTemplate {
        filter: RunFilter { batch: Some("Batch1".to_owned()), ..RunFilter::default() },
        options: RunOptions::default(),
        organizations: Vec::new(),
    }
}

impl Stand<'_> {
    fn new_schedule(&self, recurrence: Recurrence) -> NewSchedule {
        NewSchedule { id: ScheduleId::from_u128(self.id()), name: None, recurrence, template: template() }
    }

    async fn schedule(&self, second: i64, recurrence: Recurrence) -> Schedule {
        schedule_of(self.execute(second, Command::CreateSchedule(self.new_schedule(recurrence))).await)
    }

    async fn look(&self, schedule: &Schedule) -> Schedule {
        self.schedules.find_schedule(&scope(), &key(schedule.id)).await.unwrap().unwrap()
    }

    /// The runs that there are, oldest first.
    async fn all_runs(&self) -> Vec<Run> {
        let query = RunQuery { limit: 100, ..RunQuery::default() };
        let mut runs = self.ledger.list_runs(&scope(), query).await.unwrap();
        runs.reverse();
        runs
    }

    async fn days(&self) -> Vec<(i8, RunStatus)> {
        let runs = self.all_runs().await;
        runs.iter().map(|run| (run.target_date.unwrap().day(), run.status)).collect()
    }

    /// Claims what is due and works it off.
    async fn work_on(&self, second: i64) -> Option<ChunkClaim> {
        let claim = self.work.claim_selection(at(second), lease(second), self.ids()).await.unwrap()?;
        while !self.work.extend_selection(&claim, at(second), 4, 10).await.unwrap() {}
        self.work.finish_runs(at(second)).await.unwrap();
        Some(claim)
    }
}

fn schedule_of(output: Output) -> Schedule {
    match output {
        Output::Schedule(schedule) => schedule,
        other => panic!("{other:?}"),
    }
}

fn next_at(schedule: &Schedule) -> Option<Timestamp> {
    schedule.next.as_ref().map(|next| next.at)
}

/// A schedule of every day, in an empty store.
pub async fn daily_schedule(stand: Stand<'_>) -> Schedule {
    stand.schedule(0, daily()).await
}

pub async fn each_occurrence_leaves_the_next_one(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    assert_eq!((made.status, next_at(&made), made.started), (ScheduleStatus::Active, Some(at(six(1))), 0));
    assert_eq!(stand.look(&made).await, made);
    let [first] = &stand.all_runs().await[..] else { panic!() };
    assert_eq!((first.id, first.number.as_str()), (made.next.as_ref().unwrap().run, "PR-00000001"));
    assert_eq!((first.status, first.run_at), (RunStatus::Pending, Some(at(six(1)))));
    assert_eq!((first.target_date, first.filter.clone()), (Some(date(2026, 1, 1)), template().filter));
    let occurrence = first.occurrence.clone().unwrap();
    assert_eq!((occurrence.schedule, occurrence.recurrence), (made.id, daily()));

    assert!(stand.work_on(six(1) - 1).await.is_none(), "it is not time");
    let claim = stand.work_on(six(1)).await.unwrap();
    assert_eq!(claim.run, first.id);
    assert!(stand.work_on(six(1)).await.is_none(), "the next one waits for its day");
    let begun = stand.look(&made).await;
    assert_eq!((begun.last_run, begun.started), (Some(first.id), 1));
    assert_eq!((next_at(&begun), begun.used), (Some(at(six(2))), Some(date(2026, 1, 1))));
    assert_eq!(stand.days().await, [(1, RunStatus::Completed), (2, RunStatus::Pending)]);
    let found = stand.search.search_runs(&scope(), &newest_first()).await.unwrap();
    assert!(
        found.iter().all(|found| found.next_run_at == Some(at(six(2)))),
        "every run of it tells: {found:?}"
    );
}

fn newest_first() -> RunSearch {
    RunSearch {
        conditions: Vec::new(),
        sort: Vec::new(),
        ignore_case: false,
        time_zone: jiff::tz::TimeZone::UTC,
        after: None,
        limit: 10,
    }
}

pub async fn a_missed_occurrence_runs_once_and_late(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    let noon = 5 * DAY_S + 12 * HOUR_S;
    assert!(stand.work_on(noon).await.is_some());
    assert!(stand.work_on(noon).await.is_none(), "there is no burst");
    assert_eq!(stand.days().await, [(1, RunStatus::Completed), (7, RunStatus::Pending)]);
    assert_eq!(stand.look(&made).await.started, 1);
    // A worker that claims again what it claimed, because it does not know that it did, starts nothing anew.
    assert!(stand.work.claim_selection(at(noon), lease(noon), stand.ids()).await.unwrap().is_none());
}

pub async fn a_schedule_ends_with_its_last_day(stand: Stand<'_>) {
    let made = stand.schedule(0, Recurrence { to: Some(date(2026, 1, 2)), ..daily() }).await;
    let once = Recurrence { repeat: Repeat::Never, from: date(2026, 1, 2), ..daily() };
    let once = stand.schedule(0, once).await;
    stand.work_on(six(1)).await.unwrap();
    for _ in 0..2 {
        stand.work_on(six(2)).await.unwrap();
    }
    assert!(stand.work_on(six(3)).await.is_none());
    assert_eq!(stand.work.next_run_at().await.unwrap(), None);
    for (schedule, started) in [(&made, 2), (&once, 1)] {
        let ended = stand.look(schedule).await;
        assert_eq!((ended.status, ended.next.clone(), ended.started), (ScheduleStatus::Ended, None, started));
        let change = ScheduleChange { name: Some("Late".to_owned()), ..ScheduleChange::default() };
        let refused = stand.refused(six(3), Command::UpdateSchedule(key(schedule.id), change)).await;
        assert!(matches!(refused[..], [Refusal::WrongState { noun: Noun::Schedule, .. }]), "{refused:?}");
    }
}

pub async fn an_occurrence_that_is_given_up_is_followed(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    let pending = async || key(stand.look(&made).await.next.unwrap().run);
    stand.execute(1, Command::CancelRun(pending().await)).await;
    assert_eq!(stand.days().await, [(1, RunStatus::Canceled), (2, RunStatus::Pending)]);
    let second = pending().await;
    stand.execute(2, Command::DeleteRun(second.clone(), DeletePolicy::CanceledOrPending)).await;
    assert_eq!(stand.days().await, [(1, RunStatus::Canceled), (3, RunStatus::Pending)]);
    let first = stand.all_runs().await[0].id;
    stand.execute(3, Command::DeleteRun(key(first), DeletePolicy::CanceledOrError)).await;
    assert_eq!(stand.days().await, [(3, RunStatus::Pending)], "a canceled one was followed already");
    let now = stand.look(&made).await;
    assert_eq!((now.started, now.last_run, now.used), (0, None, Some(date(2026, 1, 2))));
    stand.work_on(six(3)).await.unwrap();
    assert_eq!(next_at(&stand.look(&made).await), Some(at(six(4))));
}

pub async fn a_schedule_is_ended_by_its_owner(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    let claim = stand.work.claim_selection(at(six(1)), lease(six(1)), stand.ids()).await.unwrap().unwrap();
    let ended = schedule_of(stand.execute(six(1), Command::EndSchedule(key(made.id))).await);
    assert_eq!((ended.status, &ended.next), (ScheduleStatus::Ended, &None));
    assert_eq!(stand.days().await, [(1, RunStatus::Processing), (2, RunStatus::Canceled)]);
    let again = schedule_of(stand.execute(six(2), Command::EndSchedule(key(made.id))).await);
    assert_eq!(again, ended, "ending it again changes nothing");
    while !stand.work.extend_selection(&claim, at(six(1)), 4, 10).await.unwrap() {}
    stand.work.finish_runs(at(six(1))).await.unwrap();
    assert_eq!(stand.days().await, [(1, RunStatus::Completed), (2, RunStatus::Canceled)]);
    assert!(stand.work_on(six(9)).await.is_none());
    let refused = stand.refused(six(9), Command::EndSchedule(key(ScheduleId::from_u128(7)))).await;
    assert!(matches!(refused[..], [Refusal::NotFound { noun: Noun::Schedule, field: Field::Path, .. }]));
}

pub async fn a_change_of_a_schedule_changes_the_run_that_waits(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    stand.work_on(six(1)).await.unwrap();
    let run = stand.look(&made).await.next.unwrap().run;
    let update = async |second, change| {
        schedule_of(stand.execute(second, Command::UpdateSchedule(key(made.id), change)).await)
    };
    // Somebody changes this one run alone.
    let alone = RunChange {
        run_at: Change::Set(at(six(2) + HOUR_S)),
        batch: Change::Set("Batch9".to_owned()),
        ..RunChange::default()
    };
    stand.execute(six(1) + 1, Command::UpdateRun(key(run), alone)).await;
    assert_eq!(next_at(&stand.look(&made).await), Some(at(six(2) + HOUR_S)));
    assert_eq!(stand.look(&made).await.template, template(), "and the schedule is as it was");
    let named =
        update(six(1) + 2, ScheduleChange { name: Some("Monthly".to_owned()), ..ScheduleChange::default() });
    assert_eq!(next_at(&named.await), Some(at(six(2) + HOUR_S)));
    let quiet =
        RunTemplate { options: RunOptions { collect_payment: false, ..RunOptions::default() }, ..template() };
    let change = ScheduleChange { template: Some(quiet.clone()), ..ScheduleChange::default() };
    let changed = update(six(1) + 3, change).await;
    let waiting = stand.all_runs().await[1].clone();
    assert_eq!((waiting.id, waiting.options, waiting.filter), (run, quiet.options, quiet.filter));
    assert_eq!((waiting.run_at, next_at(&changed)), (Some(at(six(2) + HOUR_S)), Some(at(six(2) + HOUR_S))));
    let evening = Recurrence { hour: 18, time_zone: "Europe/Vienna".to_owned(), ..daily() };
    let change = ScheduleChange { recurrence: Some(evening.clone()), ..ScheduleChange::default() };
    let changed = update(six(1) + 4, change).await;
    let start = at(DAY_S + 17 * HOUR_S);
    assert_eq!((next_at(&changed), &changed.recurrence), (Some(start), &evening), "today is over for it");
    let waiting = stand.all_runs().await[1].clone();
    assert_eq!((waiting.run_at, waiting.target_date), (Some(start), Some(date(2026, 1, 2))));
    assert_eq!(waiting.occurrence.unwrap().recurrence, evening);
    assert_eq!(stand.all_runs().await[0].occurrence.as_ref().unwrap().recurrence, daily());

    let past = Recurrence { to: Some(date(2026, 1, 1)), ..daily() };
    let change = ScheduleChange { recurrence: Some(past), ..ScheduleChange::default() };
    let refused = stand.refused(six(1) + 5, Command::UpdateSchedule(key(made.id), change)).await;
    assert!(matches!(refused[..], [Refusal::Invalid { field: Field::Recurrence, .. }]), "{refused:?}");
    assert_eq!(stand.look(&made).await, changed, "a refused change changes nothing");
}

pub async fn refusals_of_schedules(stand: Stand<'_>) {
    let past = Recurrence { repeat: Repeat::Never, from: date(2025, 12, 31), ..daily() };
    let nowhere = Recurrence { time_zone: "Mars/Olympus".to_owned(), hour: 24, ..daily() };
    for (recurrence, reasons) in [(past, 1), (nowhere, 2)] {
        let new = stand.new_schedule(recurrence);
        let refused = stand.refused(0, Command::CreateSchedule(new)).await;
        assert_eq!(refused.len(), reasons, "{refused:?}");
        assert!(refused.iter().all(|one| matches!(one, Refusal::Invalid { field: Field::Recurrence, .. })));
    }
    let mut new = stand.new_schedule(daily());
    new.template.filter.account = Some(payment_runs_engine::ids::AccountId::from_u128(1));
    let refused = stand.refused(0, Command::CreateSchedule(new)).await;
    assert!(refused.contains(&Refusal::Excludes { field: Field::Account, other: Field::Batch }));
    assert!(refused.iter().any(|one| matches!(one, Refusal::NotFound { field: Field::Account, .. })));
    assert!(stand.all_runs().await.is_empty());
}

pub async fn schedules_are_listed_in_scope(stand: Stand<'_>) {
    let organization = OrganizationId::from_u128(0xa1);
    let limited = Scope { entity: ENTITY, organizations: Some(vec![organization]) };
    let all = stand.schedule(0, daily()).await;
    let new = stand.new_schedule(daily());
    let request =
        Request { scope: limited.clone(), user: USER, now: at(1), command: Command::CreateSchedule(new) };
    let own = schedule_of(stand.try_execute(request).await.unwrap());
    assert_eq!(own.template.organizations, [organization], "it is for those who made it");
    let listed = async |scope: &Scope, after, limit| {
        stand.schedules.list_schedules(scope, ScheduleQuery { after, limit }).await.unwrap()
    };
    assert_eq!(listed(&scope(), None, 10).await, [own.clone(), all.clone()], "newest first");
    let (own_only, all_only) = (std::slice::from_ref(&own), std::slice::from_ref(&all));
    assert_eq!(listed(&scope(), None, 1).await, own_only);
    assert_eq!(listed(&scope(), Some(own.id), 10).await, all_only);
    assert_eq!(listed(&limited, None, 10).await, own_only);
    assert_eq!(stand.schedules.find_schedule(&limited, &key(all.id)).await.unwrap(), None);
    let end = Command::EndSchedule(key(all.id));
    let request = Request { scope: limited.clone(), user: USER, now: at(2), command: end };
    let refused = stand.try_execute(request).await.unwrap_err();
    assert!(matches!(refused[..], [Refusal::NotFound { noun: Noun::Schedule, .. }]));
    // A limited caller cannot make it collect for others either.
    let wider = RunTemplate { organizations: vec![OrganizationId::from_u128(0xb2)], ..template() };
    let change = ScheduleChange { template: Some(wider), ..ScheduleChange::default() };
    let command = Command::UpdateSchedule(key(own.id), change);
    let request = Request { scope: limited, user: USER, now: at(3), command };
    let refused = stand.try_execute(request).await.unwrap_err();
    assert!(matches!(refused[..], [Refusal::NotFound { noun: Noun::Organization, .. }]));
}

pub async fn what_happens_to_a_schedule_is_recorded(stand: Stand<'_>) {
    let made = stand.schedule(0, daily()).await;
    let first = made.next.as_ref().unwrap().run;
    let renamed = ScheduleChange { name: Some("Rent".to_owned()), ..ScheduleChange::default() };
    stand.execute(1, Command::UpdateSchedule(key(made.id), renamed)).await;
    stand.work_on(six(1)).await.unwrap();
    let second = stand.look(&made).await.next.unwrap().run;
    stand.execute(six(1) + 1, Command::EndSchedule(key(made.id))).await;
    let records = stand
        .ledger
        .list_audit_records(&scope(), AuditQuery { limit: 100, ..AuditQuery::default() })
        .await
        .unwrap();
    let told: Vec<_> = records.iter().map(|one| (one.kind, one.run.unwrap(), one.user)).collect();
    let by = Some(USER);
    let expected = [
        (EventKind::OccurrenceCreated, first, by),
        (EventKind::ScheduleCreated, first, by),
        (EventKind::ScheduleUpdated, first, by),
        (EventKind::RunStarted, first, None),
        (EventKind::OccurrenceCreated, second, None),
        (EventKind::RunEnded, first, None),
        (EventKind::RunCanceled, second, by),
        (EventKind::ScheduleEnded, second, by),
    ];
    assert_eq!(told, expected);
    let names = records.iter().filter_map(|one| one.detail.as_deref());
    assert!(names.eq(std::iter::repeat_n(format!("schedule {}", made.id).as_str(), 5)));
}

/// Whatever order claims come in, there is one run a day.
pub async fn claims_in_a_row_make_one_run_a_day(stand: Stand<'_>) {
    for repeat in [Repeat::Daily, Repeat::Daily, Repeat::Daily] {
        stand.schedule(0, Recurrence { repeat, ..daily() }).await;
    }
    let mut now = at(0);
    let mut claimed = 0;
    for _ in 0..40 {
        now = now.checked_add(SignedDuration::from_hours(7)).unwrap();
        let until = now.checked_add(SignedDuration::from_secs(30)).unwrap();
        while let Some(claim) = stand.work.claim_selection(now, until, stand.ids()).await.unwrap() {
            while !stand.work.extend_selection(&claim, now, 4, 10).await.unwrap() {}
            claimed += 1;
        }
    }
    // 280 hours end on the twelfth day at 16:00; each day's hour had come.
    assert_eq!(claimed, 3 * 12);
    let runs = stand.all_runs().await;
    assert_eq!(runs.len(), 3 * 13);
    let mut days: Vec<_> =
        runs.iter().map(|run| run.occurrence.as_ref().map(|one| (one.schedule, one.day)).unwrap()).collect();
    days.sort_unstable();
    days.dedup();
    assert_eq!(days.len(), runs.len(), "no day twice");
}
