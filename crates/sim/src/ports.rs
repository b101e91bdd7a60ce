//! The real store behind a port that fails, crashes and dawdles at every step.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{
    BoxFuture, ChunkClaim, Clock, EncodeCharge, Ids, Intent, Opened, Settlement, StoreError, Work,
};
use payment_runs_store::SqliteStore;

use crate::chaos::{Chaos, Mishap};
use crate::mutant::{LateWriter, Mutant, spoil_settlements};
use crate::pool::SimClock;

/// Identifiers counted up, as if the clock had given them.
pub struct SimIds(AtomicU64);

impl SimIds {
    /// Identifiers from a first one on.
    pub fn new(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }
}

impl Ids for SimIds {
    fn next_id(&self) -> u128 {
        (1 << 100) + u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// What was made to go wrong.
#[derive(Debug, thiserror::Error)]
#[error("simulated")]
struct Simulated;

/// Runs a step of the store, with whatever goes wrong at it.
pub(crate) async fn step<T>(
    chaos: &Chaos,
    clock: &SimClock,
    doing: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let source = || Box::new(Simulated);
    let mishap = chaos.mishap(doing);
    match mishap {
        Some(Mishap::CrashBefore) => return chaos.crash().await,
        Some(Mishap::FailBefore) => return Err(StoreError::Write { doing, source: source() }),
        Some(Mishap::DoubtBefore) => return Err(StoreError::InDoubt { doing, source: source() }),
        Some(Mishap::Delay(pause)) => {
            let until = clock.now().checked_add(pause);
            clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
        }
        Some(Mishap::CrashAfter | Mishap::DoubtAfter) | None => {}
    }
    let result = call.await;
    match mishap {
        Some(Mishap::CrashAfter) => chaos.crash().await,
        Some(Mishap::DoubtAfter) => Err(StoreError::InDoubt { doing, source: source() }),
        _ => result,
    }
}

/// The store's work queue, with everything that can go wrong.
pub struct ChaosWork {
    store: SqliteStore,
    chaos: Arc<Chaos>,
    clock: SimClock,
    encoder: Arc<dyn EncodeCharge>,
    mutant: Option<Mutant>,
    late: Option<LateWriter>,
}

impl ChaosWork {
    /// Wraps a store that lies at this path.
    pub fn new(
        store: SqliteStore,
        path: &Path,
        chaos: Arc<Chaos>,
        clock: SimClock,
        encoder: Arc<dyn EncodeCharge>,
        mutant: Option<Mutant>,
    ) -> Self {
        let late = (mutant == Some(Mutant::NoDurableIntent)).then(|| LateWriter::new(path));
        Self { store, chaos, clock, encoder, mutant, late }
    }

    async fn step<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        step(&self.chaos, &self.clock, doing, call).await
    }

    /// Notes what a step led to.
    fn note(&self, claim: &ChunkClaim, what: &str, result: &dyn std::fmt::Debug) {
        let (chunk, epoch) = (claim.chunk, claim.epoch);
        self.chaos.note(|| format!("{what} run {} chunk {chunk:?} epoch {epoch}: {result:?}", claim.run));
    }
}

#[async_trait]
impl Work for ChaosWork {
    fn changed(&self) -> BoxFuture<'_, ()> {
        self.store.changed()
    }

    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.step("next_run_at", self.store.next_run_at()).await
    }

    async fn claim_selection(
        &self,
        now: Timestamp,
        until: Timestamp,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        let claimed = self.step("claim_selection", self.store.claim_selection(now, until, ids)).await;
        if let Ok(Some(claim)) = &claimed {
            self.note(claim, "claim selection", &"");
        }
        claimed
    }

    async fn extend_selection(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        chunks_max: usize,
        documents_max: usize,
    ) -> Result<bool, StoreError> {
        let call = self.store.extend_selection(claim, now, chunks_max, documents_max);
        let result = self.step("extend_selection", call).await;
        self.note(claim, "extend selection", &result);
        result
    }

    async fn claim_chunk(&self, now: Timestamp, until: Timestamp) -> Result<Option<ChunkClaim>, StoreError> {
        let claimed = self.step("claim_chunk", self.store.claim_chunk(now, until)).await;
        if let Ok(Some(claim)) = &claimed {
            self.note(claim, "claim", &claim.stage);
        }
        claimed
    }

    async fn is_stopping(&self, claim: &ChunkClaim) -> Result<bool, StoreError> {
        self.store.is_stopping(claim).await
    }

    async fn renew(&self, claim: &ChunkClaim, until: Timestamp) -> Result<bool, StoreError> {
        let result = self.step("renew", self.store.renew(claim, until)).await;
        self.note(claim, "renew", &result);
        result
    }

    async fn open_chunk(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        let call = async {
            match &self.late {
                Some(late) => late.open_chunk(&self.store, claim, now, encoder, ids).await,
                None => self.store.open_chunk(claim, now, encoder, ids).await,
            }
        };
        let opened = self.step("open_chunk", call).await;
        let summary = opened.as_ref().map(|one| (one.fresh, one.intents.len()));
        self.note(claim, "open (fresh, intents)", &summary);
        opened
    }

    async fn settle(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        mut settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        spoil_settlements(self.mutant, &mut settlements);
        let payments: Vec<_> = settlements.iter().map(|one| (one.payment, short(&one.outcome))).collect();
        let call = async {
            if let Some(late) = &self.late {
                late.write(&self.store, claim, now, self.encoder.clone()).await?;
            }
            self.store.settle(claim, now, settlements).await
        };
        let result = self.step("settle", call).await;
        self.note(claim, "settle", &(payments, &result));
        result
    }

    async fn close_chunk(&self, claim: &ChunkClaim, now: Timestamp) -> Result<(), StoreError> {
        let call = async {
            if let Some(late) = &self.late {
                late.write(&self.store, claim, now, self.encoder.clone()).await?;
            }
            self.store.close_chunk(claim, now).await
        };
        let result = self.step("close_chunk", call).await;
        self.note(claim, "close", &result);
        result
    }

    async fn finish_runs(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let result = self.step("finish_runs", self.store.finish_runs(now)).await;
        if result.as_ref().is_ok_and(|runs| !runs.is_empty()) {
            self.chaos.note(|| format!("finish {result:?}"));
        }
        result
    }

    async fn fail_run(&self, claim: &ChunkClaim, now: Timestamp, message: &str) -> Result<(), StoreError> {
        self.note(claim, "fail", &message);
        self.step("fail_run", self.store.fail_run(claim, now, message)).await
    }

    async fn due_look_ups(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        single_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        self.step("due_look_ups", self.store.due_look_ups(now, again_at, single_before, limit)).await
    }

    async fn settle_look_ups(
        &self,
        entity: EntityKey,
        now: Timestamp,
        mut settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        spoil_settlements(self.mutant, &mut settlements);
        let payments: Vec<_> = settlements.iter().map(|one| (one.payment, short(&one.outcome))).collect();
        let result = self.step("settle_look_ups", self.store.settle_look_ups(entity, now, settlements)).await;
        self.chaos.note(|| format!("settle look-ups {payments:?}: {result:?}"));
        result
    }
}

/// An outcome in one word.
fn short(outcome: &payment_runs_engine::ports::Outcome) -> &'static str {
    use payment_runs_engine::ports::Outcome;
    match outcome {
        Outcome::Approved { .. } => "approved",
        Outcome::Declined { .. } => "declined",
        Outcome::Pending { .. } => "pending",
        Outcome::NotSent { .. } => "not sent",
        Outcome::Unknown { .. } => "unknown",
    }
}
