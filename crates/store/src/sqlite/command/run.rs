//! Commands on payment runs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use payment_runs_engine::command::{NewRun, Output, RunChange};
use payment_runs_engine::ids::{AccountId, Key, OrganizationId};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::{DataRecord, DeletePolicy, Run, RunEvent, RunFilter, RunStatus};
use payment_runs_engine::run_rules::{apply_change, check_new_run, check_run};

use super::Desk;
use crate::sqlite::access;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::schedules::{Gone, follow};
use crate::sqlite::sequence::{Sequence, next_text};
use crate::sqlite::sql::{execute, execute_one, params_of};
use crate::sqlite::{read, row};

pub(super) fn create(desk: &mut Desk<'_>, new: &NewRun) -> Result<Output, Failure> {
    let run = draft(desk, new)?;
    let run = Run { number: next_text(desk.db, desk.entity(), Sequence::PaymentRun)?, ..run };
    row::run::insert(desk.db, desk.entity(), &run)?;
    insert_records(desk, &run, &new.records)?;
    record(desk, EventKind::RunCreated, &run)?;
    Ok(Output::Run(run))
}

/// Checks a new run and gives it as it would be stored, without a number.
pub(super) fn draft(desk: &mut Desk<'_>, new: &NewRun) -> Result<Run, Failure> {
    let settings = access::settings(desk.db, desk.entity())?;
    desk.refuse_all(check_new_run(new, &settings));
    check_names(desk, &new.filter)?;
    let organizations = check_organizations(desk, new.organizations.clone());
    desk.checked()?;
    Ok(Run {
        id: new.id,
        number: String::new(),
        status: RunStatus::Pending,
        filter: new.filter.clone(),
        options: new.options,
        target_date: new.target_date,
        run_at: new.run_at,
        organizations,
        occurrence: None,
        record_count: u32::try_from(new.records.len()).unwrap_or(u32::MAX),
        executed_at: None,
        completed_at: None,
        error_message: None,
        stamps: desk.stamps(),
    })
}

pub(super) fn update(desk: &mut Desk<'_>, key: &Key, change: &RunChange) -> Result<Output, Failure> {
    let run = need_run(desk, key)?;
    if !run.status.can_update() {
        refuse_state(desk, run.status);
        desk.checked()?;
    }
    let settings = access::settings(desk.db, desk.entity())?;
    let mut changed = apply_change(&run, change);
    desk.refuse_all(check_run(&changed, &settings));
    check_names(desk, &changed.filter)?;
    if changed.organizations != run.organizations {
        changed.organizations = check_organizations(desk, changed.organizations);
    }
    desk.checked()?;
    desk.restamp(&mut changed.stamps);
    row::run::update(desk.db, desk.entity(), &changed)?;
    if let Some(records) = &change.records {
        let sql = "DELETE FROM run_record WHERE entity = ?1 AND run = ?2";
        execute(desk.db, sql, params_of(desk.entity(), run.id))?;
        insert_records(desk, &changed, records)?;
    }
    record(desk, EventKind::RunUpdated, &changed)?;
    Ok(Output::Run(changed))
}

/// Hides the run. Its payments, its decisions and its events stay.
pub(super) fn delete(desk: &mut Desk<'_>, key: &Key, policy: DeletePolicy) -> Result<Output, Failure> {
    let run = need_run(desk, key)?;
    if !run.status.can_delete(policy) {
        refuse_state(desk, run.status);
    }
    desk.checked()?;
    let sql = "UPDATE run SET is_deleted = 1 WHERE entity = ?1 AND id = ?2 AND is_deleted = 0";
    execute_one(desk.db, sql, params_of(desk.entity(), run.id), "delete a run")?;
    record(desk, EventKind::RunDeleted, &run)?;
    if run.status == RunStatus::Pending {
        follow_up(desk, &run)?;
    }
    Ok(Output::Deleted)
}

/// Gives a pending run up.
pub(super) fn cancel(desk: &mut Desk<'_>, key: &Key) -> Result<Output, Failure> {
    let mut run = need_run(desk, key)?;
    match run.status.after(RunEvent::Cancel) {
        Some(status) => run.status = status,
        None => refuse_state(desk, run.status),
    }
    desk.checked()?;
    run.completed_at = Some(desk.now);
    desk.restamp(&mut run.stamps);
    row::run::update(desk.db, desk.entity(), &run)?;
    record(desk, EventKind::RunCanceled, &run)?;
    follow_up(desk, &run)?;
    Ok(Output::Run(run))
}

