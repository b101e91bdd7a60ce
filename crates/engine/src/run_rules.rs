//! Rules about a run as a whole: pure checks of a new or changed run.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::command::{NewRun, RunChange};
use crate::refusal::{Field, Refusal};
use crate::run::{Run, RunFilter, RunOptions};
use crate::run_schedule::{Occurrence, RunTemplate};
use crate::schedule::is_on_the_hour;
use crate::settings::Settings;

/// The most data records of one run.
pub const DATA_RECORDS_MAX: usize = 50_000;

/// The last bill cycle day, which stands for the end of the month.
pub const BILL_CYCLE_DAY_MAX: u8 = 31;

/// The most characters of a batch's alias.
pub const BATCH_CHARACTERS_MAX: usize = 50;

/// The last due date that a run collects: its target date, else the day of its start in the entity's time zone.
pub fn effective_target_date(run: &Run, settings: &Settings, now: Timestamp) -> Date {
    let start = run.run_at.or(run.executed_at).unwrap_or(now);
    run.target_date.unwrap_or_else(|| start.to_zoned(time_zone(settings)).date())
}

/// The entity's time zone; an unknown name reads as UTC.
pub fn time_zone(settings: &Settings) -> TimeZone {
    TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC)
}

/// The part of a run that the rules look at.
struct Shape<'a> {
    filter: &'a RunFilter,
    options: &'a RunOptions,
    target_date: Option<Date>,
    run_at: Option<Timestamp>,
    occurrence: Option<&'a Occurrence>,
    records: usize,
}

/// Everything that is wrong with a new run; empty when it may be created.
pub fn check_new_run(run: &NewRun, settings: &Settings) -> Vec<Refusal> {
    let shape = Shape {
        filter: &run.filter,
        options: &run.options,
        target_date: run.target_date,
        run_at: run.run_at,
        occurrence: None,
        records: run.records.len(),
    };
    check_shape(&shape, settings)
}

/// Everything that is wrong with the template of a schedule's runs, whatever their days.
pub fn check_template(template: &RunTemplate, settings: &Settings) -> Vec<Refusal> {
    let shape = Shape {
        filter: &template.filter,
        options: &template.options,
        target_date: Some(Date::ZERO),
        run_at: None,
        occurrence: None,
        records: 0,
    };
    check_shape(&shape, settings)
}

/// Everything that is wrong with a run as it would be stored after a change.
pub fn check_run(run: &Run, settings: &Settings) -> Vec<Refusal> {
    let shape = Shape {
        filter: &run.filter,
        options: &run.options,
        target_date: run.target_date,
        run_at: run.run_at,
        occurrence: run.occurrence.as_ref(),
        records: usize::try_from(run.record_count).unwrap_or(usize::MAX),
    };
    check_shape(&shape, settings)
}

/// The run after a change: each field alone. The result is checked with [`check_run`]; status and stamps stay.
#[must_use]
pub fn apply_change(run: &Run, change: &RunChange) -> Run {
    let mut changed = run.clone();
    let (filter, options) = (&mut changed.filter, &mut changed.options);
    filter.account = change.account.apply(filter.account);
    filter.batch = change.batch.clone().apply(filter.batch.take());
    filter.bill_cycle_day = change.bill_cycle_day.apply(filter.bill_cycle_day);
    filter.bill_run = change.bill_run.apply(filter.bill_run);
    filter.currency = change.currency.apply(filter.currency);
    filter.gateway = change.gateway.apply(filter.gateway);
    let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
    set(&mut options.apply_credit_balance, change.apply_credit_balance);
    set(&mut options.auto_apply_credit_memo, change.auto_apply_credit_memo);
    set(&mut options.auto_apply_unapplied_payment, change.auto_apply_unapplied_payment);
    set(&mut options.collect_payment, change.collect_payment);
    set(&mut options.consolidated_payment, change.consolidated_payment);
    set(&mut options.process_payment_with_closed_pm, change.process_payment_with_closed_pm);
    set(&mut options.ignore_retry_rule, change.ignore_retry_rule);
    let custom = &mut options.use_custom_payment_methods;
    *custom = change.use_custom_payment_methods.apply(custom.take());
    changed.target_date = change.target_date.apply(changed.target_date);
    changed.run_at = change.run_at.apply(changed.run_at);
    if let Some(organizations) = &change.organizations {
        changed.organizations.clone_from(organizations);
    }
    if let Some(records) = &change.records {
        changed.record_count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    }
    changed
}

