//! The worker: claims runs and chunks, works them off, and looks up what is in doubt, until it is told to stop.

mod chunk;
mod selection;
mod settings;
mod shared;

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::oneshot;

pub use settings::{DOCUMENTS_PER_CHUNK, WorkerSettings};
pub use shared::WorkerPorts;

use self::chunk::work_chunk;
use self::selection::select_run;
use self::shared::{Shared, is_passing};
use crate::ports::clock::later;
use crate::ports::{BoxFuture, Chain, ChunkClaim, Deadline, StoreError};
use crate::recover::look_up_due;
use crate::stopping::Stopping;

/// A worker. Any number of them may share a store; each chunk is one worker's at a time.
pub struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// A worker over these ports.
    pub fn new(ports: WorkerPorts, settings: WorkerSettings) -> Self {
        Self { shared: Arc::new(Shared::new(ports, &settings)) }
    }

    /// Works until `stop` is ready; then what is in flight ends and is recorded, and this returns. It also returns when
    /// the store is closed.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let (stopper, stopping) = Stopping::pair();
        let mut crew = Crew::new(self.shared, stopping);
        crew.work(pin!(stop)).await;
        stopper.stop();
        crew.drain().await;
    }
}

/// Which kind of task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Chunk,
    Selection,
    LookUps,
}

/// The tasks of a worker.
struct Crew {
    shared: Arc<Shared>,
    stopping: Stopping,
    tasks: FuturesUnordered<BoxFuture<'static, Task>>,
    chunks: usize,
    is_selecting: bool,
    is_looking_up: bool,
    /// When payments in doubt are looked up next, also if the time of day is set back meanwhile; at once where there is none.
    look_up_at: Option<Deadline>,
    /// Failures of the store in a row.
    failures: u32,
}

impl Crew {
    fn new(shared: Arc<Shared>, stopping: Stopping) -> Self {
        Self {
            shared,
            stopping,
            tasks: FuturesUnordered::new(),
            chunks: 0,
            is_selecting: false,
            is_looking_up: false,
            look_up_at: None,
            failures: 0,
        }
    }

