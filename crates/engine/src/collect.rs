//! From an intent to its outcome: the one place that sends charges.
//!
//! An intent whose key is young may be sent however often, always with the same key and body, because the gateway
//! answers a repetition with the first result. Once a key is older than half the time for which the gateway remembers
//! it, nothing is sent before the gateway was asked. Where nobody can tell, the outcome is Unknown: that is a state to
//! be resolved, and never a reason for another charge.
//!
//! Once a run is stopped, no delivery of its charges begins any more. A charge that was certainly never sent is given up;
//! about any other the gateway is asked, until it is found, or until it is believed that it was never seen.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::doubt::Doubts;
use crate::payment::PaymentState;
use crate::ports::clock::later;
use crate::ports::{Clock, Deadline, Gateway, Gateways, Intent, LookUp, Outcome};
use crate::recover::LookUpPolicy;
use crate::stopping::Stopping;

/// Look-ups that come before "never seen" is believed of a charge that may have been sent: a delivery whose answer was lost
/// can still arrive. The look-ups lie at least [`LookUpPolicy::again_after`] apart, and whoever believes it has heard it itself for
/// [`LookUpPolicy::believe_after`].
pub const LOOK_UPS_BEFORE_BELIEF: u32 = 2;

/// How often and how patiently a charge is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendPolicy {
    /// Deliveries of one charge at most, in one go.
    pub deliveries_max: u32,
    /// Deliveries without an answer at most, in one go. Each may take as long as the gateway's timeout.
    pub unanswered_max: u32,
    /// Pause after the first failure; each later one is twice as long.
    pub first_pause: Duration,
    /// No pause is longer, even if the gateway asks for it.
    pub longest_pause: Duration,
}

impl Default for SendPolicy {
    /// Half a minute in all: a gateway that restarts is waited for, one that is down is not.
    fn default() -> Self {
        Self {
            deliveries_max: 7,
            unanswered_max: 3,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

impl SendPolicy {
    /// The pause before the next delivery; `None` when there is to be none.
    fn pause_after(&self, deliveries: u32, asked: Option<Duration>) -> Option<Duration> {
        if deliveries >= self.deliveries_max {
            return None;
        }
        let doubled = self.first_pause.saturating_mul(1 << (deliveries - 1).min(16));
        Some(doubled.max(asked.unwrap_or_default()).min(self.longest_pause))
    }
}

/// Why a charge of a stopped run is given up.
const RUN_STOPPED: &str = "the payment run was stopped before it was sent";

/// What a charge listens to while it waits.
#[derive(Clone, Copy)]
struct Words<'a> {
    /// The work is to end: what was not sent stays as it is.
    stopping: &'a Stopping,
    /// The run was stopped: what was not sent is given up.
    halted: &'a Stopping,
    /// When no delivery may begin any more.
    deliver_by: Option<Deadline>,
}

/// How a wait ended.
enum Waited<T> {
    /// With what was waited for.
    Done(T),
    /// The work is to end.
    Leave,
    /// The run was stopped.
    Halted,
}

impl Words<'_> {
    /// Waits for something, unless a word is said first.
    async fn or<T>(self, awaited: impl Future<Output = T>) -> Waited<T> {
        tokio::select! {
            biased;
            () = self.stopping.wait() => Waited::Leave,
            () = self.halted.wait() => Waited::Halted,
            value = awaited => Waited::Done(value),
        }
    }
}

/// Sends charges and asks about them.
#[derive(Clone)]
pub struct Collector {
    gateways: Arc<dyn Gateways>,
    clock: Arc<dyn Clock>,
    policy: SendPolicy,
    doubts: Arc<Doubts>,
}

/// Whether an intent may be sent without asking first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAge {
    /// The gateway certainly remembers the key, if it ever saw it.
    Young,
    /// It may have forgotten the key.
    Old,
}

/// Judges a key by when its intent was stored. A clock that went backwards makes no key old, but a gateway that remembers
/// no keys makes every key old, whatever the clock says.
pub fn key_age(created_at: Timestamp, now: Timestamp, key_life: Duration) -> KeyAge {
    if key_life.is_zero() {
        return KeyAge::Old;
    }
    let half = SignedDuration::try_from(key_life / 2).unwrap_or(SignedDuration::MAX);
    if now.duration_since(created_at) < half { KeyAge::Young } else { KeyAge::Old }
}

impl Collector {
    /// A collector over these gateways.
    pub fn new(gateways: Arc<dyn Gateways>, clock: Arc<dyn Clock>, policy: SendPolicy) -> Self {
        let doubts = Arc::new(Doubts::new(LookUpPolicy::default().believe_after));
        Self { gateways, clock, policy, doubts }
    }

    /// The same, with another time for which it must have heard "never seen" before it believes it.
    #[must_use]
    pub fn believing_after(self, believe_after: Duration) -> Self {
        Self { doubts: Arc::new(Doubts::new(believe_after)), ..self }
    }

