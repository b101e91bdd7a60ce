//! One electronic payment outside any run, collected while its caller waits.

use std::sync::Arc;
use std::time::Duration;

use crate::collect::{Collector, SendPolicy};
use crate::ports::{Clock, Gateways, Intent, Outcome};
use crate::stopping::Stopping;

/// A caller waits, so there are few deliveries and short pauses. What stays open is resolved in the background.
const PATIENCE: SendPolicy = SendPolicy {
    deliveries_max: 3,
    unanswered_max: 2,
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(2),
};

/// Charges a payment whose intent is stored, and says what came of it. The caller records the outcome; if it cannot, the
/// intent is resolved later with the same key.
pub async fn collect_single(gateways: Arc<dyn Gateways>, clock: Arc<dyn Clock>, intent: &Intent) -> Outcome {
    let collector = Collector::new(gateways, clock, PATIENCE);
    let outcome = collector.resolve(intent, &Stopping::never()).await;
    outcome.unwrap_or_else(|| Outcome::Unknown { why: "the payment was not an intent".to_owned() })
}
