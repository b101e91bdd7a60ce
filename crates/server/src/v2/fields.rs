//! `fields[]`, `summary.fields[]` and `expand[]`: what a caller wants to see of a run.

use payment_runs_stubs::{Fault, Rejection};
use payment_runs_types::v2::{PaymentRun, PaymentRunField, PaymentRunSummary, PaymentRunSummaryField};

use crate::search::{excerpt, fault};

/// What can be expanded. Both are in every whole answer; a choice of fields leaves them out unless they are expanded.
const EXPANSIONS: &[&str] = &["summary", "custom_objects"];

/// What a caller wants to see; `None` means everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Selection {
    /// Fields of the run.
    pub(super) fields: Option<Vec<PaymentRunField>>,
    /// Fields of its summary.
    pub(super) summary: Option<Vec<PaymentRunSummaryField>>,
    /// Names to expand.
    pub(super) expand: Vec<String>,
}

/// The choice in the query of an operation; `fields[]` and its old name add up.
macro_rules! selection {
    ($query:expr) => {{
        let (fields, old) = ($query.fields, $query.payment_run_fields);
        let fields = match (fields, old) {
            (None, None) => None,
            (fields, old) => Some(fields.into_iter().chain(old).flatten().collect()),
        };
        $crate::v2::fields::Selection {
            fields,
            summary: $query.summary_fields.map(|fields| fields.into_iter().collect()),
            expand: $query.expand.unwrap_or_default(),
        }
    }};
}

pub(super) use selection;

impl Selection {
    /// What is wrong with the choice. Names of fields are checked by the contract already.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let names = self.expand.iter().flat_map(|text| text.split(',')).map(str::trim);
        let unknown = names.filter(|name| !name.is_empty() && !EXPANSIONS.contains(name));
        let message = |name: &str| {
            format!("'{}' cannot be expanded; what can is {}", excerpt(name), EXPANSIONS.join(", "))
        };
        unknown.map(|name| fault("expand[]", message(name))).collect()
    }

    /// Refuses a wrong choice.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(Rejection::from_faults(faults)) }
    }

    fn expands(&self, name: &str) -> bool {
        self.expand.iter().flat_map(|text| text.split(',')).any(|given| given.trim() == name)
    }

    /// Leaves of a whole run what was chosen.
    pub(super) fn apply(&self, mut run: PaymentRun) -> PaymentRun {
        if let Some(summary) = run.summary.take() {
            let wanted = self.fields.is_none() || self.summary.is_some() || self.expands("summary");
            run.summary = wanted.then(|| match &self.summary {
                Some(fields) => choose_of_summary(summary, fields),
                None => summary,
            });
        }
        match &self.fields {
            Some(fields) => choose_of_run(run, fields, self.expands("custom_objects")),
            None => run,
        }
    }
}

/// Keeps a field of a struct where it is among the chosen ones.
macro_rules! keep {
    ($object:ident, $chosen:ident, $kind:ident, { $($field:ident: $name:ident),* $(,)? }) => {
        $(if !$chosen.contains(&$kind::$name) {
            $object.$field = None;
        })*
    };
}

fn choose_of_run(mut run: PaymentRun, chosen: &[PaymentRunField], keeps_objects: bool) -> PaymentRun {
    keep!(run, chosen, PaymentRunField, {
        custom_fields: CustomFields,
        created_by_id: CreatedById,
        updated_by_id: UpdatedById,
        created_time: CreatedTime,
        id: Id,
        updated_time: UpdatedTime,
        batch: Batch,
        bill_cycle_day: BillCycleDay,
        target_date: TargetDate,
        payment_run_number: PaymentRunNumber,
        state: State,
        apply_credit_memos: ApplyCreditMemos,
        apply_unapplied_payments: ApplyUnappliedPayments,
        bill_run_id: BillRunId,
        collect_payment: CollectPayment,
        consolidate_payment: ConsolidatePayment,
        payment_run_date: PaymentRunDate,
        payment_gateway_id: PaymentGatewayId,
        state_transitions: StateTransitions,
    });
    // These cannot be chosen: the contract has no names for them.
    run.currency = None;
    run.payment_collection_date = None;
    run.custom_objects = run.custom_objects.filter(|_| keeps_objects);
    run
}

fn choose_of_summary(mut summary: PaymentRunSummary, chosen: &[PaymentRunSummaryField]) -> PaymentRunSummary {
    keep!(summary, chosen, PaymentRunSummaryField, {
        number_of_errors: NumberOfErrors,
        number_of_invoices: NumberOfInvoices,
        number_of_payments: NumberOfPayments,
        number_of_credit_memos: NumberOfCreditMemos,
        number_of_debit_memos: NumberOfDebitMemos,
        number_of_unprocessed_debit_memos: NumberOfUnprocessedDebitMemos,
        number_of_unapplied_payments: NumberOfUnappliedPayments,
        number_of_unprocessed_receivables: NumberOfUnprocessedReceivables,
        errors_total: ErrorsTotal,
        invoices_total: InvoicesTotal,
        payments_total: PaymentsTotal,
        unprocessed_receivables_total: UnprocessedReceivablesTotal,
    });
    summary
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::settings::Settings;
    use serde_json::Value;

    use super::*;
    use crate::time::Zone;
    use crate::v2::write::{tests::found, whole};

    fn names(chosen: &Selection) -> Vec<String> {
        let run = chosen.apply(whole(&found(), &Zone::of(&Settings::default())));
        let Value::Object(fields) = serde_json::to_value(run).unwrap() else { return vec![] };
        let mut names: Vec<String> = fields.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_choice_leaves_only_what_was_chosen() {
        for field in PaymentRunField::ALL {
            let chosen = Selection { fields: Some(vec![field.clone()]), ..Selection::default() };
            assert_eq!(names(&chosen), [field.as_str()]);
        }
        let nothing = Selection { fields: Some(vec![]), ..Selection::default() };
        assert_eq!(names(&nothing), [""; 0]);
    }

    #[test]
    fn a_summary_is_shown_whole_in_part_or_not_at_all() {
        let summary = |chosen: &Selection| {
            let run = chosen.apply(whole(&found(), &Zone::of(&Settings::default())));
            run.summary.map(|summary| serde_json::to_value(summary).unwrap().as_object().unwrap().len())
        };
        let fields = Some(vec![PaymentRunField::Id]);
        let part = Some(vec![PaymentRunSummaryField::NumberOfPayments, PaymentRunSummaryField::Id]);
        let expand = vec!["summary".to_owned()];
        assert_eq!(summary(&Selection::default()), Some(12));
        assert_eq!(summary(&Selection { fields: fields.clone(), ..Selection::default() }), None);
        assert_eq!(summary(&Selection { fields: fields.clone(), expand, ..Selection::default() }), Some(12));
        assert_eq!(summary(&Selection { fields, summary: part.clone(), ..Selection::default() }), Some(1));
        assert_eq!(summary(&Selection { summary: part, ..Selection::default() }), Some(1));
    }

    #[test]
    fn only_known_names_can_be_expanded() {
        let faults = |text: &str| {
            let chosen = Selection { expand: vec![text.to_owned()], ..Selection::default() };
            chosen.faults().into_iter().map(|fault| fault.message).collect::<Vec<_>>()
        };
        assert_eq!(faults("summary,custom_objects"), [""; 0]);
        assert_eq!(faults("account"), ["'account' cannot be expanded; what can is summary, custom_objects"]);
    }
}
