//! The counts and totals of a payment run.

use payment_runs_engine::money::Currency;
use payment_runs_engine::run::{Count, Run, Tallies, Tally};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{PaymentRunSummaryResponse, PaymentRunSummaryTotalValues};

use super::find;
use crate::call::Call;
use crate::failure::store_failure;
use crate::money::in_words;

/// What a run has done so far.
pub(in crate::v1) async fn summary(
    call: &Call<'_>,
    key: &str,
) -> Result<PaymentRunSummaryResponse, Rejection> {
    let run = find(call, key).await?;
    let tallies = call.app.ports.ledger.run_tallies(call.scope().entity, run.id).await;
    Ok(summarize(&run, &tallies.map_err(|error| store_failure(&error))?))
}

fn summarize(run: &Run, tallies: &Tallies) -> PaymentRunSummaryResponse {
    let count = |part: fn(&Tally) -> i64| Some(tallies.values().map(part).fold(0, i64::saturating_add));
    PaymentRunSummaryResponse {
        number_of_credit_balance_adjustments: count(|tally| tally.credit_balance.number),
        number_of_credit_memos: count(|tally| tally.credit_memos.number),
        number_of_debit_memos: count(|tally| tally.debit_memos.number),
        number_of_error_input_data: count(|tally| tally.error_records),
        number_of_errors: count(|tally| open_or_failed(tally).number),
        number_of_input_data: Some(i64::from(run.record_count)),
        number_of_invoices: count(|tally| tally.invoices.number),
        number_of_payments: count(|tally| tally.payments.number),
        number_of_processed_input_data: count(|tally| tally.processed_records),
        number_of_receivables: count(|tally| receivables(tally).number),
        number_of_unapplied_payments: count(|tally| tally.unapplied_payments.number),
        number_of_unprocessed_debit_memos: count(|tally| tally.unprocessed_debit_memos.number),
        number_of_unprocessed_invoices: count(|tally| tally.unprocessed_invoices.number),
        number_of_unprocessed_receivables: count(|tally| unprocessed(tally).number),
        total_values: Some(tallies.iter().map(|(currency, tally)| totals(*currency, tally)).collect()),
        success: true,
    }
}

fn totals(currency: Currency, tally: &Tally) -> PaymentRunSummaryTotalValues {
    let total = |count: Count| Some(in_words(count.amount_minor, currency));
    PaymentRunSummaryTotalValues {
        total_value_of_receivables: total(receivables(tally)),
        total_value_of_invoices: total(tally.invoices),
        total_value_of_debit_memos: total(tally.debit_memos),
        total_value_of_payments: total(tally.payments),
        total_value_of_errors: total(open_or_failed(tally)),
        total_value_of_credit_memos: total(tally.credit_memos),
        total_value_of_unapplied_payments: total(tally.unapplied_payments),
        total_value_of_credit_balance: total(tally.credit_balance),
        total_value_of_unprocessed_receivables: total(unprocessed(tally)),
        total_value_of_unprocessed_invoices: total(tally.unprocessed_invoices),
        total_value_of_unprocessed_debit_memos: total(tally.unprocessed_debit_memos),
    }
}

fn receivables(tally: &Tally) -> Count {
    sum(tally.invoices, tally.debit_memos)
}

fn unprocessed(tally: &Tally) -> Count {
    sum(tally.unprocessed_invoices, tally.unprocessed_debit_memos)
}

/// The reference counts a payment whose outcome is still open among the errors.
fn open_or_failed(tally: &Tally) -> Count {
    sum(tally.errors, tally.processing)
}

fn sum(one: Count, other: Count) -> Count {
    Count {
        number: one.number.saturating_add(other.number),
        amount_minor: one.amount_minor.saturating_add(other.amount_minor),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{RunId, UserId};
    use payment_runs_engine::run::{RunFilter, RunOptions, RunStatus};
    use serde_json::json;

    use super::*;

    fn run(record_count: u32) -> Run {
        Run {
            id: RunId::from_u128(1),
            number: "PR-00000042".to_owned(),
            status: RunStatus::Completed,
            filter: RunFilter::default(),
            options: RunOptions::default(),
            target_date: None,
            run_at: None,
            organizations: vec![],
            occurrence: None,
            record_count,
            executed_at: None,
            completed_at: None,
            error_message: None,
            stamps: Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(1)),
        }
    }

    fn count(number: i64, amount_minor: i64) -> Count {
        Count { number, amount_minor }
    }

    #[test]
    fn a_summary_tells_credits_and_payments_apart() {
        let tally = Tally {
            debit_memos: count(1, 25_600),
            credit_memos: count(1, 10_000),
            unapplied_payments: count(1, 10_000),
            payments: count(1, 5_600),
            ..Tally::default()
        };
        let summary = summarize(&run(0), &Tallies::from([(Currency::USD, tally)]));
        assert_eq!(
            serde_json::to_value(summary).unwrap(),
            json!({
                "numberOfCreditBalanceAdjustments": 0, "numberOfCreditMemos": 1, "numberOfDebitMemos": 1,
                "numberOfErrorInputData": 0, "numberOfErrors": 0, "numberOfInputData": 0, "numberOfInvoices": 0,
                "numberOfPayments": 1, "numberOfProcessedInputData": 0, "numberOfReceivables": 1,
                "numberOfUnappliedPayments": 1, "numberOfUnprocessedDebitMemos": 0,
                "numberOfUnprocessedInvoices": 0, "numberOfUnprocessedReceivables": 0,
                "totalValues": [{
                    "totalValueOfCreditBalance": "0 USD", "totalValueOfCreditMemos": "100 USD",
                    "totalValueOfDebitMemos": "256 USD", "totalValueOfErrors": "0 USD",
                    "totalValueOfInvoices": "0 USD", "totalValueOfPayments": "56 USD",
                    "totalValueOfReceivables": "256 USD", "totalValueOfUnappliedPayments": "100 USD",
                    "totalValueOfUnprocessedDebitMemos": "0 USD", "totalValueOfUnprocessedInvoices": "0 USD",
                    "totalValueOfUnprocessedReceivables": "0 USD"
                }],
                "success": true
            })
        );
    }

    #[test]
    fn currencies_are_counted_together_and_totalled_apart() {
        let yen = Currency::from_code("JPY").unwrap();
        let one = Tally {
            invoices: count(2, 300),
            errors: count(1, 100),
            processing: count(1, 50),
            unprocessed_invoices: count(2, 150),
            error_records: 1,
            ..Tally::default()
        };
        let other = Tally { invoices: count(1, 7), processed_records: 2, ..Tally::default() };
        let summary = summarize(&run(3), &Tallies::from([(Currency::USD, one), (yen, other)]));
        assert_eq!(summary.number_of_invoices, Some(3));
        assert_eq!(summary.number_of_errors, Some(2));
        assert_eq!(summary.number_of_unprocessed_receivables, Some(2));
        assert_eq!(summary.number_of_input_data, Some(3));
        assert_eq!(
            (summary.number_of_error_input_data, summary.number_of_processed_input_data),
            (Some(1), Some(2))
        );
        let totals = summary.total_values.unwrap();
        let invoices: Vec<_> =
            totals.iter().filter_map(|total| total.total_value_of_invoices.as_deref()).collect();
        assert_eq!(invoices, ["7 JPY", "3 USD"]);
        assert_eq!(totals[1].total_value_of_errors.as_deref(), Some("1.5 USD"));
    }
}
