//! The payment gateway: charges, look-ups and tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{BoxFuture, ChargePage, ListError, StoreError};
use crate::ids::{AccountId, DocumentId, EntityKey, GatewayId, LedgerId};
use crate::money::Money;
use crate::payment_method::{Instrument, PaymentMethodKind};

/// A charge in the engine's terms, before it is encoded. It holds only what is the same when a lost plan is made again, since
/// a gateway accepts a repeated key only with the same body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Through which gateway; it decides how the charge is encoded.
    pub gateway: GatewayId,
    /// The idempotency key. It is also the reference by which the gateway can be asked later.
    pub key: String,
    /// How much; more than 0.
    pub money: Money,
    /// What the gateway knows the payment method by.
    pub token: String,
    /// The gateway's customer to whom the token belongs, if any.
    pub customer: Option<String>,
    /// What kind of method the token stands for.
    pub method_kind: PaymentMethodKind,
    /// What it collects, for whoever compares the gateway's books with the ledger's.
    pub subject: ChargeSubject,
}

/// What a charge collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeSubject {
    /// The ledger that charges, as its keys name it.
    pub ledger: LedgerId,
    /// The entity.
    pub entity: EntityKey,
    /// Who pays.
    pub account: AccountId,
    /// The documents it pays, in the payment's order; none for a standalone payment.
    pub documents: Vec<DocumentId>,
}

/// An encoded charge, exactly as it is stored and sent, however often.
#[derive(Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// The idempotency key: the same for every delivery of this charge, and the reference that the body carries.
    pub idempotency_key: String,
    /// What the gateway is asked to collect. Its answers are compared with it.
    pub money: Money,
    /// The exact body.
    pub body: Arc<[u8]>,
}

/// Shows no body, since bodies hold tokens.
impl fmt::Debug for ChargeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChargeRequest")
            .field("idempotency_key", &self.idempotency_key)
            .field("money", &self.money)
            .finish_non_exhaustive()
    }
}

/// A charge as a gateway reports it. Nothing of it is believed before it was compared with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedCharge {
    /// The gateway's name for the charge.
    pub reference: String,
    /// The key in the charge's metadata, if the gateway reports it.
    pub key: Option<String>,
    /// The amount received, or to be received while it is pending, if the gateway reports it.
    pub money: Option<Money>,
}

/// What one delivery of a charge, or a question about it, was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The money was collected, as the gateway says.
    Approved(ReportedCharge),
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
    Pending(ReportedCharge),
    /// This delivery was refused and did nothing. It says nothing about an earlier one under the same key.
    Refused {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// This delivery certainly did not reach the gateway, or was turned away unread.
    NotSent {
        /// What kept it back.
        cause: NotSentCause,
        /// Why, in words.
        why: String,
        /// How long the gateway asks to wait.
        retry_after: Option<Duration>,
    },
    /// Nobody can tell whether money moved.
    Unknown {
        /// What is known about the doubt.
        doubt: Doubt,
        /// Why, in words.
        why: String,
    },
}

/// The code of a payment that was given up with its run. Every other payment that was not sent counts as an error.
pub const STOPPED_CODE: &str = "run_stopped";

/// What kept a charge from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSentCause {
    /// The run was stopped, or the payment was given up.
    Stopped,
    /// No connection was made.
    NoConnection,
    /// The gateway refuses the credentials.
    Credentials,
    /// The gateway's address serves nothing of this dialect.
    AddressNotFound,
    /// The gateway accepts no more requests for now.
    TooManyRequests,
    /// This process is not configured with the gateway.
    NotConfigured,
    /// The gateway did not say at which account it charges, so it was sent nothing.
    AccountUnconfirmed,
    /// The gateway charges at another account than the ledger's payments belong to.
    AnotherAccount,
    /// The ledger was not compared with the gateway's charges yet.
    LedgerUnchecked,
    /// The ledger was compared with the gateway's charges while this delivery waited. It is made again at once.
    LedgerCompared,
    /// The ledger was restored from an older copy, and not reconciled since.
    LedgerRestored,
}

