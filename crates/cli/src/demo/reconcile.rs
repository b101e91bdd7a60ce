//! Does the money agree? What the gateway's journal swears is held against what is recorded here and what was owed.
//!
//! A pure decision over three lists, so that each way of being wrong can be shown to be found.

use std::collections::BTreeMap;

use payment_runs_engine::ids::{DocumentId, PaymentId};
use payment_runs_engine::payment::{PaymentPart, PaymentState};

use super::dataset::Owed;

/// Faults told by name; of the others only the number is told.
const EXAMPLES_MAX: usize = 10;

/// How a charge ended at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChargeOutcome {
    /// The money was collected.
    Approved,
    /// No money moved.
    Declined,
    /// It is not settled yet.
    Open,
}

/// One charge that the gateway made. Deliveries that it answered again from its memory are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The payment that names it.
    pub(crate) payment: Option<PaymentId>,
    /// Minor units.
    pub(crate) amount_minor: i64,
    /// Three capital letters.
    pub(crate) currency: String,
    /// How it ended.
    pub(crate) outcome: ChargeOutcome,
}

/// One payment as it is recorded here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The payment.
    pub(crate) payment: PaymentId,
    /// Where it stands.
    pub(crate) state: PaymentState,
    /// Minor units.
    pub(crate) amount_minor: i64,
    /// Three capital letters.
    pub(crate) currency: String,
    /// Which documents it pays.
    pub(crate) parts: Vec<PaymentPart>,
}

/// A way in which the two sides disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Money was taken more than once for a document.
    #[error("money was taken {times} times for the document {document}")]
    ChargedTwice {
        /// The document.
        document: DocumentId,
        /// How often.
        times: u32,
    },
    /// The gateway took money and no processed payment says so.
    #[error("the gateway took money for the payment {0}, which is not recorded as processed")]
    Lost(PaymentId),
    /// The gateway took money for something that is not ours.
    #[error("the gateway took {amount_minor} minor units for a charge that no payment of ours names")]
    Foreign {
        /// How much.
        amount_minor: i64,
    },
    /// A payment is recorded as processed and the gateway took nothing.
    #[error("the payment {0} is recorded as processed, and the gateway took no money for it")]
    Unbacked(PaymentId),
    /// The two amounts differ.
    #[error(
        "the gateway took {charged_minor} minor units for the payment {payment}, which is recorded with {recorded_minor}"
    )]
    Amount {
        /// The payment.
        payment: PaymentId,
        /// Taken.
        charged_minor: i64,
        /// Recorded.
        recorded_minor: i64,
    },
    /// The two currencies differ.
    #[error("the payment {0} was charged in another currency than it is recorded in")]
    Currency(PaymentId),
    /// A document was paid with more or less than it owed.
    #[error("the document {document} owed {owed_minor} minor units and was paid {paid_minor}")]
    Paid {
        /// The document.
        document: DocumentId,
        /// What it owed.
        owed_minor: i64,
        /// What was paid.
        paid_minor: i64,
    },
    /// A payment has no definite outcome.
    #[error("the outcome of the payment {0} is not known yet")]
    InDoubt(PaymentId),
}

/// What came of holding the two sides against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    /// Charges that the gateway made, whatever came of them.
    pub(crate) charges: u64,
    /// Payments recorded as processed.
    pub(crate) collected: u64,
    /// Payments recorded as declined.
    pub(crate) declined: u64,
    /// What the processed payments come to, by currency, in minor units.
    pub(crate) collected_minor: BTreeMap<String, i128>,
    /// What the approved charges come to, by currency, in minor units.
    pub(crate) charged_minor: BTreeMap<String, i128>,
    /// Documents for which money was taken more than once.
    pub(crate) double_charges: u64,
    /// Approved charges without a processed payment.
    pub(crate) lost_payments: u64,
    /// All faults.
    pub(crate) faults: u64,
    /// The first of them.
    pub(crate) examples: Vec<Fault>,
}

impl Reconciliation {
    /// Whether both sides agree in every payment and in their sums.
    pub(crate) fn agrees(&self) -> bool {
        self.faults == 0 && self.collected_minor == self.charged_minor
    }

    fn report(&mut self, fault: Fault) {
        self.faults += 1;
        match fault {
            Fault::ChargedTwice { .. } => self.double_charges += 1,
            Fault::Lost(_) | Fault::Foreign { .. } => self.lost_payments += 1,
            _ => {}
        }
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(fault);
        }
    }
}

