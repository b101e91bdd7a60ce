//! A run on the wire. Three answers show it, each with its own oddities.

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::run::{Run, RunFilter};
use payment_runs_engine::settings::Settings;
use payment_runs_stubs::Rejection;
use payment_runs_types::DateTime;
use payment_runs_types::v1::{OrganizationLabel, PaymentRun, PaymentRunResponse, UpdatePaymentRunResponse};

use super::status;
use crate::call::Call;
use crate::time::Zone;

/// What a run is shown with, beside what it holds itself.
#[derive(Clone)]
pub(super) struct View {
    zone: Zone,
    gateways: Vec<GatewayConfig>,
}

impl View {
    /// What these runs are shown with. The gateways are read only if one of the runs names one, since most name none.
    pub(super) async fn of<'r>(
        call: &Call<'_>,
        settings: &Settings,
        mut runs: impl Iterator<Item = &'r RunFilter>,
    ) -> Result<Self, Rejection> {
        let names_one = runs.any(|filter| filter.gateway.is_some());
        let gateways = if names_one { call.gateways().await? } else { Vec::new() };
        Ok(Self { zone: Zone::of(settings), gateways })
    }

    /// The name of the gateway that a run is limited to, which is the only number that gateways have.
    fn gateway_name(&self, filter: &RunFilter) -> Option<String> {
        let id = filter.gateway?;
        self.gateways.iter().find(|gateway| gateway.id == id).map(|gateway| gateway.name.clone())
    }
}

/// A flag is shown where it is on, as the documented answers leave this one out.
fn shown_if_on(flag: bool) -> Option<bool> {
    flag.then_some(true)
}

/// The fields that all three answers have in common; filters that were not given are left out.
macro_rules! run_fields {
    ($kind:ident, $run:expr, $view:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let (run, view): (&Run, &View) = ($run, $view);
        let zone = &view.zone;
        let (filter, options) = (&run.filter, &run.options);
        $kind {
            id: run.id.to_string(),
            number: run.number.clone(),
            status: status(run.status),
            target_date: Some(run.shown_target_date(zone.time_zone()).map(Into::into)),
            executed_on: Some(run.executed_at.map(|at| zone.local(at))),
            completed_on: Some(run.completed_at.map(|at| zone.local(at))),
            account_id: filter.account.map(|id| Some(id.to_string())),
            batch: filter.batch.clone().map(Some),
            bill_cycle_day: filter.bill_cycle_day.map(|day| Some(day.to_string())),
            billing_run_id: filter.bill_run.map(|id| Some(id.to_string())),
            currency: filter.currency.map(|currency| Some(currency.to_string())),
            payment_gateway_id: filter.gateway.map(|id| Some(id.to_string())),
            payment_gateway_number: view.gateway_name(filter).map(Some),
            apply_credit_balance: shown_if_on(options.apply_credit_balance),
            auto_apply_credit_memo: Some(options.auto_apply_credit_memo),
            auto_apply_unapplied_payment: Some(options.auto_apply_unapplied_payment),
            collect_payment: Some(options.collect_payment),
            consolidated_payment: Some(options.consolidated_payment),
            process_payment_with_closed_pm: Some(options.process_payment_with_closed_pm),
            advanced_filter: None,
            organization_labels: organization_labels(run),
            created_by_id: run.stamps.created_by.to_string(),
            created_date: zone.local(run.stamps.created_at),
            updated_by_id: run.stamps.updated_by.to_string(),
            updated_date: zone.local(run.stamps.updated_at),
            $($field: $value,)*
        }
    }};
}

/// The run in a list.
pub(super) fn listed(run: &Run, view: &View) -> PaymentRun {
    run_fields!(PaymentRun, run, view, {
        run_date: Some(run_date(run, &view.zone)),
        use_custom_payment_methods: Some(uses_custom_payment_methods(run)),
    })
}

/// The run after its creation, or by itself.
pub(super) fn response(run: &Run, view: &View) -> PaymentRunResponse {
    run_fields!(PaymentRunResponse, run, view, {
        run_date: Some(run_date(run, &view.zone)),
        use_custom_payment_methods: Some(uses_custom_payment_methods(run)),
        success: true,
    })
}

/// The run after a change: the documented answer writes `rundate` while there is no run date, and shows
/// `useCustomPaymentMethods` only where it was given.
pub(super) fn updated(run: &Run, view: &View) -> UpdatePaymentRunResponse {
    let date = run_date(run, &view.zone);
    run_fields!(UpdatePaymentRunResponse, run, view, {
        rundate: if date.is_none() { Some(None) } else { None },
        run_date: date.map(Some),
        use_custom_payment_methods: run.options.use_custom_payment_methods,
        success: true,
    })
}

