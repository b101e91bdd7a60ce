//! The ledger compared with a gateway's own list of charges: what differs, and what is done about it. Pure.
//!
//! The gateway is the truth about money that moved. A charge that the ledger does not know is adopted under its key where its
//! metadata lead to the documents that it paid. What leads nowhere becomes an unapplied payment of the account, whose open
//! documents in that currency are held until a person applies or releases it.

mod adopt;
mod compare;
mod run;
#[cfg(test)]
mod tests;

use crate::ids::{AccountId, EntityKey, GatewayId, PaymentId};
use crate::money::Money;
use crate::payment::PaymentState;
use crate::ports::ListedCharge;

pub use adopt::{AccountBooks, Adoption, adopt};
pub use compare::{Comparison, compare_page};
pub use run::{COMPARED_MAX, ReconcileError, Reconciled, Reconciler};

/// A payment of the ledger, as far as a comparison needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPayment {
    /// In which entity.
    pub entity: EntityKey,
    /// The payment.
    pub id: PaymentId,
    /// Its number.
    pub number: String,
    /// Who pays.
    pub account: AccountId,
    /// Where it stands.
    pub state: PaymentState,
    /// How much.
    pub money: Money,
    /// The key of its charge.
    pub key: Option<String>,
    /// The gateway's name for its charge.
    pub reference: Option<String>,
    /// When its outcome became definite, or else when it was made (UTC).
    pub at: jiff::Timestamp,
}

/// A way in which ledger and gateway differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The ledger knows no payment for the charge.
    Unknown(ListedCharge),
    /// The gateway says what became of a payment in doubt.
    InDoubt(ListedCharge, KnownPayment),
    /// Money moved although the ledger has the payment as declined, or a second time under one key.
    Extra(ListedCharge, KnownPayment),
    /// State or amount differ, and no money moved that the ledger lacks.
    Contradiction(ListedCharge, KnownPayment),
    /// The ledger has the payment as processed, and the gateway does not list its charge.
    NotListed(KnownPayment),
}

impl Difference {
    /// When the charge was made, or the payment settled (UTC).
    pub fn at(&self) -> jiff::Timestamp {
        match self {
            Self::Unknown(charge)
            | Self::InDoubt(charge, _)
            | Self::Extra(charge, _)
            | Self::Contradiction(charge, _) => charge.created_at,
            Self::NotListed(payment) => payment.at,
        }
    }

    /// The order in which differences are settled: first what payments in doubt hold, then what is taken over, oldest first.
    pub fn rank(&self) -> (bool, jiff::Timestamp) {
        (!matches!(self, Self::InDoubt(..)), self.at())
    }
}

/// What is done about a difference, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The charge became a payment with this number of these documents; the rest of its amount is unapplied.
    Adopted {
        /// The payment's number.
        number: String,
        /// The numbers of the documents.
        documents: Vec<String>,
        /// What no document took, in minor units.
        unapplied_minor: i64,
    },
    /// The charge became an unapplied payment with this number, and the account's open documents in its currency are held.
    Unmatched {
        /// The payment's number.
        number: String,
        /// Why it could not be matched.
        why: String,
    },
    /// The payment in doubt got its outcome.
    Settled(PaymentState),
    /// The ledger does not have the account: the charge is noted, and a person has to look after it.
    Noted,
    /// Nothing; a person has to look at it.
    Reported,
}

/// A difference with what is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// At which gateway.
    pub gateway: GatewayId,
    /// What differs.
    pub difference: Difference,
    /// The number of the account, where the ledger has it.
    pub account: Option<String>,
    /// What is done.
    pub remedy: Remedy,
}
