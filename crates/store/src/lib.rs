//! The store: the engine's ports [`Ledger`], [`Work`], [`Access`] and [`OnceStore`] on SQLite.
//!
//! [`SqliteStore`] is one file with one writer. Every method of the ports is one transaction: plain functions over a
//! connection, run by an [`Executor`]. The suite that every store must pass is in `conformance` (a feature).
//!
//! [`Ledger`]: payment_runs_engine::ports::Ledger
//! [`Work`]: payment_runs_engine::ports::Work
//! [`Access`]: payment_runs_engine::ports::Access
//! [`OnceStore`]: payment_runs_engine::ports::OnceStore

#[cfg(feature = "conformance")]
pub mod conformance;
mod sqlite;

pub use sqlite::{BackedUp, BackupError, Executor, OpenError, Origin, Sequence, SqliteStore, back_up};
