//! The payment gateway: charges, look-ups and tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::BoxFuture;
use crate::ids::{GatewayId, PaymentId};
use crate::money::Money;
use crate::payment_method::{Instrument, PaymentMethodKind};

/// A charge in the engine's terms, before it is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Through which gateway; it decides how the charge is encoded.
    pub gateway: GatewayId,
    /// The payment; its identifier is the reference by which the gateway can be asked later.
    pub payment: PaymentId,
    /// The payment's number, for people who read the gateway's pages.
    pub payment_number: String,
    /// How much; more than 0.
    pub money: Money,
    /// What the gateway knows the payment method by.
    pub token: String,
    /// What kind of method the token stands for.
    pub method_kind: PaymentMethodKind,
}

/// An encoded charge, exactly as it is stored and sent, however often.
#[derive(Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// The idempotency key: the same for every delivery of this charge.
    pub idempotency_key: String,
    /// Our reference (the payment's identifier in hexadecimal).
    pub reference: String,
    /// The exact body.
    pub body: Arc<[u8]>,
}

/// Shows no body, since bodies hold tokens.
impl fmt::Debug for ChargeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChargeRequest")
            .field("idempotency_key", &self.idempotency_key)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// What came of sending a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money was collected.
    Approved {
        /// The gateway's name for the charge.
        reference: String,
    },
    /// The gateway declined; no money moved.
    Declined {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
        /// The gateway's name for the charge, if it gave one.
        reference: Option<String>,
    },
    /// The gateway accepted it and will tell the result later.
    Pending {
        /// The gateway's name for the charge.
        reference: String,
    },
    /// It certainly did not reach the gateway, or was turned away unread. The only outcome that may be retried blindly.
    NotSent {
        /// Why.
        why: String,
        /// How long the gateway asks to wait.
        retry_after: Option<Duration>,
    },
    /// Nobody can tell whether money moved.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// The gateway knows the charge, and this is what came of it.
    Found(Outcome),
    /// The gateway is certain that it never saw the charge.
    NeverSeen,
    /// The gateway cannot tell, or could not be asked.
    CannotTell {
        /// Why.
        why: String,
    },
}

/// How one gateway behaves and how it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Charges in flight at most.
    pub concurrency: usize,
    /// Charges per second at most; `None` means no limit.
    pub rate_per_s: Option<u32>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long the gateway remembers an idempotency key. A key older than half of this is never re-sent, but looked up.
    pub key_life: Duration,
    /// Whether the gateway answers look-ups.
    pub supports_look_up: bool,
}

/// The details of a card or bank account on their way to the gateway. They are never stored and never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum InstrumentDetails {
    /// A card.
    Card {
        /// The number.
        number: String,
        /// Month of expiry, 1 to 12.
        expiration_month: u8,
        /// Year of expiry.
        expiration_year: u16,
        /// Name on the card.
        holder_name: Option<String>,
    },
    /// A bank account.
    BankAccount {
        /// Account number or IBAN.
        number: String,
        /// Routing number, where the scheme has one.
        routing_number: Option<String>,
        /// Name of the account's holder.
        holder_name: Option<String>,
        /// The scheme.
        kind: PaymentMethodKind,
    },
}

impl fmt::Debug for InstrumentDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Card { .. } => "Card(hidden)",
            Self::BankAccount { .. } => "BankAccount(hidden)",
        })
    }
}

/// What remains of a card or bank account: a mask and a token.
pub type Tokenized = Instrument;

/// Why no token was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizeError {
    /// The gateway refused the details.
    #[error("the gateway refused the payment method: {message}")]
    Refused {
        /// The gateway's code.
        code: String,
        /// The gateway's words, which never hold the number.
        message: String,
    },
    /// The gateway could not be reached or did not answer.
    #[error("the gateway did not answer: {why}")]
    Unavailable {
        /// Why.
        why: String,
    },
}

/// Writes a charge as the gateway wants it. Pure: the same charge gives the same bytes for ever.
pub trait EncodeCharge: Send + Sync {
    /// The exact request body.
    fn encode(&self, charge: &Charge) -> Vec<u8>;
}

/// A payment gateway.
#[async_trait]
pub trait Gateway: EncodeCharge + Send + Sync {
    /// How it behaves and how it may be used.
    fn settings(&self) -> &GatewaySettings;
    /// Sends a charge once or, within its own bounds and with the same key and body, a few times.
    async fn charge(&self, request: &ChargeRequest) -> Outcome;
    /// Asks what became of a charge, by our reference.
    async fn look_up(&self, reference: &str) -> LookUp;
    /// Exchanges details for a token. `idempotency_key` makes a repetition harmless.
    async fn tokenize(
        &self,
        details: &InstrumentDetails,
        idempotency_key: &str,
    ) -> Result<Tokenized, TokenizeError>;
}

/// The gateways that this process can reach.
pub trait Gateways: Send + Sync {
    /// The gateway, if this process knows it.
    fn find(&self, id: GatewayId) -> Option<Arc<dyn Gateway>>;
    /// Waits for a free place at the gateway (concurrency and rate); the place is given back when the guard is dropped.
    fn admit(&self, id: GatewayId) -> BoxFuture<'_, Box<dyn Send>>;
}
