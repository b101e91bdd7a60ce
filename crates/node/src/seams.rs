//! What a node takes from its surroundings, so that a test can put something else in its place.

use std::fmt;
use std::sync::Arc;

use payment_runs_engine::ports::{Clock, Entropy, Ids, SettableClock};

use crate::system::{SystemClock, SystemEntropy, SystemIds};
use crate::test_clock::TestClock;

/// Time, identifiers and unpredictable bytes.
#[derive(Clone)]
pub struct Seams {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same clock, where callers of the operations API may set it.
    pub test_clock: Option<Arc<dyn SettableClock>>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl Seams {
    /// Those of the machine.
    pub fn system() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            test_clock: None,
            ids: Arc::new(SystemIds),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// The same with the time of a clock that is set.
    #[must_use]
    pub fn with_test_clock(self, clock: TestClock) -> Self {
        Self { clock: Arc::new(clock.clone()), test_clock: Some(Arc::new(clock)), ..self }
    }
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams").finish_non_exhaustive()
    }
}
