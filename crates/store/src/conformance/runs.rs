//! Runs as their callers see them.

use payment_runs_engine::account::Scope;
use payment_runs_engine::command::{Change, Command, NewRun, Output, Request, RunChange};
use payment_runs_engine::ids::{AccountId, GatewayId, OrganizationId, RunId};
use payment_runs_engine::ports::ledger::{RunCondition, RunQuery, RunSort};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::{DeletePolicy, Run, RunFilter, RunStatus};

use super::fixtures::{ENTITY, Stand, USER, at, key, scope, today};

pub async fn life_of_a_pending_run(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let filter = RunFilter { account: Some(made[0].0.id), ..RunFilter::default() };
    let run = stand.create_run(1, NewRun { filter, ..stand.new_run() }).await;
    assert_eq!((run.number.as_str(), run.status), ("PR-00000001", RunStatus::Pending));
    for key in [key(run.id), key(&run.number)] {
        assert_eq!(stand.ledger.find_run(&scope(), &key).await.unwrap().as_ref(), Some(&run));
    }

    let conflict = RunChange { batch: Change::Set("Batch1".to_owned()), ..RunChange::default() };
    let reasons = stand.refused(2, Command::UpdateRun(key(run.id), conflict)).await;
    assert_eq!(reasons, [Refusal::Excludes { field: Field::Account, other: Field::Batch }]);
    let change = RunChange {
        account: Change::Clear,
        batch: Change::Set("Batch1".to_owned()),
        collect_payment: Some(false),
        ..RunChange::default()
    };
    let Output::Run(changed) = stand.execute(3, Command::UpdateRun(key(run.id), change)).await else {
        panic!()
    };
    assert_eq!((changed.filter.account, changed.filter.batch.as_deref()), (None, Some("Batch1")));
    assert_eq!((changed.options.collect_payment, changed.stamps.updated_at), (false, at(3)));
    assert_eq!(stand.run(&run).await, changed);

    assert!(matches!(
        stand.refused(4, Command::DeleteRun(key(run.id), DeletePolicy::CanceledOrError)).await[..],
        [Refusal::WrongState { noun: Noun::PaymentRun, .. }]
    ));
    let Output::Run(canceled) = stand.execute(5, Command::CancelRun(key(run.id))).await else { panic!() };
    assert_eq!(canceled.status, RunStatus::Canceled);
    for command in [Command::CancelRun(key(run.id)), Command::UpdateRun(key(run.id), RunChange::default())] {
        assert!(matches!(stand.refused(6, command).await[..], [Refusal::WrongState { .. }]));
    }
    assert_eq!(stand.work.next_run_at().await.unwrap(), None);
    assert_eq!(
        stand.execute(7, Command::DeleteRun(key(run.id), DeletePolicy::CanceledOrError)).await,
        Output::Deleted
    );
    assert_eq!(stand.ledger.find_run(&scope(), &key(run.id)).await.unwrap(), None);
    assert!(matches!(
        stand.refused(8, Command::DeleteRun(key(run.id), DeletePolicy::CanceledOrError)).await[..],
        [Refusal::NotFound { field: Field::Path, .. }]
    ));
    let all = RunQuery { limit: 10, ..RunQuery::default() };
    assert!(stand.ledger.list_runs(&scope(), all).await.unwrap().is_empty());
    assert_eq!(stand.create_run(9, stand.new_run()).await.number, "PR-00000002", "its number stays taken");
}

pub async fn refusals_of_runs(stand: Stand<'_>) {
    let filter = RunFilter {
        account: Some(AccountId::from_u128(1)),
        gateway: Some(GatewayId::from_u128(2)),
        ..RunFilter::default()
    };
    let new = NewRun { filter, target_date: None, ..stand.new_run() };
    let id: RunId = new.id;
    let reasons = stand.refused(1, Command::CreateRun(new)).await;
    let not_found = |noun, field| {
        reasons.iter().any(
            |one| matches!(one, Refusal::NotFound { noun: n, field: f, .. } if (*n, *f) == (noun, field)),
        )
    };
    assert!(not_found(Noun::Account, Field::Account));
    assert!(not_found(Noun::PaymentGateway, Field::Gateway));
    assert!(reasons.contains(&Refusal::Excludes { field: Field::Account, other: Field::Gateway }));
    assert!(reasons.iter().any(|one| matches!(one, Refusal::OneNeeded { .. })), "neither date");
    assert_eq!(stand.ledger.find_run(&scope(), &key(id)).await.unwrap(), None);
}

