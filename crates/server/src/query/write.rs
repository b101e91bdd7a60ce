//! A run as a query object.

use payment_runs_engine::ports::FoundRun;
use payment_runs_engine::run::{Run, RunStatus};
use payment_runs_engine::search::RunField;
use payment_runs_engine::settings::Settings;
use payment_runs_types::v1::{ExpandedPaymentRun, PaymentRunStatus};

use super::repetition::Repetition;
use crate::time::Zone;

/// The whole run, with null for what has no value.
pub(super) fn whole(found: &FoundRun, settings: &Settings) -> ExpandedPaymentRun {
    let zone = &Zone::of(settings);
    let run = &found.run;
    let (filter, options, stamps) = (&run.filter, &run.options, &run.stamps);
    let count = |field: RunField| {
        field.counter().map(|part| found.tallies.values().map(part).fold(0, i64::saturating_add))
    };
    let settled = settings.invoice_settlement;
    // Credit balance exists where invoices are not settled with credit memos; most counters belong to where they are.
    let of_settlement = |count: Option<i64>| count.filter(|_| settled);
    let of_balance = |count: Option<i64>| count.filter(|_| !settled);
    let repeat = Repetition::of(run, settings);
    ExpandedPaymentRun {
        id: Some(run.id.to_string()),
        created_by_id: Some(Some(stamps.created_by.to_string())),
        created_date: Some(Some(zone.local(stamps.created_at))),
        updated_by_id: Some(Some(stamps.updated_by.to_string())),
        updated_date: Some(Some(zone.local(stamps.updated_at))),
        end_date: Some(run.completed_at.map(|at| zone.local(at).to_string())),
        executed_date: Some(run.executed_at.map(|at| zone.local(at))),
        number_of_credit_balance_adjustments: Some(of_balance(count(RunField::CreditBalanceUses))),
        number_of_errors: Some(count(RunField::Errors)),
        number_of_invoices: Some(of_settlement(count(RunField::Invoices))),
        number_of_payments: Some(count(RunField::Payments)),
        number_of_unprocessed: Some(count(RunField::Unprocessed)),
        payment_run_number: Some(Some(run.number.clone())),
        status: Some(status(run.status)),
        target_date: Some(zone.target_date(run).map(Into::into)),
        apply_credit_balance: Some((!settled).then_some(options.apply_credit_balance)),
        auto_apply_credit_memo: Some(settled.then_some(options.auto_apply_credit_memo)),
        auto_apply_unapplied_payment: Some(settled.then_some(options.auto_apply_unapplied_payment)),
        consolidated_payment: Some(Some(options.consolidated_payment)),
        process_payment_with_closed_pm: Some(Some(options.process_payment_with_closed_pm)),
        collect_payment: Some(Some(options.collect_payment)),
        number_of_credit_memos: Some(of_settlement(count(RunField::CreditMemos))),
        number_of_debit_memos: Some(of_settlement(count(RunField::DebitMemos))),
        number_of_debit_memos_unprocessed: Some(of_settlement(count(RunField::UnprocessedDebitMemos))),
        numberof_unapplied_payments: Some(of_settlement(count(RunField::UnappliedPayments))),
        total_execution_time: Some(execution_ms(run)),
        error_message: Some(run.error_message.clone()),
        run_date: Some(run.run_at.map(|at| zone.local(at))),
        next_run_on: Some(found.next_run_at.map(|at| at.to_zoned(repeat.zone.clone()).date().into())),
        repeat_type: Some(Some(repeat.kind)),
        repeat_from: Some(repeat.from),
        repeat_to: Some(repeat.to),
        run_time: Some(repeat.hour),
        time_zone: Some(Some(repeat.zone_name)),
        monthly_on_day: Some(repeat.month_day),
        weekly_on_day: Some(repeat.weekday),
        account_id: Some(filter.account.map(|id| id.to_string())),
        batch: Some(filter.batch.clone()),
        billing_cycle_day: Some(filter.bill_cycle_day.map(|day| day.to_string())),
        currency: Some(filter.currency.map(|currency| currency.to_string())),
        payment_gateway_id: Some(filter.gateway.map(|id| id.to_string())),
        billing_run_id: Some(filter.bill_run.map(|id| id.to_string())),
    }
}

fn status(status: RunStatus) -> PaymentRunStatus {
    match status {
        RunStatus::Pending => PaymentRunStatus::Pending,
        RunStatus::Processing => PaymentRunStatus::Processing,
        RunStatus::Completed => PaymentRunStatus::Completed,
        RunStatus::Error => PaymentRunStatus::Error,
        RunStatus::Canceled => PaymentRunStatus::Canceled,
    }
}

