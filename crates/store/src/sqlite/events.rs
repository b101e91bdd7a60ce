//! The append-only record of what happened to runs and payments.

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, PaymentId, RunId, UserId};
use payment_runs_engine::payment::PaymentState;
use rusqlite::{Connection, params};

use super::codes::Code;
use super::failure::Failure;
use super::sequence::{Sequence, reserve};
use super::sql::{BlobId, blob, time};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    RunCreated,
    RunUpdated,
    RunStarted,
    RunEnded,
    RunFailed,
    RunCanceled,
    RunDeleted,
    ChunkPlanned,
    PaymentCreated,
    PaymentSettled,
}

impl EventKind {
    fn code(self) -> i64 {
        match self {
            Self::RunCreated => 0,
            Self::RunUpdated => 1,
            Self::RunStarted => 2,
            Self::RunEnded => 3,
            Self::RunFailed => 4,
            Self::RunCanceled => 5,
            Self::RunDeleted => 6,
            Self::ChunkPlanned => 7,
            Self::PaymentCreated => 8,
            Self::PaymentSettled => 9,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) run: Option<RunId>,
    pub(crate) chunk: Option<u32>,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) state: Option<PaymentState>,
    /// Who did it; absent for what the work did by itself.
    pub(crate) user: Option<UserId>,
    pub(crate) detail: Option<String>,
}

impl Event {
    /// Something that happened to a run.
    pub(crate) fn run(kind: EventKind, run: RunId, user: Option<UserId>) -> Self {
        Self { kind, run: Some(run), chunk: None, payment: None, state: None, user, detail: None }
    }
}

/// Appends events in their order.
pub(crate) fn append(
    db: &Connection,
    entity: EntityKey,
    at: Timestamp,
    events: &[Event],
) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let first = reserve(db, entity, Sequence::Event, events.len())?;
    let sql = "INSERT INTO event (entity, run, id, at, user, kind, chunk, payment, state, detail) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut statement = db.prepare_cached(sql)?;
    for (id, event) in (first..).zip(events) {
        let run: &[u8] = &event.run.map(|run| run.to_blob().to_vec()).unwrap_or_default();
        statement.execute(params![
            entity.0,
            run,
            id,
            time(at),
            blob(event.user),
            event.kind.code(),
            event.chunk,
            blob(event.payment),
            event.state.map(Code::code),
            event.detail,
        ])?;
    }
    Ok(())
}
