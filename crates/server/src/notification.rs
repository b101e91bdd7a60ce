//! How a notification is written: the JSON that endpoints get, and that callers see when they list deliveries.

use payment_runs_engine::ids::{DeliveryId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::notify::{self, EndedPayment, EndedRun, NotificationKind, Subject};
use payment_runs_engine::ports::EncodeNotification;
use payment_runs_engine::run::{RunStatus, Tallies, Tally};
use payment_runs_types::ops::{
    self, MergeFields, Notification, NotifiedPayment, NotifiedPaymentRun, NotifiedTotals, WebhookEvent,
};

use crate::money::{in_words, to_decimal};

/// Characters of the gateway's words, or of a run's error, that are told at most.
const TEXT_CHARS_MAX: usize = 1_000;

/// The kinds inside and on the wire.
const EVENTS: &[(NotificationKind, WebhookEvent)] = &[
    (NotificationKind::RunEnded, WebhookEvent::PaymentRunCompleted),
    (NotificationKind::PaymentProcessed, WebhookEvent::PaymentProcessed),
    (NotificationKind::PaymentDeclined, WebhookEvent::PaymentDeclined),
];

/// A kind as it is told.
pub(crate) fn wire_event(kind: NotificationKind) -> WebhookEvent {
    let found = EVENTS.iter().find(|(inside, _)| *inside == kind);
    found.map_or_else(|| WebhookEvent::Unknown(String::new()), |(_, wire)| wire.clone())
}

/// The kinds that a caller names, each once.
pub(crate) fn kinds_of(events: &[WebhookEvent]) -> Vec<NotificationKind> {
    EVENTS.iter().filter(|(_, wire)| events.contains(wire)).map(|(inside, _)| *inside).collect()
}

/// Writes notifications as the contract says.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotificationWriter;

impl EncodeNotification for NotificationWriter {
    fn encode(&self, delivery: DeliveryId, notification: &notify::Notification) -> Vec<u8> {
        let written = serde_json::to_vec(&write(delivery, notification));
        written.unwrap_or_else(|error| {
            // Only a map with keys that are no text has no JSON form, and there is none.
            tracing::error!(%error, %delivery, "a notification could not be written");
            Vec::new()
        })
    }
}

fn write(delivery: DeliveryId, notification: &notify::Notification) -> Notification {
    let (payment_run, payment, merge_fields) = match &notification.subject {
        Subject::Run(ended) => (Some(write_run(ended)), None, run_fields(ended)),
        Subject::Payment(ended) => (None, Some(write_payment(ended)), payment_fields(ended)),
    };
    Notification {
        id: delivery.to_string(),
        event: wire_event(notification.kind),
        category: i32::try_from(notification.kind.category()).unwrap_or_default(),
        occurred_at: notification.at.into(),
        entity_id: notification.entity.to_string(),
        payment_run,
        payment,
        merge_fields,
    }
}

fn write_run(ended: &EndedRun) -> NotifiedPaymentRun {
    let EndedRun { run, target_date, tallies } = ended;
    NotifiedPaymentRun {
        id: run.id.to_string(),
        number: run.number.clone(),
        status: wire_status(run.status),
        target_date: target_date.map(Into::into),
        started_at: run.executed_at.map(Into::into),
        completed_at: run.completed_at.map(Into::into),
        error_message: run.error_message.as_deref().map(cut),
        invoices: count(tallies, |tally| tally.invoices.number),
        debit_memos: count(tallies, |tally| tally.debit_memos.number),
        payments_processed: count(tallies, |tally| tally.payments.number),
        payments_errors: count(tallies, |tally| tally.errors.number),
        payments_in_doubt: count(tallies, |tally| tally.processing.number),
        totals: tallies.iter().map(|(currency, tally)| totals(*currency, tally)).collect(),
    }
}

fn totals(currency: Currency, tally: &Tally) -> NotifiedTotals {
    NotifiedTotals {
        currency: currency.to_string(),
        invoices: to_decimal(tally.invoices.amount_minor, currency),
        debit_memos: to_decimal(tally.debit_memos.amount_minor, currency),
        payments: to_decimal(tally.payments.amount_minor, currency),
        errors: to_decimal(tally.errors.amount_minor, currency),
    }
}

fn write_payment(ended: &EndedPayment) -> NotifiedPayment {
    let EndedPayment { payment, account_number, run_number } = ended;
    NotifiedPayment {
        id: payment.id.to_string(),
        number: payment.number.clone(),
        account_id: payment.account.to_string(),
        account_number: account_number.clone(),
        payment_run_id: payment.run.map(|run| run.to_string()),
        payment_run_number: run_number.clone(),
        amount: to_decimal(payment.amount_minor, payment.currency),
        currency: payment.currency.to_string(),
        gateway_id: payment.gateway.map(|gateway| gateway.to_string()),
        gateway_reference: payment.answer.reference.as_deref().map(cut),
        gateway_code: payment.answer.code.as_deref().map(cut),
        gateway_message: payment.answer.message.as_deref().map(cut),
    }
}

fn run_fields(ended: &EndedRun) -> MergeFields {
    let EndedRun { run, target_date, tallies } = ended;
    let total = |part: fn(&Tally) -> i64| {
        let amounts = tallies.iter().map(|(currency, tally)| in_words(part(tally), *currency));
        let amounts: Vec<String> = amounts.collect();
        if amounts.is_empty() { "0".to_owned() } else { amounts.join(", ") }
    };
    MergeFields {
        payment_run_payment_run_status: Some(v1_status(run.status).to_owned()),
        payment_run_target_date: target_date.map(|date| date.to_string()),
        payment_run_numberof_invoices_generated: Some(
            count(tallies, |tally| tally.invoices.number).to_string(),
        ),
        payment_run_numberof_payments_collected: Some(
            count(tallies, |tally| tally.payments.number).to_string(),
        ),
        payment_run_summary_total_valueof_invoices: Some(total(|tally| tally.invoices.amount_minor)),
        payment_run_summary_total_valueof_payments_applied: Some(total(|tally| tally.payments.amount_minor)),
        ..fields_of(run.id, &run.number)
    }
}

fn payment_fields(ended: &EndedPayment) -> MergeFields {
    match (ended.payment.run, &ended.run_number) {
        (Some(run), Some(number)) => fields_of(run, number),
        _ => MergeFields::default(),
    }
}

/// The fields by which a run is found.
fn fields_of(run: RunId, number: &str) -> MergeFields {
    MergeFields {
        payment_run_id: Some(run.to_string()),
        payment_run_payment_run_id: Some(number.to_owned()),
        payment_run_payment_run_access_url: Some(format!("/v1/payment-runs/{run}")),
        ..MergeFields::default()
    }
}

fn count(tallies: &Tallies, part: fn(&Tally) -> i64) -> i64 {
    tallies.values().map(part).fold(0, i64::saturating_add)
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// The status as the operations API writes it.
pub(crate) fn wire_status(status: RunStatus) -> ops::RunStatus {
    match status {
        RunStatus::Pending => ops::RunStatus::Pending,
        RunStatus::Processing => ops::RunStatus::Processing,
        RunStatus::Completed => ops::RunStatus::Completed,
        RunStatus::Error => ops::RunStatus::Failed,
        RunStatus::Canceled => ops::RunStatus::Canceled,
    }
}

fn v1_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "Pending",
        RunStatus::Processing => "Processing",
        RunStatus::Completed => "Completed",
        RunStatus::Error => "Error",
        RunStatus::Canceled => "Canceled",
    }
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