    /// Gives out work until it is told to stop or the store is closed. The word to stop is heard between claims, so that
    /// no claim is forgotten.
    async fn work(&mut self, mut stop: Pin<&mut (impl Future<Output = ()> + Send)>) {
        let shared = self.shared.clone();
        let mut changed = shared.ports.work.changed();
        loop {
            let wake_at = match self.give_out().await {
                Ok(wake_at) => {
                    self.failures = 0;
                    wake_at
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    tracing::warn!(
                        error = %Chain(&error),
                        failures = self.failures,
                        "no work could be claimed"
                    );
                    later(shared.now(), shared.store_pause(self.failures))
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                Some(task) = self.tasks.next() => self.end(task),
                () = &mut changed => changed = shared.ports.work.changed(),
                () = shared.ports.clock.sleep_until(wake_at) => {}
            }
        }
    }

    /// Waits for the tasks that are under way.
    async fn drain(&mut self) {
        while let Some(task) = self.tasks.next().await {
            self.end(task);
        }
    }

    fn end(&mut self, task: Task) {
        match task {
            Task::Chunk => self.chunks -= 1,
            Task::Selection => self.is_selecting = false,
            Task::LookUps => self.is_looking_up = false,
        }
    }

    /// Claims what there is room for, and says when to look again.
    async fn give_out(&mut self) -> Result<Timestamp, StoreError> {
        let shared = self.shared.clone();
        // What comes due in the course of the round is found by the next one, which then follows at once.
        let now = shared.now();
        let work = &shared.ports.work;
        while self.chunks < shared.settings.chunks_at_once {
            // Counted from before the claim, so that it ends here no later than elsewhere.
            let lease = shared.lease();
            let Some(claim) = work.claim_chunk(shared.now(), lease.at()).await? else { break };
            self.chunks += 1;
            let name = "payment run chunk";
            self.spawn(
                name,
                Task::Chunk,
                Some(claim.clone()),
                work_chunk(shared.clone(), claim, lease, self.stopping.clone()),
            );
        }
        if !self.is_selecting
            && let Some(claim) =
                work.claim_selection(now, shared.lease().at(), shared.ports.ids.clone()).await?
        {
            self.is_selecting = true;
            let name = "payment run selection";
            self.spawn(
                name,
                Task::Selection,
                Some(claim.clone()),
                select_run(shared.clone(), claim, self.stopping.clone()),
            );
        }
        self.give_out_look_ups();
        for run in work.finish_runs(shared.now()).await? {
            tracing::info!(%run, "a payment run has ended");
        }
        next_wake(&shared, now).await
    }

    /// Starts a round of look-ups when one is due.
    fn give_out_look_ups(&mut self) {
        let clock = self.shared.ports.clock.as_ref();
        if self.is_looking_up || self.look_up_at.is_some_and(|at| !at.has_passed(clock)) {
            return;
        }
        self.is_looking_up = true;
        self.look_up_at = Some(Deadline::after(clock, self.shared.settings.look_ups.every));
        let (shared, stopping) = (self.shared.clone(), self.stopping.clone());
        let round = async move {
            let ports = &shared.ports;
            let policy = shared.settings.look_ups;
            let asked =
                look_up_due(ports.work.as_ref(), &shared.collector, ports.clock.as_ref(), policy, &stopping);
            asked.await.map(|_| ())
        };
        self.spawn("payment look-ups", Task::LookUps, None, round);
    }

    /// Starts a task through the port. A task that is dropped counts as ended.
    fn spawn(
        &mut self,
        name: &'static str,
        task: Task,
        claim: Option<ChunkClaim>,
        future: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        let (ended, on_end) = oneshot::channel::<()>();
        let shared = self.shared.clone();
        self.shared.ports.spawner.spawn(
            name,
            Box::pin(async move {
                if let Err(error) = future.await {
                    report(&shared, claim, error).await;
                }
                drop(ended);
            }),
        );
        self.tasks.push(Box::pin(async move {
            let _ = on_end.await;
            task
        }));
    }
}

/// When there may be something to do though nothing was heard, after a round that began at the given time.
async fn next_wake(shared: &Shared, began: Timestamp) -> Result<Timestamp, StoreError> {
    let poll = later(began, shared.settings.idle_poll);
    let next = shared.ports.work.next_run_at().await?;
    // A run whose time had come but that was not claimed is somebody else's, or waits for our selection to end. One whose
    // time has come since was not seen by this round, however long it is past.
    Ok(next.filter(|&at| at > began).map_or(poll, |at| at.min(poll)))
}

/// Tells what went wrong. Data that cannot be read ends its run, since trying again would not help.
async fn report(shared: &Shared, claim: Option<ChunkClaim>, error: StoreError) {
    match (&error, &claim) {
        (StoreError::LeaseLost, Some(claim)) => {
            tracing::info!(run = %claim.run, chunk = claim.chunk, "another worker has taken over");
        }
        (StoreError::Corrupt { .. } | StoreError::Damaged { .. }, Some(claim)) => {
            tracing::error!(error = %Chain(&error), run = %claim.run, chunk = claim.chunk, "a payment run cannot go on");
            let message = error.to_string();
            let fail = || shared.ports.work.fail_run(claim, shared.now(), &message);
            if let Err(error) = shared.persist(fail).await {
                tracing::error!(error = %Chain(&error), run = %claim.run, "the failure of a payment run could not be stored");
            }
        }
        _ => tracing::warn!(
            error = %Chain(&error),
            is_passing = is_passing(&error),
            "work was left for later"
        ),
    }
}

/// A stop that never comes, for a worker that runs as long as its process.
pub fn never() -> impl Future<Output = ()> + Send {
    pending()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker can be given to any executor.
    #[test]
    fn a_worker_may_move_between_threads() {
        fn check<T: Send>(_: impl Fn(Worker) -> T) {}
        check(|worker| worker.run(never()));
    }
}