/// How long a run that has ended was at work, in milliseconds.
fn execution_ms(run: &Run) -> Option<i64> {
    let worked = run.completed_at?.duration_since(run.executed_at?).as_millis();
    i64::try_from(worked).ok()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{AccountId, BillRunId, GatewayId, RunId, UserId};
    use payment_runs_engine::money::Currency;
    use payment_runs_engine::run::{Count, RunFilter, RunOptions, Tallies, Tally};
    use serde_json::{Value as Json, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn found() -> FoundRun {
        let run = Run {
            id: RunId::from_u128(0xab),
            number: "PR-00000042".to_owned(),
            status: RunStatus::Completed,
            filter: RunFilter {
                account: Some(AccountId::from_u128(1)),
                batch: Some("Batch1".to_owned()),
                bill_cycle_day: Some(7),
                bill_run: Some(BillRunId::from_u128(2)),
                currency: Some(Currency::USD),
                gateway: Some(GatewayId::from_u128(3)),
            },
            options: RunOptions { auto_apply_credit_memo: true, ..RunOptions::default() },
            target_date: Some("2026-03-31".parse().unwrap()),
            run_at: Some(at("2026-03-31T13:00:00Z")),
            organizations: vec![],
            occurrence: None,
            record_count: 0,
            executed_at: Some(at("2026-03-31T13:00:02Z")),
            completed_at: Some(at("2026-03-31T13:04:17.5Z")),
            error_message: Some("the gateway is gone".to_owned()),
            stamps: Stamps::new(at("2026-03-31T06:00:00Z"), UserId::from_u128(4)),
        };
        let count = |number| Count { number, amount_minor: 1 };
        let tally = Tally {
            invoices: count(1),
            debit_memos: count(2),
            payments: count(3),
            errors: count(4),
            processing: count(5),
            credit_memos: count(6),
            unapplied_payments: count(7),
            credit_balance: count(8),
            unprocessed_invoices: count(9),
            unprocessed_debit_memos: count(10),
            ..Tally::default()
        };
        let yen = Currency::from_code("JPY").unwrap();
        FoundRun {
            run,
            tallies: Tallies::from([(Currency::USD, tally), (yen, tally)]),
            first_charge_at: None,
            next_run_at: None,
        }
    }

    fn pacific(invoice_settlement: bool) -> Settings {
        Settings { time_zone: "America/Los_Angeles".to_owned(), invoice_settlement, ..Settings::default() }
    }

    /// A run in which every field that can have a value has one.
    pub(in crate::query) fn full() -> ExpandedPaymentRun {
        whole(&found(), &pacific(true))
    }

    /// A run in which every field that can be null is.
    pub(in crate::query) fn empty() -> ExpandedPaymentRun {
        let mut found = found();
        let run = &mut found.run;
        run.filter = RunFilter::default();
        (run.target_date, run.run_at, run.executed_at, run.completed_at, run.error_message) =
            (None, None, None, None, None);
        whole(&found, &pacific(true))
    }

    #[test]
    fn a_run_shows_its_counters_and_its_times() {
        let run = serde_json::to_value(full()).unwrap();
        for (field, value) in [
            ("id", json!("000000000000000000000000000000ab")),
            ("createdDate", json!("2026-03-30 23:00:00")),
            ("executedDate", json!("2026-03-31 06:00:02")),
            ("endDate", json!("2026-03-31 06:04:17")),
            ("totalExecutionTime", json!(255_500)),
            ("runDate", json!("2026-03-31 06:00:00")),
            ("runTime", json!(6)),
            ("nextRunOn", Json::Null),
            ("timeZone", json!("America/Los_Angeles")),
            ("repeatType", json!("None")),
            ("billingCycleDay", json!("7")),
            ("errorMessage", json!("the gateway is gone")),
            ("numberOfInvoices", json!(2)),
            ("numberOfDebitMemos", json!(4)),
            ("numberOfPayments", json!(6)),
            ("numberOfErrors", json!(18)),
            ("numberOfCreditMemos", json!(12)),
            ("numberofUnappliedPayments", json!(14)),
            ("numberOfCreditBalanceAdjustments", Json::Null),
            ("numberOfUnprocessed", json!(38)),
            ("numberOfDebitMemosUnprocessed", json!(20)),
        ] {
            assert_eq!(run[field], value, "{field}");
        }
    }

    #[test]
    fn features_that_are_off_show_no_flags() {
        let settled = serde_json::to_value(whole(&found(), &pacific(true))).unwrap();
        assert_eq!(
            (&settled["applyCreditBalance"], &settled["autoApplyCreditMemo"]),
            (&Json::Null, &json!(true))
        );
        let balance = serde_json::to_value(whole(&found(), &pacific(false))).unwrap();
        assert_eq!(
            (&balance["applyCreditBalance"], &balance["autoApplyCreditMemo"]),
            (&json!(false), &Json::Null)
        );
    }

    #[test]
    fn a_scheduled_run_that_waits_says_when_it_will_start() {
        let mut waiting = found();
        waiting.run.status = RunStatus::Pending;
        waiting.next_run_at = waiting.run.run_at;
        let run = serde_json::to_value(whole(&waiting, &pacific(true))).unwrap();
        assert_eq!(run["nextRunOn"], json!("2026-03-31"));
        assert_eq!(serde_json::to_value(empty()).unwrap()["nextRunOn"], Json::Null);
    }
}
