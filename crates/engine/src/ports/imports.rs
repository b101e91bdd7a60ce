//! Imports: lines in, and what became of them.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Ids, StoreError};
use crate::account::Scope;
use crate::ids::{ImportId, UserId};
use crate::import::{Import, LineBatch, RefusedLine};

/// Lines to take, with who sends them and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeLines {
    /// What the sender may see and change.
    pub scope: Scope,
    /// Who sends them.
    pub user: UserId,
    /// When (UTC).
    pub now: Timestamp,
    /// The import.
    pub import: ImportId,
    /// The lines.
    pub batch: LineBatch,
    /// How many refused lines of this batch may keep their reasons, in addition to the limits of the import. Further ones are only
    /// counted.
    pub refused_kept_max: u64,
}

/// What became of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// They are taken now, or were before; the import is this far.
    Taken(Import),
    /// They would leave a gap: this line is the next one.
    Gap {
        /// The line to go on with.
        next_line: u64,
    },
    /// There is no such import for this sender.
    Missing,
}

/// Imports. A sender who is limited to organizations sees only those that it began itself, since their faults name objects
/// of whatever organization they belong to.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Takes lines in one transaction: stores what the good ones bring, why the bad ones bring nothing, and how far the
    /// import is. Lines that were taken before are passed over.
    async fn take_lines(&self, lines: TakeLines, ids: Arc<dyn Ids>) -> Result<Taken, StoreError>;
    /// An import.
    async fn find_import(
        &self,
        scope: &Scope,
        user: UserId,
        import: ImportId,
    ) -> Result<Option<Import>, StoreError>;
    /// Imports, newest first, those before `before`, at most `limit`.
    async fn list_imports(
        &self,
        scope: &Scope,
        user: UserId,
        before: Option<ImportId>,
        limit: u32,
    ) -> Result<Vec<Import>, StoreError>;
    /// The refused lines of an import in their order, those after line `after`, at most `limit`.
    async fn list_refused_lines(
        &self,
        scope: &Scope,
        import: ImportId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RefusedLine>, StoreError>;
}
