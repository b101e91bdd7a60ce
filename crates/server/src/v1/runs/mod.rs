//! Payment runs on the v1 surface.

mod create;
mod data;
mod list;
mod read;
mod records;
mod resolve;
mod summary;
mod update;
mod write;

pub(super) use create::create;
pub(crate) use create::{WORDING, draft};
pub(super) use data::data;
pub(super) use list::list;
pub(super) use read::{delete, get};
pub(super) use summary::summary;
pub(super) use update::update;

use payment_runs_engine::ids::Key;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_engine::run::{Run, RunStatus};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::PaymentRunStatus;

use crate::call::Call;
use crate::failure::store_failure;
use crate::refused::not_found;

/// The run that the path names.
async fn find(call: &Call<'_>, key: &str) -> Result<Run, Rejection> {
    let found = call.app.ports.ledger.find_run(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.ok_or_else(|| not_found(Noun::PaymentRun, key))
}

/// The status on the wire.
fn status(status: RunStatus) -> PaymentRunStatus {
    match status {
        RunStatus::Pending => PaymentRunStatus::Pending,
        RunStatus::Processing => PaymentRunStatus::Processing,
        RunStatus::Completed => PaymentRunStatus::Completed,
        RunStatus::Error => PaymentRunStatus::Error,
        RunStatus::Canceled => PaymentRunStatus::Canceled,
    }
}

/// What a payment run calls the fields of its commands.
pub(super) fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "paymentRunKey",
        Field::Account => "accountId",
        Field::Batch => "batch",
        Field::BillCycleDay => "billCycleDay",
        Field::BillRun => "billingRunId",
        Field::Currency => "currency",
        Field::Gateway => "paymentGatewayId",
        Field::TargetDate => "targetDate",
        Field::RunDate => "runDate",
        Field::Data | Field::Items | Field::Parts => "data",
        Field::ApplyCreditBalance => "applyCreditBalance",
        Field::AutoApplyCreditMemo => "autoApplyCreditMemo",
        Field::AutoApplyUnappliedPayment => "autoApplyUnappliedPayment",
        Field::Organizations => "organizationLabels",
        Field::Number => "number",
        Field::Name => "name",
        Field::Amount | Field::Balance | Field::CreditBalance => "amount",
        Field::PaymentMethod => "paymentMethodId",
        Field::AutoPay => "autoPay",
        Field::DueDate => "dueDate",
        Field::Status => "status",
        Field::Recurrence => "recurrence",
        Field::Comment => "comment",
    }
}
