//! Webhooks: what they are told, and what is kept of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use payment_runs_engine::account::Stamps;
use payment_runs_engine::audit::{AuditQuery, EventKind};
use payment_runs_engine::command::Command;
use payment_runs_engine::ids::{DeliveryId, EntityId, EntityKey, RunId, UserId, WebhookId};
use payment_runs_engine::notify::{
    Attempt, AttemptRecord, DELIVERIES_KEPT, DeliveryQuery, DeliveryState, Lane, NewDelivery, Notification,
    NotificationKind, Reading, Replayed, Runs, SecretVersion, Step, Subject, Verdict, WEBHOOKS_MAX, Webhook,
    WebhookChange,
};
use payment_runs_engine::ports::StoreError;

use super::fixtures::{ENTITY, Stand, USER, approved, at, declined, key, scope};

use EventKind::{WebhookCreated, WebhookDeleted, WebhookUpdated};
use NotificationKind::{PaymentDeclined, PaymentProcessed, RunEnded};

const OTHER: UserId = UserId::from_u128(0x0055_0002);
const ENTITY_ID: EntityId = EntityId::from_u128(0x00ee_0001);

impl Stand<'_> {
    fn webhook(&self, kinds: &[NotificationKind]) -> Webhook {
        Webhook {
            id: WebhookId::from_u128(self.id()),
            url: "https://example.com/hooks?key=hush".to_owned(),
            description: Some("Dunning".to_owned()),
            kinds: kinds.to_vec(),
            is_active: true,
            secret: SecretVersion { generation: 1, rotated_at: None },
            stamps: Stamps::new(at(0), USER),
        }
    }

    async fn add_webhook(&self, kinds: &[NotificationKind]) -> WebhookId {
        let webhook = self.webhook(kinds);
        assert!(self.webhooks.create_webhook(ENTITY, webhook.clone()).await.unwrap());
        webhook.id
    }

    async fn change(&self, id: WebhookId, change: WebhookChange) -> Webhook {
        self.webhooks.update_webhook(ENTITY, id, change, OTHER, at(9)).await.unwrap().unwrap()
    }

    async fn position(&self, id: WebhookId) -> i64 {
        let active = self.webhooks.active_webhooks().await.unwrap();
        active.into_iter().find(|(_, webhook, _)| webhook.id == id).unwrap().2
    }

    /// Everything that a webhook is still to be told, read in steps of this size.
    async fn told(&self, id: WebhookId, step: usize) -> Vec<Notification> {
        let mut after = self.position(id).await;
        let mut all = Vec::new();
        loop {
            let upcoming = self.webhooks.upcoming(ENTITY, id, reading(after, step)).await.unwrap();
            assert!(upcoming.upto >= after && upcoming.notifications.len() <= step);
            after = upcoming.upto;
            all.extend(upcoming.notifications);
            if !upcoming.has_more {
                return all;
            }
        }
    }

    /// Stores a delivery of each of these events; gives their places.
    async fn put(&self, id: WebhookId, upto: i64, events: &[i64]) -> Vec<u64> {
        let from = self.position(id).await;
        let waiting = self
            .webhooks
            .put_deliveries(ENTITY, id, step(from, upto), at(1), self.new_deliveries(events))
            .await;
        waiting.unwrap().into_iter().map(|one| one.ordinal).collect()
    }

    fn new_deliveries(&self, events: &[i64]) -> Vec<NewDelivery> {
        let one = |event: &i64| NewDelivery {
            id: DeliveryId::from_u128(self.id()),
            event: *event,
            kind: PaymentProcessed,
            run: None,
            payment: None,
            body: format!("{{\"event\":{event}}}").into_bytes(),
        };
        events.iter().map(one).collect()
    }

    async fn record(&self, webhook: WebhookId, ordinal: u64, now: Timestamp, verdict: Verdict) {
        let attempt = match verdict {
            Verdict::Delivered => Attempt::Answered(204),
            Verdict::Again(_) => Attempt::Answered(500),
            Verdict::GiveUp => Attempt::Unanswered { why: "no answer came in time".to_owned() },
        };
        let record = AttemptRecord { entity: ENTITY, webhook, ordinal, at: now, attempt, verdict };
        self.webhooks.record_attempts(vec![record]).await.unwrap();
    }
}

