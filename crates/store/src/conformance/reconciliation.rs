//! What a reconciliation writes: charges that the ledger lacks, and what a person decides about them.

use std::sync::Arc;

use payment_runs_engine::account::Account;
use payment_runs_engine::audit::{AuditQuery, EventKind};
use payment_runs_engine::charge_key;
use payment_runs_engine::document::Document;
use payment_runs_engine::ids::DocumentId;
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::reconciliation::{Differences, PROCESSED_PAGE_MAX};
use payment_runs_engine::ports::{
    ListedCharge, ListedState, ListedSubject, MatchDecision, Matched, UnmatchedPayment,
};
use payment_runs_engine::reconcile::{Difference, Finding, Remedy};

use super::fixtures::{ENTITY, GATEWAY, Stand, approved, at, declined, scope};

/// Stands for a list of documents.
fn digest(documents: &[DocumentId]) -> String {
    documents.iter().map(DocumentId::to_string).collect::<Vec<_>>().join(";")
}

/// An approved charge for documents of an account that the ledger does not know.
async fn charge(
    stand: &Stand<'_>,
    (name, account, documents): (&str, &Account, &[&Document]),
    minor: i64,
) -> ListedCharge {
    let ledger = stand.watch.watched_ledger().await.unwrap();
    let ids: Vec<DocumentId> = documents.iter().map(|one| one.id).collect();
    let several = (ids.len() > 1).then_some(ids.len());
    ListedCharge {
        reference: name.to_owned(),
        key: Some(charge_key::of_document(ledger, ids[0], 0)),
        money: Some(Money::new(minor, account.currency)),
        state: ListedState::Approved,
        created_at: at(1),
        subject: ListedSubject {
            ledger: Some(ledger),
            entity: Some(ENTITY),
            account: Some(account.id),
            document: Some(ids[0]),
            documents: several,
            documents_digest: several.map(|_| digest(&ids)),
        },
    }
}

async fn settle(stand: &Stand<'_>, charges: &[ListedCharge], is_applied: bool) -> Vec<Finding> {
    let differences = charges.iter().cloned().map(Difference::Unknown).collect();
    let work = Differences {
        gateway: GATEWAY,
        differences,
        digest: Arc::new(|one| Some(digest(one))),
        now: at(9),
        is_applied,
    };
    stand.reconciliation.settle_differences(work, stand.ids()).await.unwrap()
}

fn documents_of(finding: &Finding) -> (&[String], i64) {
    match &finding.remedy {
        Remedy::Adopted { documents, unapplied_minor, .. } => (documents, *unapplied_minor),
        other => panic!("{other:?}"),
    }
}

/// An unmatched payment of 20.00: the charge names a list of documents that the ledger cannot tell.
async fn unmatched(stand: &Stand<'_>, account: &Account, documents: &[Document]) -> UnmatchedPayment {
    let mut lost = charge(stand, ("ch_lost", account, &[&documents[0], &documents[1]]), 2_000).await;
    lost.subject.documents_digest = Some("another list".to_owned());
    let found = settle(stand, &[lost], true).await;
    assert!(matches!(&found[0].remedy, Remedy::Unmatched { .. }), "{found:?}");
    let mut unmatched = stand.reconciliation.unmatched_payments().await.unwrap();
    assert_eq!(unmatched.len(), 1);
    unmatched.remove(0)
}

pub async fn charges_become_payments_of_what_they_name(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1, 2, 1]).await;
    let [(one, first), (two, second), (three, third)] = &made[..] else { panic!("{made:?}") };
    let all: Vec<&Document> = second.iter().collect();
    let mut refused = charge(&stand, ("ch_3", three, &[&third[0]]), 1_000).await;
    refused.state = ListedState::Declined { code: "card_declined".to_owned(), message: "no".to_owned() };
    let mut stranger = charge(&stand, ("ch_4", one, &[&first[0]]), 1_000).await;
    stranger.key = Some(charge_key::of_request(stand.watch.watched_ledger().await.unwrap(), 4));
    stranger.subject.account = None;
    let charges = [
        charge(&stand, ("ch_1", one, &[&first[0]]), 1_300).await,
        charge(&stand, ("ch_2", two, &all), 2_000).await,
        refused,
        stranger,
    ];
    let found = settle(&stand, &charges, true).await;
    assert_eq!(
        documents_of(&found[0]),
        (&[first[0].number.clone()][..], 300),
        "what is too much is unapplied"
    );
    assert_eq!(documents_of(&found[1]), (&[second[0].number.clone(), second[1].number.clone()][..], 0));
    assert_eq!(found[0].account.as_deref(), Some(one.number.as_str()));
    assert_eq!(found[3].remedy, Remedy::Noted, "it names no account");
    let paid = [(&first[0], 0), (&second[0], 0), (&second[1], 0), (&third[0], 1_000)];
    for (document, balance) in paid {
        assert_eq!(stand.document(document).await.balance_minor, balance, "{}", document.number);
    }
    assert_eq!(settle(&stand, &charges[3..], true).await, [], "what was noted is no news");

    let keys = charges.iter().filter_map(|one| one.key.clone()).collect();
    let known = stand.reconciliation.payments_of(GATEWAY, keys, vec!["ch_2".to_owned()]).await.unwrap();
    let mut states: Vec<_> = known.iter().map(|one| (one.reference.as_deref(), one.state)).collect();
    states.sort();
    let processed = PaymentState::Processed;
    assert_eq!(states[..2], [(Some("ch_1"), processed), (Some("ch_2"), processed)]);
    assert_eq!((states.len(), states[2].1), (3, PaymentState::Declined));
}

