//! Payments: recorded, or charged through a gateway.

mod create;
mod list;
mod parts;

pub(super) use create::create;
pub(super) use list::list;

use payment_runs_engine::ids::Key;
use payment_runs_engine::payment::{Payment, PaymentKind, PaymentState};
use payment_runs_engine::refusal::Noun;
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{self, GatewayState, PaymentResponse, PaymentStatus, PaymentType};

use crate::call::Call;
use crate::failure::store_failure;
use crate::money::to_decimal;
use crate::refused::not_found;
use crate::time::Zone;

/// One payment.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<PaymentResponse, Rejection> {
    let found = call.app.ports.ledger.find_payment(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    let payment = found.ok_or_else(|| not_found(Noun::Payment, key))?;
    let zone = Zone::of(&call.settings().await?);
    Ok(response(&payment, &zone))
}

/// The fields that both answers have in common.
macro_rules! payment_fields {
    ($kind:path, $payment:expr, $zone:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let (payment, zone): (&Payment, &Zone) = ($payment, $zone);
        let amount = |minor: i64| to_decimal(minor, payment.currency);
        $kind {
            id: payment.id.to_string(),
            number: payment.number.clone(),
            account_id: payment.account.to_string(),
            amount: amount(payment.amount_minor),
            applied_amount: amount(applied_minor(payment)),
            unapplied_amount: amount(payment.unapplied_minor),
            currency: payment.currency.to_string(),
            status: status(payment.state),
            type_: match payment.kind {
                PaymentKind::Electronic => PaymentType::Electronic,
                PaymentKind::External => PaymentType::External,
            },
            payment_method_id: Some(payment.payment_method.map(|id| id.to_string())),
            gateway_id: Some(payment.gateway.map(|id| id.to_string())),
            gateway_state: Some(gateway_state(payment)),
            gateway_response: Some(gateway_response(payment)),
            gateway_response_code: Some(payment.answer.code.clone()),
            reference_id: Some(payment.reference_id.clone().or_else(|| payment.answer.reference.clone())),
            effective_date: Some(Some(payment.effective_date.into())),
            comment: Some(payment.comment.clone()),
            standalone: Some(payment.standalone),
            created_by_id: Some(Some(payment.stamps.created_by.to_string())),
            created_date: Some(Some(zone.local(payment.stamps.created_at))),
            updated_by_id: Some(Some(payment.stamps.updated_by.to_string())),
            updated_date: Some(Some(zone.local(payment.stamps.updated_at))),
            $($field: $value,)*
        }
    }};
}

/// The payment in a list.
fn listed(payment: &Payment, zone: &Zone) -> v1::Payment {
    payment_fields!(v1::Payment, payment, zone, {})
}

/// The payment by itself.
fn response(payment: &Payment, zone: &Zone) -> PaymentResponse {
    payment_fields!(PaymentResponse, payment, zone, { success: true })
}

/// What documents have taken of it. A payment that is not decided yet has paid nothing, and a standalone one never does.
fn applied_minor(payment: &Payment) -> i64 {
    if payment.state == PaymentState::Processed && !payment.standalone {
        payment.amount_minor.saturating_sub(payment.unapplied_minor)
    } else {
        0
    }
}

fn status(state: PaymentState) -> PaymentStatus {
    match state {
        PaymentState::Intent | PaymentState::Pending | PaymentState::Unknown => PaymentStatus::Processing,
        PaymentState::Processed => PaymentStatus::Processed,
        PaymentState::Declined => PaymentStatus::Error,
        PaymentState::Canceled => PaymentStatus::Canceled,
    }
}

fn gateway_state(payment: &Payment) -> GatewayState {
    match (payment.kind, payment.state) {
        (PaymentKind::External, _) | (_, PaymentState::Declined | PaymentState::Canceled) => {
            GatewayState::NotSubmitted
        }
        (PaymentKind::Electronic, PaymentState::Intent) => GatewayState::MarkedForSubmission,
        (
            PaymentKind::Electronic,
            PaymentState::Pending | PaymentState::Unknown | PaymentState::Processed,
        ) => GatewayState::Submitted,
    }
}

