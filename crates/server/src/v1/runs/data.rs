//! The records of a payment run, with what became of each.

use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{Payment, PaymentState};
use payment_runs_engine::plan::CreditSource;
use payment_runs_engine::ports::ledger::{RecordResult, RecordTransaction};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{
    PaymentRunDataElement, PaymentRunDataResponse, PaymentRunDataResult, PaymentRunTransaction,
    PaymentRunTransactionStatus, PaymentRunTransactionType, ReceivableType,
};

use super::find;
use crate::call::Call;
use crate::failure::store_failure;
use crate::money::{scaled, to_decimal};

/// Records read from the store at once.
const RECORDS_PER_READ: u32 = 1_000;

/// Every record of a run, of which there are none when it was created from filters.
pub(in crate::v1) async fn data(call: &Call<'_>, key: &str) -> Result<PaymentRunDataResponse, Rejection> {
    let run = find(call, key).await?;
    let mut data = Vec::with_capacity(usize::try_from(run.record_count).unwrap_or_default());
    let mut from = 0;
    while from < run.record_count {
        let ledger = &call.app.ports.ledger;
        let records = ledger.list_records(call.scope().entity, run.id, from, RECORDS_PER_READ).await;
        let records = records.map_err(|error| store_failure(&error))?;
        let Some(last) = records.last() else { break };
        from = last.position.saturating_add(1);
        data.extend(records.into_iter().map(element));
    }
    Ok(PaymentRunDataResponse { data, success: true })
}

/// A record as it was given, and what became of it. A record that was not valid has neither amounts nor transactions.
fn element(result: RecordResult) -> PaymentRunDataElement {
    let outcome = outcome(&result);
    let record = result.record;
    let (account_id, account_number) = split(record.account, record.account_is_number);
    let (document_id, document_number) = split(record.document, record.document_is_number);
    PaymentRunDataElement {
        account_id,
        account_number,
        document_type: record.document_kind.map(|kind| Some(receivable_type(kind))),
        document_id,
        document_number,
        amount: record.amount.map(|(mantissa, scale)| Some(scaled(mantissa, scale))),
        payment_method_id: record.payment_method.map(|key| Some(key.to_string())),
        payment_gateway_id: record.gateway.map(|key| Some(key.to_string())),
        comment: record.comment.map(Some),
        standalone: record.standalone.then_some(Some(true)),
        currency: record.currency.map(Some),
        amount_to_collect: outcome.amount_to_collect.map(Some),
        amount_collected: outcome.amount_collected.map(Some),
        result: outcome.result,
        error_code: outcome.error.as_ref().map(|(code, _)| Some(code.clone())),
        error_message: outcome.error.map(|(_, message)| Some(message)),
        transactions: (!outcome.transactions.is_empty()).then_some(outcome.transactions),
        custom_fields: record.custom_fields,
    }
}

/// A key as the identifier or the number that it was given as.
#[expect(clippy::option_option, reason = "the contract tells absent from null")]
fn split(
    key: Option<payment_runs_engine::ids::Key>,
    is_number: bool,
) -> (Option<Option<String>>, Option<Option<String>>) {
    let text = key.map(|key| Some(key.to_string()));
    if is_number { (None, text) } else { (text, None) }
}

fn receivable_type(kind: DocumentKind) -> ReceivableType {
    match kind {
        DocumentKind::Invoice => ReceivableType::Invoice,
        DocumentKind::DebitMemo => ReceivableType::DebitMemo,
    }
}

/// What became of a record.
#[derive(Default)]
struct RecordOutcome {
    amount_to_collect: Option<payment_runs_types::Decimal>,
    amount_collected: Option<payment_runs_types::Decimal>,
    result: Option<PaymentRunDataResult>,
    error: Option<(String, String)>,
    transactions: Vec<PaymentRunTransaction>,
}

