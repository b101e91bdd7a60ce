//! Debit memos.

use payment_runs_engine::command::{Command, NewDocument};
use payment_runs_engine::document::{Document, DocumentItem, DocumentKind};
use payment_runs_engine::ids::{DocumentId, Key};
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{CreateDebitMemoRequest, DebitMemoResponse, MemoCharge};

use super::invoices::{NO_BILL_RUNS, status};
use super::owner::{self, Owner};
use crate::call::{Call, unexpected_output};
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::money::{sum_minor, to_decimal};
use crate::refused::{Wording, not_found};
use crate::time::Zone;

const WORDING: Wording = Wording { name, state: Some((Noun::DebitMemo, "only a draft can be posted")) };

fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "debitMemoKey",
        other => owner::name(other),
    }
}

/// Creates a debit memo.
pub(super) async fn create(
    call: &Call<'_>,
    body: CreateDebitMemoRequest,
) -> Result<DebitMemoResponse, Rejection> {
    let mut faults = Faults::default();
    let (id, number) = (body.account_id.as_deref(), body.account_number.as_deref());
    let owner = Owner::read(call, id, number, body.currency.as_deref(), &mut faults).await?;
    faults.unsupported("billRunId", body.bill_run_id.is_some(), NO_BILL_RUNS);
    let items = read_charges(&owner, body.charges, &mut faults);
    faults.finish()?;
    let zone = Zone::of(&call.settings().await?);
    let document = NewDocument {
        id: DocumentId::from_u128(call.app.ports.ids.next_id()),
        kind: DocumentKind::DebitMemo,
        number: body.number,
        account: owner.key(),
        currency: owner.currency,
        items,
        document_date: body.effective_date.map_or_else(|| zone.date(call.app.now()), Into::into),
        due_date: body.due_date.map(Into::into),
        auto_pay: body.auto_pay.unwrap_or(true),
        post: body.auto_post.unwrap_or(false),
        bill_run: None,
        payment_method: body.payment_method_id.map(Key::new),
        comment: body.comment,
        reason_code: body.reason_code,
    };
    let account_number = owner.account.map(|account| account.number);
    let answer = move |output: &Output| match output {
        Output::Document(document) => Some(write(document, account_number.clone())),
        _ => None,
    };
    call.execute(Command::CreateDocument(document), &WORDING, answer).await
}

/// The charges of a memo as items.
pub(super) fn read_charges(
    owner: &Owner,
    charges: Vec<MemoCharge>,
    faults: &mut Faults,
) -> Vec<DocumentItem> {
    let read: Vec<DocumentItem> = charges
        .into_iter()
        .enumerate()
        .map(|(at, charge)| DocumentItem {
            amount_minor: owner.minor(&format!("charges[{at}].amount"), charge.amount, faults),
            tax_minor: 0,
            charge_name: charge.description,
            service_start: charge.service_start_date.map(Into::into),
            service_end: charge.service_end_date.map(Into::into),
        })
        .collect();
    if sum_minor(read.iter().map(|item| item.amount_minor)).is_none() {
        faults.invalid("charges", "is too large in all");
    }
    read
}

/// One debit memo.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<DebitMemoResponse, Rejection> {
    let ledger = &call.app.ports.ledger;
    let found = ledger.find_document(call.scope(), DocumentKind::DebitMemo, &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    let document = found.ok_or_else(|| not_found(Noun::DebitMemo, key))?;
    with_account_number(call, &document).await
}

/// Posts a draft.
pub(super) async fn post(call: &Call<'_>, key: &str) -> Result<DebitMemoResponse, Rejection> {
    let command = Command::PostDocument(DocumentKind::DebitMemo, Key::new(key));
    match call.run(command, &WORDING).await? {
        Output::Document(document) => with_account_number(call, &document).await,
        _ => Err(unexpected_output()),
    }
}

async fn with_account_number(call: &Call<'_>, document: &Document) -> Result<DebitMemoResponse, Rejection> {
    let numbers = call.app.ports.ledger.account_numbers(call.scope().entity, &[document.account]).await;
    let numbers = numbers.map_err(|error| store_failure(&error))?;
    Ok(write(document, numbers.into_iter().next().map(|(_, number)| number)))
}

fn write(document: &Document, account_number: Option<String>) -> DebitMemoResponse {
    let amount = |minor: i64| to_decimal(minor, document.currency);
    DebitMemoResponse {
        success: true,
        id: document.id.to_string(),
        number: document.number.clone(),
        account_id: document.account.to_string(),
        account_number: Some(account_number),
        amount: amount(document.amount_minor),
        balance: amount(document.balance_minor),
        be_applied_amount: Some(amount(document.paid_minor.saturating_add(document.credited_minor))),
        status: status(document.status),
        due_date: Some(Some(document.due_date.into())),
        currency: document.currency.to_string(),
        auto_pay: Some(document.auto_pay),
        payment_method_id: document.payment_method.map(|id| id.to_string()),
    }
}
