//! Searching for runs.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::account::Scope;
use crate::run::{Run, Tallies};
use crate::search::RunSearch;

/// A run with what its work has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    /// The run.
    pub run: Run,
    /// Its counters.
    pub tallies: Tallies,
    /// When it made its first charge (UTC).
    pub first_charge_at: Option<Timestamp>,
    /// When the run is to start that is pending now (UTC): for a run of a schedule, the schedule's pending run, which may be
    /// another one; else the run itself.
    pub next_run_at: Option<Timestamp>,
}

/// Finds runs by any of their fields. Sees committed data only, and only what is in scope.
#[async_trait]
pub trait Search: Send + Sync {
    /// The runs of a page, in order. Deleted runs are not found.
    async fn search_runs(&self, scope: &Scope, search: &RunSearch) -> Result<Vec<FoundRun>, StoreError>;
}
