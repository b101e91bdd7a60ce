//! Deliveries: written before they are sent, and what came of each attempt.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::ids::{DeliveryId, EntityKey, RunId, UserId, WebhookId};
use payment_runs_engine::notify::{
    Attempt, AttemptRecord, DELIVERIES_KEPT, Delivery, DeliveryQuery, DeliveryState, Lane, NewDelivery,
    Replayed, Step, Verdict, WAITING_IN_ALL_MAX, Waiting,
};
use rusqlite::{Connection, params};

use super::audit;
use crate::sqlite::codes::Code;
use crate::sqlite::events::{EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, all, blob, execute, first, time, unsigned};

/// Old deliveries that one storing of new ones forgets at most: more than it stores, so that there are never more than
/// are kept.
const PURGE_MAX: i64 = 256;

const SELECTED: &str = "ordinal, id, kind, run, payment, body, state, attempts, due_at, tried_at, status, error, \
     created_at, ended_at";
/// The deliveries of a webhook that wait.
pub(crate) const WAITING: &str = "SELECT ordinal, id, kind, run, is_replay, attempts, due_at FROM webhook_delivery \
     INDEXED BY webhook_delivery_waiting WHERE entity = ?1 AND webhook = ?2 AND state = 0 ORDER BY ordinal LIMIT ?3";
/// Forgets deliveries that have ended and are old enough.
pub(crate) const FORGET: &str = "DELETE FROM webhook_delivery WHERE entity = ?1 AND webhook = ?2 AND ordinal IN \
     (SELECT ordinal FROM webhook_delivery WHERE entity = ?1 AND webhook = ?2 AND ordinal < ?3 \
      AND state <> 0 ORDER BY ordinal LIMIT ?4)";
const INSERT: &str = "INSERT INTO webhook_delivery \
     (entity, webhook, ordinal, id, event, kind, run, payment, body, due_at, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)";
static BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {SELECTED} FROM webhook_delivery WHERE entity = ?1 AND webhook = ?2 AND id = ?3")
});

fn ordinal_of(ordinal: u64) -> i64 {
    i64::try_from(ordinal).unwrap_or(i64::MAX)
}

fn read(row: &mut Columns<'_>) -> Result<Delivery, Failure> {
    Ok(Delivery {
        ordinal: unsigned(row.get()?)?,
        id: row.id()?,
        kind: row.code()?,
        run: row.opt_id()?,
        payment: row.opt_id()?,
        body: row.get()?,
        state: row.code()?,
        attempts: row.number()?,
        due_at: row.opt_time()?,
        tried_at: row.opt_time()?,
        status: row.opt_number()?,
        error: row.get()?,
        created_at: row.time()?,
        ended_at: row.opt_time()?,
    })
}

fn lane(ordinal: u64, run: Option<RunId>, is_replay: bool) -> Lane {
    match run {
        _ if is_replay => Lane::Replay(ordinal),
        Some(run) => Lane::Run(run),
        None => Lane::NoRun,
    }
}

pub(super) fn waiting(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    limit: usize,
) -> Result<Vec<Waiting>, Failure> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(db, WAITING, params![entity.0, webhook.to_blob(), limit], |row| {
        let ordinal = unsigned(row.get()?)?;
        let (id, kind) = (row.id()?, row.code()?);
        let lane = lane(ordinal, row.opt_id()?, row.get()?);
        Ok(Waiting { ordinal, id, kind, lane, attempts: row.number()?, due_at: row.time()? })
    })
}

pub(super) fn list(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    query: &DeliveryQuery,
) -> Result<Vec<Delivery>, Failure> {
    // The state is written out, so that the indexes on waiting and on failed deliveries, which are few, can serve.
    let (index, state) = match query.state {
        None => ("", ""),
        Some(DeliveryState::Waiting) => ("INDEXED BY webhook_delivery_waiting", "AND state = 0"),
        Some(DeliveryState::Delivered) => ("", "AND state = 1"),
        Some(DeliveryState::Failed) => ("INDEXED BY webhook_delivery_failed", "AND state = 2"),
    };
    let sql = format!(
        "SELECT {SELECTED} FROM webhook_delivery {index} \
         WHERE entity = ?1 AND webhook = ?2 AND ordinal < ?3 {state} ORDER BY ordinal DESC LIMIT ?4"
    );
    let before = query.before.map_or(i64::MAX, ordinal_of);
    all(db, &sql, params![entity.0, webhook.to_blob(), before, query.limit], read)
}

/// Stores deliveries behind the webhook's position and moves it on.
pub(super) fn put(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    step: &Step,
    now: Timestamp,
    deliveries: &[NewDelivery],
) -> Result<Vec<Waiting>, Failure> {
    let sql = "UPDATE webhook SET position = ?4, next_ordinal = next_ordinal + ?5 \
               WHERE entity = ?1 AND id = ?2 AND position = ?3 RETURNING next_ordinal - ?5";
    let count = i64::try_from(deliveries.len()).unwrap_or(i64::MAX);
    let values = params![entity.0, webhook.to_blob(), step.from, step.upto, count];
    let Some(ordinal) = first(db, sql, values, |row| row.get::<i64>())? else {
        return Err(Failure::LeaseLost);
    };
    for (run, after) in &step.held {
        hold(db, entity, webhook, *run, *after)?;
    }
    let mut insert = db.prepare_cached(INSERT)?;
    let mut stored = Vec::with_capacity(deliveries.len());
    for (ordinal, new) in (ordinal..).zip(deliveries) {
        insert.execute(params![
            entity.0,
            webhook.to_blob(),
            ordinal,
            new.id.to_blob(),
            new.event,
            new.kind.code(),
            blob(new.run),
            blob(new.payment),
            new.body,
            time(now),
        ])?;
        let ordinal = unsigned(ordinal)?;
        let lane = lane(ordinal, new.run, false);
        stored.push(Waiting { ordinal, id: new.id, kind: new.kind, lane, attempts: 0, due_at: now });
    }
    let forgotten = ordinal.saturating_add(count).saturating_sub(ordinal_of(DELIVERIES_KEPT));
    execute(db, FORGET, params![entity.0, webhook.to_blob(), forgotten, PURGE_MAX])?;
    Ok(stored)
}

