//! Time, identifiers and tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;

use super::BoxFuture;

/// The time, and waiting for it.
pub trait Clock: Send + Sync + 'static {
    /// The time now (UTC).
    fn now(&self) -> Timestamp;
    /// The time that others have, too (UTC): they judge signatures and the life of tokens by clocks of their own. It differs
    /// from [`now`](Self::now) only where somebody sets that.
    fn real_now(&self) -> Timestamp {
        self.now()
    }
    /// How much time has passed since some moment before, by a count that nobody sets: two readings tell how long it was,
    /// though the time of day may have been set back meanwhile.
    fn elapsed(&self) -> Duration;
    /// Waits until the time has come; returns at once when it is past. It may also return when as much time has passed as lay
    /// before it at the call: then the clock was set back, and whoever waits for the time of day itself looks at it again.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// A time some while after another; the end of the calendar when it would lie beyond.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The passed time of a clock whose time of day nobody sets back, as those of tests and simulations are.
pub fn since_epoch(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

/// A moment some while ahead, by the time of day and by the count that nobody sets. It has passed as soon as either says so:
/// the first is what others judge by, and the second goes on when the first is set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Timestamp,
    elapsed: Duration,
}

impl Deadline {
    /// The moment that comes after this while.
    pub fn after(clock: &dyn Clock, by: Duration) -> Self {
        let at = later(clock.now(), by);
        Self { at, elapsed: clock.elapsed().saturating_add(by) }
    }

    /// The time of day at which it comes (UTC).
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// A moment that comes so much sooner.
    #[must_use]
    pub fn sooner(&self, by: Duration) -> Self {
        let at = self.at.checked_sub(by).unwrap_or(Timestamp::MIN);
        Self { at, elapsed: self.elapsed.saturating_sub(by) }
    }

    /// Whether it has come.
    pub fn has_passed(&self, clock: &dyn Clock) -> bool {
        clock.now() >= self.at || clock.elapsed() >= self.elapsed
    }

    /// Waits for it. Nothing wakes this when only the count has come to it, but whoever polls it after that finds it ready.
    pub fn wait(self, clock: Arc<dyn Clock>) -> BoxFuture<'static, ()> {
        let mut sleep = clock.sleep_until(self.at);
        Box::pin(poll_fn(move |context| {
            if self.has_passed(clock.as_ref()) { Poll::Ready(()) } else { sleep.as_mut().poll(context) }
        }))
    }
}

/// Why a clock was not set: it is later already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0} already")]
pub struct ClockIsLater(pub Timestamp);

/// A clock that stands still until it is set, for tests that must not wait.
pub trait SettableClock: Clock {
    /// Moves the time forward. Whoever waits for a time that has come is awake when this returns; what they then do goes on
    /// by itself.
    fn set_forward(&self, to: Timestamp) -> Result<(), ClockIsLater>;
}

/// New identifiers. Those made later are larger, as far as the clock allows.
pub trait Ids: Send + Sync + 'static {
    /// A new identifier's number.
    fn next_id(&self) -> u128;
}

/// Background tasks.
pub trait Spawner: Send + Sync + 'static {
    /// Starts a task; the name is for logs. The task ends by itself.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}

/// Unpredictable bytes, for tokens and secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::sync::Mutex;
    use std::task::{Context, Waker};

    use jiff::SignedDuration;

    use super::*;

    /// A clock whose time of day and count are set apart from each other, and on which nobody is ever woken.
    struct Set(Mutex<(Timestamp, Duration)>);

    impl Set {
        fn to(&self, day: SignedDuration, elapsed: Duration) {
            *self.0.lock().unwrap() = (Timestamp::UNIX_EPOCH + day, elapsed);
        }
    }

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }
        fn elapsed(&self) -> Duration {
            self.0.lock().unwrap().1
        }
        fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_deadline_comes_by_either_reading() {
        let clock = Arc::new(Set(Mutex::new((Timestamp::UNIX_EPOCH, Duration::from_secs(100)))));
        let deadline = Deadline::after(clock.as_ref(), Duration::from_mins(1));
        let mut wait = deadline.wait(clock.clone());
        let mut context = Context::from_waker(Waker::noop());
        let seconds = SignedDuration::from_secs;
        for (day, elapsed_s, has_passed) in [
            (seconds(0), 100, false),
            (seconds(59), 159, false),
            (seconds(60), 159, true),
            (seconds(-3_600), 159, false),
            (seconds(-3_600), 160, true),
            (seconds(3_600), 100, true),
        ] {
            clock.to(day, Duration::from_secs(elapsed_s));
            assert_eq!(deadline.has_passed(clock.as_ref()), has_passed, "{day} {elapsed_s}");
            assert_eq!(wait.as_mut().poll(&mut context).is_ready(), has_passed, "{day} {elapsed_s}");
        }
        clock.to(seconds(40), Duration::from_secs(100));
        assert!(deadline.sooner(Duration::from_secs(20)).has_passed(clock.as_ref()));
        assert!(!deadline.sooner(Duration::from_secs(19)).has_passed(clock.as_ref()));
    }
}
