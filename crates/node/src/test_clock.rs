//! A clock that stands still until somebody moves it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{BoxFuture, Clock, ClockIsLater, SettableClock, since_epoch};
use tokio::sync::watch;

use crate::system::SystemClock;

/// A clock that stands still until it is moved. Clones share the time.
#[derive(Clone)]
pub struct TestClock {
    now: Arc<watch::Sender<Timestamp>>,
    real: Arc<dyn Clock>,
}

impl TestClock {
    /// A clock that stands at this time. The real time is the machine's.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Arc::new(watch::Sender::new(now)), real: Arc::new(SystemClock) }
    }

    /// The same clock, for which the time of another one is the real time.
    #[must_use]
    pub fn with_real_time(self, real: Arc<dyn Clock>) -> Self {
        Self { real, ..self }
    }

    /// Moves the time on and wakes everybody whose time has come.
    pub fn advance(&self, by: SignedDuration) {
        self.now.send_modify(|now| *now = now.checked_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Sets the time, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn real_now(&self) -> Timestamp {
        self.real.now()
    }

    /// Time passes here only as somebody moves it.
    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.now.subscribe();
        // The clock outlives its sleepers or nobody will ever wake them: then they end at once.
        Box::pin(async move { drop(now.wait_for(|now| *now >= at).await) })
    }
}

impl SettableClock for TestClock {
    fn set_forward(&self, to: Timestamp) -> Result<(), ClockIsLater> {
        let mut later = None;
        self.now.send_if_modified(|now| {
            if to < *now {
                later = Some(ClockIsLater(*now));
                return false;
            }
            *now = to;
            true
        });
        later.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come() {
        let clock = TestClock::at(Timestamp::UNIX_EPOCH);
        let mut sleeper = clock.sleep_until(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(10));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(sleeper.as_mut().poll(&mut context), Poll::Pending);
        clock.advance(SignedDuration::from_secs(9));
        assert_eq!(sleeper.as_mut().poll(&mut context), Poll::Pending);
        clock.advance(SignedDuration::from_secs(1));
        assert_eq!(sleeper.as_mut().poll(&mut context), Poll::Ready(()));
        let mut late = clock.sleep_until(Timestamp::UNIX_EPOCH);
        assert_eq!(late.as_mut().poll(&mut context), Poll::Ready(()));
    }

    #[test]
    fn whoever_sets_it_through_the_port_moves_it_forward_only() {
        let start = Timestamp::UNIX_EPOCH;
        let second = |count| start + SignedDuration::from_secs(count);
        let clock = TestClock::at(second(10));
        let mut sleeper = clock.sleep_until(second(20));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(sleeper.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(clock.set_forward(second(9)), Err(ClockIsLater(second(10))));
        assert_eq!(clock.now(), second(10));
        assert_eq!(clock.set_forward(second(10)), Ok(()), "where it stands");
        assert_eq!(clock.set_forward(second(20)), Ok(()));
        assert_eq!((clock.now(), sleeper.as_mut().poll(&mut context)), (second(20), Poll::Ready(())));
    }
}
