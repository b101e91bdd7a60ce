//! Chunks as they are stored: half-open ranges of keys.

use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{ChunkClaim, ChunkStage};
use rusqlite::{Connection, params};

use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, execute, first};

/// Sorts after every date.
const AFTER_EVERY_DATE: &str = "~";

/// A place in the order in which a run takes documents, or data records, which have only account and position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RangeKey {
    /// The account's 16 bytes; empty before the first one, and for records that name no account.
    pub(crate) account: Vec<u8>,
    pub(crate) due_date: String,
    pub(crate) number: String,
    pub(crate) id: Vec<u8>,
    pub(crate) position: i64,
}

impl RangeKey {
    /// The place before every other.
    pub(crate) fn origin() -> Self {
        Self {
            account: Vec::new(),
            due_date: String::new(),
            number: String::new(),
            id: Vec::new(),
            position: -1,
        }
    }

    /// The place after everything of an account, also after what it may get later.
    pub(crate) fn end_of(account: Vec<u8>) -> Self {
        Self {
            account,
            due_date: AFTER_EVERY_DATE.to_owned(),
            number: String::new(),
            id: Vec::new(),
            position: i64::MAX,
        }
    }

    /// Reads the five columns of a key.
    pub(crate) fn read(row: &mut Columns<'_>) -> Result<Self, Failure> {
        Ok(Self {
            account: row.get()?,
            due_date: row.get()?,
            number: row.get()?,
            id: row.get()?,
            position: row.get()?,
        })
    }
}

/// A chunk that was cut: the range `(after, upto]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) after: RangeKey,
    pub(crate) upto: RangeKey,
    /// Documents, or records, in it when it was cut.
    pub(crate) documents: u32,
    /// Whether it goes on inside the account in which the piece before it ends.
    pub(crate) follows: bool,
}

/// A chunk as it is stored.
pub(crate) struct StoredChunk {
    pub(crate) ordinal: u32,
    pub(crate) stage: ChunkStage,
    /// Whether it goes on inside the account in which the chunk before it ends.
    pub(crate) follows: bool,
    pub(crate) after: RangeKey,
    pub(crate) upto: RangeKey,
}

const KEYS: &str = "after_account, after_due_date, after_number, after_id, after_position, \
     upto_account, upto_due_date, upto_number, upto_id, upto_position";

/// Stores a piece as the chunk with this ordinal. One that follows a chunk which is not planned yet must wait for it.
pub(crate) fn insert(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    ordinal: u32,
    piece: &Piece,
) -> Result<(), Failure> {
    let is_blocked = match ordinal.checked_sub(1).filter(|_| piece.follows) {
        None => false,
        Some(before) => {
            let sql = "SELECT stage FROM chunk WHERE entity = ?1 AND run = ?2 AND ordinal = ?3";
            let stage = first(db, sql, params![entity.0, run.to_blob(), before], |row| row.code())?;
            stage == Some(ChunkStage::Ready)
        }
    };
    let sql = format!(
        "INSERT INTO chunk (entity, run, ordinal, follows, is_blocked, documents, {KEYS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    );
    let values = params![
        entity.0,
        run.to_blob(),
        ordinal,
        piece.follows,
        is_blocked,
        piece.documents,
        piece.after.account,
        piece.after.due_date,
        piece.after.number,
        piece.after.id,
        piece.after.position,
        piece.upto.account,
        piece.upto.due_date,
        piece.upto.number,
        piece.upto.id,
        piece.upto.position,
    ];
    execute(db, &sql, values).map(drop)
}

/// The chunk of a claim.
pub(crate) fn load(db: &Connection, claim: &ChunkClaim, ordinal: u32) -> Result<StoredChunk, Failure> {
    let sql =
        format!("SELECT stage, follows, {KEYS} FROM chunk WHERE entity = ?1 AND run = ?2 AND ordinal = ?3");
    first(db, &sql, params![claim.entity.0, claim.run.to_blob(), ordinal], |row| {
        let (stage, follows) = (row.code()?, row.get()?);
        Ok(StoredChunk { ordinal, stage, follows, after: RangeKey::read(row)?, upto: RangeKey::read(row)? })
    })?
    .ok_or_else(|| Failure::broken("a claimed chunk vanished"))
}

/// Lets the chunk that follows this one be claimed, now that this one is planned.
pub(crate) fn unblock_next(db: &Connection, claim: &ChunkClaim, ordinal: u32) -> Result<(), Failure> {
    let sql = "UPDATE chunk SET is_blocked = 0 WHERE entity = ?1 AND run = ?2 AND ordinal = ?3 + 1 AND is_blocked = 1";
    execute(db, sql, params![claim.entity.0, claim.run.to_blob(), ordinal]).map(drop)
}

/// Whether a stage is where a chunk's work ends.
pub(crate) fn is_done(stage: ChunkStage) -> bool {
    stage.code() == ChunkStage::Done.code()
}
