//! The work of runs: claims, plans, outcomes, ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::ToSpan;
use payment_runs_engine::account::Scope;
use payment_runs_engine::audit::AuditQuery;
use payment_runs_engine::charge_key;
use payment_runs_engine::command::{Command, Load, NewRun};
use payment_runs_engine::ids::{BillRunId, EntityKey, GatewayId, LedgerId, PaymentId, RunId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::{DecisionQuery, PaymentQuery};
use payment_runs_engine::ports::{ChunkStage, Ids, Intent, Outcome, Settlement, StoreError};
use payment_runs_engine::run::{Count, DeletePolicy, RunFilter, RunStatus, SkipReason};

use super::fixtures::{
    ENTITY, Encoder, GATEWAY, LEASE_MS, Stand, approved, at, declined, key, lease, not_sent, scope, today,
    unknown, wrong,
};

const LEASE_S: i64 = LEASE_MS / 1_000;

pub async fn a_run_from_end_to_end(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2, 0, 3]).await;
    assert_eq!(stand.work.next_run_at().await.unwrap(), None);
    let run = stand.create_run(1, stand.new_run()).await;
    assert_eq!(stand.work.next_run_at().await.unwrap(), Some(at(1)));
    stand.select(2, 2).await;
    let started = stand.run(&run).await;
    assert_eq!((started.status, started.executed_at), (RunStatus::Processing, Some(at(2))));
    assert_eq!(stand.work.next_run_at().await.unwrap(), None);
    assert!(stand.work.claim_selection(at(2), lease(2), stand.ids()).await.unwrap().is_none());

    let claim = stand.claim(3).await.unwrap();
    assert_eq!((claim.run, claim.chunk, claim.stage), (run.id, Some(0), ChunkStage::Ready));
    let ids: Arc<dyn Ids> = Arc::<super::Numbers>::clone(&stand.ids);
    let opened = stand.work.open_chunk(&claim, at(3), Arc::new(Encoder), ids).await.unwrap();
    assert!(opened.fresh && opened.intents.len() == 2);
    let intent = &opened.intents[0];
    assert!(!intent.may_have_been_sent);
    assert_eq!(intent.request.money, Money::new(1_000, Currency::USD));
    let stored = stand.ledger.find_payment(&scope(), &key(intent.payment)).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.number.as_str(), stored.run),
        (PaymentState::Intent, "P-00000001", Some(run.id))
    );
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.processing, Count { number: 2, amount_minor: 2_000 });
    assert_eq!(tally.unprocessed_invoices, Count { number: 2, amount_minor: 2_000 });

    let error = stand.work.close_chunk(&claim, at(3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "it has intents");
    let settlements: Vec<Settlement> = opened.intents.iter().map(|one| approved(one.payment)).collect();
    assert_eq!(stand.work.settle(&claim, at(4), settlements.clone()).await.unwrap(), 2);
    assert_eq!(stand.work.settle(&claim, at(5), settlements).await.unwrap(), 0, "once is enough");
    stand.work.close_chunk(&claim, at(5)).await.unwrap();
    stand.work.close_chunk(&claim, at(5)).await.unwrap();
    assert!(stand.work.finish_runs(at(5)).await.unwrap().is_empty(), "the other account is still to come");
    let progress = stand.ledger.run_progress(&scope(), &key(run.id)).await.unwrap().unwrap();
    assert_eq!((progress.documents_selected, progress.selection_complete), (5, true));
    assert_eq!(progress.chunks, (3, 1), "the second account is cut in two");

    stand.work_off(6, approved).await;
    let ended = stand.run(&run).await;
    assert_eq!((ended.status, ended.completed_at), (RunStatus::Completed, Some(at(6))));
    for (_, documents) in &made {
        for document in documents {
            let paid = stand.document(document).await;
            assert_eq!((paid.balance_minor, paid.paid_minor, paid.held_by), (0, 1_000, None));
        }
    }
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.payments, Count { number: 5, amount_minor: 5_000 });
    assert_eq!((tally.processing, tally.unprocessed_invoices), (Count::default(), Count::default()));
    let query = PaymentQuery { run: Some(run.id), limit: 10, ..PaymentQuery::default() };
    let payments = stand.ledger.list_payments(&scope(), query).await.unwrap();
    assert_eq!(payments.len(), 5);
    assert_eq!(payments[0].number, "P-00000005");

    // The same again finds nothing to collect, and ends.
    let again = stand.create_run(10, stand.new_run()).await;
    stand.select(11, 2).await;
    assert!(stand.work_off(12, approved).await.is_empty());
    assert_eq!(stand.run(&again).await.status, RunStatus::Completed);
}

