//! What happened after a webhook's position, read from the record of events.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::ids::{AccountId, EntityId, EntityKey, PaymentId, RunId, WebhookId};
use payment_runs_engine::notify::{
    EndedPayment, EndedRun, Notification, NotificationKind, Reading, Runs, Subject, Upcoming,
};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::run::Run;
use payment_runs_engine::run_rules::time_zone;
use rusqlite::{Connection, params};

use super::manage::{self, Since};
use crate::sqlite::access;
use crate::sqlite::codes::Code;
use crate::sqlite::events::EventKind;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::{Sequence, last};
use crate::sqlite::sql::{BlobId, all, first, params_of};

/// Events that one reading passes at most, so that a reader is never busy with it for long.
const EVENTS_MAX: i64 = 20_000;

/// What a webhook is to be told of the events after a position. Its first kind of parameters bounds the events; the rest
/// say after which event each kind of notification is told.
pub(crate) static AFTER: LazyLock<String> = LazyLock::new(|| {
    let codes =
        |kinds: &[EventKind]| kinds.iter().map(|kind| kind.code().to_string()).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT id, at, run, payment, state FROM event WHERE entity = ?1 AND id > ?2 AND id <= ?3 AND \
         (kind IN ({}) AND id > ?4 OR ({}) AND (state = {} AND id > ?5 OR state = {} AND id > ?6)) \
         ORDER BY id LIMIT ?7",
        codes(&[EventKind::RunEnded, EventKind::RunFailed, EventKind::RunCanceled, EventKind::RunStopped]),
        // A detail of a settled payment says that an outcome came too late and changed nothing.
        format_args!(
            "(kind = {} AND detail IS NULL OR kind = {})",
            EventKind::PaymentSettled.code(),
            EventKind::PaymentResolved.code()
        ),
        PaymentState::Processed.code(),
        PaymentState::Declined.code(),
    )
});
static RUN: LazyLock<String> = LazyLock::new(|| {
    // A run that was deleted since has ended all the same.
    format!("SELECT {} FROM run WHERE entity = ?1 AND id = ?2", row::run::SELECTED)
});

/// An event that is to be told.
struct Happened {
    event: i64,
    at: Timestamp,
    kind: NotificationKind,
    run: Option<RunId>,
    payment: Option<PaymentId>,
}

pub(super) fn upcoming(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    reading: &Reading,
) -> Result<Upcoming, Failure> {
    let since = manage::since(db, entity, webhook)?;
    let last = last(db, entity, Sequence::Event)?;
    let end = reading.upto.map_or(last, |upto| upto.min(last)).max(reading.after);
    let seen = end.min(reading.after.saturating_add(EVENTS_MAX));
    // Where runs are left out, so many events may have to be passed over.
    let is_whole = matches!(&reading.runs, Runs::AllBut(left_out) if left_out.is_empty());
    let limit = if is_whole { i64::try_from(reading.limit).unwrap_or(i64::MAX) } else { EVENTS_MAX };
    let mut events = read_events(db, entity, (reading.after, seen), since, limit)?;
    events.retain(|happened| reading.runs.includes(happened.run));
    events.truncate(reading.limit);
    let mut desk = Desk::new(db, entity)?;
    let notifications = events.iter().map(|happened| desk.notification(happened));
    let notifications = notifications.collect::<Result<Vec<_>, Failure>>()?;
    let upto =
        events.last().filter(|_| events.len() >= reading.limit).map_or(seen, |happened| happened.event);
    Ok(Upcoming { notifications, upto, has_more: upto < end })
}

