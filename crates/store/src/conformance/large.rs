//! Runs that are cut into many chunks.

use payment_runs_engine::ports::ledger::DecisionQuery;
use payment_runs_engine::run::RunStatus;

use super::fixtures::{ENTITY, Stand, approved, at, lease};

/// An account with more documents than a chunk holds is worked off piece by piece, in its order.
pub async fn a_large_account_is_opened_in_order(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1, 10, 1]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 4).await;
    // (1) (4) (4) (2) (1): the second and third pieces of the large account wait for the ones before them.
    let mut claims = Vec::new();
    while let Some(claim) = stand.claim(3).await {
        claims.push(claim);
    }
    let chunks: Vec<_> = claims.iter().map(|claim| claim.chunk.unwrap()).collect();
    assert_eq!(chunks, [0, 1, 4]);
    for (claim, next) in [(1, Some(2)), (0, None), (2, None)] {
        stand.open(&claims[claim], 4).await;
        let claimed = stand.claim(4).await;
        assert_eq!(claimed.as_ref().and_then(|claim| claim.chunk), next, "after chunk {}", chunks[claim]);
        claims.extend(claimed);
    }
    stand.open(&claims[3], 5).await;
    let last = stand.claim(5).await.unwrap();
    assert_eq!(last.chunk, Some(3));
    stand.open(&last, 5).await;

    let query = DecisionQuery { limit: 100, ..DecisionQuery::default() };
    let decisions = stand.ledger.list_decisions(ENTITY, run.id, query).await.unwrap();
    let numbers: Vec<_> = decisions.iter().map(|(_, decision)| decision.number.clone()).collect();
    let wanted: Vec<_> =
        made.iter().flat_map(|(_, documents)| documents.iter().map(|one| one.number.clone())).collect();
    assert_eq!(numbers, wanted, "every document once, in order");
    assert!(decisions.iter().all(|(_, decision)| decision.payment.is_some()));
}

/// However often the selection is taken over, the run is cut in the same places and every document is paid once.
pub async fn a_restarted_selection_cuts_the_same_chunks(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2, 3, 9, 1, 1, 4]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    let mut second = 2;
    loop {
        let claim =
            stand.work.claim_selection(at(second), lease(second), stand.ids()).await.unwrap().unwrap();
        if stand.work.extend_selection(&claim, at(second), 1, 3).await.unwrap() {
            break;
        }
        // Its worker is gone after one chunk.
        second += 100;
    }
    let intents = stand.work_off(second, approved).await;
    assert_eq!(intents.len(), 20);
    let keys: std::collections::BTreeSet<_> =
        intents.iter().map(|intent| intent.request.idempotency_key.clone()).collect();
    assert_eq!(keys.len(), 20);
    for document in made.iter().flat_map(|(_, documents)| documents) {
        assert_eq!(stand.document(document).await.balance_minor, 0);
    }
    assert_eq!(stand.run(&run).await.status, RunStatus::Completed);
}
