//! Runs that were told exactly what to collect.

use super::types::{ChunkPlan, ChunkView};
use crate::ports::Ids;

/// Plans the data records of a chunk.
pub(super) fn plan_records(view: &ChunkView, ids: &dyn Ids, plan: &mut ChunkPlan) {
    let _ = (view, ids, plan);
}