pub async fn who_may_see_no_organization_makes_no_run(stand: Stand<'_>) {
    let nothing = Scope { entity: ENTITY, organizations: Some(vec![]) };
    for organizations in [vec![], vec![OrganizationId::from_u128(1)]] {
        let command = Command::CreateRun(NewRun { organizations, ..stand.new_run() });
        let request = stand.request(1, command);
        let reasons = stand.try_execute(Request { scope: nothing.clone(), ..request }).await.unwrap_err();
        assert!(
            reasons
                .iter()
                .any(|reason| matches!(reason, Refusal::Invalid { field: Field::Organizations, .. })),
            "{reasons:?}"
        );
    }
    let all = RunQuery { limit: 10, ..RunQuery::default() };
    assert!(stand.ledger.list_runs(&scope(), all).await.unwrap().is_empty());
}

pub async fn conditions_and_sorts(stand: Stand<'_>) {
    let east = OrganizationId::from_u128(1);
    let mut runs = Vec::new();
    for second in 0..4 {
        let new = NewRun {
            target_date: today().checked_add(jiff::Span::new().days(3 - second)).ok(),
            organizations: if second == 2 { vec![east] } else { Vec::new() },
            ..stand.new_run()
        };
        runs.push(stand.create_run(second, new).await);
    }
    stand.execute(9, Command::CancelRun(key(runs[1].id))).await;
    let list = async |scope: Scope, query: RunQuery| -> Vec<String> {
        let listed: Vec<Run> = stand.ledger.list_runs(&scope, RunQuery { limit: 10, ..query }).await.unwrap();
        listed.into_iter().map(|run| run.number[10..].to_owned()).collect()
    };
    let sorted = |sort| RunQuery { sort, ..RunQuery::default() };
    let only = |condition| RunQuery { conditions: vec![condition], ..RunQuery::default() };
    assert_eq!(list(scope(), RunQuery::default()).await, ["4", "3", "2", "1"]);
    assert_eq!(list(scope(), sorted(vec![(RunSort::Number, true)])).await, ["1", "2", "3", "4"]);
    assert_eq!(list(scope(), sorted(vec![(RunSort::TargetDate, true)])).await, ["4", "3", "2", "1"]);
    let by_status = sorted(vec![(RunSort::Status, false), (RunSort::CreatedAt, true)]);
    assert_eq!(list(scope(), by_status).await, ["2", "1", "3", "4"]);
    assert_eq!(list(scope(), only(RunCondition::Status(Some(RunStatus::Canceled)))).await, ["2"]);
    assert_eq!(list(scope(), only(RunCondition::TargetDate(runs[2].target_date))).await, ["3"]);
    assert_eq!(list(scope(), only(RunCondition::CreatedAt(vec![at(3)]))).await, ["4"]);
    assert_eq!(list(scope(), only(RunCondition::CreatedAt(vec![at(0), at(3)]))).await, ["4", "1"]);
    assert!(list(scope(), only(RunCondition::CreatedAt(Vec::new()))).await.is_empty());
    assert_eq!(list(scope(), only(RunCondition::UpdatedAt(vec![at(9)]))).await, ["2"]);
    assert_eq!(list(scope(), only(RunCondition::CreatedBy(Some(USER)))).await.len(), 4);
    assert!(list(scope(), only(RunCondition::UpdatedBy(None))).await.is_empty());
    assert!(list(scope(), only(RunCondition::Never)).await.is_empty());
    let page =
        stand.ledger.list_runs(&scope(), RunQuery { offset: 1, limit: 2, ..RunQuery::default() }).await;
    let page: Vec<String> = page.unwrap().into_iter().map(|run| run.number).collect();
    assert_eq!(page, ["PR-00000003", "PR-00000002"]);
    let scoped = Scope { entity: ENTITY, organizations: Some(vec![east]) };
    assert_eq!(list(scoped.clone(), RunQuery::default()).await, ["3"], "the run that is for no others");
    assert!(stand.ledger.find_run(&scoped, &key(runs[0].id)).await.unwrap().is_none());
}