/// Notes where a run stands that must wait, or forgets it.
fn hold(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    run: Option<RunId>,
    after: Option<i64>,
) -> Result<(), Failure> {
    let run: Vec<u8> = blob(run).map(Vec::from).unwrap_or_default();
    let Some(after) = after else {
        let sql = "DELETE FROM webhook_held WHERE entity = ?1 AND webhook = ?2 AND run = ?3";
        return execute(db, sql, params![entity.0, webhook.to_blob(), run]).map(drop);
    };
    let sql = "INSERT INTO webhook_held (entity, webhook, run, after) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (entity, webhook, run) DO UPDATE SET after = excluded.after";
    execute(db, sql, params![entity.0, webhook.to_blob(), run, after]).map(drop)
}

/// The runs of which more is to be told.
pub(super) fn held(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
) -> Result<Vec<(Option<RunId>, i64)>, Failure> {
    let sql =
        "SELECT nullif(run, x''), after FROM webhook_held WHERE entity = ?1 AND webhook = ?2 ORDER BY run";
    all(db, sql, params![entity.0, webhook.to_blob()], |row| Ok((row.opt_id()?, row.get()?)))
}

pub(super) fn body(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    ordinal: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let sql =
        "SELECT body FROM webhook_delivery WHERE entity = ?1 AND webhook = ?2 AND ordinal = ?3 AND state = 0";
    first(db, sql, params![entity.0, webhook.to_blob(), ordinal_of(ordinal)], |row| row.get())
}

pub(super) fn record(db: &Connection, attempts: &[AttemptRecord]) -> Result<(), Failure> {
    let sql = "UPDATE webhook_delivery SET attempts = attempts + 1, state = ?4, due_at = ?5, tried_at = ?6, \
               status = ?7, error = ?8, ended_at = ?9 \
               WHERE entity = ?1 AND webhook = ?2 AND ordinal = ?3 AND state = 0";
    for record in attempts {
        let (state, due_at) = match record.verdict {
            Verdict::Delivered => (DeliveryState::Delivered, None),
            Verdict::Again(at) => (DeliveryState::Waiting, Some(time(at))),
            Verdict::GiveUp => (DeliveryState::Failed, None),
        };
        let (status, error) = match (&record.attempt, record.verdict) {
            (Attempt::Answered(status), Verdict::Delivered) => (Some(*status), None),
            (Attempt::Answered(status), _) => {
                (Some(*status), Some(format!("the endpoint answered with status {status}")))
            }
            (Attempt::Unanswered { why }, _) => (None, Some(why.clone())),
        };
        let ended_at = due_at.is_none().then(|| time(record.at));
        let values = params![
            record.entity.0,
            record.webhook.to_blob(),
            ordinal_of(record.ordinal),
            state.code(),
            due_at,
            time(record.at),
            status,
            error,
            ended_at,
        ];
        execute(db, sql, values)?;
    }
    Ok(())
}

pub(super) fn replay(
    db: &Connection,
    entity: EntityKey,
    webhook: WebhookId,
    id: DeliveryId,
    user: UserId,
    now: Timestamp,
) -> Result<Replayed, Failure> {
    let key = params![entity.0, webhook.to_blob(), id.to_blob()];
    let Some(found) = first(db, &BY_ID, key, read)? else { return Ok(Replayed::Missing) };
    if found.state == DeliveryState::Waiting {
        return Ok(Replayed::Waiting);
    }
    // Counting stops at the bound.
    let sql = "SELECT count(*) FROM \
               (SELECT 1 FROM webhook_delivery INDEXED BY webhook_delivery_waiting \
                WHERE entity = ?1 AND webhook = ?2 AND state = 0 LIMIT ?3)";
    let limit = i64::try_from(WAITING_IN_ALL_MAX).unwrap_or(i64::MAX);
    let waiting = first(db, sql, params![entity.0, webhook.to_blob(), limit], |row| row.get::<i64>())?;
    if waiting.unwrap_or_default() >= limit {
        return Ok(Replayed::Full);
    }
    let sql = "UPDATE webhook_delivery SET state = 0, is_replay = 1, attempts = 0, due_at = ?4, ended_at = NULL \
               WHERE entity = ?1 AND webhook = ?2 AND id = ?3";
    execute(db, sql, params![entity.0, webhook.to_blob(), id.to_blob(), time(now)])?;
    let detail = format!("delivery {id} to webhook {webhook}");
    append(db, entity, now, &[audit(EventKind::DeliveryReplayed, user, detail)])?;
    let key = params![entity.0, webhook.to_blob(), id.to_blob()];
    let again = first(db, &BY_ID, key, read)?;
    Ok(again.map_or(Replayed::Missing, |delivery| Replayed::Done(Box::new(delivery))))
}
