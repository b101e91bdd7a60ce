//! Opening a chunk: the plan is made and written now, or an earlier worker's intents are given back.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::plan::plan_chunk;
use payment_runs_engine::ports::{ChunkClaim, ChunkStage, EncodeCharge, Ids, Intent, Opened};
use rusqlite::{Connection, params};

use super::chunk::{self, is_done};
use super::write::Writer;
use super::{claim, view};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::{BlobId, all};

/// The intents of a chunk.
pub(crate) static INTENTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM payment INDEXED BY payment_intent WHERE entity = ?1 AND run = ?2 AND chunk = ?3 AND state = 0 AND run IS NOT NULL \
         ORDER BY id",
        row::payment::INTENT_SELECTED
    )
});

pub(crate) fn open(
    db: &Connection,
    claimed: &ChunkClaim,
    now: Timestamp,
    encoder: &dyn EncodeCharge,
    ids: &dyn Ids,
) -> Result<Opened, Failure> {
    claim::check(db, claimed)?;
    let ordinal = claim::chunk_of(claimed)?;
    let chunk = chunk::load(db, claimed, ordinal)?;
    if is_done(chunk.stage) {
        return Ok(Opened { intents: Vec::new(), fresh: false });
    }
    if chunk.stage == ChunkStage::Planned {
        return Ok(Opened { intents: intents(db, claimed, ordinal)?, fresh: false });
    }
    let run = row::run::by_id(db, claimed.entity, claimed.run)?
        .ok_or_else(|| Failure::broken("a run at work vanished"))?;
    let view = view::load(db, claimed, run, &chunk, now)?;
    let plan = plan_chunk(&view, ids);
    let writer = Writer { db, claim: claimed, ordinal, view: &view, now, encoder };
    let intents = writer.write(&plan)?;
    claim::set_stage(db, claimed, ordinal, ChunkStage::Planned)?;
    chunk::unblock_next(db, claimed, ordinal)?;
    Ok(Opened { intents, fresh: true })
}

fn intents(db: &Connection, claimed: &ChunkClaim, ordinal: u32) -> Result<Vec<Intent>, Failure> {
    let values = params![claimed.entity.0, claimed.run.to_blob(), ordinal];
    all(db, &INTENTS, values, row::payment::read_intent)
}