fn reading(after: i64, limit: usize) -> Reading {
    Reading { after, upto: None, runs: Runs::AllBut(BTreeSet::new()), limit }
}

fn step(from: i64, upto: i64) -> Step {
    Step { from, upto, held: Vec::new() }
}

fn kinds(told: &[Notification]) -> Vec<NotificationKind> {
    told.iter().map(|one| one.kind).collect()
}

pub async fn life_of_a_webhook(stand: Stand<'_>) {
    let webhook = stand.webhook(&[PaymentProcessed, RunEnded]);
    assert!(stand.webhooks.create_webhook(ENTITY, webhook.clone()).await.unwrap());
    let stored = stand.webhooks.find_webhook(ENTITY, webhook.id).await.unwrap().unwrap();
    assert_eq!(stored, Webhook { kinds: vec![RunEnded, PaymentProcessed], ..webhook.clone() });
    assert_eq!(stand.webhooks.find_webhook(EntityKey(2), webhook.id).await.unwrap(), None);
    assert_eq!(stand.webhooks.list_webhooks(EntityKey(2)).await.unwrap(), []);

    let change = WebhookChange {
        url: Some("https://example.org/".to_owned()),
        description: Some(None),
        kinds: Some(vec![PaymentDeclined]),
        is_active: Some(false),
        rotates: true,
    };
    let changed = stand.change(webhook.id, change).await;
    let stamps = Stamps { updated_at: at(9), updated_by: OTHER, ..webhook.stamps };
    let expected = Webhook {
        id: webhook.id,
        url: "https://example.org/".to_owned(),
        description: None,
        kinds: vec![PaymentDeclined],
        is_active: false,
        secret: SecretVersion { generation: 2, rotated_at: Some(at(9)) },
        stamps,
    };
    assert_eq!(changed, expected);
    assert_eq!(stand.change(webhook.id, WebhookChange::default()).await, expected);
    assert_eq!(stand.webhooks.active_webhooks().await.unwrap(), []);
    let mut ids = vec![webhook.id];
    for _ in 1..WEBHOOKS_MAX {
        ids.push(stand.add_webhook(&[RunEnded]).await);
    }
    assert!(!stand.webhooks.create_webhook(ENTITY, stand.webhook(&[RunEnded])).await.unwrap());
    let listed = stand.webhooks.list_webhooks(ENTITY).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), ids, "oldest first");

    assert_eq!(
        stand.webhooks.delete_webhook(ENTITY, webhook.id, OTHER, at(10)).await.unwrap(),
        Some(expected)
    );
    assert_eq!(stand.webhooks.delete_webhook(ENTITY, webhook.id, OTHER, at(10)).await.unwrap(), None);
    let change = stand.webhooks.update_webhook(ENTITY, webhook.id, WebhookChange::default(), OTHER, at(10));
    assert_eq!(change.await.unwrap(), None);

    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let mut trail = stand.ledger.list_audit_records(&scope(), query).await.unwrap();
    trail.retain(|record| record.detail.as_ref().is_some_and(|text| text.contains(&webhook.id.to_string())));
    let trail: Vec<_> = trail.iter().map(|record| (record.kind, record.user)).collect();
    for expected in
        [(WebhookCreated, Some(USER)), (WebhookUpdated, Some(OTHER)), (WebhookDeleted, Some(OTHER))]
    {
        assert!(trail.contains(&expected), "{trail:?}");
    }
    assert_eq!(trail.len(), 4);
}

