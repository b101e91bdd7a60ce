//! Schedules: a template of payment runs and the rule by which they start. Each occurrence is a run of its own, and the next
//! one always exists as a pending run.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::account::Stamps;
use crate::ids::{OrganizationId, RunId, ScheduleId};
use crate::recurrence::{Recurrence, Start};
use crate::run::{Run, RunFilter, RunOptions, RunStatus};

/// Schedules that have not ended in an entity at most, so that those due at the same hour stay a bounded number of runs.
pub const SCHEDULES_MAX: u32 = 1_000;

/// The part of a schedule that a run carries out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The day in the schedule's time zone, which is the run's target date. A schedule has one run a day at most.
    pub day: Date,
    /// The schedule's rule as it was when the run was made or last changed with the schedule.
    pub recurrence: Recurrence,
}

/// What every run of a schedule collects, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTemplate {
    /// Which documents.
    pub filter: RunFilter,
    /// How.
    pub options: RunOptions,
    /// The organizations that the runs are for.
    pub organizations: Vec<OrganizationId>,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScheduleStatus {
    /// Its next run is pending.
    Active,
    /// No other run follows: the last one has begun, or somebody ended it.
    Ended,
}

/// The pending run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingOccurrence {
    /// The run.
    pub run: RunId,
    /// Its number.
    pub number: String,
    /// When it starts (UTC). Whoever changed the run alone may have moved it.
    pub at: Timestamp,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Identifier.
    pub id: ScheduleId,
    /// What its owners call it.
    pub name: Option<String>,
    /// Where it stands.
    pub status: ScheduleStatus,
    /// When its runs start.
    pub recurrence: Recurrence,
    /// What they do.
    pub template: RunTemplate,
    /// The last day whose occurrence has begun or was given up.
    pub used: Option<Date>,
    /// The run that began last.
    pub last_run: Option<RunId>,
    /// How many runs have begun.
    pub started: u64,
    /// The pending run; an active schedule has one.
    pub next: Option<PendingOccurrence>,
    /// Who and when.
    pub stamps: Stamps,
}

impl Schedule {
    /// The start that follows: the first one after now, on a day that has had none. Whatever was missed while nobody worked is
    /// not made up for, apart from the run that is pending already.
    pub fn following(&self, now: Timestamp) -> Option<Start> {
        match self.status {
            ScheduleStatus::Active => self.recurrence.next(now, self.used),
            ScheduleStatus::Ended => None,
        }
    }

    /// The run of a start, which has this identifier and this number.
    pub fn run_at(&self, start: Start, id: RunId, number: String, stamps: Stamps) -> Run {
        Run {
            id,
            number,
            status: RunStatus::Pending,
            filter: self.template.filter.clone(),
            options: self.template.options,
            target_date: Some(start.day),
            run_at: Some(start.at),
            organizations: self.template.organizations.clone(),
            occurrence: Some(self.occurrence(start)),
            record_count: 0,
            executed_at: None,
            completed_at: None,
            error_message: None,
            stamps,
        }
    }

    /// The pending run of the schedule after its rule was changed: it starts anew as the schedule says. Data records that
    /// somebody gave this run alone are to be removed with it.
    #[must_use]
    pub fn moved(&self, run: Run, start: Start) -> Run {
        let Run { id, number, stamps, .. } = run;
        self.run_at(start, id, number, stamps)
    }

    /// The pending run of the schedule after its template alone was changed: it starts when it was to start. Data records
    /// that somebody gave this run alone are to be removed with it.
    #[must_use]
    pub fn refreshed(&self, run: Run) -> Run {
        let RunTemplate { filter, options, organizations } = self.template.clone();
        Run { filter, options, organizations, record_count: 0, ..run }
    }

    fn occurrence(&self, start: Start) -> Occurrence {
        Occurrence { schedule: self.id, day: start.day, recurrence: self.recurrence.clone() }
    }
}

/// A new schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// Identifier.
    pub id: ScheduleId,
    /// What its owners call it.
    pub name: Option<String>,
    /// When its runs start.
    pub recurrence: Recurrence,
    /// What they do; names are resolved by the caller of the command.
    pub template: RunTemplate,
}

/// A change of a schedule. What is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleChange {
    /// What its owners call it.
    pub name: Option<String>,
    /// When its runs start.
    pub recurrence: Option<Recurrence>,
    /// What they do.
    pub template: Option<RunTemplate>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::civil::date;

    use super::*;
    use crate::ids::UserId;
    use crate::recurrence::Repeat;

    fn schedule(status: ScheduleStatus) -> Schedule {
        let recurrence = Recurrence {
            repeat: Repeat::Daily,
            hour: 6,
            time_zone: "UTC".to_owned(),
            from: date(2026, 1, 1),
            to: Some(date(2026, 1, 31)),
        };
        Schedule {
            id: ScheduleId::from_u128(1),
            name: None,
            status,
            recurrence,
            template: RunTemplate {
                filter: RunFilter { batch: Some("Batch1".to_owned()), ..RunFilter::default() },
                options: RunOptions::default(),
                organizations: vec![],
            },
            used: Some(date(2026, 1, 3)),
            last_run: None,
            started: 0,
            next: None,
            stamps: Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(2)),
        }
    }

    #[test]
    fn what_was_missed_is_passed_over() {
        let now = "2026-01-20T10:00:00Z".parse().unwrap();
        let next = schedule(ScheduleStatus::Active).following(now).unwrap();
        assert_eq!(next.day, date(2026, 1, 21));
        let over = "2026-01-31T06:00:00Z".parse().unwrap();
        assert_eq!(schedule(ScheduleStatus::Active).following(over), None);
        assert_eq!(schedule(ScheduleStatus::Ended).following(now), None);
    }

    #[test]
    fn a_run_of_a_schedule_is_the_template_on_its_day() {
        let schedule = schedule(ScheduleStatus::Active);
        let start = schedule.following("2026-01-03T06:00:00Z".parse().unwrap()).unwrap();
        let stamps = Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(3));
        let run = schedule.run_at(start, RunId::from_u128(9), "PR-00000009".to_owned(), stamps);
        assert_eq!((run.target_date, run.run_at), (Some(date(2026, 1, 4)), Some(start.at)));
        assert_eq!((run.filter.batch.as_deref(), run.status), (Some("Batch1"), RunStatus::Pending));
        let occurrence = run.occurrence.clone().unwrap();
        assert_eq!((occurrence.day, occurrence.recurrence), (date(2026, 1, 4), schedule.recurrence.clone()));
        let edited = Run { record_count: 7, filter: RunFilter::default(), ..run.clone() };
        assert_eq!(schedule.refreshed(edited.clone()), run);
        assert_eq!(schedule.moved(Run { run_at: None, target_date: None, ..edited }, start), run);
    }
}
