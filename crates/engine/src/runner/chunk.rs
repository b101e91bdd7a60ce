//! One chunk: opened, charged, settled in batches, closed, all under a lease that is renewed meanwhile.

use std::future::{Future, pending};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::shared::Shared;
use crate::ids::PaymentId;
use crate::ports::{BoxFuture, Chain, ChunkClaim, Deadline, Intent, Outcome, Settlement, StoreError};
use crate::stopping::{Stopper, Stopping};

/// Works a claimed chunk off. `LeaseLost` means that another worker has it now; any other error leaves the chunk to lapse.
pub(super) async fn work_chunk(
    shared: Arc<Shared>,
    claim: ChunkClaim,
    lease: Deadline,
    stopping: Stopping,
) -> Result<(), StoreError> {
    let (work, ports) = (&shared.ports.work, &shared.ports);
    let open = || work.open_chunk(&claim, shared.now(), ports.encoder.clone(), ports.ids.clone());
    let opened = shared.persist(open).await?;
    if charge_all(&shared, &claim, lease, opened.intents, &stopping).await? {
        let close = || work.close_chunk(&claim, shared.now());
        return shared.persist(close).await;
    }
    // Stopping: what was not sent stays an intent, and the next worker need not wait for the lease to end.
    work.renew(&claim, shared.now()).await.map(|_| ())
}

/// Charges every intent and records every outcome. Says whether none is left. Once the run is stopped, what is under way
/// ends, and the rest is given up without being sent.
async fn charge_all(
    shared: &Shared,
    claim: &ChunkClaim,
    lease: Deadline,
    intents: Vec<Intent>,
    stopping: &Stopping,
) -> Result<bool, StoreError> {
    let (brake, halted) = Stopping::pair();
    let halted = &halted;
    let resolve = |intent: Intent| async move {
        let outcome = shared.collector.resolve_unless(&intent, stopping, halted).await;
        (intent.payment, outcome)
    };
    let mut waiting = intents.into_iter();
    let mut in_flight = FuturesUnordered::new();
    let mut desk = Desk::new(shared, claim, lease, brake);
    loop {
        while in_flight.len() < shared.settings.in_flight_per_chunk.max(1) && !stopping.is_set() {
            let Some(intent) = waiting.next() else { break };
            in_flight.push(resolve(intent));
        }
        if in_flight.is_empty() && desk.is_clear() {
            return Ok(waiting.len() == 0 && !desk.has_left);
        }
        desk.advance(&mut in_flight).await?;
    }
}

/// Outcomes on their way into the store.
struct Desk<'a> {
    shared: &'a Shared,
    claim: &'a ChunkClaim,
    /// Outcomes that wait for company.
    buffer: Vec<Settlement>,
    /// When the oldest of them has waited long enough.
    flush: Option<BoxFuture<'static, ()>>,
    /// The batch that is being recorded.
    settling: Option<BoxFuture<'a, Result<usize, StoreError>>>,
    /// Ready when the lease is to be renewed. It is asked before any charge goes on.
    renewal: BoxFuture<'static, ()>,
    /// Ready when the run was stopped; gone once that was said.
    stop: Option<BoxFuture<'a, ()>>,
    brake: Stopper,
    /// Until when the lease is known to be ours.
    lease: Deadline,
    /// Whether an intent was left unsent.
    has_left: bool,
}

impl<'a> Desk<'a> {
    fn new(shared: &'a Shared, claim: &'a ChunkClaim, lease: Deadline, brake: Stopper) -> Self {
        Self {
            shared,
            claim,
            buffer: Vec::new(),
            flush: None,
            settling: None,
            // Counted from the claim: if opening the chunk took longer than the lease, it is renewed before anything is sent.
            renewal: shared.renewal(lease),
            lease,
            stop: Some(Box::pin(run_stopped(shared, claim))),
            brake,
            has_left: false,
        }
    }

    /// Whether every outcome is recorded.
    fn is_clear(&self) -> bool {
        self.buffer.is_empty() && self.settling.is_none()
    }

    /// Waits for the next thing that happens, and does what it calls for. Charges go on while a batch is recorded.
    async fn advance<F>(&mut self, in_flight: &mut FuturesUnordered<F>) -> Result<(), StoreError>
    where
        F: Future<Output = (PaymentId, Option<Outcome>)>,
    {
        tokio::select! {
            biased;
            recorded = ready_of(&mut self.settling) => {
                self.settling = None;
                recorded?;
            }
            () = &mut self.renewal => self.renew().await?,
            () = ready_of(&mut self.stop) => {
                self.stop = None;
                self.brake.stop();
            }
            Some((payment, outcome)) = in_flight.next() => self.take(payment, outcome),
            () = ready_of(&mut self.flush) => self.flush = None,
        }
        let is_full = self.buffer.len() >= self.shared.settings.settle_count;
        let is_due = self.flush.is_none() || in_flight.is_empty();
        if self.settling.is_none() && !self.buffer.is_empty() && (is_full || is_due) {
            self.settle();
        }
        Ok(())
    }

    /// Takes an outcome in.
    fn take(&mut self, payment: PaymentId, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else {
            self.has_left = true;
            return;
        };
        self.shared.alarm(self.claim.run, &outcome);
        if self.buffer.is_empty() {
            self.flush = Some(self.shared.sleep(self.shared.settings.settle_delay));
        }
        self.buffer.push(Settlement { payment, outcome });
    }

    /// Begins to record what is there.
    fn settle(&mut self) {
        let (shared, claim) = (self.shared, self.claim);
        let batch = std::mem::take(&mut self.buffer);
        self.flush = None;
        let work = &shared.ports.work;
        self.settling = Some(Box::pin(async move {
            shared.persist(|| work.settle(claim, shared.now(), batch.clone())).await
        }));
    }

    /// Renews the lease. While it lasts, a store that cannot be reached is no reason to stop: every write is guarded by the
    /// epoch. Once it has ended, another worker may have the chunk, and nothing more is sent.
    async fn renew(&mut self) -> Result<(), StoreError> {
        loop {
            let renewed = self.shared.lease();
            self.renewal = self.shared.renewal(renewed);
            match self.shared.ports.work.renew(self.claim, renewed.at()).await {
                Ok(true) if !self.shared.has_ended(renewed) => {
                    self.lease = renewed;
                    return Ok(());
                }
                // The answer took longer than the lease that it grants.
                Ok(true) => {}
                Ok(false) => return Err(StoreError::LeaseLost),
                Err(error @ (StoreError::LeaseLost | StoreError::Closed)) => return Err(error),
                Err(error) if !self.shared.has_ended(self.lease) => {
                    tracing::warn!(error = %Chain(&error), run = %self.claim.run, "a lease could not be renewed");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits until the chunk's run is stopped: asks at once, whenever something changed, and every while, since another process
/// may have stopped it.
async fn run_stopped(shared: &Shared, claim: &ChunkClaim) {
    let work = &shared.ports.work;
    loop {
        // Made before the question, so that a stop right after its answer is heard.
        let changed = work.changed();
        match work.is_stopping(claim).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = %Chain(&error), run = %claim.run, "it could not be asked whether a run was stopped");
            }
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = shared.sleep(shared.settings.stop_poll) => {}
        }
    }
}

/// Waits for a future that may not be there.
async fn ready_of<T>(future: &mut Option<BoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
