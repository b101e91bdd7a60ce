//! What can go wrong inside a transaction, before it is told to the caller in the ports' terms.

use payment_runs_engine::ports::{LedgerError, StoreError};
use payment_runs_engine::refusal::Refusal;
use rusqlite::ErrorCode;

/// Why a job failed. Whatever it is, the job's transaction was rolled back, except for [`Failure::Commit`].
#[derive(Debug)]
pub(crate) enum Failure {
    /// A statement failed.
    Sql(rusqlite::Error),
    /// The transaction could not be committed; the disk may hold it all the same.
    Commit(rusqlite::Error),
    /// A stored value cannot be read.
    Corrupt(String),
    /// What was asked for breaks a rule that the callers keep.
    Broken(BrokenRule),
    /// The job panicked.
    Panicked,
    /// The store is closed.
    Closed,
    /// Another worker has the claim.
    LeaseLost,
    /// The caller's fault.
    Refused(Vec<Refusal>),
}

/// A rule of the protocol that a caller, or the plan it brought, broke.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BrokenRule(pub(crate) String);

#[derive(Debug, thiserror::Error)]
#[error("the transaction's code panicked")]
struct Panicked;

/// Whether pages of the file cannot be read as what they are.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether another connection held the file for longer than the time that is waited.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl Failure {
    /// Whether a damaged page was met.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Sql(error) | Self::Commit(error) if is_damage(error))
    }

    pub(crate) fn broken(rule: impl Into<String>) -> Self {
        Self::Broken(BrokenRule(rule.into()))
    }

    /// The failure of a write, in the ports' terms.
    pub(crate) fn into_store(self, doing: &'static str) -> StoreError {
        match self {
            Self::Sql(source) | Self::Commit(source) if is_damage(&source) => {
                StoreError::Damaged { source: Box::new(source) }
            }
            Self::Sql(source) if is_busy(&source) => StoreError::Busy { doing, source: Box::new(source) },
            Self::Sql(source) => StoreError::Write { doing, source: Box::new(source) },
            Self::Commit(source) => StoreError::InDoubt { doing, source: Box::new(source) },
            Self::Corrupt(what) => StoreError::Corrupt { what },
            Self::Broken(rule) => StoreError::Write { doing, source: Box::new(rule) },
            Self::Panicked => StoreError::Write { doing, source: Box::new(Panicked) },
            Self::Closed => StoreError::Closed,
            Self::LeaseLost => StoreError::LeaseLost,
            Self::Refused(reasons) => {
                StoreError::Write { doing, source: Box::new(LedgerError::Refused(reasons)) }
            }
        }
    }

    /// The failure of a read, in the ports' terms.
    pub(crate) fn into_store_read(self, doing: &'static str) -> StoreError {
        match self.into_store(doing) {
            StoreError::Write { doing, source } | StoreError::InDoubt { doing, source } => {
                StoreError::Read { doing, source }
            }
            other => other,
        }
    }

    /// The failure of a question that may be refused, in the ports' terms.
    pub(crate) fn into_ledger_read(self, doing: &'static str) -> LedgerError {
        match self {
            Self::Refused(reasons) => LedgerError::Refused(reasons),
            other => LedgerError::Store(other.into_store_read(doing)),
        }
    }

    /// The failure of a command, in the ports' terms.
    pub(crate) fn into_ledger(self, doing: &'static str) -> LedgerError {
        match self {
            Self::Refused(reasons) => LedgerError::Refused(reasons),
            other => LedgerError::Store(other.into_store(doing)),
        }
    }
}
