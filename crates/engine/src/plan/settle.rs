//! What an outcome changes: the payment's state, the documents, the counters.

use crate::document::DocumentKind;
use crate::payment::{PaymentEvent, PaymentState};
use crate::payment_method::TransactionResult;
use crate::ports::Outcome;
use crate::run::{Count, Tally};

/// The part of a payment that goes to one document, with what the document owes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettledPart {
    /// Invoice or debit memo.
    pub kind: DocumentKind,
    /// Minor units of this part.
    pub amount_minor: i64,
    /// What the document owes before the outcome, in minor units.
    pub balance_minor: i64,
}

/// A payment as it is stored when its outcome arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementView {
    /// Where it stands.
    pub state: PaymentState,
    /// Its total in minor units.
    pub amount_minor: i64,
    /// What it pays.
    pub parts: Vec<SettledPart>,
}

/// What the store writes when an outcome is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlementEffect {
    /// The payment's new state.
    pub state: PaymentState,
    /// Whether every part is taken off its document's balance.
    pub pays_documents: bool,
    /// Whether the documents are free again.
    pub releases_documents: bool,
    /// What the payment method's counters learn.
    pub transaction: Option<TransactionResult>,
    /// What is added to the run's counters in the payment's currency.
    pub tally: Tally,
}

/// Decides what an outcome changes; `None` when the state machine does not allow it, so that nothing changes twice.
pub fn settle_payment(view: &SettlementView, outcome: &Outcome) -> Option<SettlementEffect> {
    let (event, transaction) = match outcome {
        Outcome::Approved { .. } => (PaymentEvent::Approve, Some(TransactionResult::Approved)),
        Outcome::Declined { .. } => (PaymentEvent::Decline, Some(TransactionResult::Declined)),
        Outcome::Pending { .. } => (PaymentEvent::Defer, None),
        Outcome::NotSent { .. } => (PaymentEvent::Cancel, None),
        Outcome::Unknown { .. } => (PaymentEvent::Lose, None),
    };
    let state = view.state.after(event)?;
    let mut tally = Tally::default();
    let whole = Count { number: 1, amount_minor: view.amount_minor };
    if !state.is_in_doubt() {
        tally.processing = Count { number: -1, amount_minor: -view.amount_minor };
    }
    match state {
        PaymentState::Processed => {
            tally.payments = whole;
            for part in &view.parts {
                let count = match part.kind {
                    DocumentKind::Invoice => &mut tally.unprocessed_invoices,
                    DocumentKind::DebitMemo => &mut tally.unprocessed_debit_memos,
                };
                count.amount_minor -= part.amount_minor;
                count.number -= i64::from(part.balance_minor == part.amount_minor);
            }
        }
        PaymentState::Declined => tally.errors = whole,
        PaymentState::Canceled if outcome.is_kept_back() => tally.errors = whole,
        _ => {}
    }
    Some(SettlementEffect {
        state,
        pays_documents: state == PaymentState::Processed,
        releases_documents: !state.is_in_doubt(),
        transaction,
        tally,
    })
}

/// Adds to an effect what it says about data records: `records` is the payment's
/// [`super::PlannedPayment::records_counted`].
pub fn settle_records(effect: &mut SettlementEffect, records: u32) {
    let records = i64::from(records);
    match effect.state {
        PaymentState::Processed => effect.tally.processed_records += records,
        PaymentState::Declined | PaymentState::Canceled => effect.tally.error_records += records,
        PaymentState::Intent | PaymentState::Pending | PaymentState::Unknown => {}
    }
}
