//! The simulated gateway: the way to the bank, on which everything can go wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use payment_runs_engine::ids::GatewayId;
use payment_runs_engine::ports::{
    BoxFuture, Charge, ChargeRequest, Clock, EncodeCharge, Gateway, GatewaySettings, Gateways,
    InstrumentDetails, LookUp, Outcome, TokenizeError, Tokenized,
};

use crate::bank::{Bank, BankEncoder, Manners};
use crate::chaos::{CHARGE, LATE_MAX};
use crate::fault::FaultKind;
use crate::mutant::Mutant;
use crate::ports::{After, Hand};

/// The step that asks about a charge.
const LOOK_UP: &str = "look-up";

/// A life that no key reaches.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 100);

/// The gateway, as one worker or the callers reach it.
pub struct SimGateway {
    bank: Arc<Bank>,
    hand: Hand,
    settings: GatewaySettings,
    mutant: Option<Mutant>,
}

impl SimGateway {
    /// A gateway in front of a bank, in the hand of whoever charges.
    pub fn new(bank: Arc<Bank>, hand: Hand, manners: Manners, mutant: Option<Mutant>) -> Self {
        let is_forgetful = mutant == Some(Mutant::ResendAfterExpiry);
        let settings = GatewaySettings {
            concurrency: 8,
            rate_per_s: None,
            timeout: Duration::from_secs(30),
            key_life: if is_forgetful { FOREVER } else { manners.key_life },
            supports_look_up: manners.supports_look_up,
        };
        Self { bank, hand, settings, mutant }
    }

    /// The key that goes over the wire: the request's own, unless the protocol is spoilt on purpose.
    fn key(&self, request: &ChargeRequest) -> String {
        match self.mutant {
            Some(Mutant::NewKeyOnRetry) => {
                format!("{}-{}", request.idempotency_key, self.hand.chaos.next_delivery())
            }
            Some(Mutant::NoDurableIntent) => request.reference.clone(),
            _ => request.idempotency_key.clone(),
        }
    }

    async fn latency(&self) {
        self.hand.sleep(self.hand.chaos.latency()).await;
    }

    /// Lets a delivery reach the bank some time from now, when its sender may be gone.
    fn wander(&self, key: &str, request: &ChargeRequest, pause: Duration) {
        let arrives_at = self.hand.clock.true_now().checked_add(pause).unwrap_or(Timestamp::MAX);
        self.hand.chaos.note(|| format!("a delivery of {key} is under way for {pause:?}"));
        self.bank.wander(key.to_owned(), request.body.to_vec(), arrives_at);
    }

    async fn deliver(&self, key: String, request: &ChargeRequest) -> Outcome {
        let unknown = || Outcome::Unknown { why: "no answer".to_owned() };
        let fault = self.hand.chaos.fault(CHARGE, self.hand.whose_charge());
        if let Some(fault) = fault {
            let length = fault.length();
            match fault.kind {
                FaultKind::Refused => {
                    let retry_after = (fault.millis > 0).then_some(length);
                    return Outcome::NotSent { why: "429".to_owned(), retry_after };
                }
                FaultKind::DoubtBefore => return unknown(),
                FaultKind::Invalid => {
                    let (code, message) = ("invalid_request_error".to_owned(), "refused".to_owned());
                    return Outcome::Declined { code, message, reference: None };
                }
                FaultKind::Conflict => {
                    self.bank.conflict(&key);
                    return Outcome::Unknown { why: "idempotency_error".to_owned() };
                }
                FaultKind::WrongAmount => {
                    return self.bank.charge_wrongly(&key, &request.body, self.hand.clock.true_now());
                }
                FaultKind::ForeignCharge => {
                    if let Some(outcome) = self.bank.foreign_charge(&request.reference) {
                        return outcome;
                    }
                }
                FaultKind::Late => {
                    self.wander(&key, request, length);
                    return unknown();
                }
                FaultKind::Twice => self.wander(&key, request, length),
                // A request that was begun arrives within the bounds of the network, however long its sender stands still.
                FaultKind::FreezeBefore => {
                    self.wander(&key, request, length.min(LATE_MAX));
                    self.hand.stand_still(length).await;
                    return unknown();
                }
                // The answer takes its time, see below.
                FaultKind::Delay => {}
                _ => self.hand.before(fault).await,
            }
        }
        // A request is on its way as soon as it is sent: should its sender stand still now, for a day perhaps, then the bank does
        // not wait for it. Requests that take their time are late ones, within the bounds of the network.
        let outcome = self.bank.charge(&key, &request.body, self.hand.clock.true_now());
        self.hand.chaos.note(|| format!("charge {key}: {outcome:?}"));
        if let Some(fault) = fault.filter(|fault| fault.kind == FaultKind::Delay) {
            self.hand.sleep(fault.length()).await;
        }
        match self.hand.after(fault).await {
            After::InDoubt => return unknown(),
            After::Heard => {}
        }
        self.latency().await;
        outcome
    }
}

impl EncodeCharge for SimGateway {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        BankEncoder.encode(charge)
    }
}

#[async_trait]
impl Gateway for SimGateway {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }

    async fn charge(&self, request: &ChargeRequest) -> Outcome {
        let outcome = self.deliver(self.key(request), request).await;
        match (outcome, self.mutant) {
            (Outcome::Unknown { why }, Some(Mutant::TimeoutIsNotSent)) => {
                Outcome::NotSent { why, retry_after: None }
            }
            (outcome, _) => outcome,
        }
    }

    async fn look_up(&self, reference: &str) -> LookUp {
        self.latency().await;
        let fault = self.hand.chaos.fault(LOOK_UP, self.hand.whose_call());
        if let Some(fault) = fault {
            match fault.kind {
                FaultKind::Refused | FaultKind::DoubtBefore | FaultKind::DoubtAfter => {
                    return LookUp::CannotTell { why: "no answer".to_owned() };
                }
                _ => self.hand.before(fault).await,
            }
        }
        let found = self.bank.look_up(reference, self.hand.clock.true_now());
        self.hand.chaos.note(|| format!("look-up of {reference}: {found:?}"));
        self.hand.after(fault).await;
        found
    }

    async fn tokenize(&self, _: &InstrumentDetails, _: &str) -> Result<Tokenized, TokenizeError> {
        Err(TokenizeError::Unavailable { why: "payment methods have tokens from the start here".to_owned() })
    }
}

/// One gateway, known under every identifier.
pub struct SimGateways(pub Arc<SimGateway>);

impl Gateways for SimGateways {
    fn find(&self, _: GatewayId) -> Option<Arc<dyn Gateway>> {
        Some(self.0.clone())
    }

    fn admit(&self, _: GatewayId) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(async {
            let hand = &self.0.hand;
            let until =
                hand.clock.now().checked_add(hand.chaos.pause(Duration::ZERO, Duration::from_millis(5)));
            hand.clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
            Box::new(()) as Box<dyn Send>
        })
    }
}
