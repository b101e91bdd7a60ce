#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! One row per rule.

use super::*;
use crate::account::Stamps;
use crate::command::Change;
use crate::ids::{AccountId, BillRunId, GatewayId, RunId, UserId};
use crate::money::Currency;
use crate::run::{DataRecord, RunStatus};

fn new_run() -> NewRun {
    NewRun {
        id: RunId::from_u128(1),
        filter: RunFilter::default(),
        options: RunOptions::default(),
        target_date: Some("2026-03-01".parse().unwrap()),
        run_at: None,
        organizations: Vec::new(),
        records: Vec::new(),
    }
}

fn check(change: impl FnOnce(&mut NewRun)) -> Vec<Refusal> {
    let mut run = new_run();
    change(&mut run);
    check_new_run(&run, &Settings::default())
}

fn all_filters() -> RunFilter {
    RunFilter {
        account: Some(AccountId::from_u128(1)),
        batch: Some("Batch1".to_owned()),
        bill_cycle_day: Some(31),
        bill_run: Some(BillRunId::from_u128(1)),
        currency: Some(Currency::USD),
        gateway: Some(GatewayId::from_u128(1)),
    }
}

#[test]
fn a_plain_run_is_accepted() {
    assert_eq!(check(|_| {}), []);
    assert_eq!(check(|run| run.filter = RunFilter { account: None, ..all_filters() }), []);
    let at = "2026-03-01T11:00:00Z".parse().unwrap();
    assert_eq!(check(|run| run.run_at = Some(at)), []);
    assert_eq!(check(|run| (run.run_at, run.target_date) = (Some(at), None)), []);
}

#[test]
fn an_account_excludes_each_other_filter() {
    let refusals = check(|run| run.filter = all_filters());
    let others = [Field::Batch, Field::BillCycleDay, Field::Currency, Field::Gateway, Field::BillRun];
    let expected = others.map(|other| Refusal::Excludes { field: Field::Account, other });
    assert_eq!(refusals, expected);
}

#[test]
fn data_excludes_each_filter_and_is_bounded() {
    let refusals = check(|run| {
        run.filter.currency = Some(Currency::USD);
        run.records = vec![DataRecord::default()];
    });
    assert_eq!(refusals, [Refusal::Excludes { field: Field::Data, other: Field::Currency }]);
    assert_eq!(check(|run| run.records = vec![DataRecord::default(); DATA_RECORDS_MAX]), []);
    let refusals = check(|run| run.records = vec![DataRecord::default(); DATA_RECORDS_MAX + 1]);
    assert!(matches!(refusals[..], [Refusal::Invalid { field: Field::Data, .. }]), "{refusals:?}");
}

#[test]
fn a_date_is_needed_and_runs_start_on_the_hour() {
    let refusals = check(|run| run.target_date = None);
    assert_eq!(refusals, [Refusal::OneNeeded { fields: &[Field::RunDate, Field::TargetDate] }]);
    let refusals = check(|run| run.run_at = Some("2026-03-01T11:00:01Z".parse().unwrap()));
    assert!(matches!(refusals[..], [Refusal::Invalid { field: Field::RunDate, .. }]), "{refusals:?}");
}

#[test]
fn credit_balance_excludes_memos_and_unapplied_payments() {
    let settings = Settings { invoice_settlement: false, ..Settings::default() };
    let mut run = new_run();
    run.options.apply_credit_balance = true;
    assert_eq!(check_new_run(&run, &settings), []);
    let refusals = check_new_run(&run, &Settings::default());
    assert!(matches!(refusals[..], [Refusal::Invalid { field: Field::ApplyCreditBalance, .. }]));
    run.options.auto_apply_credit_memo = true;
    run.options.auto_apply_unapplied_payment = true;
    let refusals = check_new_run(&run, &Settings::default());
    let excludes = |other| Refusal::Excludes { field: Field::ApplyCreditBalance, other };
    assert_eq!(
        refusals[..2],
        [excludes(Field::AutoApplyCreditMemo), excludes(Field::AutoApplyUnappliedPayment)]
    );
    run.options.apply_credit_balance = false;
    assert_eq!(check_new_run(&run, &settings).len(), 2, "both need invoice settlement");
}

#[test]
fn values_are_bounded() {
    let refusals = check(|run| run.filter.bill_cycle_day = Some(32));
    assert!(matches!(refusals[..], [Refusal::Invalid { field: Field::BillCycleDay, .. }]));
    assert_eq!(check(|run| run.filter.bill_cycle_day = Some(0)), [], "accounts without a bill cycle day");
    let refusals = check(|run| run.filter.batch = Some("x".repeat(51)));
    assert!(matches!(refusals[..], [Refusal::Invalid { field: Field::Batch, .. }]));
}

#[test]
fn every_fault_is_told_at_once() {
    let refusals = check(|run| {
        run.filter = all_filters();
        run.target_date = None;
        run.records = vec![DataRecord::default()];
        run.options.apply_credit_balance = true;
        run.options.auto_apply_credit_memo = true;
    });
    assert_eq!(refusals.len(), 5 + 6 + 1 + 2, "{refusals:?}");
}

#[test]
fn a_change_keeps_sets_and_clears() {
    let user = UserId::from_u128(9);
    let run = Run {
        id: RunId::from_u128(1),
        number: "PR-00000001".to_owned(),
        status: RunStatus::Pending,
        filter: RunFilter { account: None, ..all_filters() },
        options: RunOptions::default(),
        target_date: None,
        run_at: Some("2026-03-01T11:00:00Z".parse().unwrap()),
        organizations: Vec::new(),
        occurrence: None,
        record_count: 0,
        executed_at: None,
        completed_at: None,
        error_message: None,
        stamps: Stamps::new(Timestamp::UNIX_EPOCH, user),
    };
    assert_eq!(apply_change(&run, &RunChange::default()), run);
    let change = RunChange {
        batch: Change::Clear,
        bill_cycle_day: Change::Set(3),
        run_at: Change::Clear,
        collect_payment: Some(false),
        ..RunChange::default()
    };
    let changed = apply_change(&run, &change);
    assert_eq!((changed.filter.batch.as_ref(), changed.filter.bill_cycle_day), (None, Some(3)));
    assert_eq!(changed.filter.gateway, run.filter.gateway);
    assert!(!changed.options.collect_payment);
    let refusals = check_run(&changed, &Settings::default());
    assert_eq!(refusals, [Refusal::OneNeeded { fields: &[Field::RunDate, Field::TargetDate] }]);

    let records = RunChange { records: Some(vec![DataRecord::default(); 3]), ..RunChange::default() };
    let with_records = apply_change(&run, &records);
    assert_eq!(with_records.record_count, 3);
    let refusals = check_run(&with_records, &Settings::default());
    assert!(
        refusals.contains(&Refusal::Excludes { field: Field::Data, other: Field::Batch }),
        "{refusals:?}"
    );
    let without = RunChange { records: Some(Vec::new()), ..RunChange::default() };
    assert_eq!(apply_change(&with_records, &without), run);
}
