//! Payments as operators see them, and the word of a person on those in doubt.

use payment_runs_engine::command::{self, Command};
use payment_runs_engine::ids::{Key, PaymentId};
use payment_runs_engine::payment;
use payment_runs_engine::payment::PaymentKind;
use payment_runs_engine::ports::Output;
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::ops::{list_payment_run_payments, list_payments};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::ops::{
    Payment, PaymentDocument, PaymentPage, PaymentState, Resolution, ResolvePaymentRequest,
};

use super::page::{self, List};
use super::{in_conflict, no_run};
use crate::call::Call;
use crate::failure::store_failure;
use crate::money::to_decimal;
use crate::refused::{Wording, not_found};

/// The states inside and on the wire.
const STATES: &[(payment::PaymentState, PaymentState)] = &[
    (payment::PaymentState::Intent, PaymentState::Intent),
    (payment::PaymentState::Pending, PaymentState::Pending),
    (payment::PaymentState::Unknown, PaymentState::UnknownValue),
    (payment::PaymentState::Processed, PaymentState::Processed),
    (payment::PaymentState::Declined, PaymentState::Declined),
    (payment::PaymentState::Canceled, PaymentState::Canceled),
];

/// A state as the wire has it.
pub(super) fn wire_state(state: payment::PaymentState) -> PaymentState {
    let found = STATES.iter().find(|(inside, _)| *inside == state);
    found.map_or_else(|| PaymentState::Unknown(String::new()), |(_, wire)| wire.clone())
}

fn states(asked: Option<&PaymentState>) -> Result<Vec<payment::PaymentState>, Rejection> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    let found = STATES.iter().find(|(_, wire)| wire == asked).map(|(inside, _)| vec![*inside]);
    // The schema refuses others.
    found.ok_or_else(|| Rejection::new(Category::InvalidParameter, "there is no such state"))
}

/// One page of the entity's payments, newest first.
pub(super) async fn list(call: &Call<'_>, query: list_payments::Query) -> Result<PaymentPage, Rejection> {
    let state = query.state.as_ref().map(ToString::to_string);
    let list = List::new("payments", call).with(state.as_deref()).with(query.account.as_deref());
    let asked = PaymentQuery {
        account: query.account.map(Key::new),
        states: states(query.state.as_ref())?,
        ..PaymentQuery::default()
    };
    read_page(call, &list, asked, query.cursor.as_deref(), page::size(query.page_size)).await
}

/// One page of the payments of a run, in the order in which it made them.
pub(super) async fn list_of_run(
    call: &Call<'_>,
    key: &str,
    query: list_payment_run_payments::Query,
) -> Result<PaymentPage, Rejection> {
    let found = call.app.ports.ledger.find_run(call.scope(), &Key::new(key)).await;
    let run = found.map_err(|error| store_failure(&error))?.ok_or_else(|| no_run(key))?;
    let state = query.state.as_ref().map(ToString::to_string);
    let list = List::new("payments of a run", call).with(Some(&run.id.to_string())).with(state.as_deref());
    let asked = PaymentQuery {
        run: Some(run.id),
        states: states(query.state.as_ref())?,
        oldest_first: true,
        ..PaymentQuery::default()
    };
    read_page(call, &list, asked, query.cursor.as_deref(), page::size(query.page_size)).await
}

async fn read_page(
    call: &Call<'_>,
    list: &List<'_>,
    asked: PaymentQuery,
    cursor: Option<&str>,
    size: u32,
) -> Result<PaymentPage, Rejection> {
    let after = list.start(cursor)?.map(PaymentId::from_bytes);
    let asked = PaymentQuery { after, limit: size + 1, ..asked };
    let payments = call.app.ports.ledger.list_payments(call.scope(), asked).await;
    let mut payments = payments.map_err(|error| store_failure(&error))?;
    let next_page = list.cut(&mut payments, size, |payment| payment.id.to_bytes());
    Ok(PaymentPage { data: payments.iter().map(write).collect(), next_page })
}

/// One payment.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<Payment, Rejection> {
    let found = call.app.ports.ledger.find_payment(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.as_ref().map(write).ok_or_else(|| not_found(Noun::Payment, key))
}

const WORDING: Wording = Wording { name, state: None };

fn name(field: Field) -> &'static str {
    match field {
        Field::Comment => "comment",
        _ => "key",
    }
}

/// Records what a person has found out about a payment in doubt.
pub(super) async fn resolve(
    call: &Call<'_>,
    key: &str,
    body: ResolvePaymentRequest,
) -> Result<Payment, Rejection> {
    let resolution = command::Resolution {
        collected: body.outcome == Resolution::Processed,
        reference: body.gateway_reference,
        code: body.gateway_code,
        message: body.gateway_message,
        comment: body.comment,
    };
    let command = Command::ResolvePayment(Key::new(key), resolution);
    let answer = |output: &Output| match output {
        Output::Payment(payment) => Some(write(payment)),
        _ => None,
    };
    call.execute(command, &WORDING, answer).await.map_err(in_conflict)
}

/// A payment, its times in UTC.
pub(super) fn write(payment: &payment::Payment) -> Payment {
    let amount = |minor: i64| to_decimal(minor, payment.currency);
    let document = |part: &payment::PaymentPart| PaymentDocument {
        document_id: part.document.to_string(),
        amount: amount(part.amount_minor),
    };
    Payment {
        id: payment.id.to_string(),
        number: payment.number.clone(),
        state: wire_state(payment.state),
        account_id: payment.account.to_string(),
        payment_run_id: payment.run.map(|id| id.to_string()),
        amount: amount(payment.amount_minor),
        currency: payment.currency.to_string(),
        unapplied_amount: amount(payment.unapplied_minor),
        electronic: payment.kind == PaymentKind::Electronic,
        payment_method_id: payment.payment_method.map(|id| id.to_string()),
        payment_gateway_id: payment.gateway.map(|id| id.to_string()),
        gateway_reference: payment.answer.reference.clone(),
        gateway_code: payment.answer.code.clone(),
        gateway_message: payment.answer.message.clone(),
        documents: payment.parts.iter().map(document).collect(),
        created_at: payment.stamps.created_at.into(),
        settled_at: payment.settled_at.map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_name() {
        for state in payment::PaymentState::ALL {
            let wire = wire_state(state);
            assert_eq!(states(Some(&wire)), Ok(vec![state]));
            assert!(!matches!(wire, PaymentState::Unknown(_)), "{state:?}");
        }
    }
}
