//! What a run did, in numbers.

use payment_runs_engine::money::Currency;
use payment_runs_engine::run::{Tallies, Tally};
use payment_runs_types::v2::PaymentRunSummary;

/// The counts of all currencies together, and the totals in whole major units where there is only one currency.
pub(super) fn summarize(tallies: &Tallies) -> PaymentRunSummary {
    let count = |part: fn(&Tally) -> i64| Some(tallies.values().map(part).fold(0, i64::saturating_add));
    let total = |part: fn(&Tally) -> i64| total(tallies, part);
    PaymentRunSummary {
        number_of_errors: count(|tally| tally.errors.number + tally.processing.number),
        number_of_invoices: count(|tally| tally.invoices.number),
        number_of_payments: count(|tally| tally.payments.number),
        number_of_credit_memos: count(|tally| tally.credit_memos.number),
        number_of_debit_memos: count(|tally| tally.debit_memos.number),
        number_of_unprocessed_debit_memos: count(|tally| tally.unprocessed_debit_memos.number),
        number_of_unapplied_payments: count(|tally| tally.unapplied_payments.number),
        number_of_unprocessed_receivables: count(|tally| {
            tally.unprocessed_invoices.number + tally.unprocessed_debit_memos.number
        }),
        errors_total: total(|tally| tally.errors.amount_minor.saturating_add(tally.processing.amount_minor)),
        invoices_total: total(|tally| tally.invoices.amount_minor),
        payments_total: total(|tally| {
            tally.payments.amount_minor.saturating_add(tally.unapplied_payments.amount_minor)
        }),
        unprocessed_receivables_total: total(|tally| {
            tally.unprocessed_invoices.amount_minor.saturating_add(tally.unprocessed_debit_memos.amount_minor)
        }),
    }
}

/// The contract has whole numbers here, so what does not fill a major unit is dropped. Amounts of several currencies have
/// no sum.
fn total(tallies: &Tallies, part: fn(&Tally) -> i64) -> Option<i64> {
    match tallies.len() {
        0 => Some(0),
        1 => tallies.iter().next().map(|(currency, tally)| part(tally) / unit(*currency)),
        _ => None,
    }
}

/// Minor units in a major unit.
fn unit(currency: Currency) -> i64 {
    10_i64.checked_pow(u32::from(currency.exponent())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::run::Count;

    use super::*;

    #[test]
    fn totals_are_whole_major_units_of_one_currency() {
        let count = |number, amount_minor| Count { number, amount_minor };
        let tally = Tally {
            invoices: count(2, 25_699),
            payments: count(1, 10_050),
            unapplied_payments: count(1, 5_000),
            errors: count(1, 500),
            processing: count(1, 600),
            ..Tally::default()
        };
        let summary = summarize(&Tallies::from([(Currency::USD, tally)]));
        assert_eq!((summary.number_of_errors, summary.errors_total), (Some(2), Some(11)));
        assert_eq!((summary.number_of_invoices, summary.invoices_total), (Some(2), Some(256)));
        assert_eq!((summary.number_of_payments, summary.payments_total), (Some(1), Some(150)));
        let yen = Currency::from_code("JPY").unwrap();
        let mixed = summarize(&Tallies::from([(Currency::USD, tally), (yen, tally)]));
        assert_eq!((mixed.number_of_invoices, mixed.invoices_total), (Some(4), None));
        let none = summarize(&Tallies::new());
        assert_eq!((none.number_of_payments, none.payments_total), (Some(0), Some(0)));
    }
}
