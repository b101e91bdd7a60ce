//! What all tasks of a worker share: the ports, the settings, and patience with the store.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::settings::WorkerSettings;
use crate::collect::Collector;
use crate::ids::RunId;
use crate::ports::clock::later;
use crate::ports::{
    BoxFuture, Chain, Clock, Deadline, EncodeCharge, Gateways, Ids, Outcome, Spawner, StoreError, Work,
};

/// How often a gateway that takes nothing is reported at most: seldom enough to be read, often enough to be seen.
const ALARM_EVERY: Duration = Duration::from_mins(1);

/// The ports a worker needs.
#[derive(Clone)]
pub struct WorkerPorts {
    /// The queue of runs and chunks.
    pub work: Arc<dyn Work>,
    /// The gateways.
    pub gateways: Arc<dyn Gateways>,
    /// Writes charges as their gateways want them.
    pub encoder: Arc<dyn EncodeCharge>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn Ids>,
    /// Tasks.
    pub spawner: Arc<dyn Spawner>,
}

/// Ports and settings, as every task of a worker holds them.
pub(super) struct Shared {
    pub(super) ports: WorkerPorts,
    pub(super) settings: WorkerSettings,
    pub(super) collector: Collector,
    /// When a gateway that takes nothing was last reported, by the monotonic clock.
    alarmed: Mutex<Option<Duration>>,
}

impl Shared {
    pub(super) fn new(ports: WorkerPorts, settings: &WorkerSettings) -> Self {
        let collector = Collector::new(ports.gateways.clone(), ports.clock.clone(), settings.send)
            .settling_after(settings.look_ups.settling_time);
        Self { ports, settings: *settings, collector, alarmed: Mutex::default() }
    }

    /// Reports a gateway that takes nothing, once in a while however many payments it keeps back.
    pub(super) fn alarm(&self, run: RunId, outcome: &Outcome) {
        let Some(why) = outcome.gateway_trouble() else { return };
        let elapsed = self.ports.clock.elapsed();
        let mut alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        if is_alarm_due(*alarmed, elapsed) {
            *alarmed = Some(elapsed);
            tracing::error!(%run, why, "a gateway takes no payments");
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// When a lease taken now ends.
    pub(super) fn lease(&self) -> Deadline {
        Deadline::after(self.ports.clock.as_ref(), self.settings.lease)
    }

    /// Waits until a lease that ends then should be renewed: for the first third of it.
    pub(super) fn renewal(&self, lease: Deadline) -> BoxFuture<'static, ()> {
        lease.sooner(self.settings.lease * 2 / 3).wait(self.ports.clock.clone())
    }

    /// Whether a lease that ends then has ended.
    pub(super) fn has_ended(&self, lease: Deadline) -> bool {
        lease.has_passed(self.ports.clock.as_ref())
    }

    pub(super) fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        self.ports.clock.sleep_until(later(self.now(), pause))
    }

    /// How long to wait after the given number of failures in a row.
    pub(super) fn store_pause(&self, failures: u32) -> Duration {
        let doubled = self.settings.store_first_pause.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.settings.store_longest_pause)
    }

    /// Tries a transaction until it is stored, a bounded number of times. Only for transactions that may be repeated,
    /// since it is not always known whether one was stored.
    pub(super) async fn persist<T, F, R>(&self, transaction: F) -> Result<T, StoreError>
    where
        F: Fn() -> R,
        R: Future<Output = Result<T, StoreError>>,
    {
        let mut failures = 0;
        loop {
            match transaction().await {
                Err(error) if is_passing(&error) && failures + 1 < self.settings.store_attempts_max => {
                    failures += 1;
                    tracing::warn!(
                        error = %Chain(&error),
                        failures,
                        "a transaction failed and is tried again"
                    );
                    self.sleep(self.store_pause(failures)).await;
                }
                result => return result,
            }
        }
    }
}

/// Whether a gateway that takes nothing is to be reported again, by the passed times of the last report and of now.
fn is_alarm_due(alarmed: Option<Duration>, elapsed: Duration) -> bool {
    alarmed.is_none_or(|at| elapsed.saturating_sub(at) >= ALARM_EVERY)
}

/// Whether another attempt may go better.
pub(super) fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Read { .. }
        | StoreError::Write { .. }
        | StoreError::Busy { .. }
        | StoreError::InDoubt { .. } => true,
        StoreError::Damaged { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Closed
        | StoreError::LeaseLost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_that_takes_nothing_is_reported_once_a_minute() {
        let mut alarmed = None;
        let mut reported = Vec::new();
        for second in 5_u64..=130 {
            let elapsed = Duration::from_secs(second);
            if is_alarm_due(alarmed, elapsed) {
                alarmed = Some(elapsed);
                reported.push(second);
            }
        }
        assert_eq!(reported, [5, 65, 125]);
    }
}
