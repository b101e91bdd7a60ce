//! Creating a payment run.

use bytes::Bytes;
use payment_runs_engine::command::{Command, NewRun};
use payment_runs_engine::ids::RunId;
use payment_runs_engine::ports::{Output, Permission};
use payment_runs_engine::run::{RunFilter, RunOptions};
use payment_runs_engine::run_rules::check_new_run;
use payment_runs_engine::settings::Settings;
use payment_runs_stubs::{Rejection, read_payment_run_body};
use payment_runs_types::v1::{CreatePaymentRunRequest, PaymentRunResponse};

use super::name;
use super::records::read_records;
use super::resolve::Resolver;
use super::write::{self, View};
use crate::call::Call;
use crate::refused::{Wording, faults};
use crate::time::Zone;
use crate::v1::cross_fields::with_run_faults;

/// How creating a run words its refusals.
pub(crate) const WORDING: Wording = Wording { name, state: None };

/// Creates a run. It is answered as it was stored, so also one that starts at once is Pending.
pub(in crate::v1) async fn create(
    call: &Call<'_>,
    body: CreatePaymentRunRequest,
) -> Result<PaymentRunResponse, Rejection> {
    let (run, settings) = checked(call, body).await?;
    let view = View::of(call, &settings, std::iter::once(&run.filter)).await?;
    let answer = move |output: &Output| match output {
        Output::Run(run) => Some(write::response(run, &view)),
        _ => None,
    };
    call.execute(Command::CreateRun(run), &WORDING, answer).await
}

/// The run that a body asks for, with everything checked that creating it would check, for operations that take the
/// body along. The refusals are in v1's words.
pub(crate) async fn draft(call: &Call<'_>, body: Bytes) -> Result<NewRun, Rejection> {
    let read = read_payment_run_body(body.clone()).await;
    let body = read.map_err(|rejection| with_run_faults(&body, rejection))?;
    checked(call, body).await.map(|(run, _)| run)
}

async fn checked(call: &Call<'_>, body: CreatePaymentRunRequest) -> Result<(NewRun, Settings), Rejection> {
    let settings = call.settings().await?;
    let zone = Zone::of(&settings);
    let mut resolver = Resolver::new(call, &zone);
    let run = read_run(call, &mut resolver, body).await?;
    let mut found = resolver.faults;
    found.extend(faults(&check_new_run(&run, &settings), &WORDING));
    found.finish()?;
    Ok((run, settings))
}

async fn read_run(
    call: &Call<'_>,
    resolver: &mut Resolver<'_, '_>,
    body: CreatePaymentRunRequest,
) -> Result<NewRun, Rejection> {
    let options = read_options(call, &body);
    resolver.advanced_filter(body.advanced_filter.as_deref());
    let organizations = resolver.organizations(body.organization_labels.as_deref()).await?;
    let run_at = body.run_date.map(|date| resolver.run_at(date));
    let account = match &body.account_id {
        Some(text) => Some(resolver.account(text).await?),
        None => None,
    };
    let gateway =
        resolver.gateway(body.payment_gateway_id.as_deref(), body.payment_gateway_number.as_deref());
    let gateway = gateway.await?;
    let filter = RunFilter {
        account,
        batch: body.batch,
        bill_cycle_day: body.bill_cycle_day.map(|text| resolver.bill_cycle_day(&text)),
        bill_run: body.billing_run_id.map(|text| resolver.bill_run(&text)),
        currency: body.currency.map(|text| resolver.currency(&text)),
        gateway,
    };
    let records = read_records(body.data.unwrap_or_default(), &mut resolver.faults);
    Ok(NewRun {
        id: RunId::from_u128(call.app.ports.ids.next_id()),
        filter,
        options,
        target_date: body.target_date.map(Into::into),
        run_at,
        organizations,
        records,
    })
}

/// How the run collects. What the caller may not charge is not charged, whatever the body says; that is documented.
fn read_options(call: &Call<'_>, body: &CreatePaymentRunRequest) -> RunOptions {
    let default = RunOptions::default();
    let may_charge = call.caller.may(Permission::ProcessElectronicPayment);
    RunOptions {
        apply_credit_balance: body.apply_credit_balance.unwrap_or(default.apply_credit_balance),
        auto_apply_credit_memo: body.auto_apply_credit_memo.unwrap_or(default.auto_apply_credit_memo),
        auto_apply_unapplied_payment: body
            .auto_apply_unapplied_payment
            .unwrap_or(default.auto_apply_unapplied_payment),
        collect_payment: may_charge && body.collect_payment.unwrap_or(default.collect_payment),
        consolidated_payment: body.consolidated_payment.unwrap_or(default.consolidated_payment),
        process_payment_with_closed_pm: body
            .process_payment_with_closed_pm
            .unwrap_or(default.process_payment_with_closed_pm),
        use_custom_payment_methods: body.use_custom_payment_methods,
        ignore_retry_rule: body.ignore_payment_run_retry_rule.unwrap_or(default.ignore_retry_rule),
    }
}
