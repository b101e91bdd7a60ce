//! The gateways of one process, with a bound on the calls under way and on their rate at each.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use payment_runs_engine::ids::GatewayId;
use payment_runs_engine::ports::{BoxFuture, Clock, Gateway, Gateways};
use tokio::sync::Semaphore;

/// Gateways by identifier.
pub struct GatewayRegistry {
    clock: Arc<dyn Clock>,
    places: RwLock<HashMap<GatewayId, Arc<Place>>>,
}

impl fmt::Debug for GatewayRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("GatewayRegistry").field("gateways", &places.len()).finish_non_exhaustive()
    }
}

/// One gateway and its bounds.
struct Place {
    gateway: Arc<dyn Gateway>,
    under_way: Arc<Semaphore>,
    pace: Option<Pace>,
}

/// Calls spaced evenly, so that no second ever sees more than its share.
struct Pace {
    gap: Duration,
    /// When the next call may go out, by the time that has passed: the time of day may be set back.
    next: Mutex<Duration>,
}

impl Pace {
    fn new(gap: Duration) -> Self {
        Self { gap, next: Mutex::default() }
    }

    /// Takes the next free moment, and says how long it is until then.
    fn take(&self, elapsed: Duration) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = elapsed.max(*next);
        *next = at.saturating_add(self.gap);
        at.saturating_sub(elapsed)
    }
}

impl GatewayRegistry {
    /// A process without gateways. `clock` spaces the calls of gateways with a rate: give it the
    /// machine's clock, not one that stands still.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, places: RwLock::default() }
    }

    /// Adds a gateway or replaces it; calls under way at a replaced one go on.
    pub fn insert(&self, id: GatewayId, gateway: Arc<dyn Gateway>) {
        let settings = gateway.settings();
        let under_way = Arc::new(Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        let pace =
            settings.rate_per_s.map(|rate_per_s| Pace::new(Duration::from_secs(1) / rate_per_s.max(1)));
        let entry = Arc::new(Place { gateway, under_way, pace });
        self.places.write().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
    }

    fn place(&self, id: GatewayId) -> Option<Arc<Place>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

impl Gateways for GatewayRegistry {
    fn find(&self, id: GatewayId) -> Option<Arc<dyn Gateway>> {
        self.place(id).map(|place| Arc::clone(&place.gateway))
    }

    /// A gateway that is not known admits at once: there is nothing to protect.
    fn admit(&self, id: GatewayId) -> BoxFuture<'_, Box<dyn Send>> {
        let place = self.place(id);
        Box::pin(async move {
            let Some(place) = place else { return Box::new(()) as Box<dyn Send> };
            let permit = Arc::clone(&place.under_way).acquire_owned().await;
            if let Some(pace) = &place.pace {
                let wait = pace.take(self.clock.elapsed());
                if !wait.is_zero() {
                    let now = self.clock.now();
                    self.clock.sleep_until(now.checked_add(wait).unwrap_or(now)).await;
                }
            }
            Box::new(permit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_spaces_calls_and_forgets_idle_time() {
        let pace = Pace::new(Duration::from_millis(10));
        let wait = |elapsed_ms| pace.take(Duration::from_millis(elapsed_ms)).as_millis();
        assert_eq!([1_000, 1_000, 1_005, 1_500].map(wait), [0, 10, 15, 0]);
    }
}