pub async fn a_declined_run_counts_and_frees(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let intents = stand.work_off(3, declined).await;
    let document = stand.document(&made[0].1[0]).await;
    assert_eq!((document.balance_minor, document.held_by), (1_000, None));
    let payment = stand.ledger.find_payment(&scope(), &key(intents[0].payment)).await.unwrap().unwrap();
    assert_eq!((payment.state, payment.settled_at), (PaymentState::Declined, Some(at(3))));
    assert_eq!(stand.run(&run).await.status, RunStatus::Completed, "the run itself went on");
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.errors, Count { number: 1, amount_minor: 1_000 });
    assert_eq!(tally.unprocessed_invoices, Count { number: 1, amount_minor: 1_000 });
    // A later run may try again, under another key.
    stand.create_run(4, stand.new_run()).await;
    stand.select(5, 10).await;
    let again = stand.work_off(6, approved).await;
    assert_ne!(again[0].request.idempotency_key, intents[0].request.idempotency_key);
    assert_eq!(stand.document(&made[0].1[0]).await.balance_minor, 0);
}

pub async fn a_held_document_is_left_by_another_run(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let first = stand.claim(3).await.unwrap();
    let intents = stand.open(&first, 3).await;

    let second = stand.create_run(4, stand.new_run()).await;
    stand.select(5, 10).await;
    assert!(stand.work_off(6, approved).await.is_empty(), "nothing is charged twice");
    let query = DecisionQuery { limit: 10, picked: Some(false), ..DecisionQuery::default() };
    let decisions = stand.ledger.list_decisions(ENTITY, second.id, query).await.unwrap();
    let [(position, decision)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(decision.skipped, Some(SkipReason::PaymentInProgress));
    let after = DecisionQuery { after: Some(*position), limit: 10, ..DecisionQuery::default() };
    assert!(stand.ledger.list_decisions(ENTITY, second.id, after).await.unwrap().is_empty());
    let other = DecisionQuery { reason: Some(SkipReason::RetryRule), limit: 10, ..DecisionQuery::default() };
    assert!(stand.ledger.list_decisions(ENTITY, second.id, other).await.unwrap().is_empty());
    let tally = stand.ledger.run_tallies(ENTITY, second.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.skipped, 1);
    assert_eq!(stand.document(&made[0].1[0]).await.held_by, Some(intents[0].payment));
}

pub async fn a_second_opening_gives_the_intents_back(stand: Stand<'_>) {
    stand.add_accounts(&[3]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let first = stand.claim(3).await.unwrap();
    let intents = stand.open(&first, 3).await;
    stand.work.settle(&first, at(4), vec![approved(intents[1].payment)]).await.unwrap();
    assert!(stand.claim(4).await.is_none(), "it is leased");

    // Its worker is gone.
    let second = stand.claim(3 + LEASE_S).await.unwrap();
    assert_eq!((second.stage, second.epoch), (ChunkStage::Planned, first.epoch + 1));
    let left = stand.open(&second, 3 + LEASE_S).await;
    assert_eq!(left.len(), 2);
    for intent in &left {
        let before = intents.iter().find(|one| one.payment == intent.payment).unwrap();
        assert_eq!(before.request, intent.request, "the same key and the same body");
        assert_eq!((intent.created_at, intent.may_have_been_sent), (before.created_at, true));
    }
}

pub async fn a_lost_lease_writes_nothing(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    let lost_selection = stand.work.claim_selection(at(2), lease(2), stand.ids()).await.unwrap().unwrap();
    let selection = stand.work.claim_selection(lease(2), lease(60), stand.ids()).await.unwrap().unwrap();
    let error = stand.work.extend_selection(&lost_selection, at(40), 4, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost));
    assert!(!stand.work.renew(&lost_selection, lease(100)).await.unwrap());
    assert!(stand.work.renew(&selection, lease(100)).await.unwrap());
    assert!(stand.work.extend_selection(&selection, at(40), 4, 10).await.unwrap());

    let lost = stand.claim(50).await.unwrap();
    let claim = stand.claim(50 + LEASE_S).await.unwrap();
    let ids: Arc<dyn Ids> = Arc::<super::Numbers>::clone(&stand.ids);
    let error = stand.work.open_chunk(&lost, at(90), Arc::new(Encoder), ids).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost));
    let intents = stand.open(&claim, 90).await;
    let settlement = vec![declined(intents[0].payment)];
    let error = stand.work.settle(&lost, at(91), settlement).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost));
    assert!(matches!(stand.work.close_chunk(&lost, at(91)).await, Err(StoreError::LeaseLost)));
    assert!(matches!(stand.work.fail_run(&lost, at(91), "lost").await, Err(StoreError::LeaseLost)));
    assert_eq!(stand.document(&made[0].1[0]).await.held_by, Some(intents[0].payment));
    assert_eq!(stand.run(&run).await.status, RunStatus::Processing);
    assert_eq!(stand.work.settle(&claim, at(92), vec![approved(intents[0].payment)]).await.unwrap(), 1);
    let foreign = stand.work.settle(&claim, at(92), vec![approved(made_up_payment())]).await;
    assert!(matches!(foreign, Err(StoreError::Write { .. })), "there is no such payment");
}

