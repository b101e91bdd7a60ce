//! The audit trail: what happened to runs and payments, one record for each change, never altered.

use jiff::Timestamp;

use crate::ids::{PaymentId, RunId, UserId};
use crate::payment::PaymentState;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A run was created.
    RunCreated,
    /// A pending run was changed.
    RunUpdated,
    /// A run's work began.
    RunStarted,
    /// A run ended with nothing left to do.
    RunEnded,
    /// A run could not go on.
    RunFailed,
    /// A pending run was given up.
    RunCanceled,
    /// A run was hidden.
    RunDeleted,
    /// A part of a run was decided, and its payments were written.
    ChunkPlanned,
    /// A single payment was created.
    PaymentCreated,
    /// What came of a payment was recorded, or turned out to contradict what was recorded before.
    PaymentSettled,
    /// Somebody asked for the end of a run at work.
    RunStopRequested,
    /// A run ended because it was stopped.
    RunStopped,
    /// A person settled a payment in doubt.
    PaymentResolved,
    /// A person applied an unmatched payment to documents, or released it.
    PaymentMatched,
    /// A webhook was made.
    WebhookCreated,
    /// A webhook was changed, or got another secret.
    WebhookUpdated,
    /// A webhook was deleted.
    WebhookDeleted,
    /// A notification is to be sent once more.
    DeliveryReplayed,
    /// An import was begun.
    ImportCreated,
    /// Lines of an import were taken.
    ImportLinesTaken,
    /// A schedule was created.
    ScheduleCreated,
    /// A schedule was changed.
    ScheduleUpdated,
    /// A schedule ended: no other run follows.
    ScheduleEnded,
    /// A schedule made its next run.
    OccurrenceCreated,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 24] = [
        Self::RunCreated,
        Self::RunUpdated,
        Self::RunStarted,
        Self::RunEnded,
        Self::RunFailed,
        Self::RunCanceled,
        Self::RunDeleted,
        Self::ChunkPlanned,
        Self::PaymentCreated,
        Self::PaymentSettled,
        Self::RunStopRequested,
        Self::RunStopped,
        Self::PaymentResolved,
        Self::PaymentMatched,
        Self::WebhookCreated,
        Self::WebhookUpdated,
        Self::WebhookDeleted,
        Self::DeliveryReplayed,
        Self::ImportCreated,
        Self::ImportLinesTaken,
        Self::ScheduleCreated,
        Self::ScheduleUpdated,
        Self::ScheduleEnded,
        Self::OccurrenceCreated,
    ];
}

/// One record of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its position in the entity's trail, from 1; later records have larger ones.
    pub id: i64,
    /// When it happened (UTC).
    pub at: Timestamp,
    /// Who did it; absent for what the work did by itself.
    pub user: Option<UserId>,
    /// What happened.
    pub kind: EventKind,
    /// To which run, or to a payment of which run.
    pub run: Option<RunId>,
    /// To which part of the run.
    pub chunk: Option<u32>,
    /// To which payment.
    pub payment: Option<PaymentId>,
    /// The payment's state afterwards.
    pub state: Option<PaymentState>,
    /// More about it, in words: a failure's message, a resolution's comment.
    pub detail: Option<String>,
}

/// Which records of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Of this run and its payments, also after it was deleted.
    pub run: Option<RunId>,
    /// Of this payment.
    pub payment: Option<PaymentId>,
    /// After the record at this position.
    pub after: Option<i64>,
    /// How many at most, oldest first.
    pub limit: u32,
}
