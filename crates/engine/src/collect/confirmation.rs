//! Something that is asked before anything is sent, until it was confirmed once.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::ids::GatewayId;
use crate::ports::AccountUnavailable;

/// When something was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// Before the caller came.
    Before,
    /// While the caller waited.
    Meanwhile,
}

/// Whether something was confirmed. Once it was, it stays so.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    is_confirmed: AtomicBool,
    /// How often it was asked.
    asked: AtomicU64,
    /// Why the last attempt failed. One caller asks at a time, and concurrent callers share its answer.
    refusal: Mutex<Option<AccountUnavailable>>,
}

impl Confirmation {
    pub(super) fn confirm(&self) {
        self.is_confirmed.store(true, Ordering::Release);
    }

    /// Lets through once it is confirmed; until then asks.
    pub(super) async fn pass(
        &self,
        gateway: GatewayId,
        ask: impl Future<Output = Result<(), AccountUnavailable>> + Send,
    ) -> Result<Confirmed, AccountUnavailable> {
        if self.is_confirmed.load(Ordering::Acquire) {
            return Ok(Confirmed::Before);
        }
        let asked = self.asked.load(Ordering::Acquire);
        let mut refusal = self.refusal.lock().await;
        if self.is_confirmed.load(Ordering::Acquire) {
            return Ok(Confirmed::Meanwhile);
        }
        if let Some(shared) = refusal.as_ref().filter(|_| self.asked.load(Ordering::Acquire) != asked) {
            return Err(shared.clone());
        }
        let answer = ask.await;
        self.asked.fetch_add(1, Ordering::AcqRel);
        match &answer {
            Ok(()) => self.confirm(),
            // Said once, and not for each of the charges that are kept back.
            Err(why) if refusal.as_ref() != Some(why) => {
                tracing::warn!(%gateway, %why, "nothing is charged");
                *refusal = Some(why.clone());
            }
            Err(_) => {}
        }
        answer.map(|()| Confirmed::Meanwhile)
    }
}