fn run_date(run: &Run, zone: &Zone) -> Option<DateTime> {
    run.run_at.map(|at| zone.local(at))
}

fn uses_custom_payment_methods(run: &Run) -> bool {
    run.options.use_custom_payment_methods.unwrap_or(true)
}

#[expect(clippy::option_option, reason = "the contract tells absent from null")]
fn organization_labels(run: &Run) -> Option<Option<Vec<OrganizationLabel>>> {
    if run.organizations.is_empty() {
        return None;
    }
    let label = |id: &payment_runs_engine::ids::OrganizationId| OrganizationLabel {
        organization_id: Some(id.to_string()),
        ..OrganizationLabel::default()
    };
    Some(Some(run.organizations.iter().map(label).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{AccountId, RunId, UserId};
    use payment_runs_engine::run::{RunOptions, RunStatus};
    use serde_json::{Value, json};

    use super::*;

    fn run() -> Run {
        let at = "2024-07-28T23:40:21.5Z".parse().unwrap();
        Run {
            id: "8ad0835290e7dcf90190fd37f43e4bd8".parse::<RunId>().unwrap(),
            number: "PR-00000006".to_owned(),
            status: RunStatus::Pending,
            filter: RunFilter {
                account: Some("8ad09be48db5aba7018db604776d4854".parse::<AccountId>().unwrap()),
                ..RunFilter::default()
            },
            options: RunOptions::default(),
            target_date: Some("2024-07-24".parse().unwrap()),
            run_at: None,
            organizations: vec![],
            occurrence: None,
            record_count: 0,
            executed_at: None,
            completed_at: None,
            error_message: None,
            stamps: Stamps::new(at, "b243314d594646d3b2651aeedd4be47e".parse::<UserId>().unwrap()),
        }
    }

    fn view() -> View {
        View { zone: Zone::of(&Settings::default()), gateways: vec![] }
    }

    #[test]
    fn a_created_run_is_answered_as_documented() {
        let documented = json!({
            "id": "8ad0835290e7dcf90190fd37f43e4bd8",
            "number": "PR-00000006",
            "targetDate": "2024-07-24",
            "runDate": null,
            "status": "Pending",
            "accountId": "8ad09be48db5aba7018db604776d4854",
            "executedOn": null,
            "completedOn": null,
            "autoApplyCreditMemo": false,
            "autoApplyUnappliedPayment": false,
            "consolidatedPayment": false,
            "processPaymentWithClosedPM": false,
            "collectPayment": true,
            "useCustomPaymentMethods": true,
            "createdDate": "2024-07-28 23:40:21",
            "createdById": "b243314d594646d3b2651aeedd4be47e",
            "updatedDate": "2024-07-28 23:40:21",
            "updatedById": "b243314d594646d3b2651aeedd4be47e",
            "success": true
        });
        assert_eq!(sorted(serde_json::to_value(response(&run(), &view())).unwrap()), sorted(documented));
    }

    /// The order of fields says nothing.
    fn sorted(value: Value) -> Vec<(String, Value)> {
        let Value::Object(fields) = value else { return vec![] };
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    }

    #[test]
    fn an_update_spells_the_run_date_in_two_ways() {
        let without = serde_json::to_value(updated(&run(), &view())).unwrap();
        assert_eq!(without.get("rundate"), Some(&Value::Null));
        assert_eq!(without.get("runDate"), None);
        assert_eq!(without.get("useCustomPaymentMethods"), None);
        let mut scheduled = run();
        scheduled.run_at = Some("2026-04-02T09:00:00Z".parse().unwrap());
        scheduled.options.use_custom_payment_methods = Some(false);
        let with = serde_json::to_value(updated(&scheduled, &view())).unwrap();
        assert_eq!(with.get("rundate"), None);
        assert_eq!(with["runDate"], json!("2026-04-02 09:00:00"));
        assert_eq!(with["useCustomPaymentMethods"], json!(false));
    }

    #[test]
    fn a_scheduled_run_without_a_target_date_shows_its_day() {
        let mut scheduled = run();
        scheduled.target_date = None;
        scheduled.run_at = Some("2026-04-02T20:00:00Z".parse().unwrap());
        let zone = Zone::of(&Settings { time_zone: "Asia/Kolkata".to_owned(), ..Settings::default() });
        let listed = serde_json::to_value(listed(&scheduled, &View { zone, ..view() })).unwrap();
        assert_eq!(listed["targetDate"], json!("2026-04-03"));
        assert_eq!(listed["runDate"], json!("2026-04-03 01:30:00"));
    }
}
