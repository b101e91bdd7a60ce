//! What a reconciliation asks of the ledger, and what it writes there.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Ids, LedgerWatch, StoreError};
use crate::ids::{DocumentId, GatewayId, PaymentId};
use crate::money::Money;
use crate::reconcile::{Difference, Finding, KnownPayment};

/// Payments that one question for processed ones is answered with at most.
pub const PROCESSED_PAGE_MAX: usize = 1_000;

/// Stands for a list of documents as the metadata of charges do; `None` where they do not.
pub type DocumentsDigest = Arc<dyn Fn(&[DocumentId]) -> Option<String> + Send + Sync>;

/// Differences to be settled, or only to be judged.
#[derive(Clone)]
pub struct Differences {
    /// The gateway at which they were found.
    pub gateway: GatewayId,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Stands for lists of documents in metadata.
    pub digest: DocumentsDigest,
    /// The time (UTC).
    pub now: Timestamp,
    /// Whether anything is written. Otherwise the findings tell what would be.
    pub is_applied: bool,
}

/// An unapplied payment that keeps the documents of its account in its currency from being collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedPayment {
    /// Its number.
    pub number: String,
    /// The number of its account.
    pub account: String,
    /// The gateway's name for its charge.
    pub reference: Option<String>,
    /// How much.
    pub money: Money,
    /// What no document has taken yet, in minor units.
    pub unapplied_minor: i64,
    /// How many open documents are held.
    pub held: u64,
}

/// What a person decides about an unmatched payment. Either way the account's documents are free afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchDecision {
    /// It paid these documents of its account, by number, in this order; what is left of it stays unapplied.
    Apply(Vec<String>),
    /// It paid none of the open documents.
    Release,
}

/// What became of such a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// It was carried out; so much of the payment stays unapplied.
    Done(Money),
    /// No unmatched payment has this number.
    NoPayment,
    /// Its charge is not approved yet, so there is nothing to apply.
    NotCollected,
    /// The account has no open document of this number in the payment's currency that is free otherwise.
    NoDocument(String),
}

/// The ledger, as a reconciliation reads and writes it.
#[async_trait]
pub trait Reconciliation: LedgerWatch {
    /// The payments of a gateway that have one of these keys, or one of these names of charges.
    async fn payments_of(
        &self,
        gateway: GatewayId,
        keys: Vec<String>,
        references: Vec<String>,
    ) -> Result<Vec<KnownPayment>, StoreError>;
    /// The processed electronic payments of a gateway that were made since a time, in the order of their identifiers: at most
    /// [`PROCESSED_PAGE_MAX`] after this one.
    async fn processed_since(
        &self,
        gateway: GatewayId,
        since: Timestamp,
        after: Option<PaymentId>,
    ) -> Result<Vec<KnownPayment>, StoreError>;
    /// Settles differences in one transaction, or tells what would be done about them.
    async fn settle_differences(
        &self,
        work: Differences,
        ids: Arc<dyn Ids>,
    ) -> Result<Vec<Finding>, StoreError>;
    /// Lets charges be sent again.
    async fn end_charging_hold(&self) -> Result<(), StoreError>;
    /// Unmatched payments.
    async fn unmatched_payments(&self) -> Result<Vec<UnmatchedPayment>, StoreError>;
    /// Carries out what a person decided about one.
    async fn match_payment(
        &self,
        number: &str,
        decision: MatchDecision,
        now: Timestamp,
    ) -> Result<Matched, StoreError>;
}
