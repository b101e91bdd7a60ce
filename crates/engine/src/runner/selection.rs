//! The selection of a run: cut into chunks step by step, under a lease.

use std::sync::Arc;

use super::shared::Shared;
use crate::ports::{ChunkClaim, StoreError};
use crate::stopping::Stopping;

/// Cuts a run into chunks until the selection is complete or the work stops.
pub(super) async fn select_run(
    shared: Arc<Shared>,
    claim: ChunkClaim,
    stopping: Stopping,
) -> Result<(), StoreError> {
    let work = &shared.ports.work;
    let settings = &shared.settings;
    while !stopping.is_set() {
        let extend = || {
            let (chunks, documents) = (settings.chunks_per_step, settings.documents_per_chunk);
            work.extend_selection(&claim, shared.now(), chunks, documents)
        };
        if shared.persist(extend).await? {
            return Ok(());
        }
        if !shared.persist(|| work.renew(&claim, shared.lease().at())).await? {
            return Err(StoreError::LeaseLost);
        }
    }
    work.renew(&claim, shared.now()).await.map(|_| ())
}
