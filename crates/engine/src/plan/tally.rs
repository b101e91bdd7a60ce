//! What a plan adds to the counters of its run at once.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{ChunkPlan, ChunkView, CreditSource, RecordView};
use crate::document::DocumentKind;
use crate::money::Currency;
use crate::run::{Count, Decision, Tallies, Tally};

/// Adds to a counter. One that cannot grow any more stays at its bound instead of wrapping.
fn add(count: &mut Count, number: i64, amount_minor: i64) {
    count.number = count.number.saturating_add(number);
    count.amount_minor = count.amount_minor.saturating_add(amount_minor);
}

/// Counts a plan by currency.
pub(super) fn tally_plan(view: &ChunkView, plan: &ChunkPlan) -> Tallies {
    let mut tallies = Tallies::new();
    for decision in &plan.decisions {
        tally_decision(tallies.entry(decision.currency).or_default(), decision);
    }
    tally_credits(&mut tallies, view, plan);
    for payment in &plan.payments {
        let tally = tallies.entry(payment.currency).or_default();
        add(&mut tally.processing, 1, payment.amount_minor);
    }
    tally_records(&mut tallies, view, plan);
    tallies
}

/// Counts one document.
fn tally_decision(tally: &mut Tally, decision: &Decision) {
    if decision.skipped.is_some() {
        tally.skipped = tally.skipped.saturating_add(1);
        return;
    }
    let rest_minor = decision.balance_minor - decision.credit_minor;
    let (picked, unprocessed) = match decision.kind {
        DocumentKind::Invoice => (&mut tally.invoices, &mut tally.unprocessed_invoices),
        DocumentKind::DebitMemo => (&mut tally.debit_memos, &mut tally.unprocessed_debit_memos),
    };
    add(picked, 1, decision.balance_minor);
    if rest_minor > 0 {
        add(unprocessed, 1, rest_minor);
    }
}

/// Counts credits: a memo or payment once in a run however many documents it pays, a use of credit balance each time.
fn tally_credits(tallies: &mut Tallies, view: &ChunkView, plan: &ChunkPlan) {
    let currencies: BTreeMap<_, _> = plan.decisions.iter().map(|one| (one.document, one.currency)).collect();
    let mut seen = view.used.clone();
    for credit in &plan.credit_uses {
        let Some(&currency) = currencies.get(&credit.document) else { continue };
        let is_new = seen.insert(credit.source);
        let tally = tallies.entry(currency).or_default();
        let (count, number) = match credit.source {
            CreditSource::CreditMemo(_) => (&mut tally.credit_memos, i64::from(is_new)),
            CreditSource::UnappliedPayment(_) => (&mut tally.unapplied_payments, i64::from(is_new)),
            CreditSource::CreditBalance(_) => (&mut tally.credit_balance, 1),
        };
        add(count, number, credit.amount_minor);
    }
}

/// Counts the records whose fate is known already: refused ones, and those that need no payment. The others count with
/// the outcome of their payment, see [`super::settle_records`].
fn tally_records(tallies: &mut Tallies, view: &ChunkView, plan: &ChunkPlan) {
    let waiting: BTreeSet<u32> =
        plan.payments.iter().flat_map(|one| &one.record_shares).map(|share| share.position).collect();
    let views: BTreeMap<u32, &RecordView> = view.records.iter().map(|one| (one.position, one)).collect();
    for outcome in &plan.records {
        if outcome.error.is_none() && waiting.contains(&outcome.position) {
            continue;
        }
        let known = outcome.amount_to_collect.map(|(_, currency)| currency);
        let currency = known.unwrap_or_else(|| record_currency(view, views.get(&outcome.position).copied()));
        let tally = tallies.entry(currency).or_default();
        match outcome.error {
            Some(_) => tally.error_records = tally.error_records.saturating_add(1),
            None => tally.processed_records = tally.processed_records.saturating_add(1),
        }
    }
}

/// Under which currency a record without an amount is counted: its document's, its account's. A record that names
/// nothing we know counts under the dollar, where it adds to no amount.
fn record_currency(view: &ChunkView, record: Option<&RecordView>) -> Currency {
    let document = record.and_then(|one| one.document.as_ref()).map(|document| document.currency);
    let account = || {
        let id = record.and_then(|one| one.account)?;
        view.accounts.iter().find(|one| one.account.id == id).map(|one| one.account.currency)
    };
    document.or_else(account).unwrap_or(Currency::USD)
}