/// The gateway's words; an approval has none, so it is named.
fn gateway_response(payment: &Payment) -> Option<String> {
    let approved = payment.kind == PaymentKind::Electronic && payment.state == PaymentState::Processed;
    payment.answer.message.clone().or_else(|| approved.then(|| "Approved".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{AccountId, GatewayId, PaymentId, PaymentMethodId, UserId};
    use payment_runs_engine::money::Currency;
    use payment_runs_engine::payment::GatewayAnswer;
    use payment_runs_engine::settings::Settings;
    use serde_json::json;

    use super::*;

    fn payment(kind: PaymentKind, state: PaymentState) -> Payment {
        let electronic = kind == PaymentKind::Electronic;
        Payment {
            id: PaymentId::from_u128(1),
            number: "P-00000001".to_owned(),
            account: AccountId::from_u128(2),
            run: None,
            kind,
            state,
            currency: Currency::USD,
            amount_minor: 10_000,
            unapplied_minor: if state == PaymentState::Processed { 2_000 } else { 0 },
            payment_method: electronic.then_some(PaymentMethodId::from_u128(3)),
            gateway: electronic.then_some(GatewayId::from_u128(4)),
            charge_key: None,
            answer: GatewayAnswer::default(),
            effective_date: "2026-03-15".parse().unwrap(),
            reference_id: None,
            comment: None,
            standalone: false,
            settled_at: None,
            parts: vec![],
            stamps: Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(5)),
        }
    }

    #[test]
    fn a_received_payment_is_written_whole() {
        let mut received = payment(PaymentKind::External, PaymentState::Processed);
        received.reference_id = Some("wire-4711".to_owned());
        let id = |number: u128| format!("{number:032x}");
        assert_eq!(
            serde_json::to_value(response(&received, &Zone::of(&Settings::default()))).unwrap(),
            json!({
                "id": id(1), "number": "P-00000001", "accountId": id(2), "amount": 100, "appliedAmount": 80,
                "unappliedAmount": 20, "currency": "USD", "status": "Processed", "type": "External",
                "paymentMethodId": null, "gatewayId": null, "gatewayState": "NotSubmitted",
                "gatewayResponse": null, "gatewayResponseCode": null, "referenceId": "wire-4711",
                "effectiveDate": "2026-03-15", "comment": null, "standalone": false,
                "createdById": id(5), "createdDate": "1970-01-01 00:00:00",
                "updatedById": id(5), "updatedDate": "1970-01-01 00:00:00", "success": true
            })
        );
    }

    #[test]
    fn states_are_told_in_the_references_words() {
        for (state, status, gateway, applied) in [
            (PaymentState::Intent, PaymentStatus::Processing, GatewayState::MarkedForSubmission, 0),
            (PaymentState::Pending, PaymentStatus::Processing, GatewayState::Submitted, 0),
            (PaymentState::Unknown, PaymentStatus::Processing, GatewayState::Submitted, 0),
            (PaymentState::Processed, PaymentStatus::Processed, GatewayState::Submitted, 8_000),
            (PaymentState::Declined, PaymentStatus::Error, GatewayState::NotSubmitted, 0),
            (PaymentState::Canceled, PaymentStatus::Canceled, GatewayState::NotSubmitted, 0),
        ] {
            let payment = payment(PaymentKind::Electronic, state);
            assert_eq!(super::status(state), status);
            assert_eq!(gateway_state(&payment), gateway, "{state:?}");
            assert_eq!(applied_minor(&payment), applied, "{state:?}");
            assert_eq!(gateway_response(&payment).is_some(), state == PaymentState::Processed, "{state:?}");
        }
    }

    #[test]
    fn a_decline_tells_the_gateways_words_and_reference() {
        let mut declined = payment(PaymentKind::Electronic, PaymentState::Declined);
        declined.answer = GatewayAnswer {
            reference: Some("pi_1".to_owned()),
            code: Some("card_declined".to_owned()),
            message: Some("Your card was declined.".to_owned()),
        };
        let written = response(&declined, &Zone::of(&Settings::default()));
        assert_eq!(written.reference_id, Some(Some("pi_1".to_owned())));
        assert_eq!(written.gateway_response_code, Some(Some("card_declined".to_owned())));
        assert_eq!(written.gateway_response, Some(Some("Your card was declined.".to_owned())));
    }
}
