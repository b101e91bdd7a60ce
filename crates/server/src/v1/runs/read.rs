//! Reading and deleting a payment run.

use payment_runs_engine::command::Command;
use payment_runs_engine::ids::Key;
use payment_runs_engine::refusal::Noun;
use payment_runs_engine::run::DeletePolicy;
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{PaymentRunResponse, SuccessResponse};

use super::write::{self, View};
use super::{find, name};
use crate::call::Call;
use crate::refused::Wording;

const WORDING: Wording = Wording {
    name,
    state: Some((Noun::PaymentRun, "only a payment run in status Canceled or Error can be deleted")),
};

/// One run.
pub(in crate::v1) async fn get(call: &Call<'_>, key: &str) -> Result<PaymentRunResponse, Rejection> {
    let run = find(call, key).await?;
    let view = View::of(call, &call.settings().await?, std::iter::once(&run.filter)).await?;
    Ok(write::response(&run, &view))
}

/// Hides a run that is canceled or in error.
pub(in crate::v1) async fn delete(call: &Call<'_>, key: &str) -> Result<SuccessResponse, Rejection> {
    call.run(Command::DeleteRun(Key::new(key), DeletePolicy::CanceledOrError), &WORDING).await?;
    Ok(SuccessResponse { success: true })
}
