//! What a report looks like.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use jiff::Timestamp;
use payment_runs_engine::ids::{AccountId, EntityKey, GatewayId, PaymentId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::{ListedCharge, ListedState, ListedSubject, UnmatchedPayment};
use payment_runs_engine::reconcile::{Difference, Finding, KnownPayment, Reconciled, Remedy};
use payment_runs_node::GatewayReconciled;

use super::show;

fn charge(name: u32, at: &str, state: ListedState) -> ListedCharge {
    ListedCharge {
        reference: format!("pi_{name}"),
        key: Some(format!("key-{name}")),
        money: Some(Money::new(1_050 + i64::from(name), Currency::USD)),
        state,
        created_at: at.parse().unwrap(),
        subject: ListedSubject::default(),
    }
}

fn payment(number: u32, at: &str, state: PaymentState) -> KnownPayment {
    KnownPayment {
        entity: EntityKey::FIRST,
        id: PaymentId::from_u128(1),
        number: format!("P-0000000{number}"),
        account: AccountId::from_u128(1),
        state,
        money: Money::new(990, Currency::USD),
        key: None,
        reference: None,
        at: at.parse().unwrap(),
    }
}

fn finding(difference: Difference, account: Option<&str>, remedy: Remedy) -> Finding {
    let account = account.map(str::to_owned);
    Finding { gateway: GatewayId::from_u128(1), difference, account, remedy }
}

fn found() -> GatewayReconciled {
    let (first, second) = ("2026-11-27T23:59:59Z", "2026-11-28T08:30:00Z");
    let approved = |name, at| charge(name, at, ListedState::Approved);
    let declined = ListedState::Declined { code: "card_declined".to_owned(), message: "No.".to_owned() };
    let unclear = ListedState::Unclear { why: "it waits".to_owned() };
    let adopted = |documents: &[&str], unapplied_minor| Remedy::Adopted {
        number: "P-00000042".to_owned(),
        documents: documents.iter().map(|one| (*one).to_owned()).collect(),
        unapplied_minor,
    };
    let unmatched = Remedy::Unmatched {
        number: "P-00000043".to_owned(),
        why: "its document is not in the ledger".to_owned(),
    };
    let findings = vec![
        finding(Difference::Unknown(approved(1, first)), Some("A-1"), adopted(&["INV-1", "INV-2"], 0)),
        finding(Difference::Unknown(approved(2, first)), Some("A-1"), adopted(&["INV-3"], 250)),
        finding(Difference::Unknown(charge(3, second, declined)), Some("A-2"), adopted(&[], 0)),
        finding(Difference::Unknown(approved(4, second)), Some("A-2"), unmatched.clone()),
        finding(Difference::Unknown(approved(5, second)), None, Remedy::Noted),
        finding(
            Difference::InDoubt(approved(6, second), payment(1, second, PaymentState::Unknown)),
            Some("A-3"),
            Remedy::Settled(PaymentState::Processed),
        ),
        finding(
            Difference::Extra(approved(7, second), payment(2, second, PaymentState::Declined)),
            Some("A-3"),
            unmatched,
        ),
        finding(
            Difference::Contradiction(
                charge(8, second, unclear),
                payment(3, second, PaymentState::Processed),
            ),
            Some("A-3"),
            Remedy::Reported,
        ),
        finding(
            Difference::NotListed(payment(4, second, PaymentState::Processed)),
            Some("A-4"),
            Remedy::Reported,
        ),
    ];
    let reconciled =
        Reconciled { findings, listed: 1_234, newest: None, complete_until: Timestamp::UNIX_EPOCH };
    GatewayReconciled { gateway: "Default".to_owned(), reconciled }
}

#[test]
fn a_report_tells_every_difference_by_day() {
    insta::assert_snapshot!("report", show::report(&found(), false));
    insta::assert_snapshot!("applied", show::report(&found(), true));
}

#[test]
fn what_a_person_has_to_look_at_is_left() {
    assert_eq!((show::left(&found(), false), show::left(&found(), true)), (9, 2));
}

#[test]
fn unmatched_payments_are_listed_with_what_they_hold() {
    let payment = UnmatchedPayment {
        number: "P-00000043".to_owned(),
        account: "A-2".to_owned(),
        reference: Some("pi_4".to_owned()),
        money: Money::new(1_054, Currency::USD),
        unapplied_minor: 1_054,
        held: 3,
    };
    insta::assert_snapshot!(show::unmatched(&[payment]), @"P-00000043  account A-2  10.54 USD, 10.54 USD unapplied  charge pi_4  3 open documents held");
    assert_eq!(show::unmatched(&[]), "no unmatched payments\n");
}
