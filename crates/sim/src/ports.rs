//! The real store behind a port that fails, crashes and dawdles at every step.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, GatewayId, RunId};
use payment_runs_engine::ports::{
    BoxFuture, ChunkClaim, Clock, EncodeCharge, GatewayAccounts, Ids, Intent, Opened, Outcome, Settlement,
    StoreError, Work,
};
use payment_runs_store::SqliteStore;

use crate::chaos::{Change, Chaos, OPEN, Signal, Whose};
use crate::fault::{Fault, FaultKind};
use crate::mutant::Saboteur;
use crate::pool::{Freezer, Group, SimClock};

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

/// Whether whoever took a step hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// As it should be.
    Heard,
    /// Nobody can tell whether the step was taken.
    InDoubt,
}

/// Whoever takes steps: one worker, or the callers.
#[derive(Clone)]
pub struct Hand {
    /// What goes wrong.
    pub chaos: Arc<Chaos>,
    /// Time.
    pub clock: SimClock,
    /// Makes it stand still.
    pub freezer: Freezer,
    /// Which worker it is; 0 for the callers.
    pub group: Group,
}

impl Hand {
    /// Its calls of the store and its look-ups.
    pub fn whose_call(&self) -> Whose {
        Whose { is_worker: self.group > 0, is_charge: false }
    }

    /// Its charges.
    pub fn whose_charge(&self) -> Whose {
        Whose { is_worker: self.group > 0, is_charge: true }
    }

    /// The time by the system's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a time.
    pub async fn sleep_until(&self, at: Timestamp) {
        self.clock.sleep_until(at).await;
    }

    /// Waits.
    pub async fn sleep(&self, pause: Duration) {
        let until = self.clock.now().checked_add(pause);
        self.clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
    }

    /// Stands still: nothing of the worker runs until the time is over, whatever becomes ready meanwhile.
    pub async fn stand_still(&self, length: Duration) {
        let until = self.clock.true_now().checked_add(length).unwrap_or(Timestamp::MAX);
        self.freezer.freeze(self.group, until);
        self.sleep(length).await;
    }

    /// What a fault does before the step. Does not return when it is deadly.
    pub async fn before(&self, fault: Fault) {
        match fault.kind {
            FaultKind::CrashBefore => self.chaos.die(Signal::Crash(fault.length(), Change::None)).await,
            FaultKind::Restore => self.chaos.die(Signal::Crash(fault.length(), Change::Restored)).await,
            FaultKind::Moved => self.chaos.die(Signal::Crash(fault.length(), Change::Moved)).await,
            FaultKind::DieBefore => self.chaos.die(Signal::Die(self.group, fault.length())).await,
            FaultKind::FreezeBefore => self.stand_still(fault.length()).await,
            FaultKind::Delay => self.sleep(fault.length()).await,
            _ => {}
        }
    }

    /// What a fault does after the step. Does not return when it is deadly.
    pub async fn after(&self, fault: Option<Fault>) -> After {
        let Some(fault) = fault else { return After::Heard };
        match fault.kind {
            FaultKind::CrashAfter => self.chaos.die(Signal::Crash(fault.length(), Change::None)).await,
            FaultKind::DieAfter => self.chaos.die(Signal::Die(self.group, fault.length())).await,
            FaultKind::FreezeAfter => self.stand_still(fault.length()).await,
            FaultKind::DoubtAfter => return After::InDoubt,
            _ => {}
        }
        After::Heard
    }

    /// Takes a step of the store, with whatever goes wrong at it.
    pub async fn step<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let source = || Box::new(Simulated);
        let fault = self.chaos.fault(doing, self.whose_call());
        if let Some(fault) = fault {
            match fault.kind {
                FaultKind::Refused => return Err(StoreError::Write { doing, source: source() }),
                FaultKind::DoubtBefore => return Err(StoreError::InDoubt { doing, source: source() }),
                _ => self.before(fault).await,
            }
        }
        let result = call.await;
        match self.after(fault).await {
            After::Heard => result,
            After::InDoubt => Err(StoreError::InDoubt { doing, source: source() }),
        }
    }
}

