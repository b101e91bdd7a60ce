//! The dispatcher of notifications over the real store.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{DeliveryId, EntityKey, UserId, WebhookId};
use payment_runs_engine::notify::{
    Attempt, Dispatcher, DispatcherPorts, Notification, WebhookChange, WebhookRequest,
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
    let made = webhooks::webhooks_with_much_to_tell(Stand::new(&store), 2, PAYMENTS).await;
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
