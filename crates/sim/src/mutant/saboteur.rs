//! The hands that spoil a protocol: before and after the store's transactions, and in the database between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, Key, PaymentId};
use payment_runs_engine::ports::{
    ChunkClaim, EncodeCharge, Ids, Intent, NotSentCause, Opened, Outcome, Settlement, StoreError, Work,
};
use payment_runs_store::SqliteStore;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::Mutant;
use super::late::LateWriter;
use crate::pool::lock;
use crate::world::ENTITY;

/// More look-ups than are ever asked for before an answer is believed.
const LOOK_UPS_ENOUGH: u32 = 1_000;

const STATE: &str = "SELECT state FROM payment WHERE id = ?1";
const REOPEN: &str = "UPDATE payment SET state = 0 WHERE id = ?1 AND state IN (3, 4)";
const HOLD: &str =
    "UPDATE document SET held_by = ?1 WHERE id IN (SELECT document FROM payment_part WHERE payment = ?1)";
const RELEASE_ALL: &str = "UPDATE document SET held_by = NULL WHERE held_by IS NOT NULL";
const RELEASE_UNKNOWN: &str = "UPDATE document SET held_by = NULL \
     WHERE held_by IN (SELECT id FROM payment WHERE state = 2)";
const PARTS: &str = "SELECT document, amount_minor FROM payment_part WHERE payment = ?1";
const PAY_BACK: &str =
    "UPDATE document SET balance_minor = balance_minor + ?2, paid_minor = paid_minor - ?2 WHERE id = ?1";
const PAY: &str =
    "UPDATE document SET balance_minor = balance_minor - ?2, paid_minor = paid_minor + ?2 WHERE id = ?1";

type Row = Vec<Value>;

/// What was so before a transaction.
enum Before {
    Nothing,
    States(BTreeMap<PaymentId, i64>),
    Counters(Vec<Row>),
}

/// Spoils the protocol of one process in one way.
pub struct Saboteur {
    mutant: Mutant,
    db: Mutex<Connection>,
    late: LateWriter,
    /// What the second of two transactions will write: it is lost when the process dies.
    documents: Mutex<Vec<(Row, bool)>>,
}

impl Saboteur {
    /// One with a connection of its own to the database.
    pub fn new(mutant: Mutant, path: &Path) -> Result<Self, rusqlite::Error> {
        let db = Mutex::new(Connection::open(path)?);
        Ok(Self { mutant, db, late: LateWriter::new(path), documents: Mutex::default() })
    }

    /// The claim that the store is shown.
    pub fn shown(&self, claim: &ChunkClaim) -> ChunkClaim {
        if self.mutant != Mutant::NoFencing {
            return claim.clone();
        }
        let db = lock(&self.db);
        let run = claim.run.to_bytes();
        let newest = match claim.chunk {
            Some(chunk) => {
                let sql = "SELECT epoch FROM chunk WHERE run = ?1 AND ordinal = ?2";
                db.query_row(sql, params![run, chunk], |row| row.get(0))
            }
            None => db.query_row("SELECT selection_epoch FROM run WHERE id = ?1", [run], |row| row.get(0)),
        };
        ChunkClaim { epoch: newest.unwrap_or(claim.epoch), ..claim.clone() }
    }

    /// Whether a worker takes every lease for its own.
    pub fn never_loses(&self) -> bool {
        self.mutant == Mutant::NoFencing
    }

    /// Opens a chunk, in the mutant's way.
    pub async fn open_chunk(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        if self.mutant == Mutant::NoDurableIntent {
            return self.late.open_chunk(store, claim, now, encoder, ids).await;
        }
        let mut opened = store.open_chunk(&self.shown(claim), now, encoder, ids).await?;
        self.spoil_intents(&mut opened.intents);
        self.let_go()?;
        Ok(opened)
    }

    /// Makes intents look as if nothing was known about them.
    pub fn spoil_intents(&self, intents: &mut [Intent]) {
        if self.mutant == Mutant::BelievedAtOnce {
            for intent in intents {
                intent.may_have_been_sent = false;
                intent.look_ups = LOOK_UPS_ENOUGH;
            }
        }
    }

