//! The end of chunks and of runs.

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{ChunkClaim, ChunkStage, STOPPED_CODE};
use payment_runs_engine::run::{Count, Run, RunEvent, RunStatus, Tally};
use rusqlite::{Connection, params};

use super::{chunk, claim};
use crate::sqlite::codes::Code;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all, execute, execute_one, first, params_of, time};

/// Runs that one call ends at most, so that its transaction stays short. The worker calls again while runs end.
const RUNS_MAX: i64 = 100;

/// Runs at work whose selection is complete and whose chunks are all done.
pub(crate) const FINISHED: &str = "SELECT entity, id, is_stopping FROM run \
     WHERE status = 1 AND selection_complete = 1 AND chunks_done = chunk_count ORDER BY entity, id LIMIT ?1";
/// Whether a chunk has an intent.
pub(crate) const ANY_INTENT: &str = "SELECT 1 FROM payment INDEXED BY payment_intent \
     WHERE entity = ?1 AND run = ?2 AND chunk = ?3 AND state = 0 AND run IS NOT NULL LIMIT 1";

/// Whether a payment of a run was declined.
const ANY_DECLINED: &str =
    "SELECT 1 FROM payment INDEXED BY payment_run WHERE entity = ?1 AND run = ?2 AND state = 4 LIMIT 1";
/// Why a payment of a run was not sent.
pub(crate) const KEPT_BACK: &str = "SELECT message FROM payment INDEXED BY payment_kept_back \
     WHERE entity = ?1 AND run = ?2 AND run IS NOT NULL AND state = 5 AND code <> ?3 LIMIT 1";
/// Whether a run is at work.
const AT_WORK: &str = "SELECT 1 FROM run WHERE entity = ?1 AND id = ?2 AND status = 1";

/// A run that has nothing left to do: its entity, and whether it is to be stopped.
pub(crate) type Finished = (EntityKey, RunId, bool);

/// Ends a chunk none of whose payments is an intent any more. Ending it again changes nothing.
pub(crate) fn close_chunk(db: &Connection, claimed: &ChunkClaim) -> Result<(), Failure> {
    claim::check(db, claimed)?;
    let ordinal = claim::chunk_of(claimed)?;
    let stored = chunk::load(db, claimed, ordinal)?;
    if chunk::is_done(stored.stage) {
        return Ok(());
    }
    if stored.stage == ChunkStage::Ready {
        return Err(Failure::broken("a chunk that was never opened cannot be closed"));
    }
    let values = params![claimed.entity.0, claimed.run.to_blob(), ordinal];
    if first(db, ANY_INTENT, values, |_| Ok(()))?.is_some() {
        return Err(Failure::broken("a chunk with intents cannot be closed"));
    }
    claim::set_stage(db, claimed, ordinal, ChunkStage::Done)?;
    count_done(db, claimed.entity, claimed.run, 1)
}

fn count_done(db: &Connection, entity: EntityKey, run: RunId, count: usize) -> Result<(), Failure> {
    let sql = "UPDATE run SET chunks_done = chunks_done + ?3 WHERE entity = ?1 AND id = ?2";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    execute_one(db, sql, params![entity.0, run.to_blob(), count], "count a chunk that is done")
}

/// Runs that have nothing left to do.
fn finished(db: &Connection, runs_max: i64) -> Result<Vec<Finished>, Failure> {
    all(db, FINISHED, params![runs_max], |row| Ok((EntityKey(row.get()?), row.id()?, row.get()?)))
}

/// The first run that has nothing left to do.
pub(crate) fn first_finished(db: &Connection) -> Result<Option<Finished>, Failure> {
    Ok(finished(db, 1)?.pop())
}

/// Ends runs that have nothing left to do.
pub(crate) fn finish_runs(db: &Connection, now: Timestamp) -> Result<Vec<RunId>, Failure> {
    finish_all(db, now, finished(db, RUNS_MAX)?)
}

/// Ends this run, unless it has ended since it was found.
pub(crate) fn finish_one(db: &Connection, now: Timestamp, found: Finished) -> Result<Vec<RunId>, Failure> {
    if is_at_work(db, found)? { finish_all(db, now, vec![found]) } else { Ok(Vec::new()) }
}

/// Ends this run in error without reading its counters, which lie on a damaged page, unless it has ended since it was found.
pub(crate) fn end_damaged_run(
    db: &Connection,
    now: Timestamp,
    found: Finished,
) -> Result<Vec<RunId>, Failure> {
    if !is_at_work(db, found)? {
        return Ok(Vec::new());
    }
    end_unread(db, found.0, found.1, now, "a page of the database is damaged")?;
    Ok(vec![found.1])
}

fn is_at_work(db: &Connection, (entity, run, _): Finished) -> Result<bool, Failure> {
    Ok(first(db, AT_WORK, params_of(entity, run), |_| Ok(()))?.is_some())
}

