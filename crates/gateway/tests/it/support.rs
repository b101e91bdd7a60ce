//! What the tests of this crate share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use payment_runs_engine::charge_key;
use payment_runs_engine::collect::{Collector, SendPolicy};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, GatewayId, LedgerId, PaymentId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::payment_method::PaymentMethodKind;
use payment_runs_engine::ports::{
    BoxFuture, Charge, ChargeRequest, ChargeSubject, Clock, EncodeCharge, Intent, Outcome, since_epoch,
};
use payment_runs_engine::stopping::Stopping;
use payment_runs_gateway::registry::GatewayRegistry;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, StripeGateway};

/// The ledger that charges.
const LEDGER: LedgerId = LedgerId::from_u128(7);

/// The machine's time and timers.
pub(crate) struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(SystemTime::now()).unwrap()
    }

    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(wait))
    }
}

/// A faultless simulator on a free port.
pub(crate) async fn simulator() -> SimulatorHandle {
    simulator_with(SimulatorConfig::default()).await
}

/// A simulator as configured.
pub(crate) async fn simulator_with(config: SimulatorConfig) -> SimulatorHandle {
    Simulator::start(config).await.unwrap()
}

/// The usual settings for that address.
pub(crate) fn config(url: &str) -> StripeConfig {
    StripeConfig::new(url, SecretKey::new("sk_test_tests"))
}

/// The adapter with these settings.
pub(crate) fn gateway_with(config: &StripeConfig) -> StripeGateway {
    StripeGateway::over_http(config).unwrap()
}

/// The adapter for that simulator.
pub(crate) fn gateway(simulator: &SimulatorHandle) -> StripeGateway {
    gateway_with(&config(&simulator.url()))
}

/// A charge of 10.99 dollars.
pub(crate) fn charge_of(number: u128, token: &str) -> Charge {
    Charge {
        gateway: GatewayId::from_u128(1),
        key: charge_key::of_document(LEDGER, DocumentId::from_u128(number), 0),
        money: Money::new(1_099, Currency::USD),
        token: token.into(),
        customer: None,
        method_kind: PaymentMethodKind::CreditCard,
        subject: ChargeSubject {
            ledger: LEDGER,
            entity: EntityKey::FIRST,
            account: AccountId::from_u128(1),
            documents: vec![DocumentId::from_u128(number)],
        },
    }
}

/// The charge of a token, encoded, with a key of its own.
pub(crate) fn request_for(gateway: &impl EncodeCharge, number: u128, token: &str) -> ChargeRequest {
    let charge = charge_of(number, token);
    ChargeRequest { body: gateway.encode(&charge).into(), idempotency_key: charge.key, money: charge.money }
}

/// What the engine concludes of a charge that is sent through the adapter.
pub(crate) async fn collect(gateway: &Arc<StripeGateway>, request: ChargeRequest) -> Outcome {
    let clock = Arc::new(MachineClock);
    let id = GatewayId::from_u128(1);
    let registry = GatewayRegistry::new(clock.clone());
    registry.insert(id, gateway.clone());
    let intent = Intent {
        entity: EntityKey::FIRST,
        payment: PaymentId::from_u128(1),
        state: PaymentState::Intent,
        gateway: id,
        request,
        created_at: clock.now(),
        look_ups: 0,
        deliveries: 0,
        may_have_been_sent: false,
        run_stopped: false,
        bars_delivery: false,
    };
    let policy = SendPolicy { first_pause: Duration::from_millis(10), ..SendPolicy::default() };
    let collector = Collector::new(Arc::new(registry), clock, policy);
    collector.resolve(&intent, &Stopping::never()).await.unwrap()
}

/// A charge that is approved.
pub(crate) fn request(gateway: &impl EncodeCharge, number: u128) -> ChargeRequest {
    request_for(gateway, number, "pm_card_visa")
}
