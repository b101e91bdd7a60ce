//! The port, made of the pure parts and one way to reach the gateway.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use payment_runs_engine::ports::{
    Charge, ChargeRequest, Clock, EncodeCharge, Gateway, GatewaySettings, InstrumentDetails, LookUp, Outcome,
    TokenizeError, Tokenized,
};

use super::classify::{classify, classify_absence};
use super::config::{ConfigError, StripeConfig};
use super::exchange::{Exchange, ExchangeRequest, Target, in_one_line};
use super::hyper_exchange::HyperExchange;
use super::retry::{Attempts, Bounds, Next};
use super::{form, look_up, tokenize};

/// Deliveries of one request for a token, at most; its key makes a repetition harmless.
const TOKENIZE_ATTEMPTS_MAX: u32 = 2;

/// A gateway of this dialect.
pub struct StripeGateway {
    exchange: Arc<dyn Exchange>,
    clock: Arc<dyn Clock>,
    settings: GatewaySettings,
    look_up_is_authoritative: bool,
}

impl fmt::Debug for StripeGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeGateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl StripeGateway {
    /// A gateway over HTTP; connects when it is first used. `clock` times the waits between
    /// deliveries: give it the machine's clock, not one that stands still.
    pub fn over_http(config: &StripeConfig, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let exchange = Arc::new(HyperExchange::new(config)?);
        let settings = config.settings.clone();
        Ok(Self { exchange, clock, settings, look_up_is_authoritative: config.look_up_is_authoritative })
    }

    /// A gateway reached in another way.
    pub fn over(
        exchange: Arc<dyn Exchange>,
        clock: Arc<dyn Clock>,
        settings: GatewaySettings,
        look_up_is_authoritative: bool,
    ) -> Self {
        Self { exchange, clock, settings, look_up_is_authoritative }
    }

    async fn pause(&self, wait: Duration) {
        let now = self.clock.now();
        self.clock.sleep_until(now.checked_add(wait).unwrap_or(now)).await;
    }
}

impl EncodeCharge for StripeGateway {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        form::charge_body(charge)
    }
}

#[async_trait]
impl Gateway for StripeGateway {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }

    async fn charge(&self, request: &ChargeRequest) -> Outcome {
        let call = ExchangeRequest {
            target: Target::CreatePaymentIntent,
            idempotency_key: Some(request.idempotency_key.clone()),
            body: Bytes::copy_from_slice(&request.body),
        };
        let bounds = Bounds { timeout: self.settings.timeout, key_life: self.settings.key_life };
        let began = self.clock.now();
        let mut attempts = Attempts::default();
        loop {
            let classified = match self.exchange.exchange(&call, self.settings.timeout).await {
                Ok(answer) => classify(&answer, &request.reference),
                Err(error) => classify_absence(&error),
            };
            let elapsed = Duration::try_from(self.clock.now().duration_since(began)).unwrap_or_default();
            match attempts.next(classified, elapsed, bounds, &request.idempotency_key) {
                Next::Done(outcome) => return outcome,
                Next::SendAgain { wait } => self.pause(wait).await,
            }
        }
    }

    async fn look_up(&self, reference: &str) -> LookUp {
        if !self.settings.supports_look_up {
            return LookUp::CannotTell { why: "the gateway answers no look-ups".into() };
        }
        let call = ExchangeRequest {
            target: Target::SearchPaymentIntents { reference: reference.to_owned() },
            idempotency_key: None,
            body: Bytes::new(),
        };
        match self.exchange.exchange(&call, self.settings.timeout).await {
            Ok(answer) => look_up::read(&answer, reference, self.look_up_is_authoritative),
            Err(error) => LookUp::CannotTell { why: in_one_line(&error) },
        }
    }

    async fn tokenize(
        &self,
        details: &InstrumentDetails,
        idempotency_key: &str,
    ) -> Result<Tokenized, TokenizeError> {
        let call = ExchangeRequest {
            target: Target::CreatePaymentMethod,
            idempotency_key: Some(idempotency_key.to_owned()),
            body: form::instrument_body(details).into(),
        };
        let mut result = self.tokenize_once(&call, details).await;
        for _ in 1..TOKENIZE_ATTEMPTS_MAX {
            if !matches!(result, Err(TokenizeError::Unavailable { .. })) {
                break;
            }
            result = self.tokenize_once(&call, details).await;
        }
        result
    }
}

impl StripeGateway {
    async fn tokenize_once(
        &self,
        call: &ExchangeRequest,
        details: &InstrumentDetails,
    ) -> Result<Tokenized, TokenizeError> {
        let answer = self
            .exchange
            .exchange(call, self.settings.timeout)
            .await
            .map_err(|error| TokenizeError::Unavailable { why: in_one_line(&error) })?;
        tokenize::read(&answer, details)
    }
}
