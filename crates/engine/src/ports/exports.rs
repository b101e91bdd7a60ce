//! Exports: whole lists, page by page.

use async_trait::async_trait;

use super::StoreError;
use crate::account::Scope;
use crate::ids::{PaymentId, RunId};
use crate::payment::Payment;

/// Lists that are read from end to end. Each page is a question of its own, so that no transaction lasts as long as a slow
/// reader.
#[async_trait]
pub trait Exports: Send + Sync {
    /// The payments of a run with their parts, in the order of their identifiers, those after `after`, at most `limit`.
    async fn export_payments(
        &self,
        scope: &Scope,
        run: RunId,
        after: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError>;
}
