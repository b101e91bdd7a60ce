//! For how long a gateway has been saying that it never saw a charge, by passed time.
//!
//! The time of day may be set forward while a delivery is still under way. So whoever believes "never seen" must have heard
//! it itself for the whole settling time, by the monotonic clock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ids::PaymentId;
use crate::ports::{Intent, LookUp};

/// Payments that are remembered at most; what is forgotten is only believed later.
const REMEMBERED_MAX: usize = 100_000;

/// Since when one payment was never seen.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// When that was first heard, by [`crate::ports::Clock::elapsed`].
    since: Duration,
    /// After how many further deliveries.
    deliveries: u32,
}

/// What one worker has heard.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    heard: Mutex<BTreeMap<PaymentId, Doubt>>,
}

impl Doubts {
    /// Takes in what the gateway says of a payment, and says for how long it has been saying that it never saw it.
    pub(crate) fn hear(&self, intent: &Intent, said: &LookUp, elapsed: Duration) -> Duration {
        // Each change is one step, so that nothing is left half done by a panic.
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            LookUp::CannotTell { .. } => return Duration::ZERO,
            LookUp::Found(_) => {
                heard.remove(&intent.payment);
                return Duration::ZERO;
            }
            LookUp::NeverSeen => {}
        }
        let first = Doubt { since: elapsed, deliveries: intent.deliveries };
        if heard.len() >= REMEMBERED_MAX && !heard.contains_key(&intent.payment) {
            heard.pop_first();
        }
        let doubt = heard.entry(intent.payment).or_insert(first);
        if doubt.deliveries != intent.deliveries {
            *doubt = first;
        }
        elapsed.saturating_sub(doubt.since)
    }
}
