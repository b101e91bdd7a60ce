//! Schedules of payment runs, to be read. They are changed by commands.

use async_trait::async_trait;

use super::StoreError;
use crate::account::Scope;
use crate::ids::{Key, ScheduleId};
use crate::run_schedule::Schedule;

/// Which schedules, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleQuery {
    /// Only those made before this one.
    pub after: Option<ScheduleId>,
    /// How many at most.
    pub limit: u32,
}

/// Finds schedules. Sees committed data only, and only what is in scope.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// The schedule of this identifier, also one that has ended.
    async fn find_schedule(&self, scope: &Scope, key: &Key) -> Result<Option<Schedule>, StoreError>;
    /// Schedules in scope.
    async fn list_schedules(&self, scope: &Scope, query: ScheduleQuery) -> Result<Vec<Schedule>, StoreError>;
}
