//! Credit memos, unapplied payments and credit balance.

use payment_runs_engine::command::{Command, Load, NewCreditMemo, NewRun, Output};
use payment_runs_engine::document::DocumentStatus;
use payment_runs_engine::ids::CreditMemoId;
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::PaymentPart;
use payment_runs_engine::ports::ledger::DecisionQuery;
use payment_runs_engine::refusal::{Field, Refusal};
use payment_runs_engine::run::{Count, RunOptions};

use super::fixtures::{ENTITY, Stand, approved, key, scope, today};

pub async fn credit_memos_are_created_and_posted(stand: Stand<'_>) {
    let (account, method) = stand.account("A1");
    stand.load(Load { accounts: vec![account], payment_methods: vec![method], ..Load::default() }).await;
    let new = NewCreditMemo {
        id: CreditMemoId::from_u128(stand.id()),
        number: None,
        account: key("A1"),
        currency: None,
        amount_minor: 500,
        effective_date: today(),
        post: false,
        comment: Some("sorry".to_owned()),
        reason_code: None,
    };
    let none = NewCreditMemo { amount_minor: 0, ..new.clone() };
    let reasons = stand.refused(1, Command::CreateCreditMemo(none)).await;
    assert!(matches!(reasons[..], [Refusal::Invalid { field: Field::Amount, .. }]));
    let Output::CreditMemo(memo) = stand.execute(1, Command::CreateCreditMemo(new)).await else { panic!() };
    assert_eq!((memo.number.as_str(), memo.status), ("CM00000001", DocumentStatus::Draft));
    let post = Command::PostCreditMemo(key("CM00000001"));
    let Output::CreditMemo(posted) = stand.execute(2, post.clone()).await else { panic!() };
    assert_eq!(posted.status, DocumentStatus::Posted);
    let found = stand.ledger.find_credit_memo(&scope(), &key(memo.id)).await.unwrap();
    assert_eq!(found, Some(posted));
    assert!(matches!(stand.refused(3, post).await[..], [Refusal::WrongState { .. }]));
}

/// 100 owed: a memo of 30, an unapplied payment of 20, and the rest of 50 is charged.
pub async fn credits_go_first_and_money_is_conserved(stand: Stand<'_>) {
    stand.add_gateway().await;
    let (account, method) = stand.account("A1");
    let document = stand.invoice(&account, "INV1", 100);
    let memo = stand.credit_memo(&account, "CM1", 30);
    let unapplied = stand.unapplied_payment(&account, "P-1", 20);
    stand
        .load(Load {
            accounts: vec![account.clone()],
            payment_methods: vec![method],
            documents: vec![document.clone()],
            credit_memos: vec![memo.clone()],
            payments: vec![unapplied.clone()],
            gateways: Vec::new(),
        })
        .await;
    let options = RunOptions {
        auto_apply_credit_memo: true,
        auto_apply_unapplied_payment: true,
        ..RunOptions::default()
    };
    let run = stand.create_run(1, NewRun { options, ..stand.new_run() }).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    assert_eq!(intents.len(), 1);

    let held = stand.document(&document).await;
    assert_eq!((held.balance_minor, held.credited_minor, held.paid_minor), (50, 30, 20));
    assert_eq!(held.held_by, Some(intents[0].payment));
    let used = stand.ledger.find_credit_memo(&scope(), &key(memo.id)).await.unwrap().unwrap();
    assert_eq!(used.unapplied_minor, 0);
    let used = stand.ledger.find_payment(&scope(), &key(unapplied.id)).await.unwrap().unwrap();
    assert_eq!(used.unapplied_minor, 0);
    assert_eq!(used.parts, [PaymentPart { document: document.id, amount_minor: 20 }]);

    stand.work.settle(&claim, super::fixtures::at(4), vec![approved(intents[0].payment)]).await.unwrap();
    let paid = stand.document(&document).await;
    assert_eq!((paid.balance_minor, paid.credited_minor, paid.paid_minor), (0, 30, 70));
    assert_eq!(paid.held_by, None);
    let tallies = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap();
    let tally = tallies[&Currency::USD];
    assert_eq!(tally.invoices, Count { number: 1, amount_minor: 100 });
    assert_eq!(tally.credit_memos, Count { number: 1, amount_minor: 30 });
    assert_eq!(tally.unapplied_payments, Count { number: 1, amount_minor: 20 });
    assert_eq!(tally.payments, Count { number: 1, amount_minor: 50 });
    assert_eq!(tally.unprocessed_invoices, Count::default());
    let query = DecisionQuery { limit: 10, ..DecisionQuery::default() };
    let decisions = stand.ledger.list_decisions(ENTITY, run.id, query).await.unwrap();
    let [(_, decision)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((decision.balance_minor, decision.credit_minor, decision.charge_minor), (100, 50, 50));
    assert_eq!(decision.payment, Some(intents[0].payment));
}
