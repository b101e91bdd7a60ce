//! The simulated gateway: the way to the bank, on which everything can go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use payment_runs_engine::ids::GatewayId;
use payment_runs_engine::ports::{
    BoxFuture, Charge, ChargeRequest, Clock, EncodeCharge, Gateway, GatewaySettings, Gateways,
    InstrumentDetails, LookUp, Outcome, TokenizeError, Tokenized,
};

use crate::bank::{Bank, BankEncoder, KEY_LIFE};
use crate::chaos::{CHARGE, Chaos, Mishap};
use crate::mutant::Mutant;
use crate::pool::SimClock;

/// The longest that an answer takes when nothing goes wrong.
const LATENCY_MAX: Duration = Duration::from_millis(300);

/// How long a delivery may wander before it reaches the bank, when the caller has given up long ago.
const WANDERING_MAX: Duration = Duration::from_mins(2);

/// The gateway.
pub struct SimGateway {
    bank: Arc<Bank>,
    chaos: Arc<Chaos>,
    clock: SimClock,
    settings: GatewaySettings,
    mutant: Option<Mutant>,
    deliveries: AtomicU64,
}

impl SimGateway {
    /// A gateway in front of a bank.
    pub fn new(
        bank: Arc<Bank>,
        chaos: Arc<Chaos>,
        clock: SimClock,
        supports_look_up: bool,
        mutant: Option<Mutant>,
    ) -> Self {
        let is_forgetful = mutant == Some(Mutant::ResendAfterExpiry);
        let key_life = if is_forgetful { KEY_LIFE.saturating_mul(10_000) } else { KEY_LIFE };
        let settings = GatewaySettings {
            concurrency: 8,
            rate_per_s: None,
            timeout: Duration::from_secs(30),
            key_life,
            supports_look_up,
        };
        Self { bank, chaos, clock, settings, mutant, deliveries: AtomicU64::new(0) }
    }

    /// The key that goes over the wire: the request's own, unless the protocol is spoilt on purpose.
    fn key(&self, request: &ChargeRequest) -> String {
        match self.mutant {
            Some(Mutant::NewKeyOnRetry) => {
                let delivery = self.deliveries.fetch_add(1, Ordering::Relaxed);
                format!("{}-{delivery}", request.idempotency_key)
            }
            Some(Mutant::NoDurableIntent) => request.reference.clone(),
            _ => request.idempotency_key.clone(),
        }
    }

    async fn sleep(&self, pause: Duration) {
        let until = self.clock.now().checked_add(pause);
        self.clock.sleep_until(until.unwrap_or(jiff::Timestamp::MAX)).await;
    }

    async fn latency(&self) {
        self.sleep(self.chaos.pause(Duration::from_millis(1), LATENCY_MAX)).await;
    }

    /// Lets the delivery reach the bank some time after the caller has given up.
    fn wander(&self, key: String, request: &ChargeRequest) {
        let pause = self.chaos.pause(Duration::from_millis(1), WANDERING_MAX);
        let arrives_at = self.clock.now().checked_add(pause).unwrap_or(jiff::Timestamp::MAX);
        self.chaos.note(|| format!("the delivery of {key} arrives only at {arrives_at}"));
        self.bank.wander(key, request.body.to_vec(), arrives_at);
    }

    async fn deliver(&self, key: String, request: &ChargeRequest) -> Outcome {
        let unknown = || Outcome::Unknown { why: "no answer".to_owned() };
        let mishap = self.chaos.mishap(CHARGE);
        match mishap {
            Some(Mishap::CrashBefore) => return self.chaos.crash().await,
            Some(Mishap::FailBefore) => {
                let retry_after =
                    self.chaos.happens(300).then(|| self.chaos.pause(LATENCY_MAX, WANDERING_MAX));
                return Outcome::NotSent { why: "turned away".to_owned(), retry_after };
            }
            Some(Mishap::DoubtBefore) => {
                if self.chaos.happens(600) {
                    self.wander(key, request);
                }
                return unknown();
            }
            Some(Mishap::Delay(pause)) => self.sleep(pause).await,
            Some(Mishap::CrashAfter | Mishap::DoubtAfter) | None => {}
        }
        self.latency().await;
        let outcome = self.bank.charge(&key, &request.body, self.clock.now());
        self.chaos.note(|| format!("charge {key}: {outcome:?}"));
        match mishap {
            Some(Mishap::CrashAfter) => return self.chaos.crash().await,
            Some(Mishap::DoubtAfter) => return unknown(),
            _ => {}
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
        match self.chaos.mishap("look-up") {
            Some(Mishap::CrashBefore | Mishap::CrashAfter) => return self.chaos.crash().await,
            Some(Mishap::Delay(pause)) => self.sleep(pause).await,
            Some(_) => return LookUp::CannotTell { why: "no answer".to_owned() },
            None => {}
        }
        let found = self.bank.look_up(reference, self.clock.now());
        self.chaos.note(|| format!("look-up of {reference}: {found:?}"));
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
            self.0.sleep(self.0.chaos.pause(Duration::ZERO, Duration::from_millis(5))).await;
            Box::new(()) as Box<dyn Send>
        })
    }
}
