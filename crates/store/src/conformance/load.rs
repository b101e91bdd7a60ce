//! Bulk loading.

use payment_runs_engine::account::Account;
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{CreditMemo, Document};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::StoreError;
use payment_runs_engine::run::RunOptions;

use super::fixtures::{ENTITY, Stand, approved, key, scope};

/// An import that is repeated after a run must not make what was paid owed again.
pub async fn loading_again_takes_no_money_back(stand: Stand<'_>) {
    stand.add_gateway().await;
    let (account, method) = stand.account("A1");
    let load = Load {
        documents: vec![stand.invoice(&account, "INV1", 100), stand.invoice(&account, "INV2", 100)],
        credit_memos: vec![stand.credit_memo(&account, "CM1", 30)],
        payments: vec![stand.unapplied_payment(&account, "P-1", 20)],
        accounts: vec![Account { credit_balance_minor: 7, ..account }],
        payment_methods: vec![method],
        gateways: Vec::new(),
    };
    stand.load(load.clone()).await;
    let options = RunOptions {
        auto_apply_credit_memo: true,
        auto_apply_unapplied_payment: true,
        ..RunOptions::default()
    };
    let new = payment_runs_engine::command::NewRun { options, ..stand.new_run() };
    stand.create_run(1, new).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    stand.work.settle(&claim, super::fixtures::at(4), vec![approved(intents[0].payment)]).await.unwrap();
    let state = async || -> (Vec<Document>, Option<CreditMemo>, Option<Payment>) {
        let mut documents = Vec::new();
        for document in &load.documents {
            documents.push(stand.document(document).await);
        }
        let memo = stand.ledger.find_credit_memo(&scope(), &key("CM1")).await.unwrap();
        (documents, memo, stand.ledger.find_payment(&scope(), &key("P-1")).await.unwrap())
    };
    let before = state().await;
    assert!(before.0.iter().any(|document| document.balance_minor == 0), "one is paid");
    assert!(before.0.iter().any(|document| document.held_by.is_some()), "one is on its way");

    let mut renamed = load.clone();
    "Another name".clone_into(&mut renamed.accounts[0].name);
    renamed.accounts[0].credit_balance_minor = 1_000;
    stand.load(renamed).await;
    assert_eq!(state().await, before);
    let account = stand.ledger.find_account(&scope(), &key("A1")).await.unwrap().unwrap();
    assert_eq!((account.name.as_str(), account.credit_balance_minor), ("Another name", 7));
    let method = stand.ledger.find_payment_method(&scope(), &key(load.payment_methods[0].id)).await;
    assert_eq!(method.unwrap().unwrap().processed_payments, 1, "its history stays");
}

pub async fn numbers_that_are_taken_are_refused_whole(stand: Stand<'_>) {
    let (first, _) = stand.account("A1");
    let (same_number, _) = stand.account("A1");
    let (other, _) = stand.account("A2");
    stand.load(Load { accounts: vec![first.clone()], ..Load::default() }).await;
    let load = Load { accounts: vec![other.clone(), same_number], ..Load::default() };
    let error = stand.ledger.load(ENTITY, load).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error:?}");
    assert_eq!(stand.ledger.find_account(&scope(), &key("A2")).await.unwrap(), None, "nothing was written");
    assert_eq!(stand.ledger.find_account(&scope(), &key("A1")).await.unwrap(), Some(first));
}