pub async fn a_report_writes_nothing(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let (account, documents) = &made[0];
    let charges = [charge(&stand, ("ch_1", account, &[&documents[0]]), 1_000).await];
    let found = settle(&stand, &charges, false).await;
    assert_eq!(documents_of(&found[0]).0, [documents[0].number.clone()]);
    assert_eq!(settle(&stand, &charges, false).await, found, "it says the same again");
    assert_eq!(stand.document(&documents[0]).await, documents[0]);
    let key = charges[0].key.clone().unwrap();
    assert_eq!(stand.reconciliation.payments_of(GATEWAY, vec![key], Vec::new()).await.unwrap(), []);
}

pub async fn an_unmatched_payment_keeps_runs_off_until_a_person_decides(stand: Stand<'_>) {
    let made = stand.add_accounts(&[3, 1]).await;
    let [(one, documents), (_, others)] = &made[..] else { panic!("{made:?}") };
    let payment = unmatched(&stand, one, documents).await;
    assert_eq!((payment.account.as_str(), payment.held), (one.number.as_str(), 3));
    assert_eq!((payment.money.minor, payment.unapplied_minor), (2_000, 2_000));

    let collect = async |second: i64| {
        stand.create_run(second, stand.new_run()).await;
        stand.select(second, 4).await;
        stand.work_off(second, declined).await.iter().map(|one| one.request.money.minor).collect::<Vec<_>>()
    };
    assert_eq!(collect(10).await, [1_000], "only the other account is charged");
    let decide = async |number: &str, decision: MatchDecision| {
        stand.reconciliation.match_payment(number, decision, at(12)).await.unwrap()
    };
    let apply =
        |numbers: &[&Document]| MatchDecision::Apply(numbers.iter().map(|one| one.number.clone()).collect());
    assert_eq!(decide("P-99999999", MatchDecision::Release).await, Matched::NoPayment);
    let foreign = others[0].number.clone();
    assert_eq!(decide(&payment.number, apply(&[&others[0]])).await, Matched::NoDocument(foreign));
    let left = Money::new(0, one.currency);
    let paid = [&documents[2], &documents[0]];
    assert_eq!(decide(&payment.number, apply(&paid)).await, Matched::Done(left));
    assert_eq!(decide(&payment.number, MatchDecision::Release).await, Matched::NoPayment, "it was decided");
    assert_eq!(stand.reconciliation.unmatched_payments().await.unwrap(), []);
    for (document, balance) in documents.iter().zip([0, 1_000, 0]) {
        assert_eq!(stand.document(document).await.balance_minor, balance, "{}", document.number);
    }
    assert_eq!(collect(13).await, [1_000, 1_000], "what it left is collected");

    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let trail = stand.ledger.list_audit_records(&scope(), query).await.unwrap();
    let matched = trail.iter().filter(|record| record.kind == EventKind::PaymentMatched);
    let details: Vec<_> = matched.map(|record| (record.detail.as_deref(), record.state)).collect();
    assert_eq!(details, [(Some("applied to documents"), Some(PaymentState::Processed))]);
}

pub async fn processed_payments_come_page_by_page(stand: Stand<'_>) {
    stand.add_accounts(&[1; 7]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 4).await;
    let intents = stand.work_off(3, approved).await;
    assert!(intents.len() < PROCESSED_PAGE_MAX);
    let page = stand.reconciliation.processed_since(GATEWAY, at(1), None).await.unwrap();
    assert_eq!(page.len(), 7);
    assert!(page.windows(2).all(|pair| pair[0].id < pair[1].id), "in the order of their identifiers");
    let rest = stand.reconciliation.processed_since(GATEWAY, at(1), Some(page[2].id)).await.unwrap();
    assert_eq!(rest, page[3..]);
    assert_eq!(stand.reconciliation.processed_since(GATEWAY, at(60), None).await.unwrap(), []);
}
