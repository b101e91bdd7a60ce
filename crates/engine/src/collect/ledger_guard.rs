//! Notices that the ledger was restored from an older copy, and keeps charges back until it was reconciled.
//!
//! A charge is written down before it is sent. So a gateway that holds a charge under one of this ledger's keys, which no payment
//! has, was charged by a later state of the ledger than this one. What that state knew is lost here, and whatever is charged now
//! may have been charged before.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{GatewayId, LedgerId};
use crate::ports::{
    AccountUnavailable, Chain, ChargePage, ChargingHold, Clock, Gateway, LedgerWatch, ListError,
    NotSentCause, StoreError,
};

/// How far before the time up to which the ledger is known to be complete the list begins: the parts of a gateway have clocks
/// of their own, and a list may tell time in whole seconds.
pub const LISTING_MARGIN: Duration = Duration::from_mins(10);

/// After how many charges that the ledger knows the list is read no further. Lists begin with the newest charge. Nothing is sent
/// before the ledger was found to be complete, so what it lacks is newer than all that it knows, but for charges that were under
/// way when it was copied. These are far fewer.
const KNOWN_CHARGES_ENOUGH: usize = 20_000;

/// Stands between the gateways of a process and a ledger that may have been restored.
pub struct LedgerGuard {
    watch: Arc<dyn LedgerWatch>,
    clock: Arc<dyn Clock>,
    /// Why nothing is charged.
    held: Mutex<Option<String>>,
}

impl LedgerGuard {
    /// A guard of the ledger behind this port.
    pub fn new(watch: Arc<dyn LedgerWatch>, clock: Arc<dyn Clock>) -> Self {
        Self { watch, clock, held: Mutex::default() }
    }

    /// Why nothing is charged, if so. The answer is complete once each gateway was checked.
    pub fn held(&self) -> Option<String> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets nothing be charged until the ledger was reconciled, also after a restart.
    pub async fn hold(&self, why: &str) -> Result<(), StoreError> {
        let hold = ChargingHold { at: self.clock.real_now(), why: why.to_owned() };
        self.watch.hold_charging(hold).await?;
        self.take_in(why);
        Ok(())
    }

    /// Notes that a process starts, before it plans anything.
    pub async fn begin(&self, id: GatewayId) -> Result<(), StoreError> {
        self.watch.begin_comparison(id, self.clock.real_now()).await.map(drop)
    }

    /// Compares the newest charges of a gateway with the ledger. Afterwards [`held`](Self::held) says whether something may be
    /// charged; an error means that this is not known yet.
    pub async fn check(&self, gateway: &dyn Gateway, id: GatewayId) -> Result<(), AccountUnavailable> {
        if let Some(hold) = self.watch.charging_hold().await.map_err(|error| unchecked(&error))? {
            self.take_in(&hold.why);
            return Ok(());
        }
        let ledger = self.watch.watched_ledger().await.map_err(|error| unchecked(&error))?;
        let complete_until = self
            .watch
            .begin_comparison(id, self.clock.real_now())
            .await
            .map_err(|error| unchecked(&error))?;
        let since = complete_until.checked_sub(LISTING_MARGIN).unwrap_or(Timestamp::MIN);
        let mut progress = Progress { known: 0, newest: None };
        let mut cursor = None;
        loop {
            let page = match gateway.list_charges(since, cursor.as_deref()).await {
                Ok(page) => page,
                Err(ListError::NotSupported { why }) => {
                    tracing::warn!(gateway = %id, why, "that the ledger was restored would not be noticed: the gateway lists no charges");
                    break;
                }
                Err(ListError::Unavailable(unavailable)) => return Err(unavailable),
            };
            if let Some(why) =
                self.compare(ledger, &page, &mut progress).await.map_err(|error| unchecked(&error))?
            {
                return self.hold(&why).await.map_err(|error| unchecked(&error));
            }
            cursor = page.next;
            if cursor.is_none() || progress.known >= KNOWN_CHARGES_ENOUGH {
                break;
            }
        }
        self.watch.end_comparison(id, progress.newest).await.map_err(|error| unchecked(&error))
    }

    /// Says what the ledger lacks, if a page holds a charge that it does not know.
    async fn compare(
        &self,
        ledger: LedgerId,
        page: &ChargePage,
        progress: &mut Progress,
    ) -> Result<Option<String>, StoreError> {
        progress.newest = progress.newest.max(page.charges.iter().map(|charge| charge.created_at).max());
        let ours = page.charges.iter().filter(|charge| charge.is_of(ledger));
        let keys: Vec<String> = ours.filter_map(|charge| charge.key.clone()).collect();
        progress.known += keys.len();
        let unknown = self.watch.unknown_keys(keys).await?;
        Ok(unknown.first().map(|key| {
            format!(
                "the ledger is older than its charges: the gateway holds a charge {key} that it does not know"
            )
        }))
    }

    fn take_in(&self, why: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_deref() != Some(why) {
            tracing::error!(why, "nothing is charged until `payment-runs reconcile --apply` was run");
            *held = Some(why.to_owned());
        }
    }
}

/// How far a list was read.
struct Progress {
    /// Charges of this ledger that it knows.
    known: usize,
    /// When the newest charge was made.
    newest: Option<Timestamp>,
}

fn unchecked(error: &StoreError) -> AccountUnavailable {
    let (cause, why) = (NotSentCause::LedgerUnchecked, Chain(error).to_string());
    AccountUnavailable { cause, why, retry_after: None }
}

#[cfg(test)]
#[path = "ledger_guard_bench.rs"]
pub(super) mod bench;
#[cfg(test)]
#[path = "ledger_guard_tests.rs"]
mod tests;
