//! Creating a payment. An external one is recorded; an electronic one is stored as an intent, charged, and settled.

use std::sync::Arc;

use payment_runs_engine::command::{Command, NewPayment};
use payment_runs_engine::ids::{Key, PaymentId};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::{Deadline, Intent, Output, Permission, Settlement};
use payment_runs_engine::refusal::Field;
use payment_runs_engine::single::{collect_single, deliver_by};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::v1::{CreatePaymentRequest, PaymentResponse, PaymentType};

use super::parts::{Part, locate, read_parts};
use super::response;
use crate::call::{Call, Done, unexpected_output};
use crate::faults::Faults;
use crate::money::{sum_minor, to_minor};
use crate::refused::Wording;
use crate::time::Zone;
use crate::v1::owner::{self, Owner};

/// Documents that one payment pays at most, as the contract says.
const DOCUMENTS_MAX: usize = 1_000;

const WORDING: Wording = Wording { name, state: None };

fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "paymentKey",
        Field::Items | Field::Parts => "invoices",
        other => owner::name(other),
    }
}

/// Creates a payment. One whose outcome stays open is answered as it is: processing.
pub(in crate::v1) async fn create(
    call: &Call<'_>,
    body: CreatePaymentRequest,
) -> Result<PaymentResponse, Rejection> {
    if body.type_ == PaymentType::Electronic {
        call.require(Permission::ProcessElectronicPayment, "process electronic payments")?;
    }
    let mut faults = Faults::default();
    let (id, number) = (body.account_id.as_deref(), body.account_number.as_deref());
    let owner = Owner::read(call, id, number, Some(&body.currency), &mut faults).await?;
    let zone = Zone::of(&call.settings().await?);
    let parts = owner.currency.map(|currency| read_parts(&body, currency, &mut faults)).unwrap_or_default();
    let payment = read_payment(call, &zone, &owner, body, &parts, &mut faults);
    faults.finish()?;
    let Some(payment) = payment else { return Err(unexpected_output()) };
    let shown = zone.clone();
    let answer = move |output: &Output| match output {
        Output::Payment(payment) => Some(response(payment, &shown)),
        _ => None,
    };
    let deliver_by = deliver_by(call.app.ports.clock.as_ref());
    match call.execute_raw(Command::CreatePayment(payment), &WORDING, answer.clone()).await {
        Ok(Done::Before(body)) => Ok(body),
        Ok(Done::Now(Output::PaymentIntent(payment, intent))) => {
            charge(call, &zone, payment, (intent, deliver_by), answer).await
        }
        Ok(Done::Now(output)) => answer(&output).ok_or_else(unexpected_output),
        Err(rejection) => Err(locate(call, &owner, &parts, name(Field::Parts), rejection).await),
    }
}

/// Charges a payment whose intent is stored. A caller who hangs up does not stop that: what was begun is brought to its end,
/// and a repetition of the request finds the answer.
async fn charge(
    call: &Call<'_>,
    zone: &Zone,
    payment: Payment,
    (intent, deliver_by): (Intent, Deadline),
    answer: impl Fn(&Output) -> Option<PaymentResponse> + Clone + Send + Sync + 'static,
) -> Result<PaymentResponse, Rejection> {
    let (app, context) = (call.app.clone(), call.context.clone());
    let as_intended = response(&payment, zone);
    let work = async move {
        let call = Call::new(&app, &context)?;
        send_and_settle(&call, &payment, (&intent, deliver_by), answer).await
    };
    match call.app.carry_out("charge a payment", work).await {
        Some(Ok(Some(settled))) => Ok(settled),
        // The work was cut off, or could not record the outcome: a look-up will, and until then nobody knows it.
        Some(Ok(None)) | None => Ok(as_intended),
        Some(Err(rejection)) => Err(rejection),
    }
}

/// Sends the charge, and records what came of it under the request's idempotency key; `None` when it could not be recorded.
async fn send_and_settle(
    call: &Call<'_>,
    payment: &Payment,
    (intent, deliver_by): (&Intent, Deadline),
    answer: impl Fn(&Output) -> Option<PaymentResponse> + Clone + Send + 'static,
) -> Result<Option<PaymentResponse>, Rejection> {
    let ports = &call.app.ports;
    let (gateways, clock) = (Arc::clone(&ports.gateways), Arc::clone(&ports.clock));
    let outcome = collect_single(gateways, clock, intent, deliver_by).await;
    let settlement = Settlement { payment: payment.id, outcome };
    match call.execute(Command::SettlePayment(settlement), &WORDING, answer).await {
        Ok(body) => Ok(Some(body)),
        // The charge is out; that its outcome could not be recorded makes the payment no failure.
        Err(rejection)
            if !matches!(rejection.category, Category::Conflict | Category::IdempotencyKeyInUse) =>
        {
            tracing::error!(payment = %payment.id, "the outcome of a payment waits for a look-up");
            Ok(None)
        }
        Err(rejection) => Err(rejection),
    }
}

fn read_payment(
    call: &Call<'_>,
    zone: &Zone,
    owner: &Owner,
    body: CreatePaymentRequest,
    parts: &[Part],
    faults: &mut Faults,
) -> Option<NewPayment> {
    let currency = owner.currency?;
    let amount = faults.take(to_minor("amount", body.amount, currency));
    let standalone = body.standalone.unwrap_or(false);
    if let Some(first) = parts.first().filter(|_| standalone) {
        faults.excludes("standalone", first.list());
    }
    if parts.len() > DOCUMENTS_MAX {
        faults.invalid("debitMemos", format!("must have at most {DOCUMENTS_MAX} elements with 'invoices'"));
    }
    let sum = sum_minor(parts.iter().map(|part| part.new.amount_minor));
    if amount.is_some_and(|amount| sum.is_none_or(|sum| sum > amount)) {
        faults.push(Category::BusinessRule, "amount", "is less than what its documents are to get");
    }
    Some(NewPayment {
        id: PaymentId::from_u128(call.app.ports.ids.next_id()),
        account: owner.key(),
        currency,
        amount_minor: amount?,
        electronic: body.type_ == PaymentType::Electronic,
        effective_date: body.effective_date.map_or_else(|| zone.date(call.app.now()), Into::into),
        payment_method: body.payment_method_id.map(Key::new),
        gateway: body.gateway_id.map(Key::new),
        parts: parts.iter().map(|part| part.new.clone()).collect(),
        comment: body.comment,
        reference_id: body.reference_id,
        standalone,
        charge_request: call.charge_request(),
    })
}
