//! What the engine needs from the outside, split by role. Every clock, timer, identifier, task and effect goes through
//! one of these, so that a simulation can replay a run from a seed.

pub mod access;
pub mod async_requests;
pub mod clock;
pub mod exports;
pub mod gateway;
pub mod imports;
pub mod ledger;
pub mod listing;
pub mod once;
pub mod preview;
pub mod reconciliation;
pub mod schedules;
pub mod search;
pub mod webhooks;
pub mod work;

use std::future::Future;
use std::pin::Pin;

/// A boxed future, as object-safe ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub use access::{
    Access, Client, ClientChange, ClientQuery, ENTITIES_MAX, Entity, LEDGER_ID_NAME, Named, NewEntity,
    ORGANIZATIONS_MAX, Permission, Session,
};
pub use async_requests::{AcceptOnce, AsyncRecord, AsyncRequest, AsyncRequests, Enqueued};
pub use clock::{Clock, ClockIsLater, Deadline, Entropy, Ids, SettableClock, Spawner, since_epoch};
pub use exports::Exports;
pub use gateway::{
    AccountUnavailable, Charge, ChargeRequest, ChargeSubject, Delivery, Doubt, EncodeCharge, Gateway,
    GatewayAccounts, GatewaySettings, Gateways, InstrumentDetails, LookUp, NotSentCause, Outcome,
    ReportedCharge, STOPPED_CODE, TokenizeError, Tokenized,
};
pub use imports::{Imports, TakeLines, Taken};
pub use ledger::{Executed, Ledger, LedgerError, Output};
pub use listing::{
    ChargePage, ChargingHold, LISTED_PAGE_MAX, LedgerWatch, ListError, ListedCharge, ListedState,
    ListedSubject,
};
pub use once::{Once, OnceKey, OnceStore, Replay, StoredResponse};
pub use preview::{PREVIEW_DOCUMENTS_MAX, Preview, PreviewQuery, Previewed, PreviewedDecision};
pub use reconciliation::{
    Differences, DocumentsDigest, MatchDecision, Matched, PROCESSED_PAGE_MAX, Reconciliation,
    UnmatchedPayment,
};
pub use schedules::{ScheduleQuery, Schedules};
pub use search::{FoundRun, Search};
pub use webhooks::{EncodeNotification, TargetFault, WebhookSender, Webhooks};
pub use work::{ChunkClaim, ChunkStage, DELIVERY_LIFE, Intent, Opened, Settlement, Work};

/// Why a store could not do what it was asked; none of these is the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A read failed.
    #[error("the database could not be read while it tried to {doing}")]
    Read {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A transaction was rolled back; nothing of it is stored.
    #[error("the database refused to {doing}")]
    Write {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another program holds the database. Nothing is stored.
    #[error("another program held the database for too long to {doing}")]
    Busy {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is not known whether a transaction was stored.
    #[error("it is not known whether the database stored the attempt to {doing}")]
    InDoubt {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Pages of the database file are damaged, so that no attempt can succeed.
    #[error("the database file is damaged")]
    Damaged {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood.
    #[error("the database holds a value that this version cannot read: {what}")]
    Corrupt {
        /// Which value.
        what: String,
    },
    /// The store is shutting down.
    #[error("the database is closed")]
    Closed,
    /// The caller's lease was taken over by another worker: nothing was written.
    #[error("the work was taken over by another worker")]
    LeaseLost,
}

/// An error with all its causes, as a log wants it: that a disk is full, say.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
