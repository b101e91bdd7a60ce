//! The charges of a gateway, listed by time, and what a ledger keeps to compare them with its own payments.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AccountUnavailable, StoreError};
use crate::ids::{AccountId, DocumentId, EntityKey, GatewayId, LedgerId};
use crate::money::Money;

/// Charges on one page at most: as many as the common dialects give at once.
pub const LISTED_PAGE_MAX: usize = 100;

/// A charge as a gateway lists it. Nothing of it is believed before it was compared with the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCharge {
    /// The gateway's name for the charge.
    pub reference: String,
    /// The key in the charge's metadata, if it carries one.
    pub key: Option<String>,
    /// The amount received, or to be received while it is pending, if the gateway reports it.
    pub money: Option<Money>,
    /// How it stands.
    pub state: ListedState,
    /// When it was made, by the gateway's clock (UTC).
    pub created_at: Timestamp,
    /// What its metadata says about what it collects.
    pub subject: ListedSubject,
}

/// How a listed charge stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedState {
    /// The money was collected.
    Approved,
    /// The gateway will tell the result later.
    Pending,
    /// The gateway declined; no money moved.
    Declined {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// It stands in a way that is not expected.
    Unclear {
        /// The gateway's words.
        why: String,
    },
}

impl ListedState {
    /// Whether money moved, or may still move.
    pub fn moves_money(&self) -> bool {
        !matches!(self, Self::Declined { .. })
    }
}

/// What the metadata of a charge says about what it collects. Each part is absent where the metadata lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedSubject {
    /// The ledger that charged.
    pub ledger: Option<LedgerId>,
    /// The entity.
    pub entity: Option<EntityKey>,
    /// Who pays.
    pub account: Option<AccountId>,
    /// The first document that it pays.
    pub document: Option<DocumentId>,
    /// How many documents it pays, where it pays several.
    pub documents: Option<usize>,
    /// Stands for the whole list of them.
    pub documents_digest: Option<String>,
}

impl ListedCharge {
    /// Whether this ledger made it, by its metadata or by its key.
    pub fn is_of(&self, ledger: LedgerId) -> bool {
        let is_keyed = || {
            let rest = self.key.as_deref().and_then(|key| key.strip_prefix(ledger.to_string().as_str()));
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        self.subject.ledger.map_or_else(is_keyed, |one| one == ledger)
    }
}

/// A piece of a list, newest charges first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargePage {
    /// At most [`LISTED_PAGE_MAX`] charges.
    pub charges: Vec<ListedCharge>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// Why a gateway listed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It has no list, or keeps it from this secret key.
    #[error("{why}")]
    NotSupported {
        /// Why, in words.
        why: String,
    },
    /// It did not answer, or not so that it can be read.
    #[error(transparent)]
    Unavailable(#[from] AccountUnavailable),
}

/// Why nothing is charged until the ledger was reconciled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargingHold {
    /// Since when (UTC).
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
}

/// What a ledger keeps about its own completeness.
#[async_trait]
pub trait LedgerWatch: Send + Sync {
    /// The ledger's identifier, with which its keys begin.
    async fn watched_ledger(&self) -> Result<LedgerId, StoreError>;
    /// Begins to compare a gateway's charges: payments that are planned from now on have no charge there until that has ended. Says
    /// up to when all its charges are known to be in the ledger, by the gateway's clock: the stored time, else this one, which is
    /// stored.
    async fn begin_comparison(&self, gateway: GatewayId, at: Timestamp) -> Result<Timestamp, StoreError>;
    /// Says that all charges of the gateway are in the ledger, of which this is the newest. A later time that is stored stays.
    async fn end_comparison(&self, gateway: GatewayId, newest: Option<Timestamp>) -> Result<(), StoreError>;
    /// Those of the keys under which the ledger can have charged nothing: no payment has them, or one that was planned while its
    /// gateway's charges were not compared.
    async fn unknown_keys(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError>;
    /// Why nothing is charged, if so.
    async fn charging_hold(&self) -> Result<Option<ChargingHold>, StoreError>;
    /// Lets nothing be charged from now on. A hold that there is stays.
    async fn hold_charging(&self, hold: ChargingHold) -> Result<(), StoreError>;
}
