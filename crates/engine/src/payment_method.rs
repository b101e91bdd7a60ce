//! Payment methods, and the failure counters that retry rules read.

pub mod card_number;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::{RetryRule, Stamps};
use crate::ids::{AccountId, PaymentMethodId};

/// What can be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentMethodKind {
    /// A card whose number was given to us and passed on to the gateway.
    CreditCard,
    /// A card that the gateway knows by a token.
    CreditCardReferenceTransaction,
    /// A bank account in the United States.
    Ach,
    /// A bank account in the single euro payments area.
    Sepa,
    /// A method that is not electronic, such as a check; a run never charges it.
    Other,
}

impl PaymentMethodKind {
    /// Whether a gateway can charge it.
    pub fn is_electronic(self) -> bool {
        self != Self::Other
    }
}

/// Whether a payment method may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentMethodStatus {
    /// Usable.
    Active,
    /// Closed; a run may be told to use it all the same.
    Closed,
    /// Its data was erased; it can never be used again.
    Scrubbed,
}

/// The result of the last transaction on a payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TransactionResult {
    /// The gateway approved.
    Approved,
    /// The gateway declined.
    Declined,
}

/// What is kept of a card or bank account: never the number, only its mask and the gateway's token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instrument {
    /// The number with all but the last digits hidden.
    pub mask: Option<String>,
    /// The card's brand, such as `Visa`.
    pub brand: Option<String>,
    /// Month of expiry, 1 to 12.
    pub expiration_month: Option<u8>,
    /// Year of expiry.
    pub expiration_year: Option<u16>,
    /// Name on the card or of the bank account.
    pub holder_name: Option<String>,
    /// What the gateway knows it by.
    pub token: Option<String>,
    /// The gateway's customer to whom the token belongs. A token of a customer is charged only together with its customer.
    #[serde(default)]
    pub customer: Option<String>,
}

/// A payment method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethod {
    /// Identifier.
    pub id: PaymentMethodId,
    /// The account it belongs to; one made before its account has none yet.
    pub account: Option<AccountId>,
    /// What it is.
    pub kind: PaymentMethodKind,
    /// The kind as the caller wrote it.
    pub kind_name: String,
    /// Whether it may be used.
    pub status: PaymentMethodStatus,
    /// Mask and token.
    pub instrument: Instrument,
    /// Whether the entity's retry rule holds, and not the method's own.
    pub use_default_retry_rule: bool,
    /// The method's own retry rule.
    pub retry_rule: RetryRule,
    /// Declines since the last approval.
    pub consecutive_failures: u32,
    /// When it was last declined (UTC).
    pub last_failed_at: Option<Timestamp>,
    /// When it was last charged (UTC).
    pub last_transaction_at: Option<Timestamp>,
    /// What came of the last charge.
    pub last_transaction: Option<TransactionResult>,
    /// Approved payments in all.
    pub processed_payments: u32,
    /// Declined payments in all.
    pub error_payments: u32,
    /// Who and when.
    pub stamps: Stamps,
}

impl PaymentMethod {
    /// One that was never charged: active, without failures, and under the entity's retry rule. The kind is given with its
    /// name as the caller wrote it.
    pub fn unused(
        id: PaymentMethodId,
        account: Option<AccountId>,
        (kind, kind_name): (PaymentMethodKind, String),
        instrument: Instrument,
        stamps: Stamps,
    ) -> Self {
        Self {
            id,
            account,
            kind,
            kind_name,
            status: PaymentMethodStatus::Active,
            instrument,
            use_default_retry_rule: true,
            retry_rule: RetryRule::default(),
            consecutive_failures: 0,
            last_failed_at: None,
            last_transaction_at: None,
            last_transaction: None,
            processed_payments: 0,
            error_payments: 0,
            stamps,
        }
    }
}
