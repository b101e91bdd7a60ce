//! Invoices and debit memos.

use payment_runs_engine::command::{Command, Load, NewDocument, Output};
use payment_runs_engine::document::{DocumentItem, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::DocumentId;
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::fixtures::{Stand, at, key, scope, today};

fn item(amount_minor: i64, tax_minor: i64) -> DocumentItem {
    DocumentItem {
        amount_minor,
        tax_minor,
        charge_name: Some("Seats".to_owned()),
        service_start: Some(today()),
        service_end: None,
    }
}

fn new_document(stand: &Stand<'_>, kind: DocumentKind) -> NewDocument {
    NewDocument {
        id: DocumentId::from_u128(stand.id()),
        kind,
        number: None,
        account: key("A1"),
        currency: None,
        items: vec![item(900, 100), item(50, 0)],
        document_date: today(),
        due_date: None,
        auto_pay: true,
        post: false,
        bill_run: None,
        payment_method: None,
        comment: None,
        reason_code: None,
    }
}

async fn add_account(stand: &Stand<'_>) {
    let (account, method) = stand.account("A1");
    stand.load(Load { accounts: vec![account], payment_methods: vec![method], ..Load::default() }).await;
}

pub async fn documents_are_created_and_posted(stand: Stand<'_>) {
    add_account(&stand).await;
    for (kind, number) in [(DocumentKind::Invoice, "INV00000001"), (DocumentKind::DebitMemo, "DM00000001")] {
        let new = new_document(&stand, kind);
        let Output::Document(draft) = stand.execute(1, Command::CreateDocument(new)).await else { panic!() };
        assert_eq!((draft.number.as_str(), draft.status), (number, DocumentStatus::Draft));
        assert_eq!((draft.amount_minor, draft.balance_minor, draft.due_date), (1_050, 1_050, today()));
        let items = stand.ledger.document_items(&scope(), &draft).await.unwrap();
        assert_eq!(items, [item(900, 100), item(50, 0)]);

        let post = Command::PostDocument(kind, key(number));
        let Output::Document(posted) = stand.execute(2, post.clone()).await else { panic!() };
        assert_eq!((posted.status, posted.posted_at), (DocumentStatus::Posted, Some(at(2))));
        assert_eq!(stand.document(&draft).await, posted);
        let reasons = stand.refused(3, post).await;
        assert!(matches!(reasons[..], [Refusal::WrongState { .. }]), "{reasons:?}");
    }
    let other = stand.ledger.find_document(&scope(), DocumentKind::DebitMemo, &key("INV00000001")).await;
    assert_eq!(other.unwrap(), None, "an invoice is no debit memo");
}

pub async fn refused_documents_leave_nothing(stand: Stand<'_>) {
    add_account(&stand).await;
    let too_large = NewDocument {
        items: vec![item(i64::MAX, 1)],
        payment_method: Some(key("nothing")),
        ..new_document(&stand, DocumentKind::Invoice)
    };
    let reasons = stand.refused(1, Command::CreateDocument(too_large)).await;
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().any(|one| matches!(one, Refusal::Money { field: Field::Items, .. })));
    for items in [vec![], vec![item(-5, 0)]] {
        let new = NewDocument { items, ..new_document(&stand, DocumentKind::Invoice) };
        let reasons = stand.refused(2, Command::CreateDocument(new)).await;
        assert!(matches!(reasons[..], [Refusal::Invalid { field: Field::Items, .. }]), "{reasons:?}");
    }
    let nobody = NewDocument { account: key("A2"), ..new_document(&stand, DocumentKind::Invoice) };
    let reasons = stand.refused(3, Command::CreateDocument(nobody)).await;
    assert!(matches!(reasons[..], [Refusal::NotFound { noun: Noun::Account, field: Field::Account, .. }]));
    let next = new_document(&stand, DocumentKind::Invoice);
    let Output::Document(next) = stand.execute(4, Command::CreateDocument(next)).await else { panic!() };
    assert_eq!(next.number, "INV00000001", "a refused command uses no number up");
}
