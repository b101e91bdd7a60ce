//! An in-memory `LedgerWatch` whose state the tests set.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::*;
use crate::fixtures::now;
use crate::ports::BoxFuture;

/// The ledger.
pub(crate) const LEDGER: LedgerId = LedgerId::from_u128(7);

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a ledger has stored.
#[derive(Default)]
pub(crate) struct Complete {
    pub(crate) keys: Mutex<BTreeSet<String>>,
    pub(crate) listed_until: Mutex<Option<Timestamp>>,
    pub(crate) hold: Mutex<Option<ChargingHold>>,
    /// Whether reads fail.
    pub(crate) is_broken: Mutex<bool>,
}

pub(crate) fn guard(ledger: Arc<Complete>) -> Arc<LedgerGuard> {
    Arc::new(LedgerGuard::new(ledger, Arc::new(Still)))
}

#[async_trait]
impl LedgerWatch for Complete {
    async fn watched_ledger(&self) -> Result<LedgerId, StoreError> {
        Ok(LEDGER)
    }
    async fn begin_comparison(&self, _: GatewayId, at: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(*self.listed_until.lock().unwrap().get_or_insert(at))
    }
    async fn end_comparison(&self, _: GatewayId, newest: Option<Timestamp>) -> Result<(), StoreError> {
        let mut until = self.listed_until.lock().unwrap();
        *until = (*until).max(newest);
        Ok(())
    }
    async fn unknown_keys(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        if *self.is_broken.lock().unwrap() {
            return Err(StoreError::Closed);
        }
        let known = self.keys.lock().unwrap();
        Ok(keys.into_iter().filter(|key| !known.contains(key)).collect())
    }
    async fn charging_hold(&self) -> Result<Option<ChargingHold>, StoreError> {
        Ok(self.hold.lock().unwrap().clone())
    }
    async fn hold_charging(&self, hold: ChargingHold) -> Result<(), StoreError> {
        self.hold.lock().unwrap().get_or_insert(hold);
        Ok(())
    }
}
