//! The dispatcher of notifications over the real store.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ids::{DeliveryId, EntityKey, RunId, UserId, WebhookId};
use payment_runs_engine::notify::{
    Attempt, Dispatcher, DispatcherPorts, Notification, WAITING_MAX, WAITING_OF_RUN_MAX, WebhookChange,
    WebhookRequest,
};
use payment_runs_engine::ports::{
    BoxFuture, Clock, EncodeNotification, Entropy, TargetFault, WebhookSender, Webhooks, since_epoch,
};
use payment_runs_store::conformance::{Numbers, Stand, webhooks};
use payment_runs_store::{Executor, SqliteStore};
use tokio::sync::watch;

/// Payments that each webhook is to be told.
const PAYMENTS: usize = 100;
/// So many of them are told to the first webhook when the second is switched off.
const TOLD_BEFORE: usize = 3;
/// Longer than all of it takes on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A time that stands, bytes that are all the same, and bodies that say nothing.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_700).unwrap()
    }
    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        if at <= self.now() { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}

impl Entropy for Still {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

impl EncodeNotification for Still {
    fn encode(&self, _: DeliveryId, _: &Notification) -> Vec<u8> {
        b"{}".to_vec()
    }
}

/// Endpoints that answer at once. One of them is switched off when the other has been told a little.
struct Prompt {
    store: SqliteStore,
    first: WebhookId,
    second: WebhookId,
    told: Mutex<BTreeMap<WebhookId, usize>>,
    first_told: watch::Sender<usize>,
}

#[async_trait]
impl WebhookSender for Prompt {
    fn check(&self, url: &str) -> Result<String, TargetFault> {
        Ok(url.to_owned())
    }
    fn secret(&self, _: WebhookId, _: u32) -> String {
        String::new()
    }
    async fn send(&self, request: WebhookRequest) -> Attempt {
        *self.told.lock().unwrap().entry(request.webhook).or_default() += 1;
        if request.webhook == self.first {
            let told = *self.first_told.borrow() + 1;
            if told == TOLD_BEFORE {
                let off = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
                let user = UserId::from_u128(1);
                let now = Still.now();
                self.store.update_webhook(EntityKey::FIRST, self.second, off, user, now).await.unwrap();
            }
            self.first_told.send_replace(told);
        }
        Attempt::Answered(200)
    }
}

#[tokio::test]
async fn a_webhook_that_is_switched_off_is_told_no_more_though_another_keeps_the_dispatcher_busy() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), Executor::Inline).unwrap();
    let made = webhooks::webhooks_with_much_to_tell(&Stand::new(&store), 2, PAYMENTS).await;
    let sender = Arc::new(Prompt {
        store: store.clone(),
        first: made[0],
        second: made[1],
        told: Mutex::default(),
        first_told: watch::Sender::new(0),
    });
    let dispatcher = Dispatcher::new(DispatcherPorts {
        webhooks: Arc::new(store),
        encoder: Arc::new(Still),
        sender: sender.clone(),
        clock: Arc::new(Still),
        ids: Arc::new(Numbers::new(50_000)),
        entropy: Arc::new(Still),
    });
    let mut first_told = sender.first_told.subscribe();
    let all_told = async move { drop(first_told.wait_for(|told| *told == PAYMENTS).await) };
    let ended = tokio::time::timeout(PATIENCE, dispatcher.run(all_told)).await;
    assert!(ended.is_ok(), "{:?}", sender.told.lock().unwrap());
    let told = sender.told.lock().unwrap().clone();
    assert_eq!(told[&made[0]], PAYMENTS);
    assert!(told[&made[1]] <= TOLD_BEFORE + 1, "it was told {} of {PAYMENTS}", told[&made[1]]);
}

/// A time that goes on by a day with every look, so that whatever is to be tried again is due at once.
#[derive(Default)]
struct Hasty(AtomicI64);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Still.now() + SignedDuration::from_hours(24 * self.0.fetch_add(1, Ordering::Relaxed))
    }
    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }
    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

/// Bodies that name the run and the place of the event.
struct Naming;

impl EncodeNotification for Naming {
    fn encode(&self, _: DeliveryId, notification: &Notification) -> Vec<u8> {
        let run = notification.subject.run().unwrap();
        format!("{run} {:08}", notification.event).into_bytes()
    }
}