    /// Finds out what becomes of a payment: charges an intent, asks about one in doubt. `None` means that nothing new is
    /// known: the work is stopping, or a payment in doubt stays in doubt.
    pub async fn resolve(&self, intent: &Intent, stopping: &Stopping) -> Option<Outcome> {
        self.resolve_unless(intent, stopping, &Stopping::never()).await
    }

    /// Like [`Collector::resolve`], for a payment of a run that may be stopped meanwhile. When `halted` is said, a delivery
    /// that is under way ends, and no other one begins.
    pub async fn resolve_unless(
        &self,
        intent: &Intent,
        stopping: &Stopping,
        halted: &Stopping,
    ) -> Option<Outcome> {
        self.find_out(intent, Words { stopping, halted, deliver_by: None }, ready(false)).await
    }

    /// Charges an intent outside any run. No delivery begins after `deliver_by`, when others may take its sender for dead; what
    /// became of it is then for them to find out.
    pub async fn resolve_by(&self, intent: &Intent, deliver_by: Deadline) -> Option<Outcome> {
        let never = Stopping::never();
        let words = Words { stopping: &never, halted: &never, deliver_by: Some(deliver_by) };
        self.find_out(intent, words, ready(false)).await
    }

    /// Like [`Self::resolve`], for a payment that may be in doubt. `begin` says whether such a payment may be delivered
    /// once more; it has been written down then, so that nobody else delivers it or gives it up meanwhile.
    pub async fn resolve_in_doubt(
        &self,
        intent: &Intent,
        stopping: &Stopping,
        begin: impl Future<Output = bool> + Send,
    ) -> Option<Outcome> {
        let words = Words { stopping, halted: &Stopping::never(), deliver_by: None };
        self.find_out(intent, words, begin).await
    }

    async fn find_out(
        &self,
        intent: &Intent,
        words: Words<'_>,
        begin: impl Future<Output = bool> + Send,
    ) -> Option<Outcome> {
        let Some(gateway) = self.gateways.find(intent.gateway) else {
            return without_gateway(intent);
        };
        let stopping = words.stopping;
        match intent.state {
            PaymentState::Intent if intent.run_stopped => {
                self.conclude(gateway.as_ref(), intent, stopping, intent.may_have_been_sent).await
            }
            PaymentState::Intent => self.send(gateway.as_ref(), intent, words).await,
            PaymentState::Pending | PaymentState::Unknown => {
                self.ask_again(gateway.as_ref(), intent, stopping, begin).await
            }
            PaymentState::Processed | PaymentState::Declined | PaymentState::Canceled => None,
        }
    }

    /// Delivers a charge until there is an answer, within the bounds of the policy.
    async fn send(&self, gateway: &dyn Gateway, intent: &Intent, words: Words<'_>) -> Option<Outcome> {
        let mut may_have_been_sent = intent.may_have_been_sent;
        let mut unanswered = 0;
        for deliveries in 1_u32.. {
            let place = match words.or(self.gateways.admit(intent.gateway)).await {
                Waited::Done(place) => place,
                Waited::Leave => return None,
                Waited::Halted => {
                    return self.conclude(gateway, intent, words.stopping, may_have_been_sent).await;
                }
            };
            if self.must_ask(gateway, intent, may_have_been_sent) {
                match look_up(gateway, intent).await {
                    LookUp::Found(outcome) => return Some(outcome),
                    LookUp::CannotTell { why } => return Some(Outcome::Unknown { why }),
                    LookUp::NeverSeen if may_have_been_sent => {
                        let why = "an earlier delivery may still be under way".to_owned();
                        return Some(Outcome::Unknown { why });
                    }
                    LookUp::NeverSeen => {}
                }
            }
            if words.deliver_by.is_some_and(|by| by.has_passed(self.clock.as_ref())) {
                return Some(Outcome::Unknown { why: "its time to be sent was over".to_owned() });
            }
            let outcome = gateway.charge(&intent.request).await;
            drop(place);
            let asked = match &outcome {
                Outcome::NotSent { retry_after, .. } => *retry_after,
                Outcome::Unknown { .. } => {
                    may_have_been_sent = true;
                    unanswered += 1;
                    None
                }
                Outcome::Approved { .. } | Outcome::Declined { .. } | Outcome::Pending { .. } => {
                    return Some(outcome);
                }
            };
            let pause = self.policy.pause_after(deliveries, asked);
            let Some(pause) = pause.filter(|_| unanswered < self.policy.unanswered_max) else {
                return Some(self.give_up(gateway, intent, outcome, may_have_been_sent).await);
            };
            let until = later(self.clock.now(), pause);
            match words.or(self.clock.sleep_until(until)).await {
                Waited::Done(()) => {}
                Waited::Leave => return None,
                Waited::Halted => {
                    return self.conclude(gateway, intent, words.stopping, may_have_been_sent).await;
                }
            }
        }
        None
    }

