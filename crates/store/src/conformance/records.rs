//! Runs that are told exactly what to collect.

use payment_runs_engine::command::NewRun;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ports::ledger::RecordTransaction;
use payment_runs_engine::run::{DataRecord, RunStatus};

use super::fixtures::{ENTITY, Stand, approved, declined, key};

pub async fn records_are_judged_one_by_one(stand: Stand<'_>) {
    let made = stand.add_accounts(&[3, 1]).await;
    let (first, second) = (&made[0], &made[1]);
    let record = |account: &str, document: Option<&str>| DataRecord {
        account: Some(key(account)),
        account_is_number: true,
        document_kind: document.map(|_| DocumentKind::Invoice),
        document: document.map(key),
        document_is_number: true,
        ..DataRecord::default()
    };
    let records = vec![
        DataRecord { amount: Some((250, 2)), ..record("A00000001", Some(&first.1[1].number)) },
        record("nobody", None),
        record("A00000002", None),
        record("A00000001", Some("INV404")),
    ];
    let run = stand.create_run(1, NewRun { records: records.clone(), ..stand.new_run() }).await;
    assert_eq!(run.record_count, 4);
    stand.select(2, 2).await;
    let bad = second.1[0].id;
    let before = stand.ledger.list_records(ENTITY, run.id, 0, 10).await.unwrap();
    assert_eq!(before.iter().map(|one| &one.record).collect::<Vec<_>>(), records.iter().collect::<Vec<_>>());
    assert!(before.iter().all(|one| !one.decided));

    let mut payments = Vec::new();
    while let Some(claim) = stand.claim(3).await {
        for intent in stand.open(&claim, 3).await {
            let payment =
                stand.ledger.find_payment(&super::fixtures::scope(), &key(intent.payment)).await.unwrap();
            let payment = payment.unwrap();
            let is_bad = payment.parts.iter().any(|part| part.document == bad);
            let settlement = if is_bad { declined(intent.payment) } else { approved(intent.payment) };
            stand.work.settle(&claim, super::fixtures::at(4), vec![settlement]).await.unwrap();
            payments.push(payment);
        }
        stand.work.close_chunk(&claim, super::fixtures::at(4)).await.unwrap();
    }
    assert_eq!(stand.work.finish_runs(super::fixtures::at(5)).await.unwrap(), [run.id]);
    assert_eq!(stand.run(&run).await.status, RunStatus::Completed);
    assert_eq!(payments.len(), 2);
    assert_eq!(stand.document(&first.1[1]).await.balance_minor, 750, "a partial amount");
    assert_eq!(stand.document(&first.1[0]).await.balance_minor, 1_000, "not asked for");

    let after = stand.ledger.list_records(ENTITY, run.id, 0, 10).await.unwrap();
    assert!(after.iter().all(|one| one.decided));
    assert_eq!(after[0].error, None);
    assert!(matches!(&after[0].transactions[..], [RecordTransaction::Payment { applied_minor: 250, .. }]));
    assert!(after[1].error.is_some() && after[1].transactions.is_empty(), "the account is unknown");
    assert_eq!(after[2].error.as_ref().map(|(code, _)| code.as_str()), Some("card_declined"));
    assert!(after[3].error.is_some(), "the document is unknown");
    let page = stand.ledger.list_records(ENTITY, run.id, 2, 1).await.unwrap();
    assert_eq!(page.iter().map(|one| one.position).collect::<Vec<_>>(), [2]);

    let tallies = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap();
    let processed: i64 = tallies.values().map(|tally| tally.processed_records).sum();
    let failed: i64 = tallies.values().map(|tally| tally.error_records).sum();
    assert_eq!((processed, failed), (1, 3));
}