/// The store's work queue, with everything that can go wrong.
pub struct ChaosWork {
    store: SqliteStore,
    hand: Hand,
    saboteur: Option<Arc<Saboteur>>,
}

impl ChaosWork {
    /// Wraps a store, as one worker reaches it.
    pub fn new(store: SqliteStore, hand: Hand, saboteur: Option<Arc<Saboteur>>) -> Self {
        Self { store, hand, saboteur }
    }

    async fn step<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.hand.step(doing, call).await
    }

    /// The claim that is shown to the store: the worker's own, unless the protocol is spoilt on purpose.
    fn shown(&self, claim: &ChunkClaim) -> ChunkClaim {
        self.saboteur.as_ref().map_or_else(|| claim.clone(), |saboteur| saboteur.shown(claim))
    }

    /// Notes what a step led to.
    fn note(&self, claim: &ChunkClaim, what: &str, result: &dyn std::fmt::Debug) {
        let (group, chunk, epoch) = (self.hand.group, claim.chunk, claim.epoch);
        self.hand.chaos.note(|| {
            format!("worker {group}: {what} run {} chunk {chunk:?} epoch {epoch}: {result:?}", claim.run)
        });
    }
}

#[async_trait]
impl Work for ChaosWork {
    fn changed(&self) -> BoxFuture<'_, ()> {
        self.store.changed()
    }

    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.step("next-run-at", self.store.next_run_at()).await
    }

    async fn claim_selection(
        &self,
        now: Timestamp,
        until: Timestamp,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        let claimed = self.step("claim-selection", self.store.claim_selection(now, until, ids)).await;
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
        let call =
            async { self.store.extend_selection(&self.shown(claim), now, chunks_max, documents_max).await };
        let result = self.step("extend-selection", call).await;
        self.note(claim, "extend selection", &result);
        result
    }

    async fn claim_chunk(&self, now: Timestamp, until: Timestamp) -> Result<Option<ChunkClaim>, StoreError> {
        let claimed = self.step("claim", self.store.claim_chunk(now, until)).await;
        if let Ok(Some(claim)) = &claimed {
            self.note(claim, "claim", &claim.stage);
        }
        claimed
    }

    async fn is_stopping(&self, claim: &ChunkClaim) -> Result<bool, StoreError> {
        self.step("is-stopping", self.store.is_stopping(claim)).await
    }

    async fn renew(&self, claim: &ChunkClaim, until: Timestamp) -> Result<bool, StoreError> {
        let call = async {
            let is_ours = self.store.renew(&self.shown(claim), until).await?;
            Ok(is_ours || self.saboteur.as_ref().is_some_and(|saboteur| saboteur.never_loses()))
        };
        let result = self.step("renew", call).await;
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
            match &self.saboteur {
                Some(saboteur) => saboteur.open_chunk(&self.store, claim, now, encoder, ids).await,
                None => self.store.open_chunk(claim, now, encoder, ids).await,
            }
        };
        let opened = self.step(OPEN, call).await;
        self.note(claim, "open (fresh, intents)", &opened.as_ref().map(|one| (one.fresh, one.intents.len())));
        opened
    }

    async fn settle(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        let payments: Vec<_> = settlements.iter().map(|one| (one.payment, short(&one.outcome))).collect();
        let call = async {
            match &self.saboteur {
                Some(saboteur) => saboteur.settle(&self.store, claim, now, settlements).await,
                None => self.store.settle(claim, now, settlements).await,
            }
        };
        let mut result = self.step("settle", call).await;
        if let Some(saboteur) = self.saboteur.as_ref().filter(|one| one.is_in_two_parts()) {
            let second = self.step("settle-second-part", async { saboteur.write_second_part() }).await;
            result = second.and(result);
        }
        self.note(claim, "settle", &(payments, &result));
        result
    }

    async fn close_chunk(&self, claim: &ChunkClaim, now: Timestamp) -> Result<(), StoreError> {
        let call = async {
            if let Some(saboteur) = &self.saboteur {
                saboteur.catch_up(&self.store, claim, now).await?;
            }
            self.store.close_chunk(&self.shown(claim), now).await
        };
        let result = self.step("close", call).await;
        self.note(claim, "close", &result);
        result
    }

    async fn finish_runs(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let result = self.step("finish", self.store.finish_runs(now)).await;
        if result.as_ref().is_ok_and(|runs| !runs.is_empty()) {
            self.hand.chaos.note(|| format!("finish {result:?}"));
        }
        result
    }

    async fn fail_run(&self, claim: &ChunkClaim, now: Timestamp, message: &str) -> Result<(), StoreError> {
        self.note(claim, "fail", &message);
        self.step("fail", self.store.fail_run(&self.shown(claim), now, message)).await
    }

    async fn due_look_ups(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        single_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        let call = self.store.due_look_ups(now, again_at, single_before, limit);
        let mut due = self.step("due-look-ups", call).await?;
        if let Some(saboteur) = &self.saboteur {
            saboteur.spoil_intents(&mut due);
        }
        Ok(due)
    }

    async fn begin_delivery(&self, intent: &Intent, now: Timestamp) -> Result<bool, StoreError> {
        let call = async {
            match &self.saboteur {
                Some(saboteur) => saboteur.begin_delivery(&self.store, intent, now).await,
                None => self.store.begin_delivery(intent, now).await,
            }
        };
        let result = self.step("begin-delivery", call).await;
        self.hand.chaos.note(|| format!("begin delivery of {}: {result:?}", intent.payment));
        result
    }

    async fn end_delivery(&self, intent: &Intent) -> Result<(), StoreError> {
        self.step("end-delivery", self.store.end_delivery(intent)).await
    }

    async fn settle_look_ups(
        &self,
        entity: EntityKey,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        let payments: Vec<_> = settlements.iter().map(|one| (one.payment, short(&one.outcome))).collect();
        let call = async {
            match &self.saboteur {
                Some(saboteur) => saboteur.settle_look_ups(&self.store, entity, now, settlements).await,
                None => self.store.settle_look_ups(entity, now, settlements).await,
            }
        };
        let result = self.step("settle-look-ups", call).await;
        self.hand.chaos.note(|| format!("settle look-ups {payments:?}: {result:?}"));
        result
    }
}

/// The store's accounts of gateways, with everything that can go wrong.
pub struct ChaosAccounts {
    store: SqliteStore,
    hand: Hand,
}

impl ChaosAccounts {
    /// Wraps a store, as whoever charges reaches it.
    pub fn new(store: SqliteStore, hand: Hand) -> Self {
        Self { store, hand }
    }
}

#[async_trait]
impl GatewayAccounts for ChaosAccounts {
    async fn ensure_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<String, StoreError> {
        let kept =
            self.hand.step("ensure-account", self.store.ensure_gateway_account(gateway, account)).await;
        self.hand.chaos.note(|| format!("the payments belong to {kept:?}"));
        kept
    }

    async fn put_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<(), StoreError> {
        self.store.put_gateway_account(gateway, account).await
    }

    async fn count_in_doubt(&self, gateway: GatewayId) -> Result<u64, StoreError> {
        self.store.count_in_doubt(gateway).await
    }
}

/// An outcome in one word.
fn short(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Approved { .. } => "approved",
        Outcome::Declined { .. } => "declined",
        Outcome::Pending { .. } => "pending",
        Outcome::NotSent { .. } => "not sent",
        Outcome::Unknown { .. } => "unknown",
    }
}
