//! The port [`Work`].

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{
    BoxFuture, ChunkClaim, EncodeCharge, Ids, Intent, Opened, Settlement, StoreError, Work,
};

use super::{claim, finish, look_up, open, select, settle};
use crate::sqlite::{Signals, SqliteStore, row};

#[async_trait]
impl Work for SqliteStore {
    fn changed(&self) -> BoxFuture<'_, ()> {
        // Made here and not inside the future: it counts from this call on, even before it is first polled.
        let notified = self.inner.signals.changed.notified();
        Box::pin(notified)
    }

    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read("find the next run", claim::next_run_at).await
    }

    async fn claim_selection(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        self.write("claim a selection", move |db| claim::selection(db, now, lease_until, &*ids)).await
    }

    async fn extend_selection(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        chunks_max: usize,
        documents_max: usize,
    ) -> Result<bool, StoreError> {
        let claim = claim.clone();
        let job = move |db: &rusqlite::Connection| select::extend(db, &claim, now, chunks_max, documents_max);
        self.write_and_tell("cut a run into chunks", job, |signals, _| signals.wake()).await
    }

    async fn claim_chunk(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        let served = *self.inner.served.lock().unwrap_or_else(PoisonError::into_inner);
        let job = move |db: &rusqlite::Connection| claim::chunk(db, now, lease_until, served);
        let claimed = self.write("claim a chunk", job).await?;
        if let Some(claim) = &claimed {
            *self.inner.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim.entity);
        }
        Ok(claimed)
    }

    async fn is_stopping(&self, claim: &ChunkClaim) -> Result<bool, StoreError> {
        let (entity, run) = (claim.entity, claim.run);
        self.read("ask whether a run was stopped", move |db| row::run::is_stopping(db, entity, run)).await
    }

    async fn renew(&self, claim: &ChunkClaim, lease_until: Timestamp) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.write("prolong a lease", move |db| claim::renew(db, &claim, lease_until)).await
    }

    async fn open_chunk(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        let claim = claim.clone();
        let job = move |db: &rusqlite::Connection| open::open(db, &claim, now, &*encoder, &*ids);
        // The chunk that follows this one may be claimed now.
        self.write_and_tell("open a chunk", job, |signals, _| signals.wake()).await
    }

    async fn settle(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        let claim = claim.clone();
        let job = move |db: &rusqlite::Connection| {
            claim::check(db, &claim)?;
            let mode = settle::Mode::Chunk(claim.run, claim::chunk_of(&claim)?);
            settle::settle_all(db, claim.entity, now, &settlements, mode)
        };
        self.write_and_tell("record outcomes", job, |signals, _| signals.ring_events()).await
    }

    async fn close_chunk(&self, claim: &ChunkClaim, _now: Timestamp) -> Result<(), StoreError> {
        let claim = claim.clone();
        let job = move |db: &rusqlite::Connection| finish::close_chunk(db, &claim);
        self.write_and_tell("close a chunk", job, |signals, _| signals.wake()).await
    }

    async fn finish_runs(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let tell = |signals: &Signals, ended: Option<&Vec<RunId>>| {
            if ended.is_none_or(|ended| !ended.is_empty()) {
                signals.ring_events();
                signals.wake();
            }
        };
        match self.try_write_and_tell(move |db| finish::finish_runs(db, now), tell).await {
            Err(failure) if failure.is_damage() => {}
            done => return done.map_err(|failure| failure.into_store("end runs")),
        }
        // One by one, so that a damaged run does not keep the others from ending.
        let Some(found) = self.read("find a run to end", finish::first_finished).await? else {
            return Ok(Vec::new());
        };
        match self.try_write_and_tell(move |db| finish::finish_one(db, now, found), tell).await {
            Err(failure) if failure.is_damage() => {}
            done => return done.map_err(|failure| failure.into_store("end runs")),
        }
        // A transaction that has met a damaged page can write nothing more.
        let job = move |db: &rusqlite::Connection| finish::end_damaged_run(db, now, found);
        self.write_and_tell("end a damaged run", job, tell).await
    }

    async fn fail_run(&self, claim: &ChunkClaim, now: Timestamp, message: &str) -> Result<(), StoreError> {
        let (claim, message) = (claim.clone(), message.to_owned());
        let job = move |db: &rusqlite::Connection| finish::fail_run(db, &claim, now, &message);
        let tell = |signals: &Signals, _: Option<&()>| {
            signals.ring_events();
            signals.wake();
        };
        self.write_and_tell("end a run in error", job, tell).await
    }

    async fn due_look_ups(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        single_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        let job = move |db: &rusqlite::Connection| look_up::due(db, now, again_at, single_before, limit);
        self.write("find payments in doubt", job).await
    }

    async fn begin_delivery(&self, intent: &Intent, now: Timestamp) -> Result<bool, StoreError> {
        let intent = intent.clone();
        self.write("begin a delivery", move |db| look_up::begin_delivery(db, &intent, now)).await
    }

    async fn end_delivery(&self, intent: &Intent) -> Result<(), StoreError> {
        let intent = intent.clone();
        self.write("end a delivery", move |db| look_up::end_delivery(db, &intent)).await
    }

    async fn settle_look_ups(
        &self,
        entity: EntityKey,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        let job = move |db: &rusqlite::Connection| {
            settle::settle_all(db, entity, now, &settlements, settle::Mode::LookUp)
        };
        self.write_and_tell("record what look-ups found", job, |signals, _| signals.ring_events()).await
    }
}
