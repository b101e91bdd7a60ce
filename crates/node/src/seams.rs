//! What a node takes from its surroundings, so that a test can put something else in its place.

use std::fmt;
use std::sync::Arc;

use payment_runs_engine::ports::{Clock, Entropy, Ids};

use crate::system::{SystemClock, SystemEntropy, SystemIds};

/// Time, identifiers and unpredictable bytes.
#[derive(Clone)]
pub struct Seams {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl Seams {
    /// Those of the machine.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds), entropy: Arc::new(SystemEntropy) }
    }
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seams").finish_non_exhaustive()
    }
}
