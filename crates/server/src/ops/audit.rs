//! The audit trail: who did what to runs and payments, and when.

use payment_runs_engine::audit::{self, AuditQuery, EventKind};
use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::StoreError;
use payment_runs_stubs::Rejection;
use payment_runs_stubs::ops::list_audit_records::Query;
use payment_runs_types::ops::{AuditKind, AuditRecord, AuditRecordPage};

use super::page::{self, List};
use super::payments::wire_state;
use crate::call::Call;
use crate::failure::store_failure;

/// One page of audit records, oldest first. A run or payment that does not exist has none.
pub(super) async fn list(call: &Call<'_>, query: Query) -> Result<AuditRecordPage, Rejection> {
    let list =
        List::new("audit records", call).with(query.payment_run.as_deref()).with(query.payment.as_deref());
    let after = list.start(query.cursor.as_deref())?.map(i64::from_be_bytes);
    let size = page::size(query.page_size);
    let asked = to_query(call, &query).await.map_err(|error| store_failure(&error))?;
    let Some(asked) = asked else { return Ok(AuditRecordPage { data: Vec::new(), next_page: None }) };
    let asked = AuditQuery { after, limit: size + 1, ..asked };
    let records = call.app.ports.ledger.list_audit_records(call.scope(), asked).await;
    let mut records = records.map_err(|error| store_failure(&error))?;
    let next_page = list.cut(&mut records, size, |record| record.id.to_be_bytes());
    Ok(AuditRecordPage { data: records.into_iter().map(write).collect(), next_page })
}

/// The query with what it names; nothing where something it names is not there for the caller.
async fn to_query(call: &Call<'_>, query: &Query) -> Result<Option<AuditQuery>, StoreError> {
    let ledger = &call.app.ports.ledger;
    let mut asked = AuditQuery::default();
    if let Some(key) = &query.payment_run {
        asked.run = ledger.find_audited_run(call.scope(), &Key::new(key)).await?;
        if asked.run.is_none() {
            return Ok(None);
        }
    }
    if let Some(key) = &query.payment {
        let payment = ledger.find_payment(call.scope(), &Key::new(key)).await?;
        let Some(payment) = payment else { return Ok(None) };
        asked.payment = Some(payment.id);
    }
    Ok(Some(asked))
}

fn write(record: audit::AuditRecord) -> AuditRecord {
    AuditRecord {
        id: record.id,
        at: record.at.into(),
        kind: kind(record.kind),
        user_id: record.user.map(|id| id.to_string()),
        payment_run_id: record.run.map(|id| id.to_string()),
        payment_id: record.payment.map(|id| id.to_string()),
        payment_state: record.state.map(wire_state),
        detail: record.detail,
    }
}

fn kind(kind: EventKind) -> AuditKind {
    match kind {
        EventKind::RunCreated => AuditKind::PaymentRunCreated,
        EventKind::RunUpdated => AuditKind::PaymentRunUpdated,
        EventKind::RunStarted => AuditKind::PaymentRunStarted,
        EventKind::RunEnded => AuditKind::PaymentRunEnded,
        EventKind::RunFailed => AuditKind::PaymentRunFailed,
        EventKind::RunCanceled => AuditKind::PaymentRunCanceled,
        EventKind::RunDeleted => AuditKind::PaymentRunDeleted,
        EventKind::RunStopRequested => AuditKind::PaymentRunStopRequested,
        EventKind::RunStopped => AuditKind::PaymentRunStopped,
        EventKind::ChunkPlanned => AuditKind::ChunkPlanned,
        EventKind::PaymentCreated => AuditKind::PaymentCreated,
        EventKind::PaymentSettled => AuditKind::PaymentSettled,
        EventKind::PaymentResolved => AuditKind::PaymentResolved,
        EventKind::PaymentMatched => AuditKind::PaymentMatched,
        EventKind::ImportCreated => AuditKind::ImportCreated,
        EventKind::ImportLinesTaken => AuditKind::ImportLinesTaken,
        EventKind::ScheduleCreated => AuditKind::ScheduleCreated,
        EventKind::ScheduleUpdated => AuditKind::ScheduleUpdated,
        EventKind::ScheduleEnded => AuditKind::ScheduleEnded,
        EventKind::OccurrenceCreated => AuditKind::OccurrenceCreated,
        EventKind::WebhookCreated => AuditKind::WebhookCreated,
        EventKind::WebhookUpdated => AuditKind::WebhookUpdated,
        EventKind::WebhookDeleted => AuditKind::WebhookDeleted,
        EventKind::DeliveryReplayed => AuditKind::DeliveryReplayed,
    }
}