/// The rules in the order in which their refusals are told.
fn check_shape(run: &Shape<'_>, settings: &Settings) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    check_filters(run, &mut refusals);
    refusals.extend(run.filter.currency.and_then(|currency| settings.check_currency(currency)));
    check_dates(run, settings, &mut refusals);
    check_credits(*run.options, settings, &mut refusals);
    refusals
}

/// The filters that are given, account apart.
fn given_filters(filter: &RunFilter) -> impl Iterator<Item = Field> {
    let all = [
        (Field::Batch, filter.batch.is_some()),
        (Field::BillCycleDay, filter.bill_cycle_day.is_some()),
        (Field::Currency, filter.currency.is_some()),
        (Field::Gateway, filter.gateway.is_some()),
        (Field::BillRun, filter.bill_run.is_some()),
    ];
    all.into_iter().filter(|(_, is_given)| *is_given).map(|(field, _)| field)
}

/// An account excludes the other filters, and data excludes every filter.
fn check_filters(run: &Shape<'_>, refusals: &mut Vec<Refusal>) {
    if run.filter.account.is_some() {
        let excluded = given_filters(run.filter);
        refusals.extend(excluded.map(|other| Refusal::Excludes { field: Field::Account, other }));
    }
    if run.records > 0 {
        let account = run.filter.account.map(|_| Field::Account);
        let excluded = account.into_iter().chain(given_filters(run.filter));
        refusals.extend(excluded.map(|other| Refusal::Excludes { field: Field::Data, other }));
    }
    if run.records > DATA_RECORDS_MAX {
        let message = format!("there are at most {DATA_RECORDS_MAX} records in one payment run");
        refusals.push(Refusal::Invalid { field: Field::Data, message });
    }
    if run.filter.bill_cycle_day.is_some_and(|day| day > BILL_CYCLE_DAY_MAX) {
        let message =
            format!("a bill cycle day is between 1 and {BILL_CYCLE_DAY_MAX}, or 0 for accounts without one");
        refusals.push(Refusal::Invalid { field: Field::BillCycleDay, message });
    }
    if run.filter.batch.as_ref().is_some_and(|batch| batch.chars().count() > BATCH_CHARACTERS_MAX) {
        let message = format!("a batch has at most {BATCH_CHARACTERS_MAX} characters");
        refusals.push(Refusal::Invalid { field: Field::Batch, message });
    }
}

/// A run needs a target date or a start, and it starts on the hour: that of the entity, or of the schedule that made it.
fn check_dates(run: &Shape<'_>, settings: &Settings, refusals: &mut Vec<Refusal>) {
    if run.target_date.is_none() && run.run_at.is_none() {
        refusals.push(Refusal::OneNeeded { fields: &[Field::RunDate, Field::TargetDate] });
    }
    let schedule_zone = run.occurrence.and_then(|occurrence| occurrence.recurrence.zone());
    let is_on_time = |at: Timestamp| {
        is_on_the_hour(at, &time_zone(settings))
            || schedule_zone.is_some_and(|zone| is_on_the_hour(at, &zone))
    };
    if run.run_at.is_some_and(|at| !is_on_time(at)) {
        let message = "a payment run starts on the hour".to_owned();
        refusals.push(Refusal::Invalid { field: Field::RunDate, message });
    }
}

/// Credit balance excludes credit memos and unapplied payments, in the run and in the entity.
fn check_credits(options: RunOptions, settings: &Settings, refusals: &mut Vec<Refusal>) {
    let settled = [
        (Field::AutoApplyCreditMemo, options.auto_apply_credit_memo),
        (Field::AutoApplyUnappliedPayment, options.auto_apply_unapplied_payment),
    ];
    for (other, _) in settled.iter().filter(|(_, is_on)| *is_on && options.apply_credit_balance) {
        refusals.push(Refusal::Excludes { field: Field::ApplyCreditBalance, other: *other });
    }
    if options.apply_credit_balance && settings.invoice_settlement {
        let message =
            "credit balance is not available where invoices are settled with credit memos".to_owned();
        refusals.push(Refusal::Invalid { field: Field::ApplyCreditBalance, message });
    }
    for (field, _) in settled.iter().filter(|(_, is_on)| *is_on && !settings.invoice_settlement) {
        let message = "it is available only where invoices are settled with credit memos".to_owned();
        refusals.push(Refusal::Invalid { field: *field, message });
    }
}

#[cfg(test)]
#[path = "run_rules_tests.rs"]
mod tests;
