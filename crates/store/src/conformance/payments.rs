//! Single payments.

use payment_runs_engine::command::{Command, NewPayment, NewPaymentPart, Output};
use payment_runs_engine::document::{Document, DocumentKind};
use payment_runs_engine::ids::PaymentId;
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{PaymentPart, PaymentState};
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::fixtures::{ENTITY, Stand, approved, at, declined, key, scope, today};

fn new_payment(stand: &Stand<'_>, electronic: bool, amount_minor: i64) -> NewPayment {
    NewPayment {
        id: PaymentId::from_u128(stand.id()),
        account: key("A00000001"),
        currency: Currency::USD,
        amount_minor,
        electronic,
        effective_date: today(),
        payment_method: None,
        gateway: None,
        parts: Vec::new(),
        comment: None,
        reference_id: Some("mine".to_owned()),
        standalone: false,
        charge_request: stand.id(),
    }
}

fn part(document: &Document, amount_minor: i64) -> NewPaymentPart {
    NewPaymentPart { kind: DocumentKind::Invoice, document: key(&document.number), amount_minor }
}

pub async fn external_payments_pay_at_once(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2, 1]).await;
    let (documents, foreign) = (&made[0].1, &made[1].1[0]);
    let parts = vec![part(&documents[0], 1_000), part(&documents[1], 400)];
    let new = NewPayment { parts, ..new_payment(&stand, false, 1_500) };
    let Output::Payment(payment) = stand.execute(1, Command::CreatePayment(new)).await else { panic!() };
    assert_eq!((payment.number.as_str(), payment.state), ("P-00000001", PaymentState::Processed));
    assert_eq!((payment.unapplied_minor, payment.settled_at), (100, Some(at(1))));
    let paid = stand.document(&documents[0]).await;
    assert_eq!((paid.balance_minor, paid.paid_minor), (0, 1_000));
    assert_eq!(stand.document(&documents[1]).await.balance_minor, 600);
    assert_eq!(stand.ledger.find_payment(&scope(), &key("P-00000001")).await.unwrap(), Some(payment));

    let parts = vec![part(&documents[1], 601), part(foreign, 5), part(&documents[1], 1)];
    let new = NewPayment { parts, ..new_payment(&stand, false, 600) };
    let reasons = stand.refused(2, Command::CreatePayment(new)).await;
    assert_eq!(
        reasons.len(),
        4,
        "too much, another account's, named twice, more than the amount: {reasons:?}"
    );
    assert_eq!(stand.document(&documents[1]).await.balance_minor, 600, "nothing was written");
}

pub async fn an_electronic_payment_holds_its_documents(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2]).await;
    let documents = &made[0].1;
    let new = NewPayment { parts: vec![part(&documents[0], 1_000)], ..new_payment(&stand, true, 1_000) };
    let id = new.id;
    let output = stand.execute(1, Command::CreatePayment(new)).await;
    let Output::PaymentIntent(payment, intent) = output else { panic!() };
    assert_eq!((payment.state, payment.unapplied_minor), (PaymentState::Intent, 0));
    assert!(!intent.may_have_been_sent);
    assert_eq!(
        &*intent.request.body,
        format!("{} 1000 USD pm_A00000001", intent.request.idempotency_key).as_bytes()
    );
    assert_eq!(stand.document(&documents[0]).await.held_by, Some(id));

    let again = NewPayment { parts: vec![part(&documents[0], 1)], ..new_payment(&stand, false, 1) };
    let reasons = stand.refused(2, Command::CreatePayment(again)).await;
    let number = documents[0].number.clone();
    assert_eq!(reasons, [Refusal::InProgress { noun: Noun::Invoice, number }]);

    let settle = Command::SettlePayment(declined(id));
    let Output::Payment(payment) = stand.execute(3, settle).await else { panic!() };
    assert_eq!(
        (payment.state, payment.answer.code.as_deref()),
        (PaymentState::Declined, Some("card_declined"))
    );
    let free = stand.document(&documents[0]).await;
    assert_eq!((free.held_by, free.balance_minor), (None, 1_000));
    let account = &made[0].0;
    let method = key(account.default_payment_method.unwrap());
    let method = stand.ledger.find_payment_method(&scope(), &method).await.unwrap().unwrap();
    assert_eq!((method.consecutive_failures, method.error_payments), (1, 1));
    assert_eq!(method.last_failed_at, Some(at(3)));

    let new = NewPayment {
        gateway: Some(key("nowhere")),
        payment_method: Some(key("nothing")),
        ..new_payment(&stand, true, 5)
    };
    let reasons = stand.refused(4, Command::CreatePayment(new)).await;
    assert!(reasons.iter().any(|one| matches!(one, Refusal::NotFound { field: Field::Gateway, .. })));
    assert!(reasons.iter().any(|one| matches!(one, Refusal::NotFound { field: Field::PaymentMethod, .. })));
}

