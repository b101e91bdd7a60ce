//! Whether a charge is delivered again, decided after each delivery. Pure, and the only place that decides it.
//!
//! Once a delivery ended in doubt, only the key's true answer ends the doubt: a later delivery that was refused or turned
//! away unread proves nothing about the earlier one.

use std::time::Duration;

use super::verify::verify;
use crate::ports::{ChargeRequest, Delivery, Doubt, NotSentCause, Outcome};

/// How often and how patiently a charge is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPolicy {
    /// Deliveries of one charge at most, in one go.
    pub deliveries_max: u32,
    /// Deliveries without an answer at most, in one go. Each may take as long as the gateway's timeout.
    pub unanswered_max: u32,
    /// Pause after the first failure; each later one is twice as long. Up to half of it is taken off, by key, so that charges
    /// that failed together do not return together.
    pub first_pause: Duration,
    /// No pause is longer, even if the gateway asks for it.
    pub longest_pause: Duration,
}

impl Default for SendPolicy {
    /// Half a minute in all: a gateway that restarts is waited for, one that is down is not.
    fn default() -> Self {
        Self {
            deliveries_max: 9,
            unanswered_max: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl SendPolicy {
    /// The pause before the next delivery; `None` when there is to be none.
    fn pause_after(&self, deliveries: u32, asked: Option<Duration>, key: &str) -> Option<Duration> {
        if deliveries >= self.deliveries_max {
            return None;
        }
        let doubled = self.first_pause.saturating_mul(1 << deliveries.saturating_sub(1).min(16));
        let jittered = doubled.saturating_sub(doubled * jitter_percent(key, deliveries) / 200);
        Some(jittered.max(asked.unwrap_or_default()).min(self.longest_pause))
    }
}

/// A number from 0 to 100 that differs by key and delivery, and is the same in every replay.
fn jitter_percent(key: &str, deliveries: u32) -> u32 {
    key.bytes().fold(deliveries, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 101
}

/// What has happened to a charge so far, in one go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) deliveries: u32,
    pub(super) unanswered: u32,
    /// Whether a delivery may have reached the gateway, this worker's or an earlier one's.
    pub(super) may_have_been_sent: bool,
    /// Whether a delivery has begun again because it waited for the ledger to be compared.
    has_begun_again: bool,
}

/// What follows from a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// This is what became of the charge.
    Settle(Outcome),
    /// The gateway is asked; if it cannot tell, this is what is known.
    LookUp(Outcome),
    /// The same key and body, after a pause.
    Repeat(Duration),
}

impl Progress {
    pub(super) fn new(may_have_been_sent: bool) -> Self {
        Self { deliveries: 0, unanswered: 0, may_have_been_sent, has_begun_again: false }
    }

    /// Whether the delivery only waited for the ledger to be compared, so that it is made again and does not count. This
    /// happens once, since a ledger that was compared stays so.
    pub(super) fn begins_again(&mut self, delivery: &Delivery) -> bool {
        let has_waited = matches!(delivery, Delivery::NotSent { cause: NotSentCause::LedgerCompared, .. });
        has_waited && !std::mem::replace(&mut self.has_begun_again, true)
    }

    /// Takes in how one more delivery ended, and decides what follows.
    pub(super) fn judge(&mut self, delivery: Delivery, request: &ChargeRequest, policy: &SendPolicy) -> Next {
        self.deliveries += 1;
        let pause = |asked| policy.pause_after(self.deliveries, asked, &request.idempotency_key);
        match verify(delivery, request) {
            Delivery::Approved(charge) => Next::Settle(Outcome::Approved { reference: charge.reference }),
            Delivery::Pending(charge) => Next::Settle(Outcome::Pending { reference: charge.reference }),
            Delivery::Declined { code, message, reference } => {
                Next::Settle(Outcome::Declined { code, message, reference })
            }
            Delivery::Refused { code, message } if self.may_have_been_sent => {
                let why = format!("refused after a delivery in doubt: {code}: {message}");
                Next::LookUp(Outcome::Unknown { doubt: Doubt::Unclear, why })
            }
            Delivery::Refused { code, message } => {
                Next::Settle(Outcome::Declined { code, message, reference: None })
            }
            Delivery::NotSent { cause, why, retry_after } => {
                match pause(retry_after).filter(|_| cause.is_passing()) {
                    Some(pause) => Next::Repeat(pause),
                    None if self.may_have_been_sent => {
                        Next::LookUp(Outcome::Unknown { doubt: Doubt::Unanswered, why })
                    }
                    None => Next::Settle(Outcome::NotSent { cause, why }),
                }
            }
            Delivery::Unknown { doubt, why } => {
                let pause = pause(None);
                self.may_have_been_sent = true;
                self.unanswered += 1;
                let repeats = doubt == Doubt::Unanswered && self.unanswered < policy.unanswered_max;
                match pause.filter(|_| repeats) {
                    Some(pause) => Next::Repeat(pause),
                    None => Next::LookUp(Outcome::Unknown { doubt, why }),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_differ_by_key_and_stay_within_their_bounds() {
        let policy = SendPolicy::default();
        let mut seen = std::collections::BTreeSet::new();
        for key in ["a", "b", "c"] {
            let mut doubled = policy.first_pause;
            for deliveries in 1..policy.deliveries_max {
                let pause = policy.pause_after(deliveries, None, key);
                assert!(pause.is_some_and(|pause| pause <= doubled && pause >= doubled / 2), "{pause:?}");
                seen.insert(pause);
                doubled *= 2;
            }
            assert_eq!(policy.pause_after(policy.deliveries_max, None, key), None);
        }
        assert!(seen.len() > usize::try_from(policy.deliveries_max).unwrap_or_default(), "{seen:?}");
        let asked = |seconds| policy.pause_after(1, Some(Duration::from_secs(seconds)), "a");
        assert_eq!([asked(7), asked(3_600)], [7, 30].map(|seconds| Some(Duration::from_secs(seconds))));
    }
}
