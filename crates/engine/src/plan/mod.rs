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
    AccountView, ChunkPlan, ChunkView, CreditSource, CreditUse, PaymentItem, PlannedPayment, RecordOutcome,
    RecordShare, RecordView, RunRules,
};

use crate::ids::RunId;

/// Attempts that one payment of a run makes. A new attempt, with a new key, would need a durable decline first.
const ATTEMPT: u32 = 1;

/// The idempotency key of a payment of a run. It depends only on the run, on what the payment pays and on the attempt, so
/// that even a plan that was lost and made again charges under the same key.
pub fn idempotency_key(run: RunId, item: &PaymentItem) -> String {
    match item {
        PaymentItem::Document(document) => format!("{run}-d{document}-{ATTEMPT}"),
        PaymentItem::Consolidated(account, currency, first) => {
            format!("{run}-c{account}{currency}{first}-{ATTEMPT}")
        }
        PaymentItem::Record(position) => format!("{run}-r{position}-{ATTEMPT}"),
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;
