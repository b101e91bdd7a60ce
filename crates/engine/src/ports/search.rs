//! Searching for runs.

use async_trait::async_trait;

use super::StoreError;
use crate::account::Scope;
use crate::run::{Run, Tallies};
use crate::search::RunSearch;

/// Finds runs by any of their fields. Sees committed data only, and only what is in scope.
#[async_trait]
pub trait Search: Send + Sync {
    /// The runs of a page, in order, each with its counters. Deleted runs are not found.
    async fn search_runs(&self, scope: &Scope, search: &RunSearch)
    -> Result<Vec<(Run, Tallies)>, StoreError>;
}
