//! Points at which a process ends as if its power were cut, for tests of the real program.
//!
//! [`VARIABLE`] names one, such as `settle-after:2`: right after the second transaction that settles, before anybody hears of it.
//! Nothing of this is in a program that is built without the feature `crash-points`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::{DocumentId, EntityKey, RunId};
use payment_runs_engine::ports::{
    AccountUnavailable, BoxFuture, Charge, ChargePage, ChargeRequest, ChunkClaim, Delivery, EncodeCharge,
    Gateway, GatewaySettings, Ids, InstrumentDetails, Intent, ListError, LookUp, Opened, Settlement,
    StoreError, TokenizeError, Tokenized, Work,
};

/// The environment variable that names the point.
pub const VARIABLE: &str = "PAYMENT_RUNS_CRASH_AT";

/// Every step that has a point before it and one after it. Those of the store are transactions: before one nothing of it
/// is stored, and after it all of it is.
pub const STEPS: [&str; 14] = [
    "claim-selection",
    "extend-selection",
    "claim-chunk",
    "open-chunk",
    "settle",
    "close-chunk",
    "finish-runs",
    "renew",
    "due-look-ups",
    "begin-delivery",
    "end-delivery",
    "settle-look-ups",
    "charge",
    "look-up",
];

/// Before or after a step, the first time or a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashPoint {
    /// One of [`STEPS`].
    pub step: &'static str,
    /// Whether it lies after the step.
    pub is_after: bool,
    /// The how manieth time, from 1.
    pub time: u32,
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.is_after { "after" } else { "before" };
        write!(f, "{}-{side}:{}", self.step, self.time)
    }
}

/// A text that names no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no point to crash at, such as `settle-after:2`")]
pub struct NoSuchPoint(String);

impl FromStr for CrashPoint {
    type Err = NoSuchPoint;

    fn from_str(text: &str) -> Result<Self, NoSuchPoint> {
        let point = || {
            let (place, time) = text.split_once(':')?;
            let (step, side) = place.rsplit_once('-')?;
            let step = STEPS.into_iter().find(|one| *one == step)?;
            let is_after = match side {
                "before" => false,
                "after" => true,
                _ => return None,
            };
            Some(Self { step, is_after, time: time.parse().ok().filter(|time| *time > 0)? })
        };
        point().ok_or_else(|| NoSuchPoint(text.to_owned()))
    }
}

/// Counts how often the point is passed, and ends the process in time.
#[derive(Debug)]
struct Trap {
    point: CrashPoint,
    passed: AtomicU32,
}

impl Trap {
    /// The trap that the environment asks for.
    fn from_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        match text.parse() {
            Ok(point) => Some(Self { point, passed: AtomicU32::new(0) }),
            Err(error) => {
                tracing::error!(%error, "the process ends nowhere");
                None
            }
        }
    }

    fn pass(&self, step: &str, is_after: bool) {
        if self.point.step != step || self.point.is_after != is_after {
            return;
        }
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.point.time {
            // No destructor runs and no buffer is written: what is not in the hands of the system by now is gone.
            std::process::abort();
        }
    }

    async fn step<T>(&self, step: &str, call: impl Future<Output = T>) -> T {
        self.pass(step, false);
        let result = call.await;
        self.pass(step, true);
        result
    }
}

/// The work queue, with a trap in it where the environment asks for one.
pub fn around_work(work: Arc<dyn Work>) -> Arc<dyn Work> {
    match Trap::from_environment() {
        Some(trap) => Arc::new(Trapped { inner: work, trap }),
        None => work,
    }
}

/// A gateway, with a trap before it where the environment asks for one.
pub fn around_gateway(gateway: Arc<dyn Gateway>) -> Arc<dyn Gateway> {
    match Trap::from_environment() {
        Some(trap) => Arc::new(Trapped { inner: gateway, trap }),
        None => gateway,
    }
}

struct Trapped<T: ?Sized> {
    inner: Arc<T>,
    trap: Trap,
}

