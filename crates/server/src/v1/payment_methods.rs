//! Payment methods.

use payment_runs_engine::account::Account;
use payment_runs_engine::command::{Change, Command, PaymentMethodChange};
use payment_runs_engine::ids::Key;
use payment_runs_engine::payment_method::{
    PaymentMethod, PaymentMethodKind, PaymentMethodStatus, TransactionResult,
};
use payment_runs_engine::ports::{Output, Permission};
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{
    self, CreatePaymentMethodRequest, PaymentMethodIdResponse, PaymentMethodResponse,
    UpdatePaymentMethodRequest,
};

use super::{instrument, owner};
use crate::call::{Call, unexpected_output};
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::refused::{Wording, not_found};
use crate::time::Zone;

const WORDING: Wording = Wording { name, state: None };

fn name(field: Field) -> &'static str {
    match field {
        Field::Path | Field::PaymentMethod => "paymentMethodId",
        Field::Account => "accountKey",
        other => owner::name(other),
    }
}

/// Creates a payment method.
pub(super) async fn create(
    call: &Call<'_>,
    body: CreatePaymentMethodRequest,
) -> Result<PaymentMethodIdResponse, Rejection> {
    let mut faults = Faults::default();
    let gateways = call.gateways().await?;
    let account_key = body.account_key.clone();
    let account = match &account_key {
        Some(text) => find_account(call, text, &mut faults).await?,
        None => None,
    };
    let plan = instrument::read("", body, &gateways, &mut faults);
    if account_key.is_none() && plan.as_ref().is_some_and(instrument::MethodPlan::make_default) {
        faults.missing("accountKey", "is required with 'makeDefault'");
    }
    faults.finish()?;
    let Some(plan) = plan else { return Err(unexpected_output()) };
    let own_gateway = account.as_ref().and_then(|account| account.gateway);
    let key = account.map(|account| Key::new(account.id.to_string()));
    let method = plan.tokenize(call, key, own_gateway, &gateways).await?;
    call.execute(Command::CreatePaymentMethod(method), &WORDING, id_of).await
}

async fn find_account(
    call: &Call<'_>,
    text: &str,
    faults: &mut Faults,
) -> Result<Option<Account>, Rejection> {
    let found = call.app.ports.ledger.find_account(call.scope(), &Key::new(text)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    if found.is_none() {
        faults.invalid("accountKey", format!("account '{text}' does not exist"));
    }
    Ok(found)
}

fn id_of(output: &Output) -> Option<PaymentMethodIdResponse> {
    match output {
        Output::PaymentMethod(method) => {
            Some(PaymentMethodIdResponse { success: true, id: method.id.to_string() })
        }
        _ => None,
    }
}

/// Changes a payment method.
pub(super) async fn update(
    call: &Call<'_>,
    id: &str,
    body: UpdatePaymentMethodRequest,
) -> Result<PaymentMethodIdResponse, Rejection> {
    let mut faults = Faults::default();
    faults.unsupported("securityCode", body.security_code.is_some(), instrument::NO_SECURITY_CODES);
    faults.unsupported(
        "status",
        body.status.is_some(),
        "the status of a payment method cannot be changed here",
    );
    instrument::check_expiration_year("", body.expiration_year, &mut faults);
    faults.finish()?;
    let set = |value: Option<i32>| match value.and_then(|value| u32::try_from(value).ok()) {
        Some(value) => Change::Set(value),
        None => Change::Keep,
    };
    let change = PaymentMethodChange {
        expiration_month: body.expiration_month.and_then(|month| u8::try_from(month).ok()),
        expiration_year: body.expiration_year.and_then(|year| u16::try_from(year).ok()),
        use_default_retry_rule: body.use_default_retry_rule,
        max_consecutive_failures: set(body.max_consecutive_payment_failures),
        retry_window_hours: set(body.payment_retry_window),
    };
    let output = call.run(Command::UpdatePaymentMethod(Key::new(id), change), &WORDING).await?;
    id_of(&output).ok_or_else(unexpected_output)
}

/// Erases a payment method's data.
pub(super) async fn scrub(call: &Call<'_>, id: &str) -> Result<PaymentMethodIdResponse, Rejection> {
    let output = call.run(Command::ScrubPaymentMethod(Key::new(id)), &WORDING).await?;
    id_of(&output).ok_or_else(unexpected_output)
}

/// One payment method.
pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<PaymentMethodResponse, Rejection> {
    let ledger = &call.app.ports.ledger;
    let found = ledger.find_payment_method(call.scope(), &Key::new(id)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    let method = found.ok_or_else(|| not_found(Noun::PaymentMethod, id))?;
    let is_default = match method.account {
        Some(account) => {
            let account = ledger.find_account(call.scope(), &Key::new(account.to_string())).await;
            let account = account.map_err(|error| store_failure(&error))?;
            account.is_some_and(|account| account.default_payment_method == Some(method.id))
        }
        None => false,
    };
    let zone = Zone::of(&call.settings().await?);
    let shows_token = call.caller.may(Permission::WriteBillingObjects);
    Ok(write(method, is_default, shows_token, &zone))
}

/// A token is as good as the payment method: whoever may write could charge it, and nobody else needs it.
fn write(method: PaymentMethod, is_default: bool, shows_token: bool, zone: &Zone) -> PaymentMethodResponse {
    let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let is_card = matches!(
        method.kind,
        PaymentMethodKind::CreditCard | PaymentMethodKind::CreditCardReferenceTransaction
    );
    let instrument = method.instrument;
    PaymentMethodResponse {
        success: true,
        id: method.id.to_string(),
        type_: method.kind_name.as_str().into(),
        status: match method.status {
            PaymentMethodStatus::Active => v1::PaymentMethodStatus::Active,
            PaymentMethodStatus::Closed => v1::PaymentMethodStatus::Closed,
            PaymentMethodStatus::Scrubbed => v1::PaymentMethodStatus::Scrubbed,
        },
        is_default: Some(is_default),
        credit_card_mask_number: Some(instrument.mask.filter(|_| is_card)),
        credit_card_type: Some(instrument.brand.as_deref().filter(|_| is_card).map(Into::into)),
        expiration_month: Some(instrument.expiration_month.map(i32::from)),
        expiration_year: Some(instrument.expiration_year.map(i32::from)),
        token_id: shows_token.then_some(instrument.token),
        second_token_id: shows_token.then_some(instrument.customer),
        num_consecutive_failures: Some(whole(method.consecutive_failures)),
        last_failed_sale_transaction_date: Some(method.last_failed_at.map(|at| zone.local(at))),
        last_transaction: Some(method.last_transaction.map(|result| {
            let word = match result {
                TransactionResult::Approved => "Approved",
                TransactionResult::Declined => "Declined",
            };
            word.to_owned()
        })),
        last_transaction_date_time: Some(method.last_transaction_at.map(|at| zone.local(at))),
        max_consecutive_payment_failures: Some(method.retry_rule.max_consecutive_failures.map(whole)),
        payment_retry_window: Some(method.retry_rule.retry_window_hours.map(whole)),
        use_default_retry_rule: Some(method.use_default_retry_rule),
        total_number_of_error_payments: Some(i64::from(method.error_payments)),
        total_number_of_processed_payments: Some(i64::from(method.processed_payments)),
    }
}
