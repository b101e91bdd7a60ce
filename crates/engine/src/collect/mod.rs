//! From an intent to its outcome: the one place that sends charges.
//!
//! A gateway delivers once for each call; `policy` alone decides whether the same key and body are delivered again. A
//! young key may be repeated, because the gateway answers a repetition with the first result. Once a key is older than
//! half the time for which the gateway remembers it, nothing is sent before the gateway was asked, and what may have been
//! sent is not sent again. Where nobody can tell, the outcome is Unknown: that is a state to be resolved, and never a
//! reason for another charge. What the gateway reports is compared with the request before it is believed (`verify`).
//! Nothing goes out before the gateway's account is known to be the one that the payments belong to ([`AccountGate`]), and
//! nothing is charged before the ledger is known not to be an older copy ([`LedgerGuard`]).
//!
//! Once a run is stopped, no delivery of its charges begins any more. A charge that was certainly never sent is given up.
//! About any other the gateway is asked, until it is found, or until the key's life and the settling time are both over and
//! the gateway has said throughout that it never saw the charge.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::doubt::Doubts;
use crate::ids::GatewayId;
use crate::payment::PaymentState;
use crate::ports::clock::later;
use crate::ports::{Clock, Deadline, Doubt, Gateway, Gateways, Intent, LookUp, NotSentCause, Outcome};
use crate::recover::LookUpPolicy;
use crate::stopping::Stopping;

mod confirmation;
mod gate;
mod health;
mod ledger_guard;
mod policy;
mod verify;

pub use gate::{AccountGate, Belonging, Start, take_account};
pub use ledger_guard::{LISTING_MARGIN, LedgerGuard};
pub use policy::SendPolicy;
pub use verify::outcome_listed;

use health::GatewayHealth;
use policy::{Next, Progress};
use verify::outcome_found;

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

/// Why a wait ended before what was waited for.
enum Interruption {
    /// The work is to end.
    WorkStops,
    /// The run was stopped.
    RunStopped,
}

