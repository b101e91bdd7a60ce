//! One call and its answer, apart from how it travels.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Creates and confirms a payment intent.
    CreatePaymentIntent,
    /// Searches payment intents by our reference.
    SearchPaymentIntents {
        /// Our reference.
        reference: String,
    },
    /// Lists payment intents, newest first.
    ListPaymentIntents {
        /// The earliest time, in seconds since 1970 (UTC).
        since_s: i64,
        /// The last one of the page before.
        after: Option<String>,
    },
    /// Stores a payment method.
    CreatePaymentMethod,
    /// Reads the account that the secret key belongs to.
    GetAccount,
}

/// One call.
#[derive(Clone)]
pub struct ExchangeRequest {
    /// What is called.
    pub target: Target,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The exact body.
    pub body: Bytes,
}

/// Shows no body, since bodies hold tokens and card numbers.
impl fmt::Debug for ExchangeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeRequest")
            .field("target", &self.target)
            .field("idempotency_key", &self.idempotency_key)
            .finish_non_exhaustive()
    }
}

/// An answer that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header: a number of seconds, or a time, counted from the answer's `Date`.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// No connection was made, so nothing was sent.
    #[error("the gateway could not be reached")]
    NotConnected(#[source] Box<dyn Error + Send + Sync>),
    /// The call was sent, at least in part, and no whole answer came back.
    #[error("the connection to the gateway broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The time was up.
    #[error("the gateway did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

/// A way to reach a gateway.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Makes one call, once, within the time given.
    async fn exchange(
        &self,
        request: &ExchangeRequest,
        timeout: Duration,
    ) -> Result<ExchangeAnswer, ExchangeError>;
}

/// An error and what caused it, in one line for the record of a payment.
pub(super) fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