/// Holds the gateway's charges against the recorded payments and what was owed. `owed` is sorted by document.
pub(crate) fn reconcile(charges: &[Charge], payments: &[Recorded], owed: &[Owed]) -> Reconciliation {
    let mut result = Reconciliation { charges: charges.len() as u64, ..Reconciliation::default() };
    let by_id: BTreeMap<PaymentId, &Recorded> =
        payments.iter().map(|payment| (payment.payment, payment)).collect();
    let taken = approved_by_payment(charges, &mut result);
    for (id, taken) in &taken {
        match by_id.get(id) {
            Some(recorded) if recorded.state == PaymentState::Processed => {
                compare(recorded, taken, &mut result);
            }
            _ => result.report(Fault::Lost(*id)),
        }
    }
    for payment in payments {
        count_payment(payment, taken.contains_key(&payment.payment), &mut result);
    }
    compare_documents(payments, &taken, owed, &mut result);
    result
}

/// What was taken for one payment.
#[derive(Debug, Default)]
struct Taken {
    times: u32,
    amount_minor: i128,
    currencies: Vec<String>,
}

fn approved_by_payment(charges: &[Charge], result: &mut Reconciliation) -> BTreeMap<PaymentId, Taken> {
    let mut taken: BTreeMap<PaymentId, Taken> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.outcome != ChargeOutcome::Declined) {
        if charge.outcome == ChargeOutcome::Approved {
            *result.charged_minor.entry(charge.currency.clone()).or_default() +=
                i128::from(charge.amount_minor);
        }
        let Some(payment) = charge.payment else {
            result.report(Fault::Foreign { amount_minor: charge.amount_minor });
            continue;
        };
        if charge.outcome == ChargeOutcome::Open {
            continue;
        }
        let entry = taken.entry(payment).or_default();
        entry.times += 1;
        entry.amount_minor += i128::from(charge.amount_minor);
        if !entry.currencies.contains(&charge.currency) {
            entry.currencies.push(charge.currency.clone());
        }
    }
    taken
}

fn compare(recorded: &Recorded, taken: &Taken, result: &mut Reconciliation) {
    if taken.currencies != [recorded.currency.clone()] {
        result.report(Fault::Currency(recorded.payment));
    }
    // More than one charge is a fault of its own, found with the documents.
    if taken.times == 1 && taken.amount_minor != i128::from(recorded.amount_minor) {
        let charged_minor = i64::try_from(taken.amount_minor).unwrap_or(i64::MAX);
        let recorded_minor = recorded.amount_minor;
        result.report(Fault::Amount { payment: recorded.payment, charged_minor, recorded_minor });
    }
}

fn count_payment(payment: &Recorded, backed: bool, result: &mut Reconciliation) {
    match payment.state {
        PaymentState::Processed => {
            result.collected += 1;
            *result.collected_minor.entry(payment.currency.clone()).or_default() +=
                i128::from(payment.amount_minor);
            if !backed {
                result.report(Fault::Unbacked(payment.payment));
            }
        }
        PaymentState::Declined => result.declined += 1,
        PaymentState::Canceled => {}
        PaymentState::Intent | PaymentState::Pending | PaymentState::Unknown => {
            result.report(Fault::InDoubt(payment.payment));
        }
    }
}

/// Counts the charges behind each document and adds up what was recorded as paid.
fn compare_documents(
    payments: &[Recorded],
    taken: &BTreeMap<PaymentId, Taken>,
    owed: &[Owed],
    result: &mut Reconciliation,
) {
    let mut by_document: BTreeMap<DocumentId, (u32, i128)> = BTreeMap::new();
    for payment in payments {
        let times = taken.get(&payment.payment).map_or(0, |taken| taken.times);
        for part in &payment.parts {
            let entry = by_document.entry(part.document).or_default();
            entry.0 += times;
            if payment.state == PaymentState::Processed {
                entry.1 += i128::from(part.amount_minor);
            }
        }
    }
    for (document, (times, paid_minor)) in by_document {
        if times > 1 {
            result.report(Fault::ChargedTwice { document, times });
        }
        let found = owed.binary_search_by_key(&document, |owed| owed.document);
        let owed_minor = found.ok().and_then(|at| owed.get(at)).map_or(0, |owed| owed.amount_minor);
        if paid_minor != 0 && paid_minor != i128::from(owed_minor) {
            let paid_minor = i64::try_from(paid_minor).unwrap_or(i64::MAX);
            result.report(Fault::Paid { document, owed_minor, paid_minor });
        }
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
