//! Rules that show only in what is stored.

use payment_runs_engine::command::{Load, NewRun};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::TransactionResult;
use payment_runs_engine::run::{Count, RunOptions};

use super::fixtures::{ENTITY, Stand, approved, at, declined, key, scope};

/// The payment method's counters, which retry rules read, move with each outcome, and an approval begins them anew.
pub async fn retry_counters_follow_the_outcomes(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let method = made[0].0.default_payment_method.unwrap();
    let steps = [(declined as fn(_) -> _, 1, 1, 0), (declined, 2, 2, 0), (approved, 0, 2, 1)];
    for (second, (outcome, failures, errors, processed)) in (1..).zip(steps) {
        stand.create_run(second * 10, stand.new_run()).await;
        stand.select(second * 10, 10).await;
        assert_eq!(stand.work_off(second * 10, outcome).await.len(), 1);
        let stored = stand.ledger.find_payment_method(&scope(), &key(method)).await.unwrap().unwrap();
        assert_eq!(stored.consecutive_failures, failures);
        assert_eq!((stored.error_payments, stored.processed_payments), (errors, processed));
        assert_eq!(stored.last_transaction_at, Some(at(second * 10)));
        let was_declined = processed == 0;
        assert_eq!(stored.last_transaction == Some(TransactionResult::Declined), was_declined);
        assert_eq!(stored.last_failed_at == Some(at(second * 10)), was_declined);
    }
}

/// A credit memo that pays documents of several chunks counts once.
pub async fn credits_of_a_large_account_count_once(stand: Stand<'_>) {
    let made = stand.add_accounts(&[7, 1]).await;
    let (large, small) = (&made[0].0, &made[1].0);
    let memos = vec![
        stand.credit_memo(large, "CM1", 4_500),
        stand.credit_memo(large, "CM2", 2_000),
        stand.credit_memo(small, "CM3", 100),
    ];
    stand.load(Load { credit_memos: memos, ..Load::default() }).await;
    let options = RunOptions { auto_apply_credit_memo: true, ..RunOptions::default() };
    let run = stand.create_run(1, NewRun { options, ..stand.new_run() }).await;
    stand.select(2, 2).await;
    stand.work_off(3, approved).await;
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.credit_memos, Count { number: 3, amount_minor: 6_600 });
    assert_eq!(tally.payments, Count { number: 2, amount_minor: 1_400 });
    assert_eq!(tally.invoices, Count { number: 8, amount_minor: 8_000 });
}
