//! Payment runs as people and programs read them.

use payment_runs_types::Decimal;
use payment_runs_types::ops::{Decision, Preview};
use payment_runs_types::v1::{PaymentRun, PaymentRunDataResponse};
use serde::Serialize;

use crate::remote::{Shown, maybe};

/// One object, field by field.
pub(super) fn pairs(answer: &impl Serialize) -> anyhow::Result<Shown> {
    Shown::fields(answer)
}

/// Payment runs.
pub(super) fn runs(runs: &[PaymentRun]) -> anyhow::Result<Shown> {
    let row = |run: &PaymentRun| {
        vec![
            run.number.clone(),
            run.status.to_string(),
            maybe(run.target_date.flatten()),
            maybe(run.run_date.flatten()),
            maybe(run.executed_on.flatten()),
            maybe(run.completed_on.flatten()),
            run.id.clone(),
        ]
    };
    let head = ["NUMBER", "STATUS", "TARGET DATE", "RUN DATE", "EXECUTED", "COMPLETED", "ID"];
    Shown::new(&runs, &head, runs.iter().map(row).collect())
}

/// What is said of a payment run that was deleted.
pub(super) fn deleted(answer: &impl Serialize, run: &str) -> anyhow::Result<Shown> {
    Shown::new(answer, &["DELETED"], vec![vec![run.to_owned()]])
}

/// Data records with what became of them.
pub(super) fn data(answer: &PaymentRunDataResponse) -> anyhow::Result<Shown> {
    let rows = answer.data.iter().map(|record| {
        let account = record.account_number.clone().flatten().or_else(|| record.account_id.clone().flatten());
        let document =
            record.document_number.clone().flatten().or_else(|| record.document_id.clone().flatten());
        vec![
            maybe(account),
            maybe(document),
            maybe(record.amount_to_collect.flatten()),
            maybe(record.amount_collected.flatten()),
            maybe(record.result.clone()),
            maybe(record.error_message.clone().flatten()),
        ]
    });
    let head = ["ACCOUNT", "DOCUMENT", "TO COLLECT", "COLLECTED", "RESULT", "ERROR"];
    Shown::new(answer, &head, rows.collect())
}

/// What was decided about documents.
pub(super) fn decisions(decisions: &[Decision]) -> anyhow::Result<Shown> {
    let row = |decision: &Decision| {
        vec![
            decision.document_number.clone(),
            decision.account_id.clone(),
            decision.outcome.to_string(),
            maybe(decision.reason.clone()),
            decision.credit_applied.to_string(),
            decision.amount.to_string(),
            decision.currency.clone(),
            maybe(decision.payment_id.clone()),
        ]
    };
    let head = ["DOCUMENT", "ACCOUNT", "OUTCOME", "REASON", "CREDIT", "CHARGE", "CURRENCY", "PAYMENT"];
    Shown::new(&decisions, &head, decisions.iter().map(row).collect())
}

/// What a payment run would do: its totals, then its decisions.
pub(super) fn preview(preview: &Preview) -> anyhow::Result<Shown> {
    let mut rows: Vec<Vec<String>> = preview
        .decisions
        .iter()
        .map(|decision| {
            vec![
                decision.document_number.clone(),
                decision.account_id.clone(),
                decision.outcome.to_string(),
                maybe(decision.reason.clone()),
                decision.credit_applied.to_string(),
                decision.amount.to_string(),
                decision.currency.clone(),
            ]
        })
        .collect();
    for totals in &preview.totals {
        rows.push(vec![
            "TOTAL".to_owned(),
            format!("{} documents", preview.documents_total),
            format!("{} collected", preview.documents_collected),
            format!("{} skipped", preview.documents_skipped),
            maybe(sum(&[totals.credit_memos, totals.unapplied_payments, totals.credit_balance])),
            totals.payments.to_string(),
            totals.currency.clone(),
        ]);
    }
    let head = ["DOCUMENT", "ACCOUNT", "OUTCOME", "REASON", "CREDIT", "CHARGE", "CURRENCY"];
    Shown::new(preview, &head, rows)
}

/// No currency has amounts with more digits after the point.
const DECIMAL_PLACES_MAX: u32 = 4;

/// The sum of amounts; none where it is larger than an amount can be.
fn sum(amounts: &[Decimal]) -> Option<Decimal> {
    let units = amounts
        .iter()
        .try_fold(0_i64, |sum, amount| sum.checked_add(amount.to_minor_units(DECIMAL_PLACES_MAX)?))?;
    Decimal::from_minor_units(units, DECIMAL_PLACES_MAX).ok()
}
