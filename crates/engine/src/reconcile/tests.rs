#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! What differs, and to which documents a charge leads.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::charge_key;
use crate::document::{Document, DocumentStatus};
use crate::fixtures::{invoice, now};
use crate::ids::{DocumentId, LedgerId, RunId};
use crate::money::Currency;
use crate::payment::PaymentState;
use crate::ports::{ListedState, ListedSubject};

const LEDGER: LedgerId = LedgerId::from_u128(7);

fn key(ordinal: u32) -> String {
    charge_key::of_document(LEDGER, DocumentId::from_u128(9), ordinal)
}

fn charge(name: u32, key: String, state: ListedState) -> ListedCharge {
    ListedCharge {
        reference: format!("ch_{name}"),
        key: Some(key),
        money: Some(Money::new(1_000, Currency::USD)),
        state,
        created_at: now() + Duration::from_secs(u64::from(name)),
        subject: ListedSubject::default(),
    }
}

fn declined() -> ListedState {
    ListedState::Declined { code: "card_declined".to_owned(), message: "No.".to_owned() }
}

fn payment(key: String, reference: Option<&str>, state: PaymentState) -> KnownPayment {
    KnownPayment {
        entity: EntityKey::FIRST,
        id: PaymentId::from_u128(1),
        number: "P-1".to_owned(),
        account: AccountId::from_u128(1),
        state,
        money: Money::new(1_000, Currency::USD),
        key: Some(key),
        reference: reference.map(str::to_owned),
        at: now(),
    }
}

fn compared(charges: Vec<ListedCharge>, payments: &[KnownPayment]) -> Vec<&'static str> {
    let mut comparison = Comparison::default();
    compare_page(&mut comparison, LEDGER, charges, payments);
    let names = comparison.differences.iter().map(|one| match one {
        Difference::Unknown(charge) if charge.key.is_none() => "unknown, without its key",
        Difference::Unknown(_) => "unknown",
        Difference::InDoubt(..) => "in doubt",
        Difference::Extra(..) => "extra",
        Difference::Contradiction(..) => "contradiction",
        Difference::NotListed(_) => "not listed",
    });
    names.collect()
}

#[test]
fn a_charge_is_compared_with_the_payment_of_its_name_or_key() {
    let pending = || ListedState::Pending;
    let unclear = || ListedState::Unclear { why: "it waits".to_owned() };
    for (charge_state, payment_state, difference) in [
        (ListedState::Approved, PaymentState::Processed, None),
        (declined(), PaymentState::Declined, None),
        (pending(), PaymentState::Pending, None),
        (unclear(), PaymentState::Unknown, None),
        (ListedState::Approved, PaymentState::Intent, Some("in doubt")),
        (ListedState::Approved, PaymentState::Unknown, Some("in doubt")),
        (declined(), PaymentState::Pending, Some("in doubt")),
        (pending(), PaymentState::Unknown, Some("in doubt")),
        (declined(), PaymentState::Processed, Some("contradiction")),
        (pending(), PaymentState::Processed, Some("contradiction")),
        (ListedState::Approved, PaymentState::Declined, Some("contradiction")),
    ] {
        let known = payment(key(0), Some("ch_1"), payment_state);
        let found = compared(vec![charge(1, key(0), charge_state.clone())], &[known]);
        assert_eq!(found, Vec::from_iter(difference), "{charge_state:?} {payment_state:?}");
    }
    let other = payment(key(0), Some("ch_9"), PaymentState::Declined);
    assert_eq!(
        compared(vec![charge(1, key(0), ListedState::Approved)], std::slice::from_ref(&other)),
        ["extra"]
    );
    assert_eq!(compared(vec![charge(1, key(0), declined())], &[other]), Vec::<&str>::new());
    let resolved = payment(key(0), None, PaymentState::Processed);
    assert_eq!(compared(vec![charge(1, key(0), ListedState::Approved)], &[resolved]), Vec::<&str>::new());
    let foreign = charge(1, charge_key::of_request(LedgerId::from_u128(8), 1), ListedState::Approved);
    assert_eq!(compared(vec![foreign], &[]), Vec::<&str>::new());
}

#[test]
fn of_several_charges_under_one_key_the_oldest_keeps_it() {
    let newest_first = vec![
        charge(3, key(0), ListedState::Approved),
        charge(2, key(0), declined()),
        charge(1, key(0), ListedState::Approved),
        charge(0, key(1), declined()),
    ];
    let found = compared(newest_first, &[]);
    assert_eq!(found, ["unknown, without its key", "unknown", "unknown"]);
    let approved = || ListedState::Approved;
    for (states, count) in
        [([declined(), declined()], 1), ([declined(), approved()], 1), ([approved(), declined()], 1)]
    {
        let charges = (0_u32..).zip(states).map(|(name, state)| charge(9 - name, key(0), state));
        assert_eq!(compared(charges.collect(), &[]), vec!["unknown"; count]);
    }
}

