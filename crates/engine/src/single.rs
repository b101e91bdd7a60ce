//! One electronic payment outside any run, collected while its caller waits.

use std::sync::Arc;
use std::time::Duration;

use crate::collect::{Collector, SendPolicy};
use crate::ports::{Clock, Deadline, Doubt, Gateways, Intent, Outcome};

/// A caller waits, so there are few deliveries and short pauses. What stays open is resolved in the background.
const PATIENCE: SendPolicy = SendPolicy {
    deliveries_max: 5,
    unanswered_max: 3,
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(2),
};

/// How long after its intent was begun a payment may still be sent: longer than everything that [`PATIENCE`] allows, and
/// shorter than [`crate::recover::LookUpPolicy::single_after`], after which others take its sender for dead.
const DELIVERY_MAX: Duration = Duration::from_mins(3);

/// Until when a payment may be sent whose intent is about to be stored. To be asked for before that: whatever holds the
/// caller up then counts.
pub fn deliver_by(clock: &dyn Clock) -> Deadline {
    Deadline::after(clock, DELIVERY_MAX)
}

/// Charges a payment whose intent is stored, and says what came of it. The caller records the outcome; if it cannot, the
/// intent is resolved later with the same key.
pub async fn collect_single(
    gateways: Arc<dyn Gateways>,
    clock: Arc<dyn Clock>,
    intent: &Intent,
    deliver_by: Deadline,
) -> Outcome {
    let collector = Collector::new(gateways, clock, PATIENCE);
    let outcome = collector.resolve_by(intent, deliver_by).await;
    outcome.unwrap_or_else(|| {
        let why = "the payment was not an intent".to_owned();
        Outcome::Unknown { doubt: Doubt::Unclear, why }
    })
}