/// An endpoint that refuses what is told of some runs, and keeps the rest until it has enough.
struct Choosy {
    refused: Vec<RunId>,
    enough: usize,
    /// Every attempt, those that were refused included.
    tried: Mutex<Vec<String>>,
    taken: Mutex<Vec<String>>,
    has_enough: watch::Sender<bool>,
}

#[async_trait]
impl WebhookSender for Choosy {
    fn check(&self, url: &str) -> Result<String, TargetFault> {
        Ok(url.to_owned())
    }
    fn secret(&self, _: WebhookId, _: u32) -> String {
        String::new()
    }
    async fn send(&self, request: WebhookRequest) -> Attempt {
        let body = String::from_utf8(request.body).unwrap();
        self.tried.lock().unwrap().push(body.clone());
        if self.refused.iter().any(|run| body.starts_with(&run.to_string())) {
            return Attempt::Answered(500);
        }
        let mut taken = self.taken.lock().unwrap();
        taken.push(body);
        if taken.len() == self.enough {
            self.has_enough.send_replace(true);
        }
        Attempt::Answered(200)
    }
}

/// The deliveries of notifications about runs.
struct Told {
    runs: Vec<RunId>,
    /// Every attempt in its order.
    tried: Vec<String>,
    /// What was not refused.
    taken: Vec<String>,
}

/// Makes runs of so many payments after one of a single payment, of which the first are refused, and tells of them until enough is
/// taken.
async fn tell(clock: Arc<dyn Clock>, payments: &[usize], refused: usize, enough: usize) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), Executor::Inline).unwrap();
    let stand = Stand::new(&store);
    webhooks::webhooks_with_much_to_tell(&stand, 1, 1).await;
    let mut runs = Vec::new();
    for payments in payments {
        runs.push(webhooks::run_with_much_to_tell(&stand, *payments).await);
    }
    let sender = Arc::new(Choosy {
        refused: runs[..refused].to_vec(),
        enough,
        tried: Mutex::default(),
        taken: Mutex::default(),
        has_enough: watch::Sender::new(false),
    });
    let dispatcher = Dispatcher::new(DispatcherPorts {
        webhooks: Arc::new(store),
        encoder: Arc::new(Naming),
        sender: sender.clone(),
        clock,
        ids: Arc::new(Numbers::new(50_000)),
        entropy: Arc::new(Still),
    });
    let mut has_enough = sender.has_enough.subscribe();
    let stop = async move { drop(has_enough.wait_for(|enough| *enough).await) };
    let ended = tokio::time::timeout(PATIENCE, dispatcher.run(stop)).await;
    let (tried, taken) = (sender.tried.lock().unwrap().clone(), sender.taken.lock().unwrap().clone());
    assert!(ended.is_ok(), "only {} of {enough} were taken", taken.len());
    Told { runs, tried, taken }
}

#[tokio::test]
async fn a_large_run_does_not_hold_up_the_next_one() {
    let payments = [WAITING_MAX + 100, 3];
    let enough = 1 + payments.iter().sum::<usize>();
    let Told { runs, taken, .. } = tell(Arc::new(Still), &payments, 0, enough).await;
    let of = |run: RunId| taken.iter().filter(move |one| one.starts_with(&run.to_string()));
    let first = taken.iter().position(|one| one.starts_with(&runs[1].to_string())).unwrap();
    assert!(first <= WAITING_MAX, "the first of the next run came after {first} deliveries");
    for (run, payments) in runs.iter().zip(payments) {
        assert!(of(*run).is_sorted_by(|one, next| one < next), "each once and in order");
        assert_eq!(of(*run).count(), payments);
    }
}

#[tokio::test]
async fn runs_that_are_refused_do_not_hold_up_the_next_one() {
    // More than the room for all, in more runs than have a share of it. What is refused waits where time stands still; where it does
    // not, all of it is tried until it is given up, which is more than may come before the next run.
    let refused = WAITING_MAX / WAITING_OF_RUN_MAX + 1;
    let mut payments = vec![2 * WAITING_OF_RUN_MAX; refused];
    payments.push(3);
    let clocks: [Arc<dyn Clock>; 2] = [Arc::new(Still), Arc::new(Hasty::default())];
    for clock in clocks {
        let Told { runs, tried, taken } = tell(clock, &payments, refused, 1 + 3).await;
        let last = runs[refused].to_string();
        assert_eq!(taken.iter().filter(|one| one.starts_with(&last)).count(), 3);
        let first = tried.iter().position(|one| one.starts_with(&last)).unwrap();
        assert!(first <= 2 * WAITING_MAX, "the first of the next run came after {first} attempts");
    }
}
