//! The port, made of the pure parts and one way to reach the gateway.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use payment_runs_engine::ids::DocumentId;
use payment_runs_engine::ports::{
    AccountUnavailable, Charge, ChargePage, ChargeRequest, Delivery, EncodeCharge, Gateway, GatewaySettings,
    InstrumentDetails, ListError, LookUp, NotSentCause, TokenizeError, Tokenized,
};

use super::classify::{classify, classify_absence};
use super::config::{ConfigError, StripeConfig};
use super::exchange::{Exchange, ExchangeRequest, Target, in_one_line};
use super::hyper_exchange::HyperExchange;
use super::units::to_dialect;
use super::{account, form, list, look_up, tokenize};

/// The code of a charge that was not sent, since the dialect cannot express its amount.
const INEXPRESSIBLE: &str = "amount_not_expressible";

/// Deliveries of one request for a token, at most; its key makes a repetition harmless.
const TOKENIZE_ATTEMPTS_MAX: u32 = 2;

/// A gateway of this dialect.
pub struct StripeGateway {
    exchange: Arc<dyn Exchange>,
    settings: GatewaySettings,
    look_up_is_authoritative: bool,
}

impl fmt::Debug for StripeGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeGateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl StripeGateway {
    /// A gateway over HTTP; connects when it is first used.
    pub fn over_http(config: &StripeConfig) -> Result<Self, ConfigError> {
        let exchange = Arc::new(HyperExchange::new(config)?);
        let settings = config.settings.clone();
        Ok(Self { exchange, settings, look_up_is_authoritative: config.look_up_is_authoritative })
    }

    /// A gateway reached in another way.
    pub fn over(
        exchange: Arc<dyn Exchange>,
        settings: GatewaySettings,
        look_up_is_authoritative: bool,
    ) -> Self {
        Self { exchange, settings, look_up_is_authoritative }
    }
}

impl EncodeCharge for StripeGateway {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        form::charge_body(charge)
    }

    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        Some(form::digest_of(documents))
    }
}

#[async_trait]
impl Gateway for StripeGateway {
    fn settings(&self) -> &GatewaySettings {
        &self.settings
    }

    async fn account(&self) -> Result<Option<String>, AccountUnavailable> {
        let call = ExchangeRequest { target: Target::GetAccount, idempotency_key: None, body: Bytes::new() };
        match self.exchange.exchange(&call, self.settings.timeout).await {
            Ok(answer) => account::read(&answer),
            Err(error) => Err(account::read_absence(&error, NotSentCause::AccountUnconfirmed)),
        }
    }

    async fn charge(&self, request: &ChargeRequest) -> Delivery {
        if let Err(inexpressible) = to_dialect(request.money) {
            return Delivery::Refused { code: INEXPRESSIBLE.to_owned(), message: inexpressible.to_string() };
        }
        let call = ExchangeRequest {
            target: Target::CreatePaymentIntent,
            idempotency_key: Some(request.idempotency_key.clone()),
            body: Bytes::copy_from_slice(&request.body),
        };
        match self.exchange.exchange(&call, self.settings.timeout).await {
            Ok(answer) => classify(&answer, &request.idempotency_key),
            Err(error) => classify_absence(&error),
        }
    }

    async fn look_up(&self, key: &str) -> LookUp {
        if !self.settings.supports_look_up {
            return LookUp::CannotTell { why: "the gateway answers no look-ups".into() };
        }
        let call = ExchangeRequest {
            target: Target::SearchPaymentIntents { reference: key.to_owned() },
            idempotency_key: None,
            body: Bytes::new(),
        };
        match self.exchange.exchange(&call, self.settings.timeout).await {
            Ok(answer) => look_up::read(&answer, key, self.look_up_is_authoritative),
            Err(error) => LookUp::CannotTell { why: in_one_line(&error) },
        }
    }

    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError> {
        let target =
            Target::ListPaymentIntents { since_s: since.as_second(), after: cursor.map(str::to_owned) };
        let call = ExchangeRequest { target, idempotency_key: None, body: Bytes::new() };
        match self.exchange.exchange(&call, self.settings.timeout).await {
            Ok(answer) => list::read(&answer),
            Err(error) => Err(account::read_absence(&error, NotSentCause::LedgerUnchecked).into()),
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