fn made_up_payment() -> payment_runs_engine::ids::PaymentId {
    payment_runs_engine::ids::PaymentId::from_u128(5)
}

pub async fn outcomes_in_doubt_are_looked_up(stand: Stand<'_>) {
    let made = stand.add_accounts(&[3]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let pending = Outcome::Pending { reference: "ch_1".to_owned() };
    let settlements = vec![
        unknown(intents[0].payment),
        Settlement { payment: intents[1].payment, outcome: pending },
        not_sent(intents[2].payment),
    ];
    assert_eq!(stand.work.settle(&claim, at(4), settlements).await.unwrap(), 3);
    stand.work.close_chunk(&claim, at(5)).await.unwrap();
    assert_eq!(stand.work.finish_runs(at(5)).await.unwrap(), [run.id], "nothing remains to be sent");
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.processing, Count { number: 2, amount_minor: 2_000 });
    let mut held = Vec::new();
    for document in &made[0].1 {
        held.push(stand.document(document).await.held_by.is_some());
    }
    assert_eq!(held.iter().filter(|held| **held).count(), 2, "what was not sent is free");

    let due = stand.work.due_look_ups(at(6), at(66), at(0), 10).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(stand.work.due_look_ups(at(6), at(66), at(0), 10).await.unwrap().is_empty());
    let found = vec![approved(intents[0].payment), declined(intents[1].payment)];
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(7), found.clone()).await.unwrap(), 2);
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(8), found).await.unwrap(), 0);
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.processing, Count::default());
    assert_eq!(tally.payments, Count { number: 1, amount_minor: 1_000 }, "an ended run still counts");
    assert_eq!(tally.errors, Count { number: 2, amount_minor: 2_000 }, "declined, or kept back");
    assert!(stand.work.due_look_ups(at(500), at(600), at(0), 10).await.unwrap().is_empty());
}

/// Runs once over everything; gives the key of the only intent.
async fn key_of_next_run(stand: &Stand<'_>, second: i64, settle: fn(PaymentId) -> Settlement) -> String {
    stand.create_run(second, stand.new_run()).await;
    stand.select(second + 1, 10).await;
    let intents = stand.work_off(second + 2, settle).await;
    assert_eq!(intents.len(), 1);
    intents[0].request.idempotency_key.clone()
}