pub async fn lists_are_newest_first(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1, 0]).await;
    for index in 0..3 {
        let new = NewPayment {
            account: key(if index == 1 { "A00000002" } else { "A00000001" }),
            ..new_payment(&stand, false, 100)
        };
        stand.execute(index, Command::CreatePayment(new)).await;
    }
    let new = NewPayment { parts: vec![part(&made[0].1[0], 7)], ..new_payment(&stand, true, 7) };
    stand.execute(4, Command::CreatePayment(new)).await;
    let numbers = async |query: PaymentQuery| -> Vec<String> {
        let listed = stand.ledger.list_payments(&scope(), query).await.unwrap();
        listed.into_iter().map(|payment| payment.number).collect()
    };
    let all = PaymentQuery { limit: 10, ..PaymentQuery::default() };
    assert_eq!(numbers(all.clone()).await, ["P-00000004", "P-00000003", "P-00000002", "P-00000001"]);
    let page = PaymentQuery { limit: 2, offset: 1, ..all.clone() };
    assert_eq!(numbers(page).await, ["P-00000003", "P-00000002"]);
    let account = PaymentQuery { account: Some(key("A00000002")), ..all.clone() };
    assert_eq!(numbers(account).await, ["P-00000002"]);
    let nobody = PaymentQuery { account: Some(key("A3")), ..all.clone() };
    assert!(numbers(nobody).await.is_empty());
    let open = PaymentQuery { states: vec![PaymentState::Intent, PaymentState::Unknown], ..all.clone() };
    assert_eq!(numbers(open).await, ["P-00000004"]);
    let listed = stand.ledger.list_payments(&scope(), all).await.unwrap();
    assert_eq!(listed[0].parts, [PaymentPart { document: made[0].1[0].id, amount_minor: 7 }]);
}

pub async fn single_intents_come_up_for_look_ups(stand: Stand<'_>) {
    stand.add_accounts(&[0]).await;
    let new = new_payment(&stand, true, 100);
    let id = new.id;
    stand.execute(10, Command::CreatePayment(new)).await;
    let due = async |now: i64, before: i64| {
        stand.work.due_look_ups(at(now), at(now + 60), at(before), 10).await.unwrap()
    };
    assert!(due(11, 5).await.is_empty(), "its sender may still be at it");
    let handed = due(100, 90).await;
    let [intent] = &handed[..] else { panic!("{handed:?}") };
    assert_eq!((intent.payment, intent.state), (id, PaymentState::Intent));
    assert!(intent.may_have_been_sent);
    assert!(due(101, 90).await.is_empty(), "it was handed out already");
    let again = due(160, 150).await;
    assert_eq!(again[0].look_ups, 1);
    assert_eq!(again[0].request, intent.request, "always the same charge");
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(161), vec![approved(id)]).await.unwrap(), 1);
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(162), vec![approved(id)]).await.unwrap(), 0);
    assert!(due(1_000, 999).await.is_empty());
}