fn read_events(
    db: &Connection,
    entity: EntityKey,
    (after, upto): (i64, i64),
    since: Since,
    limit: i64,
) -> Result<Vec<Happened>, Failure> {
    let [run_ended, processed, declined] = since.map(|after| after.unwrap_or(i64::MAX));
    let values = params![entity.0, after, upto, run_ended, processed, declined, limit];
    all(db, &AFTER, values, |row| {
        let (event, at) = (row.get()?, row.time()?);
        let (run, payment) = (row.opt_id()?, row.opt_id::<PaymentId>()?);
        let state = row.get::<Option<i64>>()?.map(PaymentState::from_code).transpose()?;
        let kind = match state {
            None => NotificationKind::RunEnded,
            Some(PaymentState::Processed) => NotificationKind::PaymentProcessed,
            Some(_) => NotificationKind::PaymentDeclined,
        };
        Ok(Happened { event, at, kind, run, payment })
    })
}

/// What the notifications of one reading have in common.
struct Desk<'a> {
    db: &'a Connection,
    entity: EntityKey,
    entity_id: EntityId,
    runs: BTreeMap<RunId, Run>,
    accounts: BTreeMap<AccountId, String>,
}

impl<'a> Desk<'a> {
    fn new(db: &'a Connection, entity: EntityKey) -> Result<Self, Failure> {
        let sql = "SELECT id FROM entity WHERE key = ?1";
        let entity_id = first(db, sql, params![entity.0], |row| row.id())?;
        let entity_id = entity_id.ok_or_else(|| Failure::Corrupt(format!("entity {}", entity.0)))?;
        Ok(Self { db, entity, entity_id, runs: BTreeMap::new(), accounts: BTreeMap::new() })
    }

    fn notification(&mut self, happened: &Happened) -> Result<Notification, Failure> {
        let subject = match happened.kind {
            NotificationKind::RunEnded => self.run(happened)?,
            NotificationKind::PaymentProcessed | NotificationKind::PaymentDeclined => {
                self.payment(happened)?
            }
        };
        let Happened { event, at, kind, .. } = *happened;
        Ok(Notification { event, kind, at, entity: self.entity_id, subject })
    }

    fn find_run(&mut self, id: RunId) -> Result<Run, Failure> {
        if let Some(run) = self.runs.get(&id) {
            return Ok(run.clone());
        }
        let run = first(self.db, &RUN, params_of(self.entity, id), row::run::read)?;
        let run =
            run.ok_or_else(|| Failure::Corrupt(format!("an event of the run {id}, which is not there")))?;
        self.runs.insert(id, run.clone());
        Ok(run)
    }

    fn run(&mut self, happened: &Happened) -> Result<Subject, Failure> {
        let id = happened.run.ok_or_else(|| Failure::Corrupt("a run's event without a run".to_owned()))?;
        let run = self.find_run(id)?;
        let settings = access::settings(self.db, self.entity)?;
        let target_date = run.shown_target_date(&time_zone(&settings));
        let tallies = row::tally::sum(self.db, self.entity, id)?;
        Ok(Subject::Run(Box::new(EndedRun { run, target_date, tallies })))
    }

    fn payment(&mut self, happened: &Happened) -> Result<Subject, Failure> {
        let id = happened.payment;
        let id = id.ok_or_else(|| Failure::Corrupt("a payment's event without a payment".to_owned()))?;
        let payment = row::payment::bare_by_id(self.db, self.entity, id)?;
        let payment = payment
            .ok_or_else(|| Failure::Corrupt(format!("an event of the payment {id}, which is not there")))?;
        let run_number = payment.run.map(|run| self.find_run(run)).transpose()?.map(|run| run.number);
        let account_number = self.account_number(payment.account)?;
        Ok(Subject::Payment(Box::new(EndedPayment { payment, account_number, run_number })))
    }

    fn account_number(&mut self, id: AccountId) -> Result<String, Failure> {
        if let Some(number) = self.accounts.get(&id) {
            return Ok(number.clone());
        }
        let sql = "SELECT number FROM account WHERE entity = ?1 AND id = ?2";
        let number = first(self.db, sql, params![self.entity.0, id.to_blob()], |row| row.get::<String>())?;
        let number = number.unwrap_or_default();
        self.accounts.insert(id, number.clone());
        Ok(number)
    }
}