pub async fn a_key_names_the_document_and_its_answered_charges(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    let document = &made[0].1[0];
    let ledger = LedgerId::from_bytes([7; 16]);
    let key = |count| charge_key::of_document(ledger, document.id, count);
    // What was certainly not sent gives its key back.
    assert_eq!(key_of_next_run(&stand, 1, not_sent).await, key(0));
    assert_eq!(key_of_next_run(&stand, 11, declined).await, key(0));
    assert_eq!(key_of_next_run(&stand, 21, not_sent).await, key(1));
    assert_eq!(key_of_next_run(&stand, 31, approved).await, key(1));
    assert_eq!(stand.document(document).await.balance_minor, 0);
}

pub async fn a_contradiction_bars_every_other_delivery(stand: Stand<'_>) {
    let made = stand.add_accounts(&[3]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let [first, second, third] = [0, 1, 2].map(|index| intents[index].payment);
    // The second is told under the charge of the first.
    let Outcome::Approved { reference } = approved(first).outcome else { unreachable!() };
    let stolen = Settlement { payment: second, outcome: Outcome::Approved { reference } };
    let settlements = vec![approved(first), stolen, unknown(third)];
    assert_eq!(stand.work.settle(&claim, at(4), settlements).await.unwrap(), 3);
    let due = stand.work.due_look_ups(at(5), at(65), at(0), 10).await.unwrap();
    let barred =
        |due: &[Intent], payment| due.iter().find(|one| one.payment == payment).unwrap().bars_delivery;
    assert_eq!((barred(&due, second), barred(&due, third)), (true, false));
    for _ in 0..2 {
        assert_eq!(stand.work.settle_look_ups(ENTITY, at(6), vec![wrong(third)]).await.unwrap(), 0);
    }
    let due = stand.work.due_look_ups(at(70), at(130), at(0), 10).await.unwrap();
    assert!(barred(&due, third));
    let alarms = |payment| AuditQuery { payment: Some(payment), limit: 10, ..AuditQuery::default() };
    for (payment, detail) in
        [(second, "which is the charge of payment P-00000001"), (third, "another amount")]
    {
        let records = stand.ledger.list_audit_records(&scope(), alarms(payment)).await.unwrap();
        let details: Vec<String> = records.into_iter().filter_map(|record| record.detail).collect();
        assert!(matches!(&details[..], [one] if one.contains(detail)), "{details:?}");
    }
    let mut held = Vec::new();
    for document in &made[0].1 {
        held.push(stand.document(document).await.held_by.is_some());
    }
    assert_eq!(held.iter().filter(|held| **held).count(), 2, "a person must settle them");
}

/// Where no payment could be sent, the run itself has failed; the documents are free for the next one.
pub async fn a_run_whose_gateway_takes_nothing_ends_in_error(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let intents = stand.work_off(3, not_sent).await;
    let ended = stand.run(&run).await;
    let why = "no payment could be sent to the gateway: no line";
    assert_eq!((ended.status, ended.error_message.as_deref()), (RunStatus::Error, Some(why)));
    let tally = stand.ledger.run_tallies(ENTITY, run.id).await.unwrap()[&Currency::USD];
    assert_eq!(tally.errors, Count { number: 2, amount_minor: 2_000 });
    let payment = stand.ledger.find_payment(&scope(), &key(intents[0].payment)).await.unwrap().unwrap();
    assert_eq!(payment.answer.code.as_deref(), Some("gateway_not_reached"));

    let declined_run = stand.create_run(11, stand.new_run()).await;
    stand.select(12, 10).await;
    stand.work_off(13, declined).await;
    assert_eq!(stand.run(&declined_run).await.status, RunStatus::Completed, "declines are the payments' own");
    stand.create_run(21, stand.new_run()).await;
    stand.select(22, 10).await;
    stand.work_off(23, approved).await;
    assert_eq!(stand.document(&made[0].1[0]).await.balance_minor, 0);
}

pub async fn a_payment_in_doubt_is_delivered_again_by_one_worker(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let settlements = vec![unknown(intents[0].payment), approved(intents[1].payment)];
    assert_eq!(stand.work.settle(&claim, at(4), settlements).await.unwrap(), 2);
    let due = async |now| stand.work.due_look_ups(at(now), at(now + 60), at(0), 10).await.unwrap().remove(0);
    let first = due(10).await;
    let second = due(100).await;
    assert_eq!((first.look_ups, second.look_ups), (0, 1));
    assert!(!stand.work.begin_delivery(&first, at(101)).await.unwrap(), "it was handed out again since");
    assert!(stand.work.begin_delivery(&second, at(101)).await.unwrap());
    assert!(!stand.work.begin_delivery(&second, at(101)).await.unwrap(), "it was begun before");
    let third = due(200).await;
    assert_eq!(third.look_ups, 0, "the look-ups count anew while that delivery may be under way");
    let found = vec![approved(third.payment)];
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(201), found).await.unwrap(), 1);
    assert!(!stand.work.begin_delivery(&third, at(202)).await.unwrap(), "it has an outcome");
    assert_eq!(stand.document(&made[0].1[0]).await.balance_minor, 0);
}

