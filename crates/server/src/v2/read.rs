//! Reading and deleting a payment run.

use http::StatusCode;
use payment_runs_engine::command::Command;
use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::Noun;
use payment_runs_engine::run::DeletePolicy;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::v2::PaymentRun;

use super::fields::Selection;
use super::write::whole;
use super::{name, no_run};
use crate::call::Call;
use crate::refused::Wording;
use crate::search::find;
use crate::time::Zone;

const WORDING: Wording = Wording {
    name,
    state: Some((Noun::PaymentRun, "only a pending or canceled payment run can be deleted")),
};

/// One run.
pub(super) async fn get(call: &Call<'_>, key: &str, chosen: Selection) -> Result<PaymentRun, Rejection> {
    chosen.check()?;
    let settings = call.settings().await?;
    let found = find(call, &settings, key).await?.ok_or_else(|| no_run(key))?;
    Ok(chosen.apply(whole(&found, &Zone::of(&settings))))
}

/// Hides a run that is canceled, or has not started and then never will.
pub(super) async fn delete(call: &Call<'_>, key: &str) -> Result<(), Rejection> {
    let command = Command::DeleteRun(Key::new(key), DeletePolicy::CanceledOrPending);
    let answer = |output: &Output| matches!(output, Output::Deleted).then_some(());
    let deleted = call.execute_as(StatusCode::NO_CONTENT, command, &WORDING, answer).await;
    deleted.map_err(|refused| if refused.category == Category::NotFound { no_run(key) } else { refused })
}
