//! Time, identifiers and random bytes that a test decides.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{BoxFuture, Clock, Entropy, Ids};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that stands still until it is moved. Clones share the time.
#[derive(Debug, Clone)]
pub struct TestClock {
    now: Arc<watch::Sender<Timestamp>>,
}

impl TestClock {
    /// A clock that stands at this time.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Arc::new(watch::Sender::new(now)) }
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

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.now.subscribe();
        // The clock outlives its sleepers or nobody will ever wake them: then they end at once.
        Box::pin(async move { drop(now.wait_for(|now| *now >= at).await) })
    }
}

/// Identifiers that a test has queued, and a counter when there are none. Clones share the queue.
#[derive(Debug, Clone)]
pub struct TestIds {
    state: Arc<Mutex<IdState>>,
}

#[derive(Debug)]
struct IdState {
    queued: VecDeque<u128>,
    next: u128,
}

impl TestIds {
    /// Nothing queued; the counter gives `first` next.
    pub fn counting_from(first: u128) -> Self {
        Self { state: Arc::new(Mutex::new(IdState { queued: VecDeque::new(), next: first })) }
    }

    /// Queues identifiers, which are given before the counter goes on.
    pub fn queue(&self, ids: impl IntoIterator<Item = u128>) {
        lock(&self.state).queued.extend(ids);
    }

    /// How many are queued still.
    pub fn queued(&self) -> usize {
        lock(&self.state).queued.len()
    }
}

impl Ids for TestIds {
    fn next_id(&self) -> u128 {
        let mut state = lock(&self.state);
        if let Some(id) = state.queued.pop_front() {
            return id;
        }
        let id = state.next;
        state.next += 1;
        id
    }
}

/// Bytes from a seed: random to look at, and the same every time.
#[derive(Debug)]
pub struct TestEntropy {
    source: Mutex<StdRng>,
}

impl TestEntropy {
    /// The bytes of this seed.
    pub fn seeded(seed: u64) -> Self {
        Self { source: Mutex::new(StdRng::seed_from_u64(seed)) }
    }
}

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        lock(&self.source).fill_bytes(buffer);
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
    fn queued_identifiers_come_first() {
        let ids = TestIds::counting_from(100);
        ids.queue([7, 8]);
        assert_eq!([ids.next_id(), ids.next_id(), ids.next_id(), ids.next_id()], [7, 8, 100, 101]);
        ids.queue([9]);
        assert_eq!((ids.next_id(), ids.next_id(), ids.queued()), (9, 102, 0));
    }

    #[test]
    fn a_seed_gives_the_same_bytes() {
        let bytes = |seed| {
            let mut buffer = [0_u8; 16];
            TestEntropy::seeded(seed).fill(&mut buffer);
            buffer
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}