pub async fn what_is_posted_later_is_left(stand: Stand<'_>) {
    let made = stand.add_accounts(&[1]).await;
    stand.create_run(1, stand.new_run()).await;
    let claim = stand.work.claim_selection(at(10), lease(10), stand.ids()).await.unwrap().unwrap();
    let later = stand.invoice(&made[0].0, "INV-later", 500);
    let later = payment_runs_engine::document::Document { posted_at: Some(at(11)), ..later };
    let not_due = stand.invoice(&made[0].0, "INV-not-due", 500);
    let not_due = payment_runs_engine::document::Document {
        due_date: today().checked_add(1.day()).unwrap(),
        ..not_due
    };
    stand.load(Load { documents: vec![later.clone(), not_due], ..Load::default() }).await;
    assert!(stand.work.extend_selection(&claim, at(12), 4, 10).await.unwrap());
    let intents = stand.work_off(13, approved).await;
    assert_eq!(intents.len(), 1, "only what was there and due when the run began");
    assert_eq!(stand.document(&later).await.balance_minor, 500);
}

pub async fn filters_choose_accounts_and_documents(stand: Stand<'_>) {
    stand.add_gateway().await;
    let other_gateway = GatewayId::from_u128(0x77);
    let bill_run = BillRunId::from_u128(0x88);
    let euro = Currency::from_code("EUR").unwrap();
    let mut load = Load::default();
    for index in 0..5 {
        let (mut account, method) = stand.account(&format!("A{index}"));
        let mut document = stand.invoice(&account, &format!("INV{index}"), 100);
        match index {
            1 => account.batch = Some("Batch9".to_owned()),
            2 => account.bill_cycle_day = 31,
            3 => account.gateway = Some(other_gateway),
            4 => document.bill_run = Some(bill_run),
            _ => document.currency = euro,
        }
        load.accounts.push(account);
        load.payment_methods.push(method);
        load.documents.push(document);
    }
    let accounts = load.accounts.clone();
    stand
        .access
        .put_gateway(
            ENTITY,
            payment_runs_engine::account::GatewayConfig {
                id: other_gateway,
                name: "Other".to_owned(),
                kind: "stripe".to_owned(),
                is_active: true,
                is_default: false,
            },
        )
        .await
        .unwrap();
    stand.load(load).await;
    let none = RunFilter::default;
    let cases: [(RunFilter, &[usize]); 7] = [
        (RunFilter { batch: Some("Batch9".to_owned()), ..none() }, &[1]),
        (RunFilter { bill_cycle_day: Some(31), ..none() }, &[2]),
        (RunFilter { gateway: Some(other_gateway), ..none() }, &[3]),
        (RunFilter { bill_run: Some(bill_run), ..none() }, &[4]),
        (RunFilter { currency: Some(euro), ..none() }, &[0]),
        (RunFilter { gateway: Some(GATEWAY), bill_cycle_day: Some(31), ..none() }, &[2]),
        (RunFilter { account: Some(accounts[3].id), ..none() }, &[3]),
    ];
    for (second, (filter, wanted)) in (1..).zip(cases) {
        let run = stand.create_run(second * 100, NewRun { filter, ..stand.new_run() }).await;
        stand.select(second * 100, 10).await;
        stand.work_off(second * 100, declined).await;
        let query = DecisionQuery { limit: 10, ..DecisionQuery::default() };
        let decisions = stand.ledger.list_decisions(ENTITY, run.id, query).await.unwrap();
        let chosen: Vec<_> = decisions.iter().map(|(_, decision)| decision.account).collect();
        let wanted: Vec<_> = wanted.iter().map(|index| accounts[*index].id).collect();
        assert_eq!(chosen, wanted, "{:?}", run.filter);
    }
}

