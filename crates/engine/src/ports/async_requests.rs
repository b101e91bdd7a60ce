//! Requests that were accepted and are carried out later: a durable queue.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::once::{OnceKey, Replay, StoredResponse};
use crate::ids::EntityKey;

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsyncRequest {
    /// Its identifier; later requests have larger ones.
    pub id: u128,
    /// The entity it is for.
    pub entity: EntityKey,
    /// The client who made it.
    pub client: String,
    /// When it was accepted (UTC).
    pub accepted_at: Timestamp,
    /// What is needed to carry it out, opaque to the store.
    pub body: Vec<u8>,
}

/// A request with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsyncRecord {
    /// The request.
    pub request: AsyncRequest,
    /// How often somebody has begun to carry it out.
    pub attempts: u32,
    /// When it was answered (UTC), and how.
    pub outcome: Option<(Timestamp, StoredResponse)>,
}

/// The idempotency key of a request, with the answer that accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptOnce {
    /// The key.
    pub key: OnceKey,
    /// When its record may be forgotten (UTC).
    pub expires_at: Timestamp,
    /// The answer to the caller, which says that the request was accepted.
    pub response: StoredResponse,
}

/// What became of an attempt to queue a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// It will be carried out.
    Accepted,
    /// Too many requests wait already.
    Full,
    /// Its idempotency key is known; nothing was queued.
    Known(Replay),
}

/// The queue. What it holds outlives the process.
#[async_trait]
pub trait AsyncRequests: Send + Sync {
    /// Queues a request, in one transaction with its idempotency record, unless `waiting_max` requests wait.
    async fn enqueue_async(
        &self,
        request: AsyncRequest,
        once: Option<AcceptOnce>,
        waiting_max: u32,
    ) -> Result<Enqueued, StoreError>;
    /// Takes the oldest request that is due, for as long as the lease lasts; after that it is due again.
    async fn claim_async(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<AsyncRecord>, StoreError>;
    /// Puts a claimed request back until a later time.
    async fn defer_async(&self, id: u128, due_at: Timestamp) -> Result<(), StoreError>;
    /// Records the answer to a request. The first answer stands.
    async fn end_async(&self, id: u128, now: Timestamp, response: StoredResponse) -> Result<(), StoreError>;
    /// When the next waiting request is due (UTC).
    async fn next_async_at(&self) -> Result<Option<Timestamp>, StoreError>;
    /// The request, if the entity has it.
    async fn find_async(&self, entity: EntityKey, id: u128) -> Result<Option<AsyncRecord>, StoreError>;
    /// Forgets a bounded number of requests that were answered before a time; says how many.
    async fn purge_async(&self, before: Timestamp) -> Result<usize, StoreError>;
}
