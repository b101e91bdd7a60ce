//! Compares what a gateway reports with what it was asked for. Pure. What is not certain is unknown.

use std::sync::Arc;

use crate::money::Money;
use crate::ports::{ChargeRequest, Delivery, Doubt, ListedCharge, ListedState, Outcome, ReportedCharge};

/// The delivery as it may be believed: a report of another charge, or of one that cannot be told from another, becomes
/// unknown.
pub(super) fn verify(delivery: Delivery, request: &ChargeRequest) -> Delivery {
    let (Delivery::Approved(charge) | Delivery::Pending(charge)) = &delivery else { return delivery };
    match difference(charge, request) {
        None => delivery,
        Some(difference) => {
            let why = format!("the gateway reports {}, {difference}", charge.reference);
            Delivery::Unknown { doubt: Doubt::WrongCharge, why }
        }
    }
}

/// How a reported charge differs from the request.
fn difference(charge: &ReportedCharge, request: &ChargeRequest) -> Option<String> {
    if charge.reference.trim().is_empty() {
        return Some("a charge without a name, by which nobody could find it".to_owned());
    }
    match charge.key.as_deref() {
        None => return Some("which carries no reference of ours".to_owned()),
        Some(key) if key != request.idempotency_key => {
            return Some("which carries the reference of another charge".to_owned());
        }
        Some(_) => {}
    }
    match charge.money {
        None => Some("without its amount and currency".to_owned()),
        Some(money) if money != request.money => {
            let asked = request.money;
            Some(format!("of {money} {} instead of {asked} {}", money.currency, asked.currency))
        }
        Some(_) => None,
    }
}

/// What a look-up's answer amounts to; `None` where it says nothing about the charge.
pub(super) fn outcome_found(delivery: Delivery, request: &ChargeRequest) -> Option<Outcome> {
    match verify(delivery, request) {
        Delivery::Approved(charge) => Some(Outcome::Approved { reference: charge.reference }),
        Delivery::Pending(charge) => Some(Outcome::Pending { reference: charge.reference }),
        Delivery::Declined { code, message, reference } => {
            Some(Outcome::Declined { code, message, reference })
        }
        Delivery::Unknown { doubt, why } => Some(Outcome::Unknown { doubt, why }),
        Delivery::Refused { .. } | Delivery::NotSent { .. } => None,
    }
}

/// What a listed charge says of the payment that has its key, of which this much was asked for. `None` where it says nothing.
pub fn outcome_listed(charge: &ListedCharge, key: &str, money: Money) -> Option<Outcome> {
    let request = ChargeRequest { idempotency_key: key.to_owned(), money, body: Arc::from([]) };
    let report =
        ReportedCharge { reference: charge.reference.clone(), key: charge.key.clone(), money: charge.money };
    let delivery = match &charge.state {
        ListedState::Approved => Delivery::Approved(report),
        ListedState::Pending => Delivery::Pending(report),
        ListedState::Declined { code, message } => Delivery::Declined {
            code: code.clone(),
            message: message.clone(),
            reference: Some(report.reference),
        },
        ListedState::Unclear { why } => Delivery::Unknown { doubt: Doubt::WrongCharge, why: why.clone() },
    };
    outcome_found(delivery, &request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::euro;
    use crate::money::Currency;

    #[test]
    fn only_the_charge_that_was_asked_for_is_believed() {
        let money = Money::new(1_000, Currency::USD);
        let request =
            ChargeRequest { idempotency_key: "key".to_owned(), money, body: Arc::from(&b"body"[..]) };
        let right =
            ReportedCharge { reference: "ch_1".to_owned(), key: Some("key".to_owned()), money: Some(money) };
        let approved = |charge: &ReportedCharge| verify(Delivery::Approved(charge.clone()), &request);
        assert_eq!(approved(&right), Delivery::Approved(right.clone()));
        let mut reasons = Vec::new();
        for wrong in [
            ReportedCharge { reference: " ".to_owned(), ..right.clone() },
            ReportedCharge { key: None, ..right.clone() },
            ReportedCharge { key: Some("another".to_owned()), ..right.clone() },
            ReportedCharge { money: None, ..right.clone() },
            ReportedCharge { money: Some(Money::new(999, Currency::USD)), ..right.clone() },
            ReportedCharge { money: Some(Money::new(1_000, euro())), ..right.clone() },
        ] {
            for delivery in [Delivery::Approved(wrong.clone()), Delivery::Pending(wrong.clone())] {
                let verified = verify(delivery, &request);
                assert!(
                    matches!(&verified, Delivery::Unknown { doubt: Doubt::WrongCharge, .. }),
                    "{verified:?}"
                );
                if let Delivery::Unknown { why, .. } = verified {
                    reasons.push(why);
                }
            }
        }
        reasons.dedup();
        insta::assert_snapshot!(reasons.join("\n"), @r"
        the gateway reports  , a charge without a name, by which nobody could find it
        the gateway reports ch_1, which carries no reference of ours
        the gateway reports ch_1, which carries the reference of another charge
        the gateway reports ch_1, without its amount and currency
        the gateway reports ch_1, of 9.99 USD instead of 10 USD
        the gateway reports ch_1, of 10 EUR instead of 10 USD
        ");
    }
}
