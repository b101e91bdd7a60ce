//! What the tests of this crate share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use payment_runs_engine::ids::{GatewayId, PaymentId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment_method::PaymentMethodKind;
use payment_runs_engine::ports::{BoxFuture, Charge, ChargeRequest, Clock, EncodeCharge, since_epoch};
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, StripeGateway};

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
    StripeGateway::over_http(config, Arc::new(MachineClock)).unwrap()
}

/// The adapter for that simulator.
pub(crate) fn gateway(simulator: &SimulatorHandle) -> StripeGateway {
    gateway_with(&config(&simulator.url()))
}

/// A charge of 10.99 dollars.
pub(crate) fn charge_of(number: u128, token: &str) -> Charge {
    Charge {
        gateway: GatewayId::from_u128(1),
        payment: PaymentId::from_u128(number),
        payment_number: format!("P-{number:08}"),
        money: Money::new(1_099, Currency::USD),
        token: token.into(),
        method_kind: PaymentMethodKind::CreditCard,
    }
}

/// The charge of a token, encoded, with a key of its own.
pub(crate) fn request_for(gateway: &impl EncodeCharge, number: u128, token: &str) -> ChargeRequest {
    let charge = charge_of(number, token);
    ChargeRequest {
        idempotency_key: format!("run-1-item-{number}-attempt-1"),
        reference: charge.payment.to_string(),
        body: gateway.encode(&charge).into(),
    }
}

/// A charge that is approved.
pub(crate) fn request(gateway: &impl EncodeCharge, number: u128) -> ChargeRequest {
    request_for(gateway, number, "pm_card_visa")
}