    /// Begins a delivery, in the mutant's way: who believes at once asks nobody.
    pub async fn begin_delivery(
        &self,
        store: &SqliteStore,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if self.mutant == Mutant::BelievedAtOnce { Ok(true) } else { store.begin_delivery(intent, now).await }
    }

    /// Stores what should have been stored before.
    pub async fn catch_up(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.mutant == Mutant::NoDurableIntent { self.late.write(store, claim, now).await } else { Ok(()) }
    }

    /// Records outcomes of a chunk, in the mutant's way.
    pub async fn settle(
        &self,
        store: &SqliteStore,
        claim: &ChunkClaim,
        now: Timestamp,
        mut settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        self.catch_up(store, claim, now).await?;
        let before = self.before(&mut settlements)?;
        let result = store.settle(&self.shown(claim), now, settlements).await;
        self.after(before)?;
        result
    }

    /// Records what look-ups found, in the mutant's way.
    pub async fn settle_look_ups(
        &self,
        store: &SqliteStore,
        entity: EntityKey,
        now: Timestamp,
        mut settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        let before = self.before(&mut settlements)?;
        let result = store.settle_look_ups(entity, now, settlements).await;
        self.after(before)?;
        // Only outcomes of chunks are written in two parts.
        self.write_second_part()?;
        result
    }

    /// Whether outcomes are written in two transactions.
    pub fn is_in_two_parts(&self) -> bool {
        matches!(self.mutant, Mutant::OutcomeNotAtomic | Mutant::CountersApart)
    }

    /// Writes the second part of outcomes, if a first part was written.
    pub fn write_second_part(&self) -> Result<(), StoreError> {
        let db = lock(&self.db);
        for (row, is_counters) in std::mem::take(&mut *lock(&self.documents)) {
            let done = if is_counters {
                put_counters(&db, &row)
            } else {
                db.execute(PAY, params_from_iter(row)).map(drop)
            };
            done.map_err(in_hand)?;
        }
        Ok(())
    }

    /// Lets go of documents that should stay held.
    pub fn let_go(&self) -> Result<(), StoreError> {
        let sql = match self.mutant {
            Mutant::HoldNotTaken => RELEASE_ALL,
            Mutant::UnknownReleases => RELEASE_UNKNOWN,
            _ => return Ok(()),
        };
        lock(&self.db).execute(sql, []).map(drop).map_err(in_hand)
    }

    /// Does what the mutant does after a run was stopped: its intents count as never sent.
    pub async fn after_stop(&self, store: &SqliteStore, run: &Key, now: Timestamp) -> Result<(), StoreError> {
        let Some(run) = run.as_id().filter(|_| self.mutant == Mutant::StopForgetsInFlight) else {
            return Ok(());
        };
        let intents: Vec<[u8; 16]> = {
            let db = lock(&self.db);
            let mut statement =
                db.prepare("SELECT id FROM payment WHERE run = ?1 AND state = 0").map_err(in_hand)?;
            let rows = statement.query_map([run.to_be_bytes()], |row| row.get(0)).map_err(in_hand)?;
            rows.collect::<rusqlite::Result<_>>().map_err(in_hand)?
        };
        let outcome = Outcome::NotSent { cause: NotSentCause::Stopped, why: "stopped".to_owned() };
        let to_settlement = |id| Settlement { payment: PaymentId::from_bytes(id), outcome: outcome.clone() };
        let settlements = intents.into_iter().map(to_settlement).collect();
        store.settle_look_ups(ENTITY, now, settlements).await.map(drop)
    }

    /// Spoils the outcome that a caller brings, or what is there before it.
    pub fn before_settling(&self, settlement: Settlement) -> Result<Settlement, StoreError> {
        let mut settlements = [settlement];
        self.before(&mut settlements)?;
        let [settlement] = settlements;
        Ok(settlement)
    }