/// Ends runs. One that cannot be read is ended in error, since it would come up again for ever and keep the others from ending.
fn finish_all(db: &Connection, now: Timestamp, finished: Vec<Finished>) -> Result<Vec<RunId>, Failure> {
    for (entity, run, is_stopping) in &finished {
        let finish = || {
            if *is_stopping {
                return end(db, *entity, *run, RunEvent::Stop, now, None);
            }
            let (event, trouble) = match gateway_trouble(db, *entity, *run)? {
                Some(Trouble { why, is_total: true }) => {
                    (RunEvent::Fail, Some(format!("no payment could be sent to the gateway: {why}")))
                }
                Some(Trouble { why, is_total: false }) => (
                    RunEvent::Complete,
                    Some(format!("some payments could not be sent to the gateway: {why}")),
                ),
                None => (RunEvent::Complete, None),
            };
            end(db, *entity, *run, event, now, trouble.as_deref())
        };
        match within_savepoint(db, finish) {
            Err(Failure::Corrupt(what)) => end_unread(db, *entity, *run, now, &what)?,
            ended => ended?,
        }
    }
    Ok(finished.into_iter().map(|(_, run, _)| run).collect())
}

/// Why payments of a run were not sent.
struct Trouble {
    why: String,
    /// The gateway took nothing at all, so that the run itself has failed.
    is_total: bool,
}

/// Why payments of a run could not be sent, where some could not; what a stop gave up does not count.
fn gateway_trouble(db: &Connection, entity: EntityKey, run: RunId) -> Result<Option<Trouble>, Failure> {
    let tallies = row::tally::sum(db, entity, run)?;
    let counts = |of: fn(&Tally) -> Count| tallies.values().map(|tally| of(tally).number).sum::<i64>();
    if counts(|tally| tally.errors) == 0 {
        return Ok(None);
    }
    let values = params![entity.0, run.to_blob(), STOPPED_CODE];
    let why: Option<Option<String>> = first(db, KEPT_BACK, values, |row| row.get())?;
    let Some(why) = why.flatten() else { return Ok(None) };
    let is_total = counts(|tally| tally.payments) == 0
        && counts(|tally| tally.processing) == 0
        && first(db, ANY_DECLINED, params_of(entity, run), |_| Ok(()))?.is_none();
    Ok(Some(Trouble { why, is_total }))
}

/// Ends a run that cannot go on. What was planned is still sent and settled; what was not is left alone.
pub(crate) fn fail_run(
    db: &Connection,
    claimed: &ChunkClaim,
    now: Timestamp,
    message: &str,
) -> Result<(), Failure> {
    claim::check(db, claimed)?;
    let (entity, run) = (claimed.entity, claimed.run);
    let sql = "UPDATE chunk SET stage = 2, lease_until = 0 WHERE entity = ?1 AND run = ?2 AND stage = 0";
    let left = execute(db, sql, params_of(entity, run))?;
    count_done(db, entity, run, left)?;
    let sql =
        "UPDATE run SET selection_complete = 1, selection_lease_until = 0 WHERE entity = ?1 AND id = ?2";
    execute_one(db, sql, params_of(entity, run), "end a selection")?;
    end(db, entity, run, RunEvent::Fail, now, Some(message))
}

/// Ends a run in error that cannot be read, and so without a look at it.
fn end_unread(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    now: Timestamp,
    what: &str,
) -> Result<(), Failure> {
    tracing::error!(%run, what, "a payment run cannot be read and ends in error");
    put_end(db, (entity, run), RunStatus::Error, now, Some(what))?;
    append_end(db, (entity, run), EventKind::RunFailed, now, Some(what))
}

/// Stores that a run has ended, how and when.
fn put_end(
    db: &Connection,
    (entity, run): (EntityKey, RunId),
    status: RunStatus,
    now: Timestamp,
    message: Option<&str>,
) -> Result<(), Failure> {
    let sql =
        "UPDATE run SET status = ?3, completed_at = ?4, error_message = ?5 WHERE entity = ?1 AND id = ?2";
    let values = params![entity.0, run.to_blob(), status.code(), time(now), message];
    execute_one(db, sql, values, "end a run")
}

/// Records the event that a run has ended.
fn append_end(
    db: &Connection,
    (entity, run): (EntityKey, RunId),
    kind: EventKind,
    now: Timestamp,
    message: Option<&str>,
) -> Result<(), Failure> {
    let event = Event { detail: message.map(str::to_owned), ..Event::run(kind, run, None) };
    append(db, entity, now, &[event])
}

/// Carries something out whole or not at all, within a transaction that goes on either way.
fn within_savepoint(db: &Connection, job: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    execute(db, "SAVEPOINT one_of_many", [])?;
    let done = job();
    if done.is_err() {
        execute(db, "ROLLBACK TO one_of_many", [])?;
    }
    execute(db, "RELEASE one_of_many", [])?;
    done
}

fn end(
    db: &Connection,
    entity: EntityKey,
    id: RunId,
    event: RunEvent,
    now: Timestamp,
    message: Option<&str>,
) -> Result<(), Failure> {
    let run: Run =
        row::run::by_id(db, entity, id)?.ok_or_else(|| Failure::broken("a run at work vanished"))?;
    let Some(status) = run.status.after(event) else {
        return Err(Failure::broken(format!("a run that is {:?} cannot end with {event:?}", run.status)));
    };
    put_end(db, (entity, id), status, now, message)?;
    row::tally::fold(db, entity, id)?;
    let kind = match event {
        RunEvent::Fail => EventKind::RunFailed,
        RunEvent::Stop => EventKind::RunStopped,
        RunEvent::Start | RunEvent::Complete | RunEvent::Cancel => EventKind::RunEnded,
    };
    append_end(db, (entity, id), kind, now, message)
}
