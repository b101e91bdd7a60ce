//! The result of the demo, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use payment_runs_engine::money::{Currency, Money};
use payment_runs_types::v1::PaymentRunSummaryResponse;
use serde::Serialize;

use super::reconcile::Reconciliation;

/// Everything the demo learnt.
#[derive(Debug)]
pub(crate) struct Findings {
    /// The run's number.
    pub(crate) run: String,
    /// The run's summary, as the API answers it.
    pub(crate) summary: PaymentRunSummaryResponse,
    /// Documents that met the run's filters, whatever was decided.
    pub(crate) receivables: u64,
    /// Documents that were skipped, by reason.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// The books.
    pub(crate) books: Reconciliation,
    /// From the request to the end of the run.
    pub(crate) elapsed: Duration,
    /// Charges a second that the bare gateway takes on this machine now.
    pub(crate) bare_charges_per_s: u64,
}

/// The result as one line of JSON.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    receivables: u64,
    collected: u64,
    declined: u64,
    skipped: u64,
    amount_collected: String,
    currency: String,
    gateway_charges: u64,
    double_charges: u64,
    lost_payments: u64,
    faults: u64,
    reconciled: bool,
    elapsed_ms: u64,
    receivables_per_second: u64,
    gateway_calls_per_second: u64,
    percent_of_gateway_rate: u64,
}

impl Findings {
    /// Whether every part agrees: the books with the journal, and the summary with the books.
    pub(crate) fn reconciles(&self) -> bool {
        let counted = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        self.books.agrees()
            && counted(self.summary.number_of_payments) == self.books.collected
            && counted(self.summary.number_of_errors) == self.books.declined
            && self.receivables == counted(self.summary.number_of_receivables) + self.skipped_total()
    }

    fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    fn receivables_per_s(&self) -> u64 {
        let ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        self.books.charges.saturating_mul(1_000) / ms
    }

    fn percent_of_bare(&self) -> u64 {
        self.receivables_per_s().saturating_mul(100) / self.bare_charges_per_s.max(1)
    }

    fn collected_usd(&self) -> String {
        let minor = self.books.collected_minor.get(Currency::USD.code()).copied().unwrap_or(0);
        Money::new(i64::try_from(minor).unwrap_or(i64::MAX), Currency::USD).to_string()
    }

    /// The line that programs read.
    pub(crate) fn line(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Line {
            receivables: self.receivables,
            collected: self.books.collected,
            declined: self.books.declined,
            skipped: self.skipped_total(),
            amount_collected: self.collected_usd(),
            currency: Currency::USD.code().to_owned(),
            gateway_charges: self.books.charges,
            double_charges: self.books.double_charges,
            lost_payments: self.books.lost_payments,
            faults: self.books.faults,
            reconciled: self.reconciles(),
            elapsed_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            receivables_per_second: self.receivables_per_s(),
            gateway_calls_per_second: self.bare_charges_per_s,
            percent_of_gateway_rate: self.percent_of_bare(),
        })
    }

    /// The tables that people read.
    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        self.summary_table(&mut text);
        self.skip_table(&mut text);
        self.books_table(&mut text);
        self.speed(&mut text);
        text
    }

    fn summary_table(&self, text: &mut String) {
        let summary = &self.summary;
        let seconds = self.elapsed.as_millis();
        line(
            text,
            &format!("Payment run {} completed in {}.{:03} s.", self.run, seconds / 1_000, seconds % 1_000),
        );
        line(text, "");
        row(text, "Summary", "Count", "Amount");
        let of = |amount: fn(&payment_runs_types::v1::PaymentRunSummaryTotalValues) -> Option<&String>| {
            let totals = summary.total_values.iter().flatten();
            totals.filter_map(amount).cloned().collect::<Vec<_>>().join(", ")
        };
        let count = |number: Option<i64>| grouped(number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
        row(
            text,
            "  receivables picked up",
            &count(summary.number_of_receivables),
            &of(|total| total.total_value_of_receivables.as_ref()),
        );
        row(
            text,
            "  payments collected",
            &count(summary.number_of_payments),
            &of(|total| total.total_value_of_payments.as_ref()),
        );
        row(
            text,
            "  payments declined",
            &count(summary.number_of_errors),
            &of(|total| total.total_value_of_errors.as_ref()),
        );
        row(
            text,
            "  receivables still open",
            &count(summary.number_of_unprocessed_receivables),
            &of(|total| total.total_value_of_unprocessed_receivables.as_ref()),
        );
        line(text, "");
    }

    fn skip_table(&self, text: &mut String) {
        row(text, "Skipped, and why", "Count", "");
        for (reason, count) in &self.skipped {
            row(text, &format!("  {reason}"), &grouped(*count), "");
        }
        if self.skipped.is_empty() {
            row(text, "  none", "0", "");
        }
        line(text, "");
    }

    fn books_table(&self, text: &mut String) {
        let books = &self.books;
        row(text, "Reconciled with the gateway's journal", "Count", "Amount");
        row(text, "  charges at the gateway", &grouped(books.charges), "");
        row(text, "  taken by the gateway", "", &amounts(&books.charged_minor));
        row(text, "  recorded as collected", &grouped(books.collected), &amounts(&books.collected_minor));
        row(text, "  documents charged twice", &grouped(books.double_charges), "");
        row(text, "  payments lost", &grouped(books.lost_payments), "");
        for fault in &books.examples {
            line(text, &format!("  FAULT: {fault}"));
        }
        let verdict = if self.reconciles() { "  Every cent agrees." } else { "  THE BOOKS DO NOT AGREE." };
        line(text, verdict);
        line(text, "");
    }

    fn speed(&self, text: &mut String) {
        line(
            text,
            &format!(
                "{} receivables a second: {} % of the {} bare calls a second that the simulator takes here.",
                grouped(self.receivables_per_s()),
                self.percent_of_bare(),
                grouped(self.bare_charges_per_s),
            ),
        );
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words.trim_end());
    text.push('\n');
}

fn row(text: &mut String, name: &str, count: &str, amount: &str) {
    let mut words = String::new();
    // Writing to a string cannot fail.
    let _ = write!(words, "{name:<38}{count:>14}{amount:>26}");
    line(text, &words);
}

fn amounts(by_currency: &BTreeMap<String, i128>) -> String {
    let written = by_currency.iter().map(|(code, minor)| {
        let minor = i64::try_from(*minor).unwrap_or(i64::MAX);
        match Currency::from_code(code) {
            Ok(currency) => format!("{} {currency}", Money::new(minor, currency)),
            Err(_) => format!("{minor} minor units of {code}"),
        }
    });
    written.collect::<Vec<_>>().join(", ")
}

/// A number with its thousands set apart: `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