fn outcome(result: &RecordResult) -> RecordOutcome {
    if !result.decided {
        return RecordOutcome::default();
    }
    let currency = currency_of(result);
    let is_open = result.transactions.iter().any(|transaction| match transaction {
        RecordTransaction::Payment { payment, .. } => payment.state.is_in_doubt(),
        RecordTransaction::Credit { .. } => false,
    });
    let collected = result.transactions.iter().map(collected_minor).fold(0, i64::saturating_add);
    let in_one_currency = currency.filter(|_| result.amount_to_collect.is_some());
    RecordOutcome {
        amount_to_collect: result.amount_to_collect.map(|(minor, currency)| to_decimal(minor, currency)),
        amount_collected: in_one_currency.map(|currency| to_decimal(collected, currency)),
        result: match (&result.error, is_open) {
            (Some(_), _) => Some(PaymentRunDataResult::Error),
            // Neither of the two documented words is true yet.
            (None, true) => None,
            (None, false) => Some(PaymentRunDataResult::Processed),
        },
        error: result.error.clone(),
        transactions: transactions(result, currency),
    }
}

/// The currency of the record's credits: that of the record where it has one, else that of its first payment.
fn currency_of(result: &RecordResult) -> Option<Currency> {
    let of_payment = || {
        result.transactions.iter().find_map(|transaction| match transaction {
            RecordTransaction::Payment { payment, .. } => Some(payment.currency),
            RecordTransaction::Credit { .. } => None,
        })
    };
    result.amount_to_collect.map(|(_, currency)| currency).or_else(of_payment)
}

/// What a transaction brought in, in minor units.
fn collected_minor(transaction: &RecordTransaction) -> i64 {
    match transaction {
        RecordTransaction::Payment { payment, applied_minor } if payment.state == PaymentState::Processed => {
            *applied_minor
        }
        RecordTransaction::Payment { .. } => 0,
        RecordTransaction::Credit { applied_minor, .. } => *applied_minor,
    }
}

/// Credits first, then payments.
fn transactions(result: &RecordResult, currency: Option<Currency>) -> Vec<PaymentRunTransaction> {
    let credits = result.transactions.iter().filter_map(|transaction| match transaction {
        RecordTransaction::Credit { source, applied_minor } => {
            Some(credit(*source, *applied_minor, currency))
        }
        RecordTransaction::Payment { .. } => None,
    });
    let payments = result.transactions.iter().filter_map(|transaction| match transaction {
        RecordTransaction::Payment { payment, applied_minor } => Some(charge(payment, *applied_minor)),
        RecordTransaction::Credit { .. } => None,
    });
    credits.chain(payments).collect()
}

fn credit(source: CreditSource, applied_minor: i64, currency: Option<Currency>) -> PaymentRunTransaction {
    let (type_, id) = match source {
        CreditSource::CreditMemo(id) => (PaymentRunTransactionType::CreditMemo, id.to_string()),
        CreditSource::UnappliedPayment(id) => (PaymentRunTransactionType::UnappliedPayment, id.to_string()),
        CreditSource::CreditBalance(id) => {
            (PaymentRunTransactionType::CreditBalanceAdjustment, id.to_string())
        }
    };
    PaymentRunTransaction {
        type_: Some(type_),
        id: Some(id),
        applied_amount: currency.map(|currency| to_decimal(applied_minor, currency)),
        ..PaymentRunTransaction::default()
    }
}

fn charge(payment: &Payment, applied_minor: i64) -> PaymentRunTransaction {
    let failed = payment.state == PaymentState::Declined;
    PaymentRunTransaction {
        type_: Some(PaymentRunTransactionType::Payment),
        id: Some(payment.id.to_string()),
        applied_amount: Some(to_decimal(applied_minor, payment.currency)),
        amount: Some(to_decimal(payment.amount_minor, payment.currency)),
        status: Some(match payment.state {
            PaymentState::Processed => PaymentRunTransactionStatus::Processed,
            PaymentState::Declined | PaymentState::Canceled => PaymentRunTransactionStatus::Error,
            PaymentState::Intent | PaymentState::Pending | PaymentState::Unknown => {
                PaymentRunTransactionStatus::Processing
            }
        }),
        error_code: payment.answer.code.clone().filter(|_| failed).map(Some),
        error_message: payment.answer.message.clone().filter(|_| failed).map(Some),
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
