//! Webhooks: what they are, what they are told, and how it gets there.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{BoxFuture, StoreError};
use crate::ids::{DeliveryId, EntityKey, RunId, UserId, WebhookId};
use crate::notify::{
    Attempt, AttemptRecord, Delivery, DeliveryQuery, NewDelivery, Notification, Reading, Replayed, Step,
    Upcoming, Waiting, Webhook, WebhookChange, WebhookRequest,
};

/// Webhooks and their deliveries. What it holds outlives the process.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Waits until a webhook was made, changed or deleted, or a delivery is to be repeated.
    fn webhooks_changed(&self) -> BoxFuture<'_, ()>;
    /// Waits until something happened that may be told.
    fn events_written(&self) -> BoxFuture<'_, ()>;

    /// Creates a webhook, which is told what happens from now on; says whether there was room for one more.
    async fn create_webhook(&self, entity: EntityKey, webhook: Webhook) -> Result<bool, StoreError>;
    /// The webhook, if the entity has it.
    async fn find_webhook(&self, entity: EntityKey, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// The webhooks of the entity, oldest first.
    async fn list_webhooks(&self, entity: EntityKey) -> Result<Vec<Webhook>, StoreError>;
    /// Changes the webhook, if there is one, and gives it as it is then.
    async fn update_webhook(
        &self,
        entity: EntityKey,
        id: WebhookId,
        change: WebhookChange,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError>;
    /// Deletes the webhook with its deliveries; gives it as it was.
    async fn delete_webhook(
        &self,
        entity: EntityKey,
        id: WebhookId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Option<Webhook>, StoreError>;
    /// Deliveries of a webhook that are still kept.
    async fn list_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        query: DeliveryQuery,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Lets an ended delivery wait again, as if it had never been tried.
    async fn replay_delivery(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        delivery: DeliveryId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Replayed, StoreError>;

    /// Every active webhook of every entity, with its position in the entity's record of events.
    async fn active_webhooks(&self) -> Result<Vec<(EntityKey, Webhook, i64)>, StoreError>;
    /// The deliveries of a webhook that wait, in their order, at most `limit`.
    async fn waiting_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError>;
    /// The runs of which a webhook has more to be told before its position, each with the place after which that is.
    async fn held_runs(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
    ) -> Result<Vec<(Option<RunId>, i64)>, StoreError>;
    /// What happened and is to be told to the webhook. It looks at a bounded number of events.
    async fn upcoming(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        reading: Reading,
    ) -> Result<Upcoming, StoreError>;
    /// Stores deliveries and moves the webhook on, and forgets ended deliveries beyond those that are kept. Gives them as they
    /// wait, or [`StoreError::LeaseLost`] when the position is another one.
    async fn put_deliveries(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        step: Step,
        now: Timestamp,
        deliveries: Vec<NewDelivery>,
    ) -> Result<Vec<Waiting>, StoreError>;
    /// What a delivery sends, if it waits.
    async fn delivery_body(
        &self,
        entity: EntityKey,
        webhook: WebhookId,
        ordinal: u64,
    ) -> Result<Option<Vec<u8>>, StoreError>;
    /// Records attempts in one transaction. Deliveries that are gone, or do not wait, stay as they are.
    async fn record_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<(), StoreError>;
}

/// How a notification is written.
pub trait EncodeNotification: Send + Sync + 'static {
    /// The bytes that are sent and signed: the same in every attempt, never more than
    /// [`BODY_BYTES_MAX`](crate::notify::BODY_BYTES_MAX).
    fn encode(&self, delivery: DeliveryId, notification: &Notification) -> Vec<u8>;
}

/// Why a URL cannot be that of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// It cannot be read, has no host, or holds a user name, a password or a fragment.
    #[error("is not the absolute URL of an endpoint, without a user name and without a fragment")]
    Malformed,
    /// The scheme is not allowed.
    #[error("must begin with https://")]
    Scheme,
    /// The host is an address that is not public, or a name that never is.
    #[error("must name a public host")]
    NotPublic,
}

/// The way to the endpoints.
#[async_trait]
pub trait WebhookSender: Send + Sync + 'static {
    /// Whether a URL can be that of a webhook, as far as that can be told without asking anybody. Gives it in its usual
    /// form.
    fn check(&self, url: &str) -> Result<String, TargetFault>;
    /// The secret of a webhook.
    fn secret(&self, webhook: WebhookId, generation: u32) -> String;
    /// Sends once, within bounds on time and on what is read of the answer. No redirect is followed.
    async fn send(&self, request: WebhookRequest) -> Attempt;
}
