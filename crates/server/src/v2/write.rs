//! A run on the wire of v2.

use std::collections::BTreeMap;

use payment_runs_engine::ports::FoundRun;
use payment_runs_engine::run::RunStatus;
use payment_runs_types::v2::{
    CustomFields, CustomObjects, PaymentRun, PaymentRunState, PaymentRunStateTransitions,
};

use super::summary::summarize;
use crate::time::Zone;

/// The whole run. Filters that were not given are left out.
pub(super) fn whole(found: &FoundRun, zone: &Zone) -> PaymentRun {
    let run = &found.run;
    let (filter, options) = (&run.filter, &run.options);
    PaymentRun {
        id: Some(run.id.to_string()),
        updated_by_id: Some(run.stamps.updated_by.to_string()),
        updated_time: Some(zone.with_offset(run.stamps.updated_at)),
        created_by_id: Some(run.stamps.created_by.to_string()),
        created_time: Some(zone.with_offset(run.stamps.created_at)),
        custom_fields: Some(CustomFields(BTreeMap::new())),
        custom_objects: Some(CustomObjects(BTreeMap::new())),
        apply_credit_memos: Some(options.auto_apply_credit_memo),
        apply_unapplied_payments: Some(options.auto_apply_unapplied_payment),
        batch: filter.batch.clone(),
        consolidate_payment: Some(options.consolidated_payment),
        bill_cycle_day: filter.bill_cycle_day.map(i32::from),
        bill_run_id: filter.bill_run.map(|id| id.to_string()),
        collect_payment: Some(options.collect_payment),
        currency: filter.currency.map(|currency| currency.to_string()),
        state_transitions: Some(transitions(found, zone)),
        payment_gateway_id: filter.gateway.map(|id| id.to_string()),
        payment_collection_date: found.first_charge_at.map(|at| zone.with_offset(at)),
        payment_run_number: Some(run.number.clone()),
        payment_run_date: run.run_at.map(|at| zone.with_offset(at)),
        target_date: zone.target_date(run).map(Into::into),
        state: Some(state(run.status)),
        summary: Some(summarize(&found.tallies)),
    }
}

fn transitions(found: &FoundRun, zone: &Zone) -> PaymentRunStateTransitions {
    let ended = |status| {
        let at = found.run.completed_at.filter(|_| found.run.status == status);
        at.map(|at| zone.local(at).to_string())
    };
    PaymentRunStateTransitions { completed: ended(RunStatus::Completed), failed: ended(RunStatus::Error) }
}

fn state(status: RunStatus) -> PaymentRunState {
    match status {
        RunStatus::Pending => PaymentRunState::Pending,
        RunStatus::Processing => PaymentRunState::Processing,
        RunStatus::Completed => PaymentRunState::Completed,
        RunStatus::Error => PaymentRunState::Failed,
        RunStatus::Canceled => PaymentRunState::Canceled,
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{BillRunId, GatewayId, RunId, UserId};
    use payment_runs_engine::money::Currency;
    use payment_runs_engine::run::{Run, RunFilter, RunOptions, Tallies};
    use payment_runs_engine::settings::Settings;
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A completed run in which every field has a value.
    pub(in crate::v2) fn found() -> FoundRun {
        let run = Run {
            id: RunId::from_u128(0xab),
            number: "PR-00000006".to_owned(),
            status: RunStatus::Completed,
            filter: RunFilter {
                account: None,
                batch: Some("Batch1".to_owned()),
                bill_cycle_day: Some(31),
                bill_run: Some(BillRunId::from_u128(1)),
                currency: Some(Currency::USD),
                gateway: Some(GatewayId::from_u128(2)),
            },
            options: RunOptions { consolidated_payment: true, ..RunOptions::default() },
            target_date: Some("2024-07-31".parse().unwrap()),
            run_at: Some(at("2024-07-28T09:00:00Z")),
            organizations: vec![],
            occurrence: None,
            record_count: 0,
            executed_at: Some(at("2024-07-28T09:15:31Z")),
            completed_at: Some(at("2024-07-28T09:15:58.9Z")),
            error_message: None,
            stamps: Stamps::new(at("2024-07-28T09:15:30.5Z"), UserId::from_u128(3)),
        };
        FoundRun {
            run,
            tallies: Tallies::new(),
            first_charge_at: Some(at("2024-07-28T09:15:41Z")),
            next_run_at: None,
        }
    }

    fn written(found: &FoundRun, zone: &str) -> Value {
        let zone = Zone::of(&Settings { time_zone: zone.to_owned(), ..Settings::default() });
        serde_json::to_value(whole(found, &zone)).unwrap()
    }

    #[test]
    fn a_completed_run_is_written_with_the_names_of_answers() {
        let run = written(&found(), "America/Los_Angeles");
        for (field, value) in [
            ("id", json!("000000000000000000000000000000ab")),
            ("created_time", json!("2024-07-28T02:15:30-07:00")),
            ("consolidate_payment", json!(true)),
            ("apply_credit_memos", json!(false)),
            ("collect_payment", json!(true)),
            ("bill_cycle_day", json!(31)),
            ("payment_gateway_id", json!("00000000000000000000000000000002")),
            ("payment_run_date", json!("2024-07-28T02:00:00-07:00")),
            ("payment_collection_date", json!("2024-07-28T02:15:41-07:00")),
            ("target_date", json!("2024-07-31")),
            ("state", json!("completed")),
            ("state_transitions", json!({ "completed": "2024-07-28 02:15:58" })),
            ("custom_fields", json!({})),
            ("custom_objects", json!({})),
        ] {
            assert_eq!(run[field], value, "{field}");
        }
        assert_eq!(run.as_object().unwrap().len(), 23);
    }

    #[test]
    fn every_status_has_its_state_and_its_transition() {
        for (status, state, transitions) in [
            (RunStatus::Pending, "pending", json!({})),
            (RunStatus::Processing, "processing", json!({})),
            (RunStatus::Completed, "completed", json!({ "completed": "2024-07-28 09:15:58" })),
            (RunStatus::Error, "failed", json!({ "failed": "2024-07-28 09:15:58" })),
            (RunStatus::Canceled, "canceled", json!({})),
        ] {
            let mut found = found();
            found.run.status = status;
            let run = written(&found, "UTC");
            assert_eq!((&run["state"], &run["state_transitions"]), (&json!(state), &transitions));
        }
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        let mut found = found();
        found.run.filter = RunFilter::default();
        found.run.target_date = None;
        found.first_charge_at = None;
        let run = written(&found, "Asia/Kolkata");
        let absent = [
            "batch",
            "bill_cycle_day",
            "bill_run_id",
            "currency",
            "payment_gateway_id",
            "payment_collection_date",
        ];
        for field in absent {
            assert_eq!(run.get(field), None, "{field}");
        }
        assert_eq!(
            run["target_date"],
            json!("2024-07-28"),
            "a scheduled run collects what is due on its day"
        );
    }
}
