//! Changing a pending payment run: each field alone, and the rules of creation on the result.

use payment_runs_engine::command::{Change, Command, RunChange};
use payment_runs_engine::ids::{GatewayId, Key};
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Noun, Refusal};
use payment_runs_engine::run::RunOptions;
use payment_runs_engine::run_rules::{apply_change, check_run};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{UpdatePaymentRunRequest, UpdatePaymentRunResponse};

use super::records::read_records;
use super::resolve::Resolver;
use super::write::{self, View};
use super::{find, name};
use crate::call::{Call, unexpected_output};
use crate::change::{CHANGE_CHARGING_RUN, change, charging_flag, flag, require_charging};
use crate::refused::{Wording, faults, rejection};
use crate::time::Zone;

const WORDING: Wording =
    Wording { name, state: Some((Noun::PaymentRun, "only a pending payment run can be changed")) };

/// Changes a run.
pub(in crate::v1) async fn update(
    call: &Call<'_>,
    key: &str,
    body: UpdatePaymentRunRequest,
) -> Result<UpdatePaymentRunResponse, Rejection> {
    let run = find(call, key).await?;
    if !run.status.can_update() {
        let state = format!("{:?}", run.status);
        return Err(rejection(&[Refusal::WrongState { noun: Noun::PaymentRun, state }], &WORDING));
    }
    require_charging(call, run.options, CHANGE_CHARGING_RUN)?;
    let settings = call.settings().await?;
    let zone = Zone::of(&settings);
    let mut resolver = Resolver::new(call, &zone);
    let change = read_change(call, &mut resolver, body).await?;
    let mut found = resolver.faults;
    let changed = apply_change(&run, &change);
    found.extend(faults(&check_run(&changed, &settings), &WORDING));
    found.finish()?;
    let view = View::of(call, &settings, std::iter::once(&changed.filter)).await?;
    let key = Key::new(run.id.to_string());
    match call.run(Command::UpdateRun(key, change), &WORDING).await? {
        Output::Run(run) => Ok(write::updated(&run, &view)),
        _ => Err(unexpected_output()),
    }
}

async fn read_change(
    call: &Call<'_>,
    resolver: &mut Resolver<'_, '_>,
    body: UpdatePaymentRunRequest,
) -> Result<RunChange, Rejection> {
    resolver.advanced_filter(body.advanced_filter.flatten().as_deref());
    // Null clears like an empty array: the run goes back to its filters.
    let records = body.data.map(|data| read_records(data.unwrap_or_default(), &mut resolver.faults));
    let organizations = match body.organization_labels {
        None => None,
        Some(labels) => Some(resolver.organizations(labels.as_deref()).await?),
    };
    let account = match body.account_id {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(text)) => Change::Set(resolver.account(&text).await?),
    };
    let gateway = read_gateway(resolver, body.payment_gateway_id, body.payment_gateway_number).await?;
    let default = RunOptions::default();
    Ok(RunChange {
        account,
        batch: change(body.batch, |batch| batch),
        bill_cycle_day: change(body.bill_cycle_day, |text| resolver.bill_cycle_day(&text)),
        bill_run: change(body.billing_run_id, |text| resolver.bill_run(&text)),
        currency: change(body.currency, |text| resolver.currency(&text)),
        gateway,
        target_date: change(body.target_date, Into::into),
        run_at: change(body.run_date, |date| resolver.run_at(date)),
        apply_credit_balance: flag(body.apply_credit_balance, default.apply_credit_balance),
        auto_apply_credit_memo: flag(body.auto_apply_credit_memo, default.auto_apply_credit_memo),
        auto_apply_unapplied_payment: flag(
            body.auto_apply_unapplied_payment,
            default.auto_apply_unapplied_payment,
        ),
        collect_payment: charging_flag(call, body.collect_payment),
        consolidated_payment: flag(body.consolidated_payment, default.consolidated_payment),
        process_payment_with_closed_pm: flag(
            body.process_payment_with_closed_pm,
            default.process_payment_with_closed_pm,
        ),
        use_custom_payment_methods: change(body.use_custom_payment_methods, |flag| flag),
        ignore_retry_rule: flag(body.ignore_payment_run_retry_rule, default.ignore_retry_rule),
        organizations,
        records,
    })
}

#[expect(clippy::option_option, reason = "the contract tells absent from null")]
async fn read_gateway(
    resolver: &mut Resolver<'_, '_>,
    id: Option<Option<String>>,
    number: Option<Option<String>>,
) -> Result<Change<GatewayId>, Rejection> {
    let is_cleared = matches!((&id, &number), (Some(None), _) | (_, Some(None)));
    let (id, number) = (id.flatten(), number.flatten());
    Ok(match resolver.gateway(id.as_deref(), number.as_deref()).await? {
        Some(gateway) => Change::Set(gateway),
        None if is_cleared => Change::Clear,
        None => Change::Keep,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        assert_eq!(change(None, |text: &str| text.len()), Change::Keep);
        assert_eq!(change(Some(None), |text: &str| text.len()), Change::Clear);
        assert_eq!(change(Some(Some("abc")), str::len), Change::Set(3));
        assert_eq!(flag(None, true), None);
        assert_eq!(flag(Some(None), true), Some(true));
        assert_eq!(flag(Some(Some(false)), true), Some(false));
    }
}
