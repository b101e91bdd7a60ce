//! Payments as operators see them.

use payment_runs_engine::payment::{Payment, PaymentKind, PaymentState};
use payment_runs_types::ops;

use crate::money::to_decimal;
use crate::time::Zone;

pub(super) fn write(payment: &Payment, zone: &Zone) -> ops::Payment {
    let amount = |minor: i64| to_decimal(minor, payment.currency);
    ops::Payment {
        id: payment.id.to_string(),
        number: payment.number.clone(),
        state: state(payment.state),
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
        documents: payment
            .parts
            .iter()
            .map(|part| ops::PaymentDocument {
                document_id: part.document.to_string(),
                amount: amount(part.amount_minor),
            })
            .collect(),
        created_at: zone.with_offset(payment.stamps.created_at),
        settled_at: payment.settled_at.map(|at| zone.with_offset(at)),
    }
}

fn state(state: PaymentState) -> ops::PaymentState {
    match state {
        PaymentState::Intent => ops::PaymentState::Intent,
        PaymentState::Pending => ops::PaymentState::Pending,
        PaymentState::Unknown => ops::PaymentState::UnknownValue,
        PaymentState::Processed => ops::PaymentState::Processed,
        PaymentState::Declined => ops::PaymentState::Declined,
        PaymentState::Canceled => ops::PaymentState::Canceled,
    }
}
