//! Creating a payment run.

use http::StatusCode;
use payment_runs_engine::command::{Command, NewRun};
use payment_runs_engine::ids::RunId;
use payment_runs_engine::ports::{FoundRun, Output, Permission};
use payment_runs_engine::run::{RunFilter, RunOptions, Tallies};
use payment_runs_engine::run_rules::check_new_run;
use payment_runs_stubs::Rejection;
use payment_runs_types::v2::{CreatePaymentRunRequest, PaymentRun};

use super::fields::Selection;
use super::name;
use super::resolve::Resolver;
use super::write::whole;
use crate::call::Call;
use crate::refused::{Wording, faults};
use crate::time::Zone;

const WORDING: Wording = Wording { name, state: None };

/// Creates a run. It is answered as it was stored, so also one that starts at once is pending.
pub(super) async fn create(
    call: &Call<'_>,
    chosen: Selection,
    body: CreatePaymentRunRequest,
) -> Result<PaymentRun, Rejection> {
    let settings = call.settings().await?;
    let zone = Zone::of(&settings);
    let mut resolver = Resolver::new(call, &zone);
    resolver.faults.extend(chosen.faults());
    let run = read_run(call, &mut resolver, body).await?;
    let mut found = resolver.faults;
    found.extend(faults(&check_new_run(&run, &settings), &WORDING));
    found.finish()?;
    let answer = move |output: &Output| shown(output, &chosen, &zone);
    call.execute_as(StatusCode::CREATED, Command::CreateRun(run), &WORDING, answer).await
}

/// The run of a command, which has done nothing yet.
pub(super) fn shown(output: &Output, chosen: &Selection, zone: &Zone) -> Option<PaymentRun> {
    let Output::Run(run) = output else { return None };
    let found =
        FoundRun { run: run.clone(), tallies: Tallies::new(), first_charge_at: None, next_run_at: None };
    Some(chosen.apply(whole(&found, zone)))
}

async fn read_run(
    call: &Call<'_>,
    resolver: &mut Resolver<'_, '_>,
    body: CreatePaymentRunRequest,
) -> Result<NewRun, Rejection> {
    let default = RunOptions::default();
    // What the caller may not charge is not charged, whatever the body says; that is documented.
    let may_charge = call.caller.may(Permission::ProcessElectronicPayment);
    let options = RunOptions {
        auto_apply_credit_memo: body.apply_credit_memos.unwrap_or(default.auto_apply_credit_memo),
        auto_apply_unapplied_payment: body
            .apply_unapplied_payments
            .unwrap_or(default.auto_apply_unapplied_payment),
        collect_payment: may_charge && body.collect_payment.unwrap_or(default.collect_payment),
        consolidated_payment: body.consolidated_payment.unwrap_or(default.consolidated_payment),
        ..default
    };
    let gateway = match &body.gateway_id {
        Some(text) => Some(resolver.gateway(text).await?),
        None => None,
    };
    let filter = RunFilter {
        account: None,
        batch: body.batch,
        bill_cycle_day: body.bill_cycle_day.map(|text| resolver.bill_cycle_day(&text)),
        bill_run: body.bill_run_id.map(|text| resolver.bill_run(&text)),
        currency: body.currency.map(|text| resolver.currency(&text)),
        gateway,
    };
    let run_at = body.payment_run_date.map(|text| resolver.run_at(&text));
    Ok(NewRun {
        id: RunId::from_u128(call.app.ports.ids.next_id()),
        filter,
        options,
        target_date: body.target_date.map(Into::into),
        run_at,
        organizations: call.scope().organizations.clone().unwrap_or_default(),
        records: Vec::new(),
    })
}
