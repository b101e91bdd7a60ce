//! Idempotency of commands: the answer is stored in the transaction of the effect.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::ledger::Output;
use crate::ids::PaymentId;

/// Whose key it is and which request it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OnceKey {
    /// Who sent it: keys of different clients never meet.
    pub client: String,
    /// Stands for the caller's key.
    pub key: String,
    /// Stands for method, path and body.
    pub fingerprint: [u8; 32],
}

/// An answer as it was given, opaque to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse(pub Vec<u8>);

/// A command's idempotency: the key, how long it is kept, and how the answer is written down.
pub struct Once {
    /// The key.
    pub key: OnceKey,
    /// When the record may be forgotten (UTC).
    pub expires_at: Timestamp,
    /// Writes the answer to the command's output. Called inside the transaction, before it is committed.
    pub encode: Box<dyn FnOnce(&Output) -> StoredResponse + Send>,
}

impl std::fmt::Debug for Once {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once")
            .field("key", &self.key)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What is known about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Never seen, or forgotten.
    New,
    /// The same request was answered like this.
    Answered(StoredResponse),
    /// The same request is being worked on.
    InFlight,
    /// The same request was cut off after its charge was written, and what came of that is known by now: carried out again, it
    /// makes no other payment and is answered.
    Settled(PaymentId),
    /// The key belongs to another request.
    Mismatch,
}

/// Idempotency records outside a command's transaction.
#[async_trait]
pub trait OnceStore: Send + Sync {
    /// What is known about the key.
    async fn find_once(&self, key: &OnceKey, now: Timestamp) -> Result<Replay, StoreError>;
    /// Claims a new key for a command that calls a gateway; anything but `New` means that it was not claimed.
    async fn claim_once(
        &self,
        key: &OnceKey,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Replay, StoreError>;
    /// Stores an answer that had no effect, such as a refusal, or that of a claimed key.
    async fn store_once(
        &self,
        key: &OnceKey,
        now: Timestamp,
        expires_at: Timestamp,
        response: StoredResponse,
    ) -> Result<(), StoreError>;
    /// Gives a claimed key back, because nothing was done.
    async fn release_once(&self, key: &OnceKey) -> Result<(), StoreError>;
    /// Forgets a bounded number of expired records; says how many.
    async fn purge_once(&self, now: Timestamp) -> Result<usize, StoreError>;
}
