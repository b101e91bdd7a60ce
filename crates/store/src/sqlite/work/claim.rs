//! Claims: who may work on what until when, fenced by epochs.

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, RunId, ScheduleId};
use payment_runs_engine::ports::{ChunkClaim, ChunkStage, Ids};
use payment_runs_engine::run::{RunEvent, RunStatus};
use rusqlite::{Connection, params};

use crate::sqlite::codes::Code;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::schedules::{Gone, follow};
use crate::sqlite::sql::{BlobId, execute, execute_one, first, params_of, time};

/// The run that wants to start first.
pub(crate) const NEXT: &str =
    "SELECT start_at FROM run WHERE status = 0 AND is_deleted = 0 ORDER BY start_at LIMIT 1";
/// A run whose selection was left behind.
pub(crate) const LEFT: &str = "SELECT entity, id FROM run WHERE status = 1 AND selection_complete = 0 \
     AND selection_lease_until <= ?1 ORDER BY selection_lease_until LIMIT 1";
/// A pending run whose time has come.
pub(crate) const WAITING: &str = "SELECT entity, id FROM run WHERE status = 0 AND is_deleted = 0 \
     AND start_at <= ?1 ORDER BY start_at LIMIT 1";
/// A chunk that was left behind: the oldest lease first. It comes before any other, since it may hold documents, and charges
/// that nobody has recorded.
pub(crate) const LEFT_CHUNK: &str = "SELECT entity, run, ordinal FROM chunk \
     WHERE stage < 2 AND is_blocked = 0 AND lease_until > 0 AND lease_until <= ?1 \
     ORDER BY lease_until, entity, run, ordinal LIMIT 1";
/// A chunk that nobody has worked on and that waits for no other, of an entity beyond another: its oldest run first.
pub(crate) const FRESH_CHUNK: &str = "SELECT entity, run, ordinal FROM chunk \
     WHERE stage < 2 AND is_blocked = 0 AND lease_until = 0 AND entity > ?1 \
     ORDER BY entity, run, ordinal LIMIT 1";
/// What is less than every entity.
const NO_ENTITY: i64 = -1;

/// When the next pending run wants to start.
pub(crate) fn next_run_at(db: &Connection) -> Result<Option<Timestamp>, Failure> {
    first(db, NEXT, [], |row| row.time())
}

/// Claims one run's selection: one that was left behind, else a pending one whose time has come.
pub(crate) fn selection(
    db: &Connection,
    now: Timestamp,
    lease_until: Timestamp,
    ids: &dyn Ids,
) -> Result<Option<ChunkClaim>, Failure> {
    let mut found: Option<(EntityKey, RunId)> = None;
    for sql in [LEFT, WAITING] {
        if found.is_none() {
            found = first(db, sql, params![time(now)], |row| Ok((EntityKey(row.get()?), row.id()?)))?;
        }
    }
    let Some((entity, run)) = found else { return Ok(None) };
    start(db, entity, run, now, ids)?;
    let sql = "UPDATE run SET selection_epoch = selection_epoch + 1, selection_lease_until = ?3 \
               WHERE entity = ?1 AND id = ?2 RETURNING selection_epoch";
    let epoch = first(db, sql, params![entity.0, run.to_blob(), time(lease_until)], |row| row.number())?
        .ok_or_else(|| Failure::broken("a run vanished while it was claimed"))?;
    Ok(Some(ChunkClaim { entity, run, chunk: None, epoch, stage: ChunkStage::Ready }))
}

/// Makes a pending run a processing one; one that is at work already stays as it is. A schedule goes on with its next run in
/// the same transaction, so that no occurrence is lost between the two, and none comes twice.
fn start(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    now: Timestamp,
    ids: &dyn Ids,
) -> Result<(), Failure> {
    let Some(status) = RunStatus::Pending.after(RunEvent::Start) else { return Ok(()) };
    let sql = "UPDATE run SET status = ?3, executed_at = ?4 WHERE entity = ?1 AND id = ?2 AND status = 0 \
               RETURNING schedule, occurrence_day";
    let values = params![entity.0, run.to_blob(), status.code(), time(now)];
    let started = first(db, sql, values, |row| Ok((row.opt_id::<ScheduleId>()?, row.opt_date()?)))?;
    let Some(occurrence) = started else { return Ok(()) };
    append(db, entity, now, &[Event::run(EventKind::RunStarted, run, None)])?;
    let (Some(schedule), Some(day)) = occurrence else { return Ok(()) };
    let gone = Gone { schedule, day, run, has_begun: true, user: None };
    match follow(db, entity, &gone, now, ids) {
        // It was read before anything was written. What cannot be understood must not keep other runs from starting.
        Err(Failure::Corrupt(what)) => {
            tracing::error!(%schedule, what, "a schedule cannot go on");
            Ok(())
        }
        done => done,
    }
}

