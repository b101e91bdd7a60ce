//! A reconciliation from its list to its findings.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Comparison, Difference, Finding, compare_page};
use crate::collect::LISTING_MARGIN;
use crate::ids::GatewayId;
use crate::ports::reconciliation::{Differences, PROCESSED_PAGE_MAX, Reconciliation};
use crate::ports::{Clock, Gateway, Ids, ListError, StoreError};

/// Charges of this ledger that one reconciliation compares at most: their names are kept in memory, about 200 bytes each.
pub const COMPARED_MAX: u64 = 5_000_000;

/// What a reconciliation works with.
#[derive(Clone)]
pub struct Reconciler {
    /// The gateway, as the ledger knows it.
    pub id: GatewayId,
    /// The way to it.
    pub gateway: Arc<dyn Gateway>,
    /// The ledger.
    pub ledger: Arc<dyn Reconciliation>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New identifiers.
    pub ids: Arc<dyn Ids>,
}

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// What differs, oldest first, with what is done about it.
    pub findings: Vec<Finding>,
    /// Charges of this ledger that the gateway listed.
    pub listed: u64,
    /// The newest charge of the list, by the gateway's clock (UTC).
    pub newest: Option<Timestamp>,
    /// Up to when the ledger was known to be complete before (UTC). A list that begins later proves nothing.
    pub complete_until: Timestamp,
}

impl Reconciled {
    /// Whether the list begins early enough to end a charging hold.
    pub fn is_complete_since(&self, since: Timestamp) -> bool {
        since <= self.complete_until
    }
}

/// Why a reconciliation ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The gateway listed nothing.
    #[error("the gateway's charges could not be listed")]
    List(#[source] ListError),
    /// The ledger failed.
    #[error("the ledger could not be compared")]
    Ledger(#[from] StoreError),
    /// There is too much to compare at once.
    #[error("more than {COMPARED_MAX} charges: begin later")]
    TooMany,
}

impl Reconciler {
    /// Compares the charges made since a time with the ledger. With `is_applied` the differences are settled.
    pub async fn run(&self, since: Timestamp, is_applied: bool) -> Result<Reconciled, ReconcileError> {
        let now = self.clock.real_now();
        let complete_until = self.ledger.begin_comparison(self.id, now).await?;
        let mut comparison = self.compare(since).await?;
        self.look_for_unlisted(since, &mut comparison).await?;
        let mut differences = std::mem::take(&mut comparison.differences);
        differences.sort_by_key(Difference::rank);
        let gateway = Arc::clone(&self.gateway);
        let work = Differences {
            gateway: self.id,
            differences,
            digest: Arc::new(move |documents| gateway.documents_digest(documents)),
            now: self.clock.now(),
            is_applied,
        };
        let mut findings = self.ledger.settle_differences(work, Arc::clone(&self.ids)).await?;
        findings.sort_by_key(|finding| finding.difference.at());
        Ok(Reconciled { findings, listed: comparison.listed, newest: comparison.newest, complete_until })
    }

    /// Notes that the ledger is complete up to the end of a list that was applied.
    pub async fn confirm(&self, reconciled: &Reconciled) -> Result<(), StoreError> {
        self.ledger.end_comparison(self.id, reconciled.newest).await
    }

    async fn compare(&self, since: Timestamp) -> Result<Comparison, ReconcileError> {
        let ledger = self.ledger.watched_ledger().await?;
        let from = since.checked_sub(LISTING_MARGIN).unwrap_or(Timestamp::MIN);
        let mut comparison = Comparison::default();
        let mut cursor = None;
        loop {
            let listed = self.gateway.list_charges(from, cursor.as_deref()).await;
            let page = listed.map_err(ReconcileError::List)?;
            let ours = page.charges.iter().filter(|charge| charge.is_of(ledger));
            let (keys, references) =
                ours.map(|charge| (charge.key.clone(), charge.reference.clone())).unzip::<_, _, Vec<_>, _>();
            let keys = keys.into_iter().flatten().collect();
            let payments = self.ledger.payments_of(self.id, keys, references).await?;
            compare_page(&mut comparison, ledger, page.charges, &payments);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(comparison);
            }
            if comparison.listed > COMPARED_MAX {
                return Err(ReconcileError::TooMany);
            }
        }
    }

    /// Adds the payments that the ledger has as processed, and whose charges were not listed.
    async fn look_for_unlisted(
        &self,
        since: Timestamp,
        comparison: &mut Comparison,
    ) -> Result<(), ReconcileError> {
        let mut after = None;
        loop {
            let page = self.ledger.processed_since(self.id, since, after).await?;
            after = page.last().map(|payment| payment.id);
            let is_last = page.len() < PROCESSED_PAGE_MAX;
            let unlisted: Vec<Difference> =
                page.into_iter().filter(|one| !comparison.has(one)).map(Difference::NotListed).collect();
            comparison.differences.extend(unlisted);
            if is_last {
                return Ok(());
            }
        }
    }
}
