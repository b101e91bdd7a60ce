//! Creating a payment. An external one is recorded; an electronic one is stored as an intent, charged, and settled.

use std::sync::Arc;

use payment_runs_engine::command::{Command, NewPayment, NewPaymentPart};
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{Key, PaymentId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::{Intent, Output, Permission, Settlement};
use payment_runs_engine::refusal::Field;
use payment_runs_engine::single::collect_single;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::Decimal;
use payment_runs_types::v1::{CreatePaymentRequest, PaymentResponse, PaymentType};

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
    let electronic = body.type_ == PaymentType::Electronic;
    if electronic {
        call.require(Permission::ProcessElectronicPayment, "process electronic payments")?;
    }
    let mut faults = Faults::default();
    let (id, number) = (body.account_id.as_deref(), body.account_number.as_deref());
    let owner = Owner::read(call, id, number, Some(&body.currency), &mut faults).await?;
    let zone = Zone::of(&call.settings().await?);
    let payment = read_payment(call, &zone, &owner, body, electronic, &mut faults);
    faults.finish()?;
    let Some(payment) = payment else { return Err(unexpected_output()) };
    let shown = zone.clone();
    let answer = move |output: &Output| match output {
        Output::Payment(payment) => Some(response(payment, &shown)),
        _ => None,
    };
    match call.execute_raw(Command::CreatePayment(payment), &WORDING, answer.clone()).await? {
        Done::Before(body) => Ok(body),
        Done::Now(Output::PaymentIntent(payment, intent)) => {
            charge(call, &zone, payment, intent, answer).await
        }
        Done::Now(output) => answer(&output).ok_or_else(unexpected_output),
    }
}

/// Sends the charge whose intent is stored, and records what came of it under the request's idempotency key.
async fn charge(
    call: &Call<'_>,
    zone: &Zone,
    payment: Payment,
    intent: Intent,
    answer: impl Fn(&Output) -> Option<PaymentResponse> + Clone + Send + 'static,
) -> Result<PaymentResponse, Rejection> {
    let ports = &call.app.ports;
    let outcome = collect_single(Arc::clone(&ports.gateways), Arc::clone(&ports.clock), &intent).await;
    let settlement = Settlement { payment: payment.id, outcome };
    match call.execute(Command::SettlePayment(settlement), &WORDING, answer).await {
        Ok(body) => Ok(body),
        // The charge is out; that its outcome could not be recorded makes the payment no failure. A look-up records it.
        Err(rejection) if rejection.category != Category::Conflict => {
            tracing::error!(payment = %payment.id, "the outcome of a payment waits for a look-up");
            Ok(response(&payment, zone))
        }
        Err(rejection) => Err(rejection),
    }
}

fn read_payment(
    call: &Call<'_>,
    zone: &Zone,
    owner: &Owner,
    body: CreatePaymentRequest,
    electronic: bool,
    faults: &mut Faults,
) -> Option<NewPayment> {
    let currency = owner.currency?;
    let amount = faults.take(to_minor("amount", body.amount, currency));
    let standalone = body.standalone.unwrap_or(false);
    let parts = read_parts(&body, currency, faults);
    if standalone && !parts.is_empty() {
        faults.excludes(
            "standalone",
            if parts[0].kind == DocumentKind::Invoice { "invoices" } else { "debitMemos" },
        );
    }
    if parts.len() > DOCUMENTS_MAX {
        faults.invalid("debitMemos", format!("must have at most {DOCUMENTS_MAX} elements with 'invoices'"));
    }
    let sum = sum_minor(parts.iter().map(|part| part.amount_minor));
    if amount.is_some_and(|amount| sum.is_none_or(|sum| sum > amount)) {
        faults.push(Category::BusinessRule, "amount", "is less than what its documents are to get");
    }
    Some(NewPayment {
        id: PaymentId::from_u128(call.app.ports.ids.next_id()),
        account: owner.key(),
        currency,
        amount_minor: amount?,
        electronic,
        effective_date: body.effective_date.map_or_else(|| zone.date(call.app.now()), Into::into),
        payment_method: body.payment_method_id.map(Key::new),
        gateway: body.gateway_id.map(Key::new),
        parts,
        comment: body.comment,
        reference_id: body.reference_id,
        standalone,
    })
}

fn read_parts(body: &CreatePaymentRequest, currency: Currency, faults: &mut Faults) -> Vec<NewPaymentPart> {
    let mut parts = Vec::new();
    let mut read = |kind, list, noun, at, id: &Option<String>, number: &Option<String>, amount: Decimal| {
        let amount_minor = faults.take(to_minor(&format!("{list}[{at}].amount"), amount, currency));
        let (id, number) = (id.as_deref(), number.as_deref());
        match (id, number) {
            (None, None) => {
                faults.missing(format!("{list}[{at}]"), format!("needs '{noun}Id' or '{noun}Number'"));
            }
            (Some(_), Some(_)) => faults.excludes(format!("{list}[{at}].{noun}Id"), &format!("{noun}Number")),
            _ => {}
        }
        let document = Key::new(id.or(number).unwrap_or_default());
        parts.push(NewPaymentPart { kind, document, amount_minor: amount_minor.unwrap_or_default() });
    };
    for (at, part) in body.invoices.iter().flatten().enumerate() {
        let (id, number) = (&part.invoice_id, &part.invoice_number);
        read(DocumentKind::Invoice, "invoices", "invoice", at, id, number, part.amount);
    }
    for (at, part) in body.debit_memos.iter().flatten().enumerate() {
        let (id, number) = (&part.debit_memo_id, &part.debit_memo_number);
        read(DocumentKind::DebitMemo, "debitMemos", "debitMemo", at, id, number, part.amount);
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_name_one_document_each() {
        let body: CreatePaymentRequest = serde_json::from_value(json!({
            "amount": 10, "currency": "USD", "type": "External",
            "invoices": [
                {"invoiceId": "a", "amount": 1},
                {"amount": 1.005},
                {"invoiceId": "a", "invoiceNumber": "b", "amount": 1}
            ],
            "debitMemos": [{"debitMemoNumber": "DM1", "amount": 2.5}]
        }))
        .unwrap();
        let mut faults = Faults::default();
        let parts = read_parts(&body, Currency::USD, &mut faults);
        let kinds: Vec<_> =
            parts.iter().map(|part| (part.kind, part.document.as_str(), part.amount_minor)).collect();
        assert_eq!(kinds[0], (DocumentKind::Invoice, "a", 100));
        assert_eq!(kinds[3], (DocumentKind::DebitMemo, "DM1", 250));
        let told: Vec<_> = faults.finish().unwrap_err().faults.into_iter().map(|fault| fault.field).collect();
        assert_eq!(told, ["invoices[1].amount", "invoices[1]", "invoices[2].invoiceId"]);
    }
}
