//! `fields[]` and `includeNullFields`: what a caller wants to see of a run.

use payment_runs_stubs::Fault;
use payment_runs_types::v1::ExpandedPaymentRun;

use crate::search::{excerpt, fault};

/// Calls a macro with every field of a run and its name on the wire, apart from the two that are never null.
macro_rules! nullable_fields {
    ($apply:ident) => {
        $apply! {
            created_by_id: "createdById",
            created_date: "createdDate",
            updated_by_id: "updatedById",
            updated_date: "updatedDate",
            end_date: "endDate",
            executed_date: "executedDate",
            number_of_credit_balance_adjustments: "numberOfCreditBalanceAdjustments",
            number_of_errors: "numberOfErrors",
            number_of_invoices: "numberOfInvoices",
            number_of_payments: "numberOfPayments",
            number_of_unprocessed: "numberOfUnprocessed",
            payment_run_number: "paymentRunNumber",
            target_date: "targetDate",
            apply_credit_balance: "applyCreditBalance",
            consolidated_payment: "consolidatedPayment",
            process_payment_with_closed_pm: "processPaymentWithClosedPM",
            collect_payment: "collectPayment",
            auto_apply_credit_memo: "autoApplyCreditMemo",
            auto_apply_unapplied_payment: "autoApplyUnappliedPayment",
            number_of_credit_memos: "numberOfCreditMemos",
            number_of_debit_memos: "numberOfDebitMemos",
            number_of_debit_memos_unprocessed: "numberOfDebitMemosUnprocessed",
            numberof_unapplied_payments: "numberofUnappliedPayments",
            total_execution_time: "totalExecutionTime",
            error_message: "errorMessage",
            run_date: "runDate",
            next_run_on: "nextRunOn",
            repeat_type: "repeatType",
            repeat_from: "repeatFrom",
            repeat_to: "repeatTo",
            run_time: "runTime",
            time_zone: "timeZone",
            monthly_on_day: "monthlyOnDay",
            weekly_on_day: "weeklyOnDay",
            account_id: "accountId",
            batch: "batch",
            billing_cycle_day: "billingCycleDay",
            currency: "currency",
            payment_gateway_id: "paymentGatewayId",
            billing_run_id: "billingRunId",
        }
    };
}

macro_rules! names {
    ($($field:ident: $name:literal,)*) => {
        /// The name of every field.
        const NAMES: &[&str] = &["id", "status", $($name,)*];
    };
}

nullable_fields!(names);

/// What a caller wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selection {
    /// Names of fields; `None` means all.
    names: Option<Vec<&'static str>>,
    /// Whether fields without a value are shown as null.
    with_nulls: bool,
}

impl Selection {
    /// Reads the choice; names that no field has go to the faults.
    pub(super) fn read(fields: Option<&[String]>, with_nulls: Option<bool>, faults: &mut Vec<Fault>) -> Self {
        let known = |name: &str| {
            let found = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
            if found.is_none() {
                let message =
                    format!("'{}' is not a field; the fields are {}", excerpt(name), NAMES.join(", "));
                faults.push(fault("fields[]", message));
            }
            found.copied()
        };
        let given = fields.map(|texts| {
            let names = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
            names.filter(|name| !name.is_empty()).filter_map(known).collect()
        });
        Self { names: given, with_nulls: with_nulls.unwrap_or(false) }
    }

    /// Leaves of a whole run what was chosen.
    pub(super) fn apply(&self, mut run: ExpandedPaymentRun) -> ExpandedPaymentRun {
        let is_chosen = |name: &str| self.names.as_ref().is_none_or(|names| names.contains(&name));
        macro_rules! choose {
            ($($field:ident: $name:literal,)*) => {
                $(if !is_chosen($name) || (!self.with_nulls && run.$field == Some(None)) {
                    run.$field = None;
                })*
            };
        }
        nullable_fields!(choose);
        run.id = run.id.filter(|_| is_chosen("id"));
        run.status = run.status.filter(|_| is_chosen("status"));
        run
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::Value;

    use super::*;
    use crate::query::write::tests::{empty, full};

    fn names(run: ExpandedPaymentRun) -> Vec<String> {
        let Value::Object(fields) = serde_json::to_value(run).unwrap() else { return vec![] };
        fields.keys().cloned().collect()
    }

    fn chosen(fields: &[&str], with_nulls: bool) -> Selection {
        let fields: Vec<String> = fields.iter().map(|text| (*text).to_owned()).collect();
        let mut faults = Vec::new();
        let read = Selection::read(Some(&fields), Some(with_nulls), &mut faults);
        assert_eq!(faults, []);
        read
    }

    #[test]
    fn a_run_has_every_field_of_the_contract() {
        let everything = Selection { names: None, with_nulls: true };
        let mut own = names(everything.apply(full()));
        let mut known: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        own.sort_unstable();
        known.sort_unstable();
        assert_eq!(own, known);
        assert_eq!(known.len(), 42);
    }

    #[test]
    fn names_are_read_in_any_case_and_each_is_shown_alone() {
        for name in NAMES {
            let run = chosen(&[&name.to_uppercase()], true).apply(full());
            assert_eq!(names(run), [*name]);
        }
        assert_eq!(
            names(chosen(&["id, createddate", "STATUS"], false).apply(full())),
            ["id", "createdDate", "status"]
        );
    }

    #[test]
    fn nulls_are_shown_only_when_asked_for() {
        assert_eq!(names(chosen(&["id,batch"], false).apply(empty())), ["id"]);
        assert_eq!(names(chosen(&["id,batch"], true).apply(empty())), ["id", "batch"]);
        let without = names(Selection::default().apply(empty()));
        assert!(!without.contains(&"errorMessage".to_owned()), "{without:?}");
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let mut faults = Vec::new();
        Selection::read(Some(&["id,colour,shape".to_owned()]), None, &mut faults);
        assert_eq!(faults.len(), 2);
        assert!(
            faults[0].message.starts_with("'colour' is not a field; the fields are id, status, createdById")
        );
    }
}