/// Asks for the end of a run at work. The workers do the rest: what is under way ends, and every document that has no
/// decision yet is left.
pub(super) fn stop(desk: &mut Desk<'_>, key: &Key) -> Result<Output, Failure> {
    let run = need_run(desk, key)?;
    if run.status.after(RunEvent::Stop).is_none() {
        refuse_state(desk, run.status);
    }
    desk.checked()?;
    let sql = "UPDATE run SET is_stopping = 1 WHERE entity = ?1 AND id = ?2 AND is_stopping = 0";
    if execute(desk.db, sql, params_of(desk.entity(), run.id))? == 1 {
        record(desk, EventKind::RunStopRequested, &run)?;
    }
    let progress = read::progress(desk.db, desk.scope, key)?;
    Desk::need_path(progress, Noun::PaymentRun, key).map(Output::Progress)
}

/// The run that follows in the schedule, now that its pending run was given up.
fn follow_up(desk: &Desk<'_>, run: &Run) -> Result<(), Failure> {
    let Some(occurrence) = &run.occurrence else { return Ok(()) };
    let gone = Gone {
        schedule: occurrence.schedule,
        day: occurrence.day,
        run: run.id,
        has_begun: false,
        user: Some(desk.user),
    };
    follow(desk.db, desk.entity(), &gone, desk.now, desk.ids)
}

fn need_run(desk: &Desk<'_>, key: &Key) -> Result<Run, Failure> {
    Desk::need_path(row::run::find(desk.db, desk.scope, key)?, Noun::PaymentRun, key)
}

fn refuse_state(desk: &mut Desk<'_>, status: RunStatus) {
    let state = match status {
        RunStatus::Pending => "pending",
        RunStatus::Processing => "processing",
        RunStatus::Completed => "completed",
        RunStatus::Error => "in error",
        RunStatus::Canceled => "canceled",
    };
    desk.refuse(Refusal::WrongState { noun: Noun::PaymentRun, state: state.to_owned() });
}

/// What the filters name must exist and be in scope.
pub(super) fn check_names(desk: &mut Desk<'_>, filter: &RunFilter) -> Result<(), Failure> {
    if let Some(account) = filter.account {
        let key = Key::new(account.to_string());
        let found = row::account::find(desk.db, desk.scope, &key)?;
        desk.need(found, Noun::Account, key.as_str(), Field::Account);
    }
    if let Some(gateway) = filter.gateway {
        let key = Key::new(gateway.to_string());
        let found = row::gateway::find(desk.db, desk.entity(), &key)?;
        desk.need(found, Noun::PaymentGateway, key.as_str(), Field::Gateway);
    }
    Ok(())
}

/// The organizations of a run: those asked for, all of which must be in scope, or else the whole scope.
pub(super) fn check_organizations(desk: &mut Desk<'_>, asked: Vec<OrganizationId>) -> Vec<OrganizationId> {
    let Some(allowed) = desk.scope.organizations.clone() else { return asked };
    for foreign in asked.iter().filter(|one| !allowed.contains(one)) {
        let key = foreign.to_string();
        desk.refuse(Refusal::NotFound { noun: Noun::Organization, key, field: Field::Organizations });
    }
    if allowed.is_empty() {
        // A run without organizations collects for all of them, which a caller who may see none must not reach.
        desk.invalid(Field::Organizations, "needs an organization, and the caller may see none");
    }
    if asked.is_empty() { allowed } else { asked }
}

/// Stores the records with the accounts they name. A record whose account cannot be found is stored all the same: it
/// fails alone when its turn comes.
fn insert_records(desk: &Desk<'_>, run: &Run, records: &[DataRecord]) -> Result<(), Failure> {
    let accounts = record_accounts(desk, records)?;
    for ((position, record), account) in (0_u32..).zip(records).zip(accounts) {
        row::run::insert_record(desk.db, desk.entity(), run.id, position, account, record)?;
    }
    Ok(())
}

/// The accounts that records name, each looked for once.
pub(super) fn record_accounts(
    desk: &Desk<'_>,
    records: &[DataRecord],
) -> Result<Vec<Option<AccountId>>, Failure> {
    let mut known: HashMap<(&Key, bool), Option<AccountId>> = HashMap::new();
    let find = |record| -> Result<Option<AccountId>, Failure> {
        let record: &DataRecord = record;
        let Some(key) = &record.account else { return Ok(None) };
        match known.entry((key, record.account_is_number)) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(new) => Ok(*new.insert(find_record_account(desk, key, record.account_is_number)?)),
        }
    };
    records.iter().map(find).collect()
}

fn find_record_account(desk: &Desk<'_>, key: &Key, is_number: bool) -> Result<Option<AccountId>, Failure> {
    let found = match key.as_id() {
        _ if is_number => row::account::by_number(desk.db, desk.entity(), key.as_str())?,
        Some(id) => row::account::by_id(desk.db, desk.entity(), AccountId::from_u128(id))?,
        None => None,
    };
    let visible = found.filter(|account| row::account::is_visible(desk.scope, account.organization));
    Ok(visible.map(|account| account.id))
}

fn record(desk: &Desk<'_>, kind: EventKind, run: &Run) -> Result<(), Failure> {
    append(desk.db, desk.entity(), desk.now, &[Event::run(kind, run.id, Some(desk.user))])
}