    fn before(&self, settlements: &mut [Settlement]) -> Result<Before, StoreError> {
        match self.mutant {
            Mutant::ForgetUnknown => {
                forget_unknown(settlements);
                Ok(Before::Nothing)
            }
            Mutant::HoldNotTaken | Mutant::UnknownReleases => {
                self.each(settlements, |db, payment| db.execute(HOLD, [payment]).map(drop))?;
                Ok(Before::Nothing)
            }
            Mutant::SettleUnguarded => {
                self.each(settlements, |db, payment| {
                    if db.execute(REOPEN, [payment])? == 1 {
                        db.execute(HOLD, [payment])?;
                    }
                    Ok(())
                })?;
                Ok(Before::Nothing)
            }
            Mutant::OutcomeNotAtomic => self.states(settlements).map(Before::States),
            Mutant::CountersApart => counters(&lock(&self.db)).map(Before::Counters).map_err(in_hand),
            _ => Ok(Before::Nothing),
        }
    }

    fn after(&self, before: Before) -> Result<(), StoreError> {
        self.let_go()?;
        match before {
            Before::Nothing => Ok(()),
            Before::States(before) => self.take_payments_back(&before).map_err(in_hand),
            Before::Counters(before) => self.take_counters_back(&before).map_err(in_hand),
        }
    }

    fn each(
        &self,
        settlements: &[Settlement],
        spoil: impl Fn(&Connection, [u8; 16]) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let db = lock(&self.db);
        let mut all = settlements.iter().map(|one| one.payment.to_bytes());
        all.try_for_each(|payment| spoil(&db, payment)).map_err(in_hand)
    }

    fn states(&self, settlements: &[Settlement]) -> Result<BTreeMap<PaymentId, i64>, StoreError> {
        let db = lock(&self.db);
        let state = |one: &Settlement| {
            let state = db.query_row(STATE, [one.payment.to_bytes()], |row| row.get(0))?;
            Ok((one.payment, state))
        };
        settlements.iter().map(state).collect::<rusqlite::Result<_>>().map_err(in_hand)
    }

    /// Takes back what payments that were approved just now have paid, until the second part.
    fn take_payments_back(&self, before: &BTreeMap<PaymentId, i64>) -> rusqlite::Result<()> {
        let db = lock(&self.db);
        for (payment, was) in before {
            let is: i64 = db.query_row(STATE, [payment.to_bytes()], |row| row.get(0))?;
            if *was > 2 || is != 3 {
                continue;
            }
            let mut statement = db.prepare_cached(PARTS)?;
            let parts =
                statement.query_map([payment.to_bytes()], |row| Ok(vec![row.get(0)?, row.get(1)?]))?;
            for part in parts {
                let part: Row = part?;
                db.execute(PAY_BACK, params_from_iter(&part))?;
                lock(&self.documents).push((part, false));
            }
        }
        Ok(())
    }

    /// Takes back what was counted just now, until the second part.
    fn take_counters_back(&self, before: &[Row]) -> rusqlite::Result<()> {
        let db = lock(&self.db);
        for row in counters(&db)? {
            if before.contains(&row) {
                continue;
            }
            if let Some(old) = before.iter().find(|old| old[..4] == row[..4]) {
                put_counters(&db, old)?;
            } else {
                let sql =
                    "DELETE FROM chunk_tally WHERE entity = ?1 AND run = ?2 AND chunk = ?3 AND currency = ?4";
                db.execute(sql, params_from_iter(&row[..4]))?;
            }
            lock(&self.documents).push((row, true));
        }
        Ok(())
    }
}

/// Every counter; the key of a row is in its first four columns.
fn counters(db: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = db.prepare_cached("SELECT * FROM chunk_tally")?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|index| row.get(index)).collect())?;
    rows.collect()
}

fn put_counters(db: &Connection, row: &Row) -> rusqlite::Result<()> {
    let marks = vec!["?"; row.len()].join(", ");
    db.execute(&format!("REPLACE INTO chunk_tally VALUES ({marks})"), params_from_iter(row)).map(drop)
}

fn forget_unknown(settlements: &mut [Settlement]) {
    for settlement in settlements {
        if let Outcome::Unknown { why, .. } = &settlement.outcome {
            let (code, message) = ("timeout".to_owned(), why.clone());
            settlement.outcome = Outcome::Declined { code, message, reference: None };
        }
    }
}

fn in_hand(error: rusqlite::Error) -> StoreError {
    StoreError::Write { doing: "spoil the protocol", source: Box::new(error) }
}