impl NotSentCause {
    /// Whether another delivery soon may fare better.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::NoConnection
                | Self::TooManyRequests
                | Self::AccountUnconfirmed
                | Self::LedgerUnchecked
                | Self::LedgerCompared
        )
    }

    /// Its code in the payment's answer.
    pub fn code(self) -> &'static str {
        match self {
            Self::Stopped => STOPPED_CODE,
            Self::NoConnection => "gateway_not_reached",
            Self::Credentials => "gateway_credentials",
            Self::AddressNotFound => "gateway_address",
            Self::TooManyRequests => "gateway_too_many_requests",
            Self::NotConfigured => "gateway_not_configured",
            Self::AccountUnconfirmed => "gateway_account_unconfirmed",
            Self::AnotherAccount => "gateway_account",
            Self::LedgerUnchecked | Self::LedgerCompared => "ledger_unchecked",
            Self::LedgerRestored => "ledger_restored",
        }
    }
}

/// What is known about a delivery whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// There was no answer, or none that says anything: a repetition under the same key may bring the true one.
    Unanswered,
    /// There was an answer that a repetition will not change soon; the gateway is to be asked.
    Unclear,
    /// The gateway knows the key with another request. Nothing is delivered under it again by itself.
    Conflict,
    /// What the gateway reports is not what it was asked for. Nothing is delivered under the key again by itself.
    WrongCharge,
}

impl Doubt {
    /// Whether nothing may be delivered again without a person.
    pub fn bars_delivery(self) -> bool {
        matches!(self, Self::Conflict | Self::WrongCharge)
    }
}

/// What became of a charge, as it is recorded.
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
    /// It was certainly never sent, or is believed never to have been seen. Its key is free again.
    NotSent {
        /// What kept it back.
        cause: NotSentCause,
        /// Why, in words.
        why: String,
    },
    /// Nobody can tell whether money moved.
    Unknown {
        /// What is known about the doubt.
        doubt: Doubt,
        /// Why, in words.
        why: String,
    },
}

impl Outcome {
    /// Whether the charge was not sent for a reason that is not its own or its run's.
    pub fn is_kept_back(&self) -> bool {
        matches!(self, Self::NotSent { cause, .. } if *cause != NotSentCause::Stopped)
    }

    /// What it says of a gateway that takes nothing, if it does.
    pub fn gateway_trouble(&self) -> Option<&str> {
        match self {
            Self::NotSent { why, .. } if self.is_kept_back() => Some(why),
            Self::Unknown { doubt: Doubt::Unanswered, why } => Some(why),
            _ => None,
        }
    }
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUp {
    /// The gateway knows the charge, and this is what it says of it.
    Found(Delivery),
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
        /// E-mail address of the account's holder.
        holder_email: Option<String>,
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

/// Why a gateway did not say at which account it charges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct AccountUnavailable {
    /// What keeps a charge back for as long as this is so.
    pub cause: NotSentCause,
    /// Why, in words.
    pub why: String,
    /// How long the gateway asks to wait.
    pub retry_after: Option<Duration>,
}

/// Writes a charge as the gateway wants it. Pure: the same charge gives the same bytes for ever.
pub trait EncodeCharge: Send + Sync {
    /// The exact request body.
    fn encode(&self, charge: &Charge) -> Vec<u8>;
    /// Stands for the documents of a charge in its metadata, where there are several; `None` in a dialect that says nothing of
    /// them.
    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        let _ = documents;
        None
    }
}

/// A payment gateway.
#[async_trait]
pub trait Gateway: EncodeCharge + Send + Sync {
    /// How it behaves and how it may be used.
    fn settings(&self) -> &GatewaySettings;
    /// The identifier of the account at which it charges, as the gateway itself says; `None` where it names none.
    async fn account(&self) -> Result<Option<String>, AccountUnavailable>;
    /// Delivers a charge once. Whether it is delivered again is for the caller to decide.
    async fn charge(&self, request: &ChargeRequest) -> Delivery;
    /// Asks what became of a charge, by its key.
    async fn look_up(&self, key: &str) -> LookUp;
    /// A page of the charges made since a time by the gateway's clock, newest first, whoever made them; the first page without
    /// a cursor.
    async fn list_charges(&self, since: Timestamp, cursor: Option<&str>) -> Result<ChargePage, ListError>;
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

/// To which account each gateway's payments belong.
#[async_trait]
pub trait GatewayAccounts: Send + Sync {
    /// The account of the gateway's payments: the stored one, else this one, which is stored.
    async fn ensure_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<String, StoreError>;
    /// Says that the gateway's payments belong to this account from now on.
    async fn put_gateway_account(&self, gateway: GatewayId, account: &str) -> Result<(), StoreError>;
    /// How many payments of the gateway have no certain outcome, in all entities: intents, pending and unknown ones.
    async fn count_in_doubt(&self, gateway: GatewayId) -> Result<u64, StoreError>;
}
