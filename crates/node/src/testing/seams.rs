//! Identifiers and random bytes that a test decides.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use payment_runs_engine::ports::{Entropy, Ids};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    use super::*;

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
