//! The v2 surface over the engine: payment runs with `snake_case` names, real statuses, and a choice of fields.

mod create;
mod fields;
mod list;
mod read;
mod resolve;
mod summary;
mod update;
mod write;

use axum::response::Response as HttpResponse;
use payment_runs_engine::refusal::Field;
use payment_runs_engine::run::RunStatus;
use payment_runs_engine::search::{Operator, RunField, ValueKind};
use payment_runs_stubs::v2::{
    create_payment_run, delete_payment_run, get_payment_run, list_payment_runs, update_payment_run,
};
use payment_runs_stubs::{Category, Location, OperationInfo, Rejection, RequestContext, v2};
use payment_runs_types::v2::{AcceptedResponse, CreatePaymentRunRequest, UpdatePaymentRunRequest};
use serde::Serialize;

use crate::app::App;
use crate::call::Call;
use crate::failure::refuse_operation;
use crate::queue;
use crate::search::Dialect;

use fields::{Selection, selection};

/// What can be searched for, as the v2 reference names and writes it.
pub(crate) const DIALECT: Dialect = Dialect {
    surface: "v2/payment_runs",
    fields: &[
        ("id", RunField::Id),
        ("payment_run_number", RunField::Number),
        ("state", RunField::Status),
        ("target_date", RunField::TargetDate),
        ("payment_run_date", RunField::RunAt),
        ("created_time", RunField::CreatedAt),
        ("created_by_id", RunField::CreatedBy),
        ("updated_time", RunField::UpdatedAt),
        ("updated_by_id", RunField::UpdatedBy),
        ("batch", RunField::Batch),
        ("bill_cycle_day", RunField::BillCycleDay),
        ("bill_run_id", RunField::BillRun),
        ("currency", RunField::Currency),
        ("payment_gateway_id", RunField::Gateway),
        ("apply_credit_memos", RunField::AutoApplyCreditMemo),
        ("apply_unapplied_payments", RunField::AutoApplyUnappliedPayment),
        ("collect_payment", RunField::CollectPayment),
        ("consolidate_payment", RunField::ConsolidatedPayment),
    ],
    unsorted: &["custom_fields", "custom_objects", "state_transitions", "summary"],
    operators: &[
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::Greater,
        Operator::StartsWith,
        Operator::In,
    ],
    ordered: &[ValueKind::Integer, ValueKind::Date, ValueKind::Time],
    statuses: &[
        ("pending", RunStatus::Pending),
        ("processing", RunStatus::Processing),
        ("completed", RunStatus::Completed),
        ("canceled", RunStatus::Canceled),
        ("failed", RunStatus::Error),
    ],
    ignore_case: false,
    sorts_max: 8,
};

/// Implements the generated trait of v2.
#[derive(Clone)]
pub(crate) struct V2Api {
    app: App,
}

impl V2Api {
    /// The surface of a server.
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

impl v2::Api for V2Api {
    fn refuse(
        &self,
        context: &RequestContext,
        _operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> HttpResponse {
        refuse_operation(context, &rejection)
    }

    async fn list_payment_runs(
        &self,
        context: RequestContext,
        query: list_payment_runs::Query,
        _headers: list_payment_runs::Headers,
    ) -> Result<list_payment_runs::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        list::list(&call, query).await.map(list_payment_runs::Response::Status200)
    }

    async fn create_payment_run(
        &self,
        context: RequestContext,
        query: create_payment_run::Query,
        headers: create_payment_run::Headers,
        body: CreatePaymentRunRequest,
    ) -> Result<create_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        let chosen = selection!(query);
        if headers.async_ == Some(true) {
            return accept(&call, &chosen, Some(&body)).await.map(create_payment_run::Response::Status202);
        }
        create::create(&call, chosen, body).await.map(create_payment_run::Response::Status201)
    }

