//! Each way of being wrong is found, and nothing else is.

use super::*;

fn payment(id: u128) -> PaymentId {
    PaymentId::from_u128(id)
}

fn document(id: u128) -> DocumentId {
    DocumentId::from_u128(id)
}

fn charge(id: u128, amount_minor: i64, outcome: ChargeOutcome) -> Charge {
    Charge { payment: Some(payment(id)), amount_minor, currency: "USD".to_owned(), outcome }
}

fn recorded(id: u128, state: PaymentState, of: u128, amount_minor: i64) -> Recorded {
    let parts = vec![PaymentPart { document: document(of), amount_minor }];
    Recorded { payment: payment(id), state, amount_minor, currency: "USD".to_owned(), parts }
}

/// Two invoices paid, one declined.
fn books() -> (Vec<Charge>, Vec<Recorded>, Vec<Owed>) {
    use ChargeOutcome::{Approved, Declined};
    let charges = vec![charge(1, 100, Approved), charge(2, 250, Approved), charge(3, 70, Declined)];
    let payments = vec![
        recorded(1, PaymentState::Processed, 11, 100),
        recorded(2, PaymentState::Processed, 12, 250),
        recorded(3, PaymentState::Declined, 13, 70),
    ];
    let owed = [(11, 100), (12, 250), (13, 70), (14, 999)]
        .map(|(id, amount_minor)| Owed { document: document(id), amount_minor });
    (charges, payments, owed.to_vec())
}

fn faults(charges: &[Charge], payments: &[Recorded], owed: &[Owed]) -> Vec<Fault> {
    let result = reconcile(charges, payments, owed);
    assert!(!result.agrees(), "a fault must not go unnoticed");
    assert_eq!(result.faults, result.examples.len() as u64);
    result.examples
}

#[test]
fn books_that_agree_agree() {
    let (charges, payments, owed) = books();
    let result = reconcile(&charges, &payments, &owed);
    assert!(result.agrees());
    assert_eq!((result.charges, result.collected, result.declined), (3, 2, 1));
    assert_eq!((result.double_charges, result.lost_payments), (0, 0));
    assert_eq!(result.collected_minor, BTreeMap::from([("USD".to_owned(), 350)]));
    assert_eq!(result.charged_minor, result.collected_minor);
}

#[test]
fn a_payment_charged_twice_is_found() {
    let (mut charges, payments, owed) = books();
    charges.push(charge(2, 250, ChargeOutcome::Approved));
    assert_eq!(
        faults(&charges, &payments, &owed),
        [Fault::ChargedTwice { document: document(12), times: 2 }]
    );
    assert_eq!(reconcile(&charges, &payments, &owed).double_charges, 1);
}

#[test]
fn a_document_charged_by_two_payments_is_found() {
    let (mut charges, mut payments, owed) = books();
    charges.push(charge(4, 100, ChargeOutcome::Approved));
    payments.push(recorded(4, PaymentState::Processed, 11, 100));
    let found = faults(&charges, &payments, &owed);
    assert_eq!(
        found,
        [
            Fault::ChargedTwice { document: document(11), times: 2 },
            Fault::Paid { document: document(11), owed_minor: 100, paid_minor: 200 },
        ]
    );
}

#[test]
fn a_lost_payment_is_found() {
    let (charges, mut payments, owed) = books();
    payments.remove(0);
    assert_eq!(faults(&charges, &payments, &owed), [Fault::Lost(payment(1))]);
    let (charges, mut payments, owed) = books();
    payments[0].state = PaymentState::Declined;
    assert_eq!(faults(&charges, &payments, &owed), [Fault::Lost(payment(1))]);
    assert_eq!(reconcile(&charges, &payments, &owed).lost_payments, 1);
}

#[test]
fn a_charge_that_names_nobody_is_found() {
    let (mut charges, payments, owed) = books();
    charges[0].payment = None;
    let found = faults(&charges, &payments, &owed);
    assert_eq!(found, [Fault::Foreign { amount_minor: 100 }, Fault::Unbacked(payment(1))]);
}

#[test]
fn a_payment_without_a_charge_is_found() {
    let (mut charges, payments, owed) = books();
    charges.remove(1);
    assert_eq!(faults(&charges, &payments, &owed), [Fault::Unbacked(payment(2))]);
    let (mut charges, payments, owed) = books();
    charges[1].outcome = ChargeOutcome::Declined;
    assert_eq!(faults(&charges, &payments, &owed), [Fault::Unbacked(payment(2))]);
}

#[test]
fn a_cent_off_is_found() {
    let (mut charges, payments, owed) = books();
    charges[0].amount_minor += 1;
    let wrong = Fault::Amount { payment: payment(1), charged_minor: 101, recorded_minor: 100 };
    assert_eq!(faults(&charges, &payments, &owed), [wrong]);

    let (mut charges, mut payments, owed) = books();
    charges[0].amount_minor -= 1;
    payments[0].amount_minor -= 1;
    payments[0].parts[0].amount_minor -= 1;
    let wrong = Fault::Paid { document: document(11), owed_minor: 100, paid_minor: 99 };
    assert_eq!(faults(&charges, &payments, &owed), [wrong]);
}

#[test]
fn another_currency_is_found() {
    let (mut charges, payments, owed) = books();
    charges[1].currency = "EUR".to_owned();
    assert_eq!(faults(&charges, &payments, &owed), [Fault::Currency(payment(2))]);
}

#[test]
fn an_open_outcome_is_found() {
    for state in [PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown] {
        let (mut charges, mut payments, owed) = books();
        charges[1].outcome = ChargeOutcome::Open;
        payments[1].state = state;
        assert_eq!(faults(&charges, &payments, &owed), [Fault::InDoubt(payment(2))]);
    }
}

#[test]
fn many_faults_are_counted_and_some_are_told() {
    let (charges, _, owed) = books();
    let many: Vec<Charge> = (0..100).map(|id| charge(1_000 + id, 5, ChargeOutcome::Approved)).collect();
    let result = reconcile(&[charges, many].concat(), &[], &owed);
    assert_eq!(result.lost_payments, 102);
    assert_eq!(result.examples.len(), EXAMPLES_MAX);
}
