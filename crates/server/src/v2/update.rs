//! Changing a pending payment run: each field alone, and the rules of creation on the result.

use http::StatusCode;
use payment_runs_engine::command::{Change, Command, RunChange};
use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Noun, Refusal};
use payment_runs_engine::run::RunOptions;
use payment_runs_engine::run_rules::{apply_change, check_run};
use payment_runs_stubs::Rejection;
use payment_runs_types::v2::{PaymentRun, UpdatePaymentRunRequest};

use super::create::shown;
use super::fields::Selection;
use super::resolve::Resolver;
use super::{name, no_run};
use crate::call::Call;
use crate::change::{CHANGE_CHARGING_RUN, change, charging_flag, flag, require_charging};
use crate::failure::store_failure;
use crate::refused::{Wording, faults, rejection};
use crate::time::Zone;

const WORDING: Wording =
    Wording { name, state: Some((Noun::PaymentRun, "only a pending payment run can be changed")) };

/// Changes a run.
pub(super) async fn update(
    call: &Call<'_>,
    key: &str,
    chosen: Selection,
    body: UpdatePaymentRunRequest,
) -> Result<PaymentRun, Rejection> {
    let found = call.app.ports.ledger.find_run(call.scope(), &Key::new(key)).await;
    let run = found.map_err(|error| store_failure(&error))?.ok_or_else(|| no_run(key))?;
    if !run.status.can_update() {
        let state = format!("{:?}", run.status);
        return Err(rejection(&[Refusal::WrongState { noun: Noun::PaymentRun, state }], &WORDING));
    }
    require_charging(call, run.options, CHANGE_CHARGING_RUN)?;
    let settings = call.settings().await?;
    let zone = Zone::of(&settings);
    let mut resolver = Resolver::new(call, &zone);
    resolver.faults.extend(chosen.faults());
    let change = read_change(call, &mut resolver, body).await?;
    let mut found = resolver.faults;
    found.extend(faults(&check_run(&apply_change(&run, &change), &settings), &WORDING));
    found.finish()?;
    let command = Command::UpdateRun(Key::new(run.id.to_string()), change);
    let answer = move |output: &Output| shown(output, &chosen, &zone);
    call.execute_as(StatusCode::OK, command, &WORDING, answer).await
}

async fn read_change(
    call: &Call<'_>,
    resolver: &mut Resolver<'_, '_>,
    body: UpdatePaymentRunRequest,
) -> Result<RunChange, Rejection> {
    let default = RunOptions::default();
    let gateway = match body.gateway_id {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(text)) => Change::Set(resolver.gateway(&text).await?),
    };
    Ok(RunChange {
        batch: change(body.batch, |batch| batch),
        bill_cycle_day: change(body.bill_cycle_day, |text| resolver.bill_cycle_day(&text)),
        bill_run: change(body.bill_run_id, |text| resolver.bill_run(&text)),
        currency: change(body.currency, |text| resolver.currency(&text)),
        gateway,
        target_date: change(body.target_date, Into::into),
        run_at: change(body.payment_run_date, |text| resolver.run_at(&text)),
        auto_apply_credit_memo: flag(body.apply_credit_memos, default.auto_apply_credit_memo),
        auto_apply_unapplied_payment: flag(
            body.apply_unapplied_payments,
            default.auto_apply_unapplied_payment,
        ),
        collect_payment: charging_flag(call, body.collect_payment),
        consolidated_payment: flag(body.consolidated_payment, default.consolidated_payment),
        ..RunChange::default()
    })
}