pub async fn what_happened_is_told_from_then_on(stand: Stand<'_>) {
    stand.access.ensure_entity(ENTITY, ENTITY_ID, "Main").await.unwrap();
    stand.add_accounts(&[2]).await;
    let everything = stand.add_webhook(&NotificationKind::ALL).await;
    let runs = stand.add_webhook(&[RunEnded]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let settlements = vec![approved(intents[0].payment), declined(intents[1].payment)];
    stand.work.settle(&claim, at(4), settlements).await.unwrap();
    // An approval that comes too late changes nothing, and so it is not told.
    stand.work.settle(&claim, at(5), vec![approved(intents[1].payment)]).await.unwrap();
    stand.work.close_chunk(&claim, at(5)).await.unwrap();
    assert!(kinds(&stand.told(runs, 10).await).is_empty(), "the run has not ended");
    let late = stand.add_webhook(&[PaymentDeclined]).await;
    // What is added counts from now on, and what was told before goes on.
    let change = WebhookChange { kinds: Some(vec![RunEnded, PaymentDeclined]), ..WebhookChange::default() };
    stand.change(runs, change).await;
    stand.work.finish_runs(at(6)).await.unwrap();
    let pending = stand.create_run(7, stand.new_run()).await;
    stand.execute(8, Command::CancelRun(key(pending.id))).await;

    for step in [1, 2, 100] {
        let told = stand.told(everything, step).await;
        assert_eq!(kinds(&told), [PaymentProcessed, PaymentDeclined, RunEnded, RunEnded], "{step}");
        assert_eq!(kinds(&stand.told(runs, step).await), [RunEnded, RunEnded]);
        assert_eq!(kinds(&stand.told(late, step).await), []);
    }
    let told = stand.told(everything, 100).await;
    assert!(told.iter().all(|one| one.entity == ENTITY_ID) && told[0].at == at(4) && told[2].at == at(6));
    let Subject::Payment(payment) = &told[1].subject else { panic!("{:?}", told[1]) };
    assert_eq!((payment.payment.id, payment.payment.run), (intents[1].payment, Some(run.id)));
    assert_eq!(payment.payment.answer.code.as_deref(), Some("card_declined"));
    assert_eq!(
        (payment.account_number.as_str(), payment.run_number.as_ref()),
        ("A00000001", Some(&run.number))
    );
    let Subject::Run(ended) = &told[2].subject else { panic!("{:?}", told[2]) };
    assert_eq!((ended.run.id, ended.target_date), (run.id, run.target_date));
    let tally = ended.tallies.values().next().unwrap();
    assert_eq!((tally.invoices.number, tally.payments.number, tally.errors.number), (2, 1, 1));
    let Subject::Run(canceled) = &told[3].subject else { panic!("{:?}", told[3]) };
    assert_eq!((canceled.run.id, canceled.tallies.len()), (pending.id, 0));

    // Nothing is told twice once the position is past it.
    let upcoming = stand.webhooks.upcoming(ENTITY, everything, reading(0, 100)).await.unwrap();
    stand.put(everything, upcoming.upto, &[1, 2]).await;
    assert_eq!(stand.told(everything, 100).await, []);
}

pub async fn an_attempt_is_recorded_once(stand: Stand<'_>) {
    let id = stand.add_webhook(&NotificationKind::ALL).await;
    let start = stand.position(id).await;
    let ordinals = stand.put(id, start + 5, &[start + 1, start + 2, start + 3]).await;
    assert_eq!(ordinals, [1, 2, 3]);
    let stale = stand
        .webhooks
        .put_deliveries(ENTITY, id, step(start, start + 6), at(1), stand.new_deliveries(&[start + 6]))
        .await;
    assert!(matches!(stale, Err(StoreError::LeaseLost)), "another one has moved the position");
    let waiting = async || stand.webhooks.waiting_deliveries(ENTITY, id, 10).await.unwrap();
    let before = waiting().await;
    assert_eq!(
        before.iter().map(|one| (one.ordinal, one.lane)).collect::<Vec<_>>(),
        [1, 2, 3].map(|n| (n, Lane::NoRun))
    );
    assert_eq!(stand.webhooks.waiting_deliveries(ENTITY, id, 2).await.unwrap().len(), 2);
    let body = stand.webhooks.delivery_body(ENTITY, id, 1).await.unwrap().unwrap();
    assert_eq!(body, format!("{{\"event\":{}}}", start + 1).into_bytes());

    stand.record(id, 1, at(2), Verdict::Again(at(7))).await;
    stand.record(id, 2, at(2), Verdict::GiveUp).await;
    stand.record(id, 3, at(3), Verdict::Delivered).await;
    stand.record(id, 3, at(4), Verdict::GiveUp).await;
    let now = waiting().await;
    assert_eq!((now.len(), now[0].attempts, now[0].due_at), (1, 1, at(7)));
    assert_eq!(stand.webhooks.delivery_body(ENTITY, id, 3).await.unwrap(), None, "it waits no more");
    let list = async |state, before| {
        let query = DeliveryQuery { state, before, limit: 10 };
        stand.webhooks.list_deliveries(ENTITY, id, query).await.unwrap()
    };
    let all = list(None, None).await;
    let told: Vec<_> = all.iter().map(|one| (one.ordinal, one.state, one.status, one.ended_at)).collect();
    assert_eq!(
        told,
        [
            (3, DeliveryState::Delivered, Some(204), Some(at(3))),
            (2, DeliveryState::Failed, None, Some(at(2))),
            (1, DeliveryState::Waiting, Some(500), None),
        ]
    );
    assert_eq!(all[1].error.as_deref(), Some("no answer came in time"));
    assert_eq!(all[2].error.as_deref(), Some("the endpoint answered with status 500"));
    assert_eq!((all[2].due_at, all[2].tried_at, all[2].created_at), (Some(at(7)), Some(at(2)), at(1)));
    assert_eq!(list(Some(DeliveryState::Failed), None).await, all[1..2]);
    assert_eq!(list(None, Some(3)).await, all[1..]);

    let replay =
        async |delivery| stand.webhooks.replay_delivery(ENTITY, id, delivery, USER, at(8)).await.unwrap();
    assert_eq!(replay(all[2].id).await, Replayed::Waiting);
    assert_eq!(replay(DeliveryId::from_u128(1)).await, Replayed::Missing);
    let Replayed::Done(again) = replay(all[1].id).await else { panic!("it can be repeated") };
    assert_eq!((again.id, again.state, again.attempts), (all[1].id, DeliveryState::Waiting, 0));
    assert_eq!(again.body, all[1].body);
    let now = waiting().await;
    assert_eq!((now[1].lane, now[1].due_at), (Lane::Replay(2), at(8)));
    stand.webhooks.delete_webhook(ENTITY, id, USER, at(9)).await.unwrap();
    assert_eq!((waiting().await, list(None, None).await), (vec![], vec![]));
    stand.record(id, 1, at(9), Verdict::Delivered).await;
}

pub async fn deliveries_are_forgotten_beyond_those_kept(stand: Stand<'_>) {
    const BATCH: i64 = 250;
    let id = stand.add_webhook(&NotificationKind::ALL).await;
    let mut position = stand.position(id).await;
    let kept = i64::try_from(DELIVERIES_KEPT).unwrap();
    for _ in 0..=kept / BATCH + 1 {
        let events: Vec<i64> = (position + 1..=position + BATCH).collect();
        let ordinals = stand.put(id, position + BATCH, &events).await;
        position += BATCH;
        // The very first one waits for ever, and so it is not forgotten.
        let ended = ordinals.into_iter().filter(|ordinal| *ordinal > 1).map(|ordinal| AttemptRecord {
            entity: ENTITY,
            webhook: id,
            ordinal,
            at: at(2),
            attempt: Attempt::Answered(200),
            verdict: Verdict::Delivered,
        });
        stand.webhooks.record_attempts(ended.collect()).await.unwrap();
    }
    let query = DeliveryQuery { limit: u32::MAX, ..DeliveryQuery::default() };
    let all = stand.webhooks.list_deliveries(ENTITY, id, query).await.unwrap();
    assert_eq!(all.len(), usize::try_from(DELIVERIES_KEPT).unwrap() + 1);
    assert_eq!((all[all.len() - 1].ordinal, all[all.len() - 1].state), (1, DeliveryState::Waiting));
}

/// Makes webhooks that are to be told of so many payments of one run.
pub async fn webhooks_with_much_to_tell(
    stand: &Stand<'_>,
    webhooks: usize,
    payments: usize,
) -> Vec<WebhookId> {
    stand.access.ensure_entity(ENTITY, ENTITY_ID, "First").await.unwrap();
    let mut made = Vec::new();
    for _ in 0..webhooks {
        made.push(stand.add_webhook(&[PaymentProcessed]).await);
    }
    run_with_much_to_tell(stand, payments).await;
    made
}

/// Makes a run of so many payments, all of which are approved.
pub async fn run_with_much_to_tell(stand: &Stand<'_>, payments: usize) -> RunId {
    // Identifiers grow, so that no account has the number of an earlier one.
    let first = usize::try_from(stand.id() & u128::from(u32::MAX)).unwrap();
    stand.add_accounts_from(first, &vec![1; payments]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 100).await;
    assert_eq!(stand.work_off(3, approved).await.len(), payments);
    run.id
}

pub async fn runs_that_wait_are_read_on(stand: Stand<'_>) {
    let id = webhooks_with_much_to_tell(&stand, 1, 3).await[0];
    let start = stand.position(id).await;
    let all = stand.told(id, 10).await;
    let run = all[0].subject.run();
    let end = all[2].event;
    let held = vec![(run, Some(all[0].event)), (None, Some(start))];
    let first = stand.new_deliveries(&[all[0].event]);
    let step = Step { from: start, upto: end, held };
    stand.webhooks.put_deliveries(ENTITY, id, step, at(9), first).await.unwrap();
    let held = async || stand.webhooks.held_runs(ENTITY, id).await.unwrap();
    assert_eq!(held().await, [(None, start), (run, all[0].event)]);

    let read = async |runs, after, upto, limit| {
        let reading = Reading { after, upto, runs, limit };
        let upcoming = stand.webhooks.upcoming(ENTITY, id, reading).await.unwrap();
        let events: Vec<i64> = upcoming.notifications.iter().map(|one| one.event).collect();
        (events, upcoming.upto, upcoming.has_more)
    };
    let (events, upto, _) = read(Runs::AllBut(BTreeSet::from([run])), start, None, 10).await;
    assert!(events.is_empty() && upto >= end, "its events are passed over");
    let (events, ..) = read(Runs::Only(None), start, Some(end), 10).await;
    assert!(events.is_empty());
    let one = read(Runs::Only(run), all[0].event, Some(end), 1).await;
    assert_eq!(one, (vec![all[1].event], all[1].event, true));
    let rest = read(Runs::Only(run), all[1].event, Some(end), 10).await;
    assert_eq!(rest, (vec![end], end, false));
    assert_eq!(read(Runs::Only(run), start, Some(all[0].event), 10).await.0, [all[0].event]);

    let step = Step { from: end, upto: end, held: vec![(run, None), (None, Some(end))] };
    stand.webhooks.put_deliveries(ENTITY, id, step, at(9), Vec::new()).await.unwrap();
    assert_eq!(held().await, [(None, end)]);
    stand.webhooks.delete_webhook(ENTITY, id, USER, at(10)).await.unwrap();
    assert_eq!(held().await, []);
}
