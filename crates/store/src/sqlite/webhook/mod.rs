//! The port [`Webhooks`].

mod deliver;
mod manage;
mod upcoming;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{DeliveryId, EntityKey, RunId, UserId, WebhookId};
use payment_runs_engine::notify::{
    AttemptRecord, Delivery, DeliveryQuery, NewDelivery, Reading, Replayed, Step, Upcoming, Waiting, Webhook,
    WebhookChange,
};
use payment_runs_engine::ports::{BoxFuture, StoreError, Webhooks};

use super::SqliteStore;
use super::events::{Event, EventKind};

#[cfg(test)]
pub(crate) use deliver::{FORGET, WAITING};
#[cfg(test)]
pub(crate) use upcoming::AFTER;

/// What happened to a webhook, for the audit trail.
fn audit(kind: EventKind, user: UserId, detail: String) -> Event {
    let (run, chunk, payment, state) = (None, None, None, None);
    Event { kind, run, chunk, payment, state, user: Some(user), detail: Some(detail) }
}

#[async_trait]
impl Webhooks for SqliteStore {
    fn webhooks_changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.signals.webhooks.notified())
    }

    fn events_written(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.signals.events.notified())
    }

    async fn create_webhook(&self, entity: EntityKey, webhook: Webhook) -> Result<bool, StoreError> {
        let job = move |db: &rusqlite::Connection| manage::create(db, entity, &webhook);
        self.write_and_tell("create a webhook", job, |signals, _| signals.ring_webhooks()).await
    }

    async fn find_webhook(&self, entity: EntityKey, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.read("find a webhook", move |db| manage::by_id(db, entity, id)).await
    }

    async fn list_webhooks(&self, entity: EntityKey) -> Result<Vec<Webhook>, StoreError> {
        self.read("list the webhooks", move |db| manage::list(db, entity)).await
    }

    async fn update_webhook(
        &self,
        entity: EntityKey,
        id: WebhookId,
        change: WebhookChange,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        let job = move |db: &rusqlite::Connection| manage::update(db, entity, id, &change, user, now);
        self.write_and_tell("change a webhook", job, |signals, _| signals.ring_webhooks()).await
    }

    async fn delete_webhook(
        &self,
        entity: EntityKey,
        id: WebhookId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError> {
        let job = move |db: &rusqlite::Connection| manage::delete(db, entity, id, user, now);
        self.write_and_tell("delete a webhook", job, |signals, _| signals.ring_webhooks()).await
    }

    async fn list_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        query: DeliveryQuery,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read("list deliveries", move |db| deliver::list(db, entity, webhook, &query)).await
    }

    async fn replay_delivery(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        delivery: DeliveryId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let job = move |db: &rusqlite::Connection| deliver::replay(db, entity, webhook, delivery, user, now);
        self.write_and_tell("repeat a delivery", job, |signals, _| signals.ring_webhooks()).await
    }

    async fn active_webhooks(&self) -> Result<Vec<(EntityKey, Webhook, i64)>, StoreError> {
        self.read("find the active webhooks", manage::active).await
    }

    async fn waiting_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.read("find deliveries", move |db| deliver::waiting(db, entity, webhook, limit)).await
    }

    async fn held_runs(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
    ) -> Result<Vec<(Option<RunId>, i64)>, StoreError> {
        self.read("find the runs that wait", move |db| deliver::held(db, entity, webhook)).await
    }

    async fn upcoming(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        reading: Reading,
    ) -> Result<Upcoming, StoreError> {
        let job = move |db: &rusqlite::Connection| upcoming::upcoming(db, entity, webhook, &reading);
        self.read("read what happened", job).await
    }

    async fn put_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        step: Step,
        now: Timestamp,
        deliveries: Vec<NewDelivery>,
    ) -> Result<Vec<Waiting>, StoreError> {
        let job = move |db: &rusqlite::Connection| deliver::put(db, entity, webhook, &step, now, &deliveries);
        self.write("store deliveries", job).await
    }

    async fn delivery_body(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        ordinal: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a delivery", move |db| deliver::body(db, entity, webhook, ordinal)).await
    }

    async fn record_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<(), StoreError> {
        self.write("record deliveries", move |db| deliver::record(db, &attempts)).await
    }
}
