//! The work of runs: chunks under a lease, intents before charges, outcomes after them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::gateway::{ChargeRequest, EncodeCharge, Outcome};
use super::{BoxFuture, Ids, StoreError};
use crate::ids::{EntityKey, GatewayId, PaymentId, RunId};
use crate::payment::PaymentState;

/// How long a delivery that was begun and not ended is taken to be under way, as when its sender died: longer than a
/// gateway's timeout, and than a request stays in a network.
pub const DELIVERY_LIFE: Duration = Duration::from_mins(5);

/// How far a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChunkStage {
    /// Its documents are known only as a range.
    Ready,
    /// Its plan is stored, and its payments are intents or further.
    Planned,
    /// None of its payments is an intent any more.
    Done,
}

/// The right to work on a run's selection or on one chunk, until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkClaim {
    /// The entity.
    pub entity: EntityKey,
    /// The run.
    pub run: RunId,
    /// The chunk's ordinal in the run, from 0; `None` is the selection, which cuts the run into chunks.
    pub chunk: Option<u32>,
    /// Grows with every claim. A write under an older epoch is refused.
    pub epoch: u32,
    /// How far the chunk was when it was claimed.
    pub stage: ChunkStage,
}

/// A stored charge that has no definite outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The entity.
    pub entity: EntityKey,
    /// The payment.
    pub payment: PaymentId,
    /// Intent, Pending or Unknown.
    pub state: PaymentState,
    /// Through which gateway.
    pub gateway: GatewayId,
    /// Exactly what is sent.
    pub request: ChargeRequest,
    /// When the intent was stored (UTC): the idempotency key is no older than this.
    pub created_at: Timestamp,
    /// Look-ups made so far.
    pub look_ups: u32,
    /// How often it was delivered once more after it had been in doubt.
    pub deliveries: u32,
    /// Whether this process may have sent it before, or another one did: false only right after the plan was stored.
    pub may_have_been_sent: bool,
    /// Whether its run was stopped when it was read: then it is asked about, and never sent again.
    pub run_stopped: bool,
    /// Whether the gateway's answers contradict the request: then it is asked about, and never sent again without a person.
    pub bars_delivery: bool,
}

/// A chunk that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its intents: all of a fresh plan, or those that an earlier worker left.
    pub intents: Vec<Intent>,
    /// Whether the plan was made now.
    pub fresh: bool,
}

/// What is to be written about one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The payment.
    pub payment: PaymentId,
    /// What came of it. `NotSent` cancels an intent, which frees its documents; a payment of unknown outcome is canceled by
    /// it only where a look-up says so.
    pub outcome: Outcome,
}

/// The queue of runs and chunks. Every method is one transaction, and every write under a claim is refused with
/// [`StoreError::LeaseLost`] when the claim's epoch is no longer the newest.
#[async_trait]
pub trait Work: Send + Sync {
    /// Waits until there may be something to do: a run was created, changed or cut into chunks.
    fn changed(&self) -> BoxFuture<'_, ()>;
    /// When the next pending run wants to start (UTC), if any; an immediate run wants to start at once.
    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError>;
    /// Claims the selection of one run: a pending one whose time has come (it becomes Processing), or one whose selection
    /// was left behind by a worker whose lease has ended. A run that a schedule made leaves the schedule's next run behind it,
    /// in the same transaction.
    async fn claim_selection(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError>;
    /// Cuts the next chunks, at most `chunks_max` of about `documents_max` documents each, from where the selection stands.
    /// Says whether the selection is complete; a complete one gives the claim back.
    async fn extend_selection(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        chunks_max: usize,
        documents_max: usize,
    ) -> Result<bool, StoreError>;
    /// Claims a chunk that is ready, or one that a worker left behind. Sub-chunks of one account come in their order.
    async fn claim_chunk(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<ChunkClaim>, StoreError>;
    /// Whether the claim's run was stopped. A stop is told by [`Work::changed`], too, but only to workers of this process.
    async fn is_stopping(&self, claim: &ChunkClaim) -> Result<bool, StoreError>;
    /// Prolongs a lease and says whether it is still ours.
    async fn renew(&self, claim: &ChunkClaim, lease_until: Timestamp) -> Result<bool, StoreError>;
    /// Opens a chunk. A ready one is read, planned with [`crate::plan::plan_chunk`] and stored: credits applied,
    /// intents with their exact bodies written, documents held, decisions recorded, counters kept. A planned one only
    /// gives its intents back.
    async fn open_chunk(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError>;
    /// Records outcomes, each guarded by the payment's state, with balances, holds, method counters and run counters.
    /// An outcome that the state machine does not allow (it was recorded before) changes nothing. Says how many changed.
    async fn settle(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError>;
    /// Ends a chunk none of whose payments is an intent any more, and gives the claim back.
    async fn close_chunk(&self, claim: &ChunkClaim, now: Timestamp) -> Result<(), StoreError>;
    /// Ends runs whose selection is complete and whose chunks are all done, a bounded number per call: Canceled if the run was stopped,
    /// Error if no payment could be sent or the run cannot be read, otherwise Completed. A Completed run has an error message if
    /// some payments could not be sent. Returns the runs that ended.
    async fn finish_runs(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError>;
    /// Ends a run that cannot go on.
    async fn fail_run(&self, claim: &ChunkClaim, now: Timestamp, message: &str) -> Result<(), StoreError>;
    /// Payments in doubt outside any chunk that wait for a look-up: Pending and Unknown ones whose time has come, and
    /// intents of single payments older than `single_before`. They are handed out with `next_look_up_at` moved to
    /// `again_at`, so that two workers do not ask at once.
    async fn due_look_ups(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        single_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError>;
    /// Notes that an Unknown payment which was handed out is about to be delivered once more: its look-ups count anew, so
    /// that nobody believes "never seen" while that delivery may be under way, and nobody gives it up until
    /// [`Work::end_delivery`], or for [`DELIVERY_LIFE`]. Says whether it may be delivered: not if it was handed out again
    /// since, or has an outcome.
    async fn begin_delivery(&self, intent: &Intent, now: Timestamp) -> Result<bool, StoreError>;
    /// Notes that such a delivery is over, whatever came of it.
    async fn end_delivery(&self, intent: &Intent) -> Result<(), StoreError>;
    /// Records what a look-up found, guarded by the payment's state like [`Work::settle`].
    async fn settle_look_ups(
        &self,
        entity: EntityKey,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError>;
}