    /// What is known about a charge whose run was stopped, without sending it.
    async fn conclude(
        &self,
        gateway: &dyn Gateway,
        intent: &Intent,
        stopping: &Stopping,
        may_have_been_sent: bool,
    ) -> Option<Outcome> {
        if !may_have_been_sent {
            return Some(Outcome::NotSent { why: RUN_STOPPED.to_owned(), retry_after: None });
        }
        let _place = self.admit(intent, stopping).await?;
        Some(match look_up(gateway, intent).await {
            LookUp::Found(outcome) => outcome,
            LookUp::NeverSeen => {
                let why = "the payment run was stopped while a delivery may have been under way".to_owned();
                Outcome::Unknown { why }
            }
            LookUp::CannotTell { why } => Outcome::Unknown { why },
        })
    }

    /// The outcome when no delivery was answered. A delivery that was certainly not sent says nothing about an earlier
    /// one, so only a charge that nobody ever sent is given up.
    async fn give_up(
        &self,
        gateway: &dyn Gateway,
        intent: &Intent,
        last: Outcome,
        may_have_been_sent: bool,
    ) -> Outcome {
        let why = match last {
            Outcome::NotSent { .. } if !may_have_been_sent => return last,
            Outcome::NotSent { why, .. } | Outcome::Unknown { why } => why,
            Outcome::Approved { .. } | Outcome::Declined { .. } | Outcome::Pending { .. } => return last,
        };
        match look_up(gateway, intent).await {
            LookUp::Found(outcome) => outcome,
            // An earlier delivery may still be under way.
            LookUp::NeverSeen | LookUp::CannotTell { .. } => Outcome::Unknown { why },
        }
    }

    /// Whether the gateway is asked before a delivery. One that remembers no keys at all is asked only about charges that
    /// may have been sent, since it could not tell a repetition from a first delivery anyway.
    fn must_ask(&self, gateway: &dyn Gateway, intent: &Intent, may_have_been_sent: bool) -> bool {
        let remembers_keys = !gateway.settings().key_life.is_zero();
        self.age(gateway, intent) == KeyAge::Old && (may_have_been_sent || remembers_keys)
    }

    /// Asks what became of a payment in doubt. One that the gateway has not seen for some while, or whose key it still
    /// remembers, is delivered once more, or given up where its run was stopped. The delivery is begun in the store first:
    /// others may have come to the same conclusion, or to another one.
    async fn ask_again(
        &self,
        gateway: &dyn Gateway,
        intent: &Intent,
        stopping: &Stopping,
        begin: impl Future<Output = bool> + Send,
    ) -> Option<Outcome> {
        let place = self.admit(intent, stopping).await?;
        let found = look_up(gateway, intent).await;
        let is_unknown = intent.state == PaymentState::Unknown;
        let is_protected = is_unknown && !intent.run_stopped && self.age(gateway, intent) == KeyAge::Young;
        let has_lasted = self.doubts.hear(intent, &found, self.clock.elapsed());
        let is_believed = is_unknown && has_lasted && intent.look_ups >= LOOK_UPS_BEFORE_BELIEF;
        let may_deliver = match found {
            LookUp::Found(_) => false,
            LookUp::NeverSeen if is_believed && intent.run_stopped => {
                return Some(Outcome::NotSent { why: RUN_STOPPED.to_owned(), retry_after: None });
            }
            LookUp::NeverSeen => is_protected || is_believed,
            LookUp::CannotTell { .. } => is_protected,
        };
        let outcome = match found {
            LookUp::Found(outcome) => outcome,
            _ if may_deliver && begin.await => gateway.charge(&intent.request).await,
            _ => return None,
        };
        drop(place);
        match outcome {
            Outcome::NotSent { .. } | Outcome::Unknown { .. } => None,
            Outcome::Pending { .. } if intent.state == PaymentState::Pending => None,
            Outcome::Approved { .. } | Outcome::Declined { .. } | Outcome::Pending { .. } => Some(outcome),
        }
    }

    fn age(&self, gateway: &dyn Gateway, intent: &Intent) -> KeyAge {
        key_age(intent.created_at, self.clock.now(), gateway.settings().key_life)
    }

    /// A place at the gateway, unless the work stops first.
    async fn admit(&self, intent: &Intent, stopping: &Stopping) -> Option<Box<dyn Send>> {
        tokio::select! {
            biased;
            () = stopping.wait() => None,
            place = self.gateways.admit(intent.gateway) => Some(place),
        }
    }
}

/// What is known about a payment whose gateway this process cannot reach.
fn without_gateway(intent: &Intent) -> Option<Outcome> {
    let why = format!("the gateway {} is not known here", intent.gateway);
    match intent.state {
        PaymentState::Intent if intent.may_have_been_sent => Some(Outcome::Unknown { why }),
        PaymentState::Intent => Some(Outcome::NotSent { why, retry_after: None }),
        _ => None,
    }
}

/// Asks the gateway, if it answers such questions.
async fn look_up(gateway: &dyn Gateway, intent: &Intent) -> LookUp {
    if !gateway.settings().supports_look_up {
        return LookUp::CannotTell { why: "the gateway answers no look-ups".to_owned() };
    }
    gateway.look_up(&intent.request.reference).await
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