#[test]
fn a_processed_payment_is_listed_by_its_name_or_its_key() {
    let mut comparison = Comparison::default();
    compare_page(&mut comparison, LEDGER, vec![charge(1, key(0), ListedState::Approved)], &[]);
    assert!(comparison.has(&payment(key(5), Some("ch_1"), PaymentState::Processed)));
    assert!(comparison.has(&payment(key(0), None, PaymentState::Processed)));
    assert!(!comparison.has(&payment(key(5), Some("ch_5"), PaymentState::Processed)));
}

/// Stands for a list of documents.
#[expect(clippy::unnecessary_wraps, reason = "an answer of the port")]
fn digest(documents: &[DocumentId]) -> Option<String> {
    Some(format!("{documents:?}"))
}

fn document(id: u128, balance_minor: i64) -> Document {
    Document { status: DocumentStatus::Posted, ..invoice(id, 1, balance_minor) }
}

/// A charge of these documents.
fn charge_of(documents: &[Document], key: String) -> ListedCharge {
    let ids: Vec<DocumentId> = documents.iter().map(|one| one.id).collect();
    let several = (ids.len() > 1).then_some(ids.len());
    let subject = ListedSubject {
        account: documents.first().map(|one| one.account),
        document: ids.first().copied(),
        documents: several,
        documents_digest: several.and_then(|_| digest(&ids)),
        ..ListedSubject::default()
    };
    ListedCharge { subject, ..charge(1, key, ListedState::Approved) }
}

fn adopted(charge: &ListedCharge, minor: i64, books: &AccountBooks) -> Adoption {
    adopt(charge, Money::new(minor, Currency::USD), books, &digest)
}

#[test]
fn what_leads_nowhere_is_unmatched() {
    let known = document(9, 1_000);
    let books = |named: Option<Document>| AccountBooks { open: named.clone().into_iter().collect(), named };
    let charge = charge_of(std::slice::from_ref(&known), key(0));
    let is_unmatched = |charge: &ListedCharge, books: &AccountBooks| {
        matches!(adopted(charge, 1_000, books), Adoption::Unmatched(_))
    };
    assert!(!is_unmatched(&charge, &books(Some(known.clone()))));
    assert!(is_unmatched(&charge, &books(None)), "no document");
    let elsewhere = Document { account: AccountId::from_u128(99), ..known.clone() };
    assert!(is_unmatched(&charge, &books(Some(elsewhere))));
    let euro = Document { currency: crate::fixtures::euro(), ..known.clone() };
    assert!(is_unmatched(&charge, &books(Some(euro))));
    let held = Document { held_by: Some(PaymentId::from_u128(3)), ..known.clone() };
    assert!(is_unmatched(&charge, &books(Some(held.clone()))));
    let refused = ListedCharge { state: declined(), ..charge.clone() };
    assert_eq!(adopted(&refused, 1_000, &books(Some(held))), Adoption::Documents(Vec::new()));
    let single = ListedCharge { subject: ListedSubject::default(), ..charge.clone() };
    assert!(is_unmatched(&single, &books(Some(known.clone()))), "it names nothing");
    let wrong =
        ListedSubject { documents: Some(2), documents_digest: Some("x".to_owned()), ..charge.subject };
    let wrong = ListedCharge { subject: wrong, ..single };
    assert!(is_unmatched(&wrong, &books(Some(known))));
    let record = charge_of(&[], charge_key::of_record(LEDGER, RunId::from_u128(1), 0));
    assert_eq!(adopted(&record, 1_000, &AccountBooks::default()), Adoption::Standalone);
}

proptest! {
    /// Whatever documents owe by now: they are paid in their order, none beyond its balance, and no more than was charged.
    #[test]
    fn an_adopted_charge_pays_what_is_owed_and_no_more(
        balances in prop::collection::vec(0_i64..500, 1..6),
        before in 0_usize..3,
        amount in 1_i64..2_000,
    ) {
        let others = (0..before).map(|index| document(1 + index as u128, 50));
        let paid: Vec<Document> =
            balances.iter().zip(100_u128..).map(|(balance, id)| document(id, *balance)).collect();
        let books = AccountBooks { named: paid.first().cloned(), open: others.chain(paid.clone()).collect() };
        let charge = charge_of(&paid, key(0));
        let Adoption::Documents(parts) = adopted(&charge, amount, &books) else {
            return Err(TestCaseError::fail("unmatched"));
        };
        let distinct: BTreeSet<DocumentId> = parts.iter().map(|part| part.document).collect();
        prop_assert_eq!(distinct.len(), parts.len());
        for part in &parts {
            let document = paid.iter().find(|one| one.id == part.document).unwrap();
            prop_assert!(part.amount_minor > 0 && part.amount_minor <= document.balance_minor);
        }
        let sum: i64 = parts.iter().map(|part| part.amount_minor).sum();
        prop_assert_eq!(sum, amount.min(balances.iter().sum()));
    }
}