#[async_trait]
impl Work for Trapped<dyn Work> {
    fn changed(&self) -> BoxFuture<'_, ()> {
        self.inner.changed()
    }

    async fn next_run_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_run_at().await
    }

    async fn claim_selection(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        self.trap.step("claim-selection", self.inner.claim_selection(now, lease_until, ids)).await
    }

    async fn extend_selection(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        chunks_max: usize,
        documents_max: usize,
    ) -> Result<bool, StoreError> {
        let call = self.inner.extend_selection(claim, now, chunks_max, documents_max);
        self.trap.step("extend-selection", call).await
    }

    async fn claim_chunk(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<ChunkClaim>, StoreError> {
        self.trap.step("claim-chunk", self.inner.claim_chunk(now, lease_until)).await
    }

    async fn is_stopping(&self, claim: &ChunkClaim) -> Result<bool, StoreError> {
        self.inner.is_stopping(claim).await
    }

    async fn renew(&self, claim: &ChunkClaim, lease_until: Timestamp) -> Result<bool, StoreError> {
        self.trap.step("renew", self.inner.renew(claim, lease_until)).await
    }

    async fn open_chunk(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        encoder: Arc<dyn EncodeCharge>,
        ids: Arc<dyn Ids>,
    ) -> Result<Opened, StoreError> {
        self.trap.step("open-chunk", self.inner.open_chunk(claim, now, encoder, ids)).await
    }

    async fn settle(
        &self,
        claim: &ChunkClaim,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        self.trap.step("settle", self.inner.settle(claim, now, settlements)).await
    }

    async fn close_chunk(&self, claim: &ChunkClaim, now: Timestamp) -> Result<(), StoreError> {
        self.trap.step("close-chunk", self.inner.close_chunk(claim, now)).await
    }

    async fn finish_runs(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        self.trap.step("finish-runs", self.inner.finish_runs(now)).await
    }

    async fn fail_run(&self, claim: &ChunkClaim, now: Timestamp, message: &str) -> Result<(), StoreError> {
        self.inner.fail_run(claim, now, message).await
    }

    async fn due_look_ups(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        single_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        self.trap.step("due-look-ups", self.inner.due_look_ups(now, again_at, single_before, limit)).await
    }

    async fn begin_delivery(&self, intent: &Intent, now: Timestamp) -> Result<bool, StoreError> {
        self.trap.step("begin-delivery", self.inner.begin_delivery(intent, now)).await
    }

    async fn end_delivery(&self, intent: &Intent) -> Result<(), StoreError> {
        self.trap.step("end-delivery", self.inner.end_delivery(intent)).await
    }

    async fn settle_look_ups(
        &self,
        entity: EntityKey,
        now: Timestamp,
        settlements: Vec<Settlement>,
    ) -> Result<usize, StoreError> {
        self.trap.step("settle-look-ups", self.inner.settle_look_ups(entity, now, settlements)).await
    }
}

impl EncodeCharge for Trapped<dyn Gateway> {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        self.inner.encode(charge)
    }

    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        self.inner.documents_digest(documents)
    }
}

#[async_trait]
impl Gateway for Trapped<dyn Gateway> {
    fn settings(&self) -> &GatewaySettings {
        self.inner.settings()
    }

    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        self.inner.account().await
    }

    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        self.trap.step("charge", self.inner.charge(request)).await
    }

    async fn look_up(&self, key: &str) -> LookUp {
        self.trap.step("look-up", self.inner.look_up(key)).await
    }

    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        self.inner.list_charges(since, cursor).await
    }

    async fn tokenize(
        &self,
        details: &InstrumentDetails,
        idempotency_key: &str,
    ) -> Result<Tokenized, TokenizeError> {
        self.inner.tokenize(details, idempotency_key).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn a_point_is_read_as_it_is_written() {
        for step in STEPS {
            for (is_after, time) in [(false, 1), (true, 12)] {
                let point = CrashPoint { step, is_after, time };
                assert_eq!(point.to_string().parse(), Ok(point));
            }
        }
        for wrong in
            ["", "settle", "settle-after", "settle:1", "settle-after:0", "settle-soon:1", "x-after:1"]
        {
            assert!(wrong.parse::<CrashPoint>().is_err(), "{wrong}");
        }
    }
}
