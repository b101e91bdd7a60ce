//! The append-only record of what happened to runs and payments.

use jiff::Timestamp;
pub(crate) use payment_runs_engine::audit::EventKind;
use payment_runs_engine::ids::{EntityKey, PaymentId, RunId, UserId};
use payment_runs_engine::payment::{Payment, PaymentState};
use rusqlite::{Connection, params};

use super::codes::Code;
use super::failure::Failure;
use super::sequence::{Sequence, reserve};
use super::sql::{blob, time};

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
    /// Something that happened to an import, which the detail names.
    pub(crate) fn import(kind: EventKind, user: UserId, detail: String) -> Self {
        let (run, chunk, payment, state) = (None, None, None, None);
        Self { kind, run, chunk, payment, state, user: Some(user), detail: Some(detail) }
    }

    /// Something that happened to a payment outside of any run.
    pub(crate) fn payment(
        kind: EventKind,
        payment: &Payment,
        user: Option<UserId>,
        detail: Option<String>,
    ) -> Self {
        let (run, chunk, state) = (None, None, Some(payment.state));
        Self { kind, run, chunk, payment: Some(payment.id), state, user, detail }
    }

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
        statement.execute(params![
            entity.0,
            blob(event.run),
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