/// The chunk to work on next: one that was left behind, or else a fresh one. The entities take turns with these, so that the
/// large runs of one do not keep the small ones of another waiting.
fn next_chunk(
    db: &Connection,
    now: Timestamp,
    served: Option<EntityKey>,
) -> Result<Option<(EntityKey, RunId, u32)>, Failure> {
    let beyond = served.map(|entity| i64::from(entity.0)).into_iter().chain([NO_ENTITY]);
    let fresh = beyond.map(|entity| (FRESH_CHUNK, entity));
    for (sql, value) in [(LEFT_CHUNK, time(now))].into_iter().chain(fresh) {
        let found = first(db, sql, params![value], |row| {
            Ok((EntityKey(row.get()?), row.id::<RunId>()?, row.number::<u32>()?))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Claims one chunk that was left behind or is ready, after one of the given entity.
pub(crate) fn chunk(
    db: &Connection,
    now: Timestamp,
    lease_until: Timestamp,
    served: Option<EntityKey>,
) -> Result<Option<ChunkClaim>, Failure> {
    let Some((entity, run, ordinal)) = next_chunk(db, now, served)? else { return Ok(None) };
    let sql = "UPDATE chunk SET epoch = epoch + 1, lease_until = ?4 \
               WHERE entity = ?1 AND run = ?2 AND ordinal = ?3 RETURNING epoch, stage";
    let values = params![entity.0, run.to_blob(), ordinal, time(lease_until)];
    let claimed = first(db, sql, values, |row| Ok((row.number()?, row.code()?)))?;
    let (epoch, stage) = claimed.ok_or_else(|| Failure::broken("a chunk vanished while it was claimed"))?;
    Ok(Some(ChunkClaim { entity, run, chunk: Some(ordinal), epoch, stage }))
}

/// Prolongs a lease and says whether it is still ours.
pub(crate) fn renew(db: &Connection, claim: &ChunkClaim, lease_until: Timestamp) -> Result<bool, Failure> {
    let changed = if let Some(ordinal) = claim.chunk {
        let sql = "UPDATE chunk SET lease_until = ?5 \
                   WHERE entity = ?1 AND run = ?2 AND ordinal = ?3 AND epoch = ?4 AND stage < 2";
        let values = params![claim.entity.0, claim.run.to_blob(), ordinal, claim.epoch, time(lease_until)];
        execute(db, sql, values)?
    } else {
        let sql = "UPDATE run SET selection_lease_until = ?4 \
                   WHERE entity = ?1 AND id = ?2 AND selection_epoch = ?3 AND status = 1 AND selection_complete = 0";
        execute(db, sql, params![claim.entity.0, claim.run.to_blob(), claim.epoch, time(lease_until)])?
    };
    Ok(changed == 1)
}

/// Fails with [`Failure::LeaseLost`] unless the claim is the newest of its kind and its work is not over.
pub(crate) fn check(db: &Connection, claim: &ChunkClaim) -> Result<(), Failure> {
    let newest = if let Some(ordinal) = claim.chunk {
        let sql = "SELECT epoch FROM chunk WHERE entity = ?1 AND run = ?2 AND ordinal = ?3";
        first(db, sql, params![claim.entity.0, claim.run.to_blob(), ordinal], |row| row.number::<u32>())?
    } else {
        let sql = "SELECT selection_epoch FROM run WHERE entity = ?1 AND id = ?2";
        first(db, sql, params_of(claim.entity, claim.run), |row| row.number::<u32>())?
    };
    if newest == Some(claim.epoch) { Ok(()) } else { Err(Failure::LeaseLost) }
}

/// The chunk of a claim that must be of a chunk.
pub(crate) fn chunk_of(claim: &ChunkClaim) -> Result<u32, Failure> {
    claim.chunk.ok_or_else(|| Failure::broken("the claim is of a selection, not of a chunk"))
}

/// Moves a chunk on and, at the end, gives its claim back.
pub(crate) fn set_stage(
    db: &Connection,
    claim: &ChunkClaim,
    ordinal: u32,
    stage: ChunkStage,
) -> Result<(), Failure> {
    let sql = "UPDATE chunk SET stage = ?4 WHERE entity = ?1 AND run = ?2 AND ordinal = ?3 AND stage < ?4";
    let values = params![claim.entity.0, claim.run.to_blob(), ordinal, stage.code()];
    execute_one(db, sql, values, "move a chunk on")
}