pub async fn a_failed_run_sends_nothing_more(stand: Stand<'_>) {
    stand.add_accounts(&[1, 1]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 1).await;
    let first = stand.claim(3).await.unwrap();
    let intents = stand.open(&first, 3).await;
    stand.work.fail_run(&first, at(4), "the gateway is gone").await.unwrap();
    let failed = stand.run(&run).await;
    assert_eq!(failed.status, RunStatus::Error);
    assert_eq!(failed.error_message.as_deref(), Some("the gateway is gone"));
    assert!(stand.claim(5).await.is_none(), "the other chunk is left");
    // What was planned is still settled: its charge may be on its way.
    assert_eq!(stand.work.settle(&first, at(6), vec![approved(intents[0].payment)]).await.unwrap(), 1);
    stand.work.close_chunk(&first, at(6)).await.unwrap();
    assert!(stand.work.finish_runs(at(7)).await.unwrap().is_empty());
    assert_eq!(stand.run(&run).await.status, RunStatus::Error);
    stand.execute(8, Command::DeleteRun(key(run.id), DeletePolicy::CanceledOrError)).await;
}

pub async fn scheduled_runs_wait_for_their_hour(stand: Stand<'_>) {
    stand.add_accounts(&[1]).await;
    let run_at = at(7_200);
    let run = stand.create_run(1, NewRun { run_at: Some(run_at), ..stand.new_run() }).await;
    assert_eq!(stand.work.next_run_at().await.unwrap(), Some(run_at));
    assert!(stand.work.claim_selection(at(7_199), lease(7_199), stand.ids()).await.unwrap().is_none());
    let claim = stand.work.claim_selection(run_at, lease(7_200), stand.ids()).await.unwrap().unwrap();
    assert_eq!((claim.run, claim.chunk), (run.id, None));
    // Its worker is gone before it cut anything; another one goes on without starting it again.
    assert!(stand.work.claim_selection(at(7_201), lease(7_201), stand.ids()).await.unwrap().is_none());
    let second = stand.work.claim_selection(lease(7_200), lease(9_000), stand.ids()).await.unwrap().unwrap();
    assert_eq!(second.epoch, claim.epoch + 1);
    assert_eq!(stand.run(&run).await.executed_at, Some(run_at));
}

pub async fn waiting_ends_with_new_work(stand: Stand<'_>) {
    let mut context = Context::from_waker(Waker::noop());
    let mut early = pin!(stand.work.changed());
    let mut late = pin!(stand.work.changed());
    assert!(late.as_mut().poll(&mut context).is_pending(), "nothing has changed yet");
    stand.create_run(1, stand.new_run()).await;
    assert_eq!(early.as_mut().poll(&mut context), Poll::Ready(()), "made before the change, polled after it");
    assert_eq!(late.as_mut().poll(&mut context), Poll::Ready(()));
    let mut next = pin!(stand.work.changed());
    assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(()), "a change is told once to who comes later");
    let mut last = pin!(stand.work.changed());
    assert!(last.as_mut().poll(&mut context).is_pending());
}