    async fn get_payment_run(
        &self,
        context: RequestContext,
        path: get_payment_run::Path,
        query: get_payment_run::Query,
        _headers: get_payment_run::Headers,
    ) -> Result<get_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        let chosen = selection!(query);
        read::get(&call, &path.id, chosen).await.map(get_payment_run::Response::Status200)
    }

    async fn update_payment_run(
        &self,
        context: RequestContext,
        path: update_payment_run::Path,
        query: update_payment_run::Query,
        headers: update_payment_run::Headers,
        body: UpdatePaymentRunRequest,
    ) -> Result<update_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        let chosen = selection!(query);
        if headers.async_ == Some(true) {
            return accept(&call, &chosen, Some(&body)).await.map(update_payment_run::Response::Status202);
        }
        let updated = update::update(&call, &path.id, chosen, body).await;
        updated.map(update_payment_run::Response::Status200).map_err(of_the_run)
    }

    async fn delete_payment_run(
        &self,
        context: RequestContext,
        path: delete_payment_run::Path,
        headers: delete_payment_run::Headers,
    ) -> Result<delete_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        if headers.async_ == Some(true) {
            let nothing = None::<&()>;
            let accepted = accept(&call, &Selection::default(), nothing).await;
            return accepted.map(delete_payment_run::Response::Status202);
        }
        let deleted = read::delete(&call, &path.id).await;
        deleted.map(|()| delete_payment_run::Response::Status204).map_err(of_the_run)
    }
}

/// Accepts a request that its caller does not wait for. What can be known to be wrong at once is told at once.
async fn accept<T: Serialize>(
    call: &Call<'_>,
    chosen: &Selection,
    body: Option<&T>,
) -> Result<AcceptedResponse, Rejection> {
    chosen.check()?;
    queue::accept(call, body).await
}

/// There is no run of this identifier or number.
fn no_run(key: &str) -> Rejection {
    // The key is the caller's own text; a long one is not worth repeating.
    const KEY_CHARS_MAX: usize = 64;
    let key: String = key.chars().take(KEY_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, Location::Path, "id", format!("there is no payment run {key}"))
}

/// Says of faults with the run as a whole that they are about the run which the path names.
fn of_the_run(mut rejection: Rejection) -> Rejection {
    let whole = rejection.faults.iter_mut().filter(|fault| fault.field.is_empty());
    for fault in whole.filter(|fault| matches!(fault.category, Category::NotFound | Category::BusinessRule)) {
        fault.location = Location::Path;
        "id".clone_into(&mut fault.field);
    }
    rejection
}

/// What a body of v2 calls the fields of commands.
fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "id",
        Field::Batch => "batch",
        Field::BillCycleDay => "bill_cycle_day",
        Field::BillRun => "bill_run_id",
        Field::Currency => "currency",
        Field::Gateway => "gateway_id",
        Field::TargetDate => "target_date",
        Field::RunDate => "payment_run_date",
        Field::AutoApplyCreditMemo => "apply_credit_memos",
        Field::AutoApplyUnappliedPayment => "apply_unapplied_payments",
        // A run that another surface made may have these; no body of this one does.
        Field::Account => "account_id",
        Field::Data | Field::Items | Field::Parts => "data",
        Field::ApplyCreditBalance => "apply_credit_balance",
        Field::Organizations => "zuora-org-ids",
        Field::Number => "payment_run_number",
        Field::Name => "name",
        Field::Amount | Field::Balance | Field::CreditBalance => "amount",
        Field::PaymentMethod => "payment_method_id",
        Field::AutoPay => "auto_pay",
        Field::DueDate => "due_date",
        Field::Status => "state",
        Field::Recurrence => "recurrence",
        Field::Comment => "comment",
    }
}

#[cfg(test)]
mod tests {
    use payment_runs_types::v2::{PaymentRunField, PaymentRunState};

    use super::*;

    #[test]
    fn every_single_value_of_a_run_can_be_searched_for() {
        for field in PaymentRunField::ALL {
            let name = field.as_str();
            let listed = DIALECT.fields.iter().any(|(known, _)| *known == name);
            assert!(listed || DIALECT.unsorted.contains(&name), "{name}");
        }
    }

    #[test]
    fn every_state_of_the_contract_is_a_status() {
        for state in PaymentRunState::ALL {
            assert!(DIALECT.statuses.iter().any(|(known, _)| *known == state.as_str()), "{state}");
        }
        assert_eq!(DIALECT.statuses.len(), RunStatus::ALL.len());
    }

    #[test]
    fn faults_with_the_run_name_the_path() {
        let rejection = of_the_run(Rejection::business_rule("only a pending payment run can be changed"));
        assert_eq!(
            (rejection.faults[0].field.as_str(), rejection.faults[0].location),
            ("id", Location::Path)
        );
        let other = of_the_run(Rejection::new(Category::MissingField, "either is needed"));
        assert_eq!(other.faults[0].field, "");
    }
}
