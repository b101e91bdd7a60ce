//! Payments in doubt: the gateway is asked until it can tell.

use futures_util::StreamExt;
use futures_util::stream;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::collect::Collector;
use crate::ids::EntityKey;
use crate::ports::{Chain, Clock, Deadline, Intent, Settlement, StoreError, Work};
use crate::stopping::Stopping;

/// How payments in doubt are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookUpPolicy {
    /// How often the store is asked for payments whose look-up is due.
    pub every: Duration,
    /// After how long the gateway is asked again about the same payment.
    pub again_after: Duration,
    /// For how long the same worker must have heard "never seen" before a stopped run's payment is given up, by the monotonic
    /// clock: longer than any gateway takes to make a charge that it has accepted, and to find it. Where the gateway
    /// remembers keys for longer, that counts.
    pub settling_time: Duration,
    /// How old the intent of a single payment is when its caller is taken for dead. Longer than any caller waits.
    pub single_after: Duration,
    /// Payments per round at most.
    pub batch_max: usize,
    /// Look-ups at once at most.
    pub at_once: usize,
}

impl Default for LookUpPolicy {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5),
            again_after: Duration::from_mins(1),
            settling_time: Duration::from_hours(24),
            single_after: Duration::from_mins(5),
            batch_max: 200,
            at_once: 8,
        }
    }
}

/// Looks up what is due, and records what is learnt. Says how many payments it asked about.
pub async fn look_up_due(
    work: &dyn Work,
    collector: &Collector,
    clock: &dyn Clock,
    policy: LookUpPolicy,
    stopping: &Stopping,
) -> Result<usize, StoreError> {
    let now = clock.now();
    let single_before = now.checked_sub(policy.single_after).unwrap_or(jiff::Timestamp::MIN);
    let again = Deadline::after(clock, policy.again_after);
    let due = work.due_look_ups(now, again.at(), single_before, policy.batch_max).await?;
    let asked = due.len();
    let ask = |intent: Intent| async move {
        let has_begun = AtomicBool::new(false);
        let begin = async {
            let may_deliver = matches!(work.begin_delivery(&intent, clock.now()).await, Ok(true));
            has_begun.store(may_deliver, Ordering::Relaxed);
            // Once others may have been handed the payment, it is theirs, however long the answer to this took.
            may_deliver && !again.has_passed(clock)
        };
        let outcome = collector.resolve_in_doubt(&intent, stopping, begin).await;
        if outcome.is_none()
            && has_begun.load(Ordering::Relaxed)
            && let Err(error) = work.end_delivery(&intent).await
        {
            tracing::warn!(error = %Chain(&error), payment = %intent.payment, "the end of a delivery could not be noted");
        }
        Some((intent.entity, Settlement { payment: intent.payment, outcome: outcome? }))
    };
    let mut learnt: BTreeMap<EntityKey, Vec<Settlement>> = BTreeMap::new();
    let mut answers = stream::iter(due).map(ask).buffer_unordered(policy.at_once.max(1));
    while let Some(answer) = answers.next().await {
        if let Some((entity, settlement)) = answer {
            learnt.entry(entity).or_default().push(settlement);
        }
    }
    for (entity, settlements) in learnt {
        work.settle_look_ups(entity, clock.now(), settlements).await?;
    }
    Ok(asked)
}