/// The sum of what a run leaves may be larger than any number there is. It ends all the same, and keeps no other from ending.
pub async fn a_run_too_large_to_add_up_ends_like_any_other(stand: Stand<'_>) {
    let made = stand.add_accounts(&[0, 0, 0]).await;
    let documents = made
        .iter()
        .enumerate()
        .map(|(index, (account, _))| stand.invoice(account, &format!("INV{index:08}"), i64::MAX / 2));
    stand.load(Load { documents: documents.collect(), ..Load::default() }).await;
    let large = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 1).await;
    let other = stand.create_run(3, NewRun { target_date: Some(today() - 1.day()), ..stand.new_run() }).await;
    stand.select(4, 10).await;
    assert_eq!(stand.work_off(5, approved).await.len(), 3);
    for run in [large.id, other.id] {
        let tallies = stand.ledger.run_tallies(ENTITY, run).await.unwrap();
        let paid = tallies.get(&Currency::USD).map_or(Count::default(), |tally| tally.payments);
        let expected = if run == large.id { (3, i64::MAX) } else { (0, 0) };
        assert_eq!((paid.number, paid.amount_minor), expected, "the largest number there is");
    }
    for run in [&large, &other] {
        assert_eq!(stand.run(run).await.status, RunStatus::Completed);
    }
}

/// What a worker has left may hold documents, and charges that nobody has recorded.
pub async fn what_was_left_behind_comes_before_what_is_fresh(stand: Stand<'_>) {
    stand.add_accounts(&[1, 1, 1]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 1).await;
    let first = stand.claim(3).await.unwrap();
    let intents = stand.open(&first, 3).await;
    let second = stand.claim(3).await.unwrap();
    assert_ne!(second.chunk, first.chunk);
    // The second is given back at once; the lease of the first runs out later.
    assert!(stand.work.renew(&second, at(4)).await.unwrap());
    let after = 3 + LEASE_S;
    for left in [&second, &first] {
        let claim = stand.claim(after).await.unwrap();
        assert_eq!(
            (claim.chunk, claim.epoch),
            (left.chunk, left.epoch + 1),
            "the one left first comes first"
        );
    }
    let third = stand.claim(after).await.unwrap();
    assert!(third.chunk != first.chunk && third.chunk != second.chunk, "and then what nobody has begun");
    assert_eq!(intents.len(), 1);
}

/// A large run of one entity does not keep the small run of another waiting.
pub async fn entities_take_turns(stand: Stand<'_>) {
    let second = EntityKey(2);
    stand.add_accounts(&[1, 1, 1, 1]).await;
    let (account, method) = stand.account("B00000001");
    let documents = [1, 2].map(|number| stand.invoice(&account, &format!("INV9{number:07}"), 1_000));
    let (accounts, payment_methods) = (vec![account], vec![method]);
    let load = Load { accounts, payment_methods, documents: documents.into(), ..Load::default() };
    stand.ledger.load(second, load).await.unwrap();
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 1).await;
    let mut request = stand.request(3, Command::CreateRun(stand.new_run()));
    request.scope = Scope::entity(second);
    stand.try_execute(request).await.unwrap();
    stand.select(4, 1).await;
    let mut turns = Vec::new();
    while let Some(claim) = stand.claim(5).await {
        // What follows in the same account waits until this is open.
        stand.open(&claim, 5).await;
        turns.push(claim.entity.0);
    }
    assert_eq!(turns, [1, 2, 1, 2, 1, 1]);
}

/// Makes two runs that have nothing left to do, and so are to be ended.
pub async fn two_runs_at_their_end(stand: Stand<'_>) -> [RunId; 2] {
    let first = stand.create_run(1, stand.new_run()).await.id;
    stand.select(2, 10).await;
    let second = stand.create_run(3, stand.new_run()).await.id;
    stand.select(4, 10).await;
    [first, second]
}
