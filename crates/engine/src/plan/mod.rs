//! The plan of one chunk of a run: a pure decision over everything the store read in one transaction.
//!
//! The store reads a [`ChunkView`], calls [`plan_chunk`], and writes the [`ChunkPlan`] in that same transaction, so
//! that what was decided and what was written can never differ.

mod charges;
mod chunk;
mod record_checks;
mod records;
mod settle;
mod tally;
mod types;

pub use charges::DOCUMENTS_PER_PAYMENT_MAX;
pub use chunk::plan_chunk;
pub use record_checks::{CODE_INVALID, CODE_STOPPED, RECORD_COMMENT_CHARACTERS_MAX, check_shape};
pub use settle::{SettledPart, SettlementEffect, SettlementView, settle_payment, settle_records};
pub use types::{
    AccountView, ChunkPlan, ChunkView, CreditSource, CreditUse, PlannedPayment, RecordOutcome, RecordShare,
    RecordView, RunRules,
};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
