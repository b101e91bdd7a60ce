//! The system behind the ports: the machine's clock, identifiers, unpredictable bytes and background tasks.
//!
//! Together with the server's acceptor this is the only place of the product that touches them.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use payment_runs_engine::ports::{BoxFuture, Clock, Entropy, Ids, Spawner};
use rand::Rng;
use tokio_util::task::TaskTracker;

/// A long wait is cut into steps, so that it notices when the machine slept or its clock was set.
const SLEEP_STEP_MAX: Duration = Duration::from_mins(1);

/// The moment from which this process counts time.
static START: LazyLock<Instant> = LazyLock::new(start);

#[expect(clippy::disallowed_methods, reason = "the port's implementation counts from here")]
fn start() -> Instant {
    Instant::now()
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the port's implementation on the machine")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        START.elapsed()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let way = Way::towards(at, Timestamp::now(), self.elapsed());
        Box::pin(async move {
            while let Some(step) = way.step(Timestamp::now(), SystemClock.elapsed()) {
                tokio::time::sleep(step).await;
            }
        })
    }
}

/// The way to a time. It is over when the time has come, and also when as much time has passed as lay before it: then the clock
/// was set back meanwhile, and whoever waited, most often for a pause to end, has waited long enough. Who waits for the time of
/// day itself looks at it again.
#[derive(Debug, Clone, Copy)]
struct Way {
    at: Timestamp,
    ends: Duration,
}

impl Way {
    fn towards(at: Timestamp, now: Timestamp, elapsed: Duration) -> Self {
        let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        Self { at, ends: elapsed.saturating_add(left) }
    }

    /// How long to sleep now; `None` at its end.
    fn step(&self, now: Timestamp, elapsed: Duration) -> Option<Duration> {
        let by_day = Duration::try_from(self.at.duration_since(now)).ok()?;
        let left = by_day.min(self.ends.saturating_sub(elapsed));
        (!left.is_zero()).then(|| left.min(SLEEP_STEP_MAX))
    }
}

/// Identifiers of version 7: later ones are larger, and two machines never make the same one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

#[expect(clippy::disallowed_methods, reason = "this is the port's implementation on the machine")]
impl Ids for SystemIds {
    fn next_id(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }
}

/// A generator fit for secrets, which the operating system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

#[expect(clippy::disallowed_methods, reason = "this is the port's implementation on the machine")]
impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }
}

/// Background tasks on the runtime, counted so that a stop can wait for them.
#[derive(Debug, Clone, Default)]
pub struct SystemSpawner {
    tracker: TaskTracker,
}

impl SystemSpawner {
    /// Waits until every task has ended, at most this long, and says whether they did.
    pub async fn drain(&self, at_most: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(at_most, self.tracker.wait()).await.is_ok()
    }
}

impl Spawner for SystemSpawner {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        tracing::trace!(name, "a background task starts");
        self.tracker.spawn(task);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_wait_ends_exactly_at_its_time_and_long_ones_come_in_steps() {
        let now = Timestamp::UNIX_EPOCH;
        let first_step = |at, now| {
            let elapsed = Duration::from_secs(5);
            Way::towards(at, now, elapsed).step(now, elapsed)
        };
        assert_eq!(first_step(now, now), None);
        assert_eq!(first_step(now - SignedDuration::from_secs(1), now), None);
        let soon = now + SignedDuration::from_millis(5);
        assert_eq!(first_step(soon, now), Some(Duration::from_millis(5)));
        let far = now + SignedDuration::from_hours(24);
        assert_eq!(first_step(far, now), Some(SLEEP_STEP_MAX));
        assert_eq!(first_step(Timestamp::MAX, Timestamp::MIN), Some(SLEEP_STEP_MAX));
    }

    #[test]
    fn a_clock_that_is_set_makes_no_wait_longer() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(9);
        let passed = Duration::from_secs;
        let way = Way::towards(now + SignedDuration::from_secs(30), now, passed(100));
        let earlier = now - SignedDuration::from_hours(8);
        assert_eq!(way.step(earlier, passed(110)), Some(passed(20)), "so much is left of it");
        assert_eq!(way.step(earlier, passed(130)), None);
        assert_eq!(way.step(now + SignedDuration::from_secs(30), passed(101)), None, "set forward");
    }

    #[test]
    fn identifiers_grow() {
        let made: Vec<u128> = (0..1000).map(|_| SystemIds.next_id()).collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn two_fillings_differ() {
        let (mut one, mut two) = ([0_u8; 32], [0_u8; 32]);
        SystemEntropy.fill(&mut one);
        SystemEntropy.fill(&mut two);
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn a_drain_waits_for_the_tasks_and_gives_up_in_time() {
        let spawner = SystemSpawner::default();
        let ended = Arc::new(AtomicU32::new(0));
        for _ in 0..3 {
            let ended = Arc::clone(&ended);
            spawner.spawn(
                "counted",
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    ended.fetch_add(1, Ordering::SeqCst);
                }),
            );
        }
        assert!(spawner.drain(Duration::from_secs(10)).await);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
        spawner.spawn("endless", Box::pin(std::future::pending()));
        assert!(!spawner.drain(Duration::from_millis(1)).await);
    }
}
