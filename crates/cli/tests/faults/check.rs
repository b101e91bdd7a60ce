//! What must hold, whatever happened.

use std::collections::BTreeMap;

use payment_runs_gateway::simulator::{JournalEntry, SimulatorHandle};

use crate::ledger::Ledger;

/// The charges by what they pay for, deliveries that moved nothing left out.
fn charges(journal: &[JournalEntry]) -> BTreeMap<&str, Vec<&JournalEntry>> {
    let mut charged: BTreeMap<&str, Vec<&JournalEntry>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| !entry.replay) {
        charged.entry(entry.reference.as_deref().unwrap()).or_default().push(entry);
    }
    charged
}

/// No payment was charged twice.
pub(crate) fn nothing_twice(told: &str, journal: &[JournalEntry]) {
    let twice: Vec<_> = charges(journal).into_iter().filter(|(_, entries)| entries.len() > 1).collect();
    assert!(twice.is_empty(), "{told}: charged twice: {twice:?}");
}

/// Every document once, to the cent, none lost, and the counters say the same.
pub(crate) fn everything_once(
    told: &str,
    ledger: Ledger,
    journal: &[JournalEntry],
    summary: &serde_json::Value,
) {
    nothing_twice(told, journal);
    let charged = charges(journal);
    assert_eq!(charged.len(), ledger.count(), "{told}: a document was lost or charged under two payments");
    let mut amounts: Vec<i64> = charged.values().map(|entries| entries[0].amount_minor).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, ledger.amounts(), "{told}: the amounts differ");
    counters(told, ledger, journal, summary);
}

/// What was approved is counted as such, and all else as errors.
pub(crate) fn counters(told: &str, ledger: Ledger, journal: &[JournalEntry], summary: &serde_json::Value) {
    let approved = journal.iter().filter(|entry| entry.moved_money()).count();
    assert_eq!(summary["numberOfPayments"], approved, "{told}: {summary}");
    assert_eq!(summary["numberOfErrors"], ledger.count() - approved, "{told}: {summary}");
    assert_eq!(summary["numberOfInvoices"], ledger.count(), "{told}: {summary}");
}

/// Tells what a gateway's faults were, for whoever reads the output.
pub(crate) fn tell(told: &str, bank: &SimulatorHandle) {
    let journal = bank.journal();
    let replays = journal.iter().filter(|entry| entry.replay).count();
    let faults: Vec<String> =
        bank.faults().into_iter().map(|(fault, count)| format!("{fault} {count}")).collect();
    println!("{told}: {} charges, {replays} repetitions, {}", journal.len() - replays, faults.join(", "));
}
