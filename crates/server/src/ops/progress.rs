//! How far a payment run is.

use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::ledger;
use payment_runs_engine::run::Tally;
use payment_runs_stubs::Rejection;
use payment_runs_types::ops::{CurrencyAmount, Progress};

use super::no_run;
use crate::call::Call;
use crate::failure::store_failure;
use crate::money::to_decimal;
use crate::notification::wire_status;

/// The counters of a run as they are now.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<Progress, Rejection> {
    let found = call.app.ports.ledger.run_progress(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.map(|progress| write(&progress)).ok_or_else(|| no_run(key))
}

pub(super) fn write(progress: &ledger::Progress) -> Progress {
    let count = |part: fn(&Tally) -> i64| progress.tallies.values().map(part).fold(0, i64::saturating_add);
    let collected = count(|tally| tally.invoices.number.saturating_add(tally.debit_memos.number));
    let skipped = count(|tally| tally.skipped);
    let paid = progress.tallies.iter().filter(|(_, tally)| tally.payments.number > 0);
    let (chunks_total, chunks_done) = progress.chunks;
    let run = &progress.run;
    Progress {
        payment_run_id: run.id.to_string(),
        payment_run_number: run.number.clone(),
        status: wire_status(run.status),
        stopping: progress.stopping,
        documents_total: i64::try_from(progress.documents_selected).unwrap_or(i64::MAX),
        documents_planned: collected.saturating_add(skipped),
        documents_collected: collected,
        documents_skipped: skipped,
        payments_processed: count(|tally| tally.payments.number),
        payments_errors: count(|tally| tally.errors.number),
        payments_in_doubt: count(|tally| tally.processing.number),
        amount_collected: paid
            .map(|(currency, tally)| CurrencyAmount {
                currency: currency.to_string(),
                amount: to_decimal(tally.payments.amount_minor, *currency),
            })
            .collect(),
        chunks_total: i64::from(chunks_total),
        chunks_done: i64::from(chunks_done),
        started_at: run.executed_at.map(Into::into),
        completed_at: run.completed_at.map(Into::into),
        error_message: run.error_message.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::ids::{RunId, UserId};
    use payment_runs_engine::money::Currency;
    use payment_runs_engine::run::{Count, Run, RunFilter, RunOptions, RunStatus, Tallies};
    use serde_json::json;

    use super::*;

    #[test]
    fn counters_are_summed_over_currencies() {
        let at = "2024-07-28T09:15:31Z".parse().unwrap();
        let count = |number, amount_minor| Count { number, amount_minor };
        let usd = Tally {
            invoices: count(5, 900),
            debit_memos: count(1, 100),
            skipped: 2,
            payments: count(3, 8_391_107),
            errors: count(1, 7),
            processing: count(2, 9),
            ..Tally::default()
        };
        let eur = Tally { invoices: count(1, 5), processing: count(1, 5), ..Tally::default() };
        let progress = ledger::Progress {
            run: Run {
                id: RunId::from_u128(1),
                number: "PR-00000006".to_owned(),
                status: RunStatus::Processing,
                filter: RunFilter::default(),
                options: RunOptions::default(),
                target_date: None,
                run_at: None,
                organizations: vec![],
                occurrence: None,
                record_count: 0,
                executed_at: Some(at),
                completed_at: None,
                error_message: None,
                stamps: Stamps::new(at, UserId::from_u128(1)),
            },
            documents_selected: 12,
            selection_complete: false,
            stopping: true,
            chunks: (3, 1),
            tallies: Tallies::from([(Currency::USD, usd), (Currency::from_code("EUR").unwrap(), eur)]),
        };
        assert_eq!(
            serde_json::to_value(write(&progress)).unwrap(),
            json!({
                "payment_run_id": format!("{:032x}", 1), "payment_run_number": "PR-00000006",
                "status": "processing", "stopping": true, "documents_total": 12, "documents_planned": 9, "documents_collected": 7,
                "documents_skipped": 2, "payments_processed": 3, "payments_errors": 1, "payments_in_doubt": 3,
                "amount_collected": [{"currency": "USD", "amount": 83_911.07}], "chunks_total": 3, "chunks_done": 1,
                "started_at": "2024-07-28T09:15:31Z", "completed_at": null, "error_message": null
            })
        );
    }
}