impl Words<'_> {
    /// Waits for something, unless a word is said first.
    async fn or<T>(self, awaited: impl Future<Output = T>) -> Result<T, Interruption> {
        tokio::select! {
            biased;
            () = self.stopping.wait() => Err(Interruption::WorkStops),
            () = self.halted.wait() => Err(Interruption::RunStopped),
            value = awaited => Ok(value),
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
    settling_time: Duration,
    health: Arc<GatewayHealth>,
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
        let settling_time = LookUpPolicy::default().settling_time;
        Self { gateways, clock, policy, doubts: Arc::default(), settling_time, health: Arc::default() }
    }

    /// The same, with another settling time: see [`LookUpPolicy::settling_time`].
    #[must_use]
    pub fn settling_after(self, settling_time: Duration) -> Self {
        Self { settling_time, ..self }
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

    /// Delivers a charge until there is an answer, within the bounds of the policy, unless the work or the run is stopped.
    async fn send(&self, gateway: &dyn Gateway, intent: &Intent, words: Words<'_>) -> Option<Outcome> {
        let mut progress = Progress::new(intent.may_have_been_sent);
        match self.deliver(gateway, intent, words, &mut progress).await {
            Ok(outcome) => Some(outcome),
            Err(Interruption::WorkStops) => None,
            Err(Interruption::RunStopped) => {
                self.conclude(gateway, intent, words.stopping, progress.may_have_been_sent).await
            }
        }
    }

    async fn deliver(
        &self,
        gateway: &dyn Gateway,
        intent: &Intent,
        words: Words<'_>,
        progress: &mut Progress,
    ) -> Result<Outcome, Interruption> {
        let answers_before = self.health.begin(intent.gateway);
        loop {
            let place = words.or(self.gateways.admit(intent.gateway)).await?;
            if self.must_ask(gateway, intent, progress.may_have_been_sent)
                && let Some(outcome) = ask_before_sending(gateway, intent, progress.may_have_been_sent).await
            {
                return Ok(outcome);
            }
            if words.deliver_by.is_some_and(|by| by.has_passed(self.clock.as_ref())) {
                return Ok(unclear("its time to be sent was over"));
            }
            let delivery = gateway.charge(&intent.request).await;
            drop(place);
            if progress.begins_again(&delivery) {
                continue;
            }
            let next = progress.judge(delivery, &intent.request, &self.policy_for(intent.gateway));
            self.health.note(intent.gateway, answers_before, &next);
            let pause = match next {
                Next::Settle(outcome) => return Ok(outcome),
                Next::LookUp(known) => return Ok(look_up_or(gateway, intent, known).await),
                Next::Repeat(pause) => pause,
            };
            words.or(self.clock.sleep_until(later(self.clock.now(), pause))).await?;
        }
    }

    /// The policy at a gateway: of one that is down nothing is expected.
    fn policy_for(&self, gateway: GatewayId) -> SendPolicy {
        if self.health.is_down(gateway) {
            SendPolicy { deliveries_max: 1, ..self.policy }
        } else {
            self.policy
        }
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
            return Some(run_stopped());
        }
        let _place = self.admit(intent, stopping).await?;
        let known = unclear("the payment run was stopped while a delivery may have been under way");
        Some(look_up_or(gateway, intent, known).await)
    }

    /// Whether the gateway is asked before a delivery. One that remembers no keys at all is asked only about charges that
    /// may have been sent, since it could not tell a repetition from a first delivery anyway.
    fn must_ask(&self, gateway: &dyn Gateway, intent: &Intent, may_have_been_sent: bool) -> bool {
        let remembers_keys = !gateway.settings().key_life.is_zero();
        self.age(gateway, intent) == KeyAge::Old && (may_have_been_sent || remembers_keys)
    }

    /// Asks what became of a payment in doubt. One whose key the gateway still remembers is delivered once more, unless its
    /// run was stopped or its answers contradict the request. The delivery is begun in the store first: others may have come
    /// to the same conclusion, or to another one. Without such a key it stays in doubt until the gateway finds it or a person
    /// settles it; only a stopped run's payment is given up, once the gateway has not seen it for the whole settling time.
    async fn ask_again(
        &self,
        gateway: &dyn Gateway,
        intent: &Intent,
        stopping: &Stopping,
        begin: impl Future<Output = bool> + Send,
    ) -> Option<Outcome> {
        let place = self.admit(intent, stopping).await?;
        let found = look_up(gateway, intent).await;
        let is_open = intent.state == PaymentState::Unknown && !intent.bars_delivery;
        let has_settled = self.has_settled(gateway, intent, &found);
        match found {
            LookUp::Found(delivery) => news(intent, outcome_found(delivery, &intent.request)?),
            LookUp::NeverSeen if is_open && intent.run_stopped => has_settled.then(run_stopped),
            LookUp::NeverSeen | LookUp::CannotTell { .. } => {
                let is_protected =
                    is_open && !intent.run_stopped && self.age(gateway, intent) == KeyAge::Young;
                if !is_protected || !begin.await {
                    return None;
                }
                let delivery = gateway.charge(&intent.request).await;
                drop(place);
                news(intent, outcome_found(delivery, &intent.request)?)
            }
        }
    }

    /// Whether the gateway has been saying for long enough that it never saw the charge: for the key's life, in which a
    /// late delivery would still be answered under it, and for the settling time, by the monotonic clock.
    fn has_settled(&self, gateway: &dyn Gateway, intent: &Intent, found: &LookUp) -> bool {
        let heard = self.doubts.hear(intent, found, self.clock.elapsed());
        matches!(found, LookUp::NeverSeen) && heard >= self.settling_time.max(gateway.settings().key_life)
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

/// What is known about a payment whose gateway this process is not configured with.
fn without_gateway(intent: &Intent) -> Option<Outcome> {
    let why = format!("the gateway {} is not configured here", intent.gateway);
    match intent.state {
        PaymentState::Intent if intent.may_have_been_sent => {
            Some(Outcome::Unknown { doubt: Doubt::Unclear, why })
        }
        PaymentState::Intent => Some(Outcome::NotSent { cause: NotSentCause::NotConfigured, why }),
        _ => None,
    }
}

/// The outcome of a charge of a stopped run that was never sent.
fn run_stopped() -> Outcome {
    Outcome::NotSent { cause: NotSentCause::Stopped, why: RUN_STOPPED.to_owned() }
}

fn unclear(why: &str) -> Outcome {
    Outcome::Unknown { doubt: Doubt::Unclear, why: why.to_owned() }
}

/// Asks about a charge whose key the gateway may have forgotten. `None` when it may be delivered.
async fn ask_before_sending(
    gateway: &dyn Gateway,
    intent: &Intent,
    may_have_been_sent: bool,
) -> Option<Outcome> {
    match look_up(gateway, intent).await {
        LookUp::Found(delivery) => {
            Some(outcome_found(delivery, &intent.request).unwrap_or_else(|| unclear("it cannot be told")))
        }
        LookUp::CannotTell { why } => Some(unclear(&why)),
        LookUp::NeverSeen => {
            may_have_been_sent.then(|| unclear("an earlier delivery may still be under way"))
        }
    }
}

/// What the gateway finds, or else what is known.
async fn look_up_or(gateway: &dyn Gateway, intent: &Intent, known: Outcome) -> Outcome {
    match look_up(gateway, intent).await {
        LookUp::Found(delivery) => outcome_found(delivery, &intent.request).unwrap_or(known),
        // An earlier delivery may still be under way.
        LookUp::NeverSeen | LookUp::CannotTell { .. } => known,
    }
}

/// The outcome, if it says more about a payment in doubt than is known.
fn news(intent: &Intent, outcome: Outcome) -> Option<Outcome> {
    match &outcome {
        Outcome::Approved { .. } | Outcome::Declined { .. } => Some(outcome),
        Outcome::Pending { .. } => (intent.state != PaymentState::Pending).then_some(outcome),
        Outcome::Unknown { doubt, .. } => (doubt.bars_delivery() && !intent.bars_delivery).then_some(outcome),
        Outcome::NotSent { .. } => None,
    }
}

/// Asks the gateway, if it answers such questions.
async fn look_up(gateway: &dyn Gateway, intent: &Intent) -> LookUp {
    if !gateway.settings().supports_look_up {
        return LookUp::CannotTell { why: "the gateway answers no look-ups".to_owned() };
    }
    gateway.look_up(&intent.request.idempotency_key).await
}

#[cfg(test)]
mod tests;
