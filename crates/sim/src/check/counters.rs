//! The counters of runs, counted again from the rows: every field of every currency.

use std::collections::{BTreeMap, BTreeSet};

use super::Books;
use super::rows::{CANCELED, Counters, DECLINED, Id, PROCESSED, RunRow};

/// The code of an invoice.
const INVOICE: i64 = 0;

type ByCurrency = BTreeMap<String, Counters>;

/// Counts something with an amount.
fn add(counters: &mut ByCurrency, currency: &str, name: &str, number: i64, amount: i64) {
    let counters = counters.entry(currency.to_owned()).or_default();
    *counters.entry(name.to_owned()).or_default() += number;
    *counters.entry(format!("{name}_minor")).or_default() += amount;
}

impl Books<'_> {
    /// Every run's counters are what its decisions, credits and payments say.
    pub(super) fn check_counters(&mut self) {
        let mut wrong = Vec::new();
        for run in &self.rows.runs {
            let mut kept: ByCurrency = BTreeMap::new();
            for ((of, currency), counters) in &self.rows.counters {
                if *of == run.id {
                    kept.insert(currency.clone(), counters.clone());
                }
            }
            wrong.extend(self.check_records(run, &kept));
            let mut counted = self.recount(run);
            for counters in kept.values_mut().chain(counted.values_mut()) {
                counters.remove("processed_records");
                counters.remove("error_records");
                counters.retain(|_, value| *value != 0);
            }
            kept.retain(|_, counters| !counters.is_empty());
            counted.retain(|_, counters| !counters.is_empty());
            if kept != counted {
                wrong.push(format!("{} counts {kept:?}, but the books say {counted:?}", run.number));
            }
        }
        self.fail_all(wrong);
    }

    fn recount(&self, run: &RunRow) -> ByCurrency {
        let mut counters = ByCurrency::new();
        let mut paid: BTreeMap<Id, i64> = BTreeMap::new();
        for payment in self.rows.payments.values().filter(|one| one.run == Some(run.id)) {
            let name = match payment.state {
                PROCESSED => "payments",
                CANCELED if payment.is_stopped => continue,
                DECLINED | CANCELED => "errors",
                _ => "processing",
            };
            add(&mut counters, &payment.currency, name, 1, payment.amount);
            for (document, amount) in payment.parts.iter().filter(|_| payment.state == PROCESSED) {
                *paid.entry(*document).or_default() += amount;
            }
        }
        let mut currencies: BTreeMap<Id, &str> = BTreeMap::new();
        for one in self.rows.decisions.iter().filter(|one| one.run == run.id) {
            currencies.insert(one.document, &one.currency);
            if one.is_skipped {
                *counters
                    .entry(one.currency.clone())
                    .or_default()
                    .entry("skipped".to_owned())
                    .or_default() += 1;
                continue;
            }
            let (picked, rest) = if one.kind == INVOICE {
                ("invoices", "unprocessed_invoices")
            } else {
                ("debit_memos", "unprocessed_debit_memos")
            };
            add(&mut counters, &one.currency, picked, 1, one.balance);
            let left = one.balance - one.credit - paid.get(&one.document).copied().unwrap_or_default();
            if left != 0 {
                add(&mut counters, &one.currency, rest, 1, left);
            }
        }
        self.recount_credits(run, &currencies, &mut counters);
        counters
    }

    /// A credit memo or a payment counts once in a run however many documents it pays, credit balance each time.
    fn recount_credits(&self, run: &RunRow, currencies: &BTreeMap<Id, &str>, counters: &mut ByCurrency) {
        let mut seen = BTreeSet::new();
        for credit in self.rows.credits.iter().filter(|one| one.run == run.id) {
            let Some(currency) = currencies.get(&credit.document) else { continue };
            let is_new = seen.insert((credit.source_kind, credit.source));
            let (name, number) = match credit.source_kind {
                0 => ("credit_memos", i64::from(is_new)),
                1 => ("unapplied_payments", i64::from(is_new)),
                _ => ("credit_balance", 1),
            };
            add(counters, currency, name, number, credit.amount);
        }
    }

    /// Every data record is decided, and counts once: at once, or with the outcome of its payment.
    fn check_records(&self, run: &RunRow, kept: &ByCurrency) -> Vec<String> {
        let mut wrong = Vec::new();
        let records = || self.rows.records.iter().filter(|one| one.run == run.id);
        let count = |is: &dyn Fn(bool, bool) -> bool| {
            let all = records().filter(|one| one.is_decided && is(one.has_error, one.has_payment));
            i64::try_from(all.count()).unwrap_or(i64::MAX)
        };
        let of_state = |is: &dyn Fn(i64) -> bool| {
            let of_run = self.rows.payments.values().filter(|one| one.run == Some(run.id));
            of_run.filter(|one| is(one.state)).map(|one| one.records_counted).sum::<i64>()
        };
        if run.executed_at.is_some() && run.status == 2 && records().any(|one| !one.is_decided) {
            wrong.push(format!("{} has left a data record undecided", run.number));
        }
        let waiting = count(&|has_error, has_payment| !has_error && has_payment);
        if waiting != of_state(&|_| true) {
            wrong.push(format!("{waiting} records of {} wait for payments that count others", run.number));
        }
        let processed = count(&|has_error, has_payment| !has_error && !has_payment)
            + of_state(&|state| state == PROCESSED);
        let failed =
            count(&|has_error, _| has_error) + of_state(&|state| state == DECLINED || state == CANCELED);
        let told = |name: &str| kept.values().filter_map(|counters| counters.get(name)).sum::<i64>();
        let says = (told("processed_records"), told("error_records"));
        if says != (processed, failed) {
            wrong.push(format!(
                "{} counts {says:?} records, but there are {:?}",
                run.number,
                (processed, failed)
            ));
        }
        wrong
    }
}
