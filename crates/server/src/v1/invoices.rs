//! Invoices.

use payment_runs_engine::command::{Command, NewDocument};
use payment_runs_engine::document::{Document, DocumentItem, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{DocumentId, Key};
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{
    BillingDocumentStatus, CreateInvoiceRequest, InvoiceCreationStatus, InvoiceItem, InvoiceResponse,
};

use super::owner::{self, Owner};
use crate::call::{Call, unexpected_output};
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::money::{sum_minor, to_decimal};
use crate::refused::{Wording, not_found};

/// Why a document that is made here is of no bill run.
pub(super) const NO_BILL_RUNS: &str = "only an import names the bill run of a document";

const WORDING: Wording = Wording { name, state: Some((Noun::Invoice, "only a draft can be posted")) };

fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "invoiceKey",
        Field::Number => "invoiceNumber",
        Field::Items => "invoiceItems",
        other => owner::name(other),
    }
}

/// Creates an invoice.
pub(super) async fn create(
    call: &Call<'_>,
    body: CreateInvoiceRequest,
) -> Result<InvoiceResponse, Rejection> {
    let mut faults = Faults::default();
    let (id, number) = (body.account_id.as_deref(), body.account_number.as_deref());
    let owner = Owner::read(call, id, number, body.currency.as_deref(), &mut faults).await?;
    faults.unsupported("billRunId", body.bill_run_id.is_some(), NO_BILL_RUNS);
    let items = read_items(&owner, body.invoice_items, &mut faults);
    faults.finish()?;
    let document = NewDocument {
        id: DocumentId::from_u128(call.app.ports.ids.next_id()),
        kind: DocumentKind::Invoice,
        number: body.invoice_number,
        account: owner.key(),
        currency: owner.currency,
        items,
        document_date: body.invoice_date.into(),
        due_date: body.due_date.map(Into::into),
        auto_pay: body.auto_pay.unwrap_or(true),
        post: body.status == Some(InvoiceCreationStatus::Posted),
        bill_run: None,
        payment_method: body.payment_method_id.map(Key::new),
        comment: body.comments,
        reason_code: None,
    };
    call.execute(Command::CreateDocument(document), &WORDING, answer).await
}

fn read_items(owner: &Owner, items: Vec<InvoiceItem>, faults: &mut Faults) -> Vec<DocumentItem> {
    let read: Vec<DocumentItem> = items
        .into_iter()
        .enumerate()
        .map(|(at, item)| {
            let taxes = item.tax_items.unwrap_or_default().into_iter().enumerate().map(|(tax, tax_item)| {
                let field = format!("invoiceItems[{at}].taxItems[{tax}].taxAmount");
                owner.minor(&field, tax_item.tax_amount, faults)
            });
            let taxes: Vec<i64> = taxes.collect();
            let tax_minor = sum_minor(taxes).unwrap_or_else(|| {
                faults.invalid(format!("invoiceItems[{at}].taxItems"), "is too large in all");
                0
            });
            DocumentItem {
                amount_minor: owner.minor(&format!("invoiceItems[{at}].amount"), item.amount, faults),
                tax_minor,
                charge_name: item.charge_name,
                service_start: Some(item.service_start_date.into()),
                service_end: item.service_end_date.map(Into::into),
            }
        })
        .collect();
    if sum_minor(read.iter().flat_map(|item| [item.amount_minor, item.tax_minor])).is_none() {
        faults.invalid("invoiceItems", "is too large in all");
    }
    read
}

/// One invoice.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<InvoiceResponse, Rejection> {
    let ledger = &call.app.ports.ledger;
    let found = ledger.find_document(call.scope(), DocumentKind::Invoice, &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.map(|document| write(&document)).ok_or_else(|| not_found(Noun::Invoice, key))
}

/// Posts a draft.
pub(super) async fn post(call: &Call<'_>, key: &str) -> Result<InvoiceResponse, Rejection> {
    let command = Command::PostDocument(DocumentKind::Invoice, Key::new(key));
    answer(&call.run(command, &WORDING).await?).ok_or_else(unexpected_output)
}

fn answer(output: &Output) -> Option<InvoiceResponse> {
    match output {
        Output::Document(document) => Some(write(document)),
        _ => None,
    }
}

fn write(document: &Document) -> InvoiceResponse {
    let amount = |minor: i64| to_decimal(minor, document.currency);
    InvoiceResponse {
        success: true,
        id: document.id.to_string(),
        invoice_number: document.number.clone(),
        account_id: document.account.to_string(),
        amount: amount(document.amount_minor),
        balance: amount(document.balance_minor),
        status: status(document.status),
        due_date: Some(Some(document.due_date.into())),
        invoice_date: document.document_date.into(),
        currency: document.currency.to_string(),
        auto_pay: Some(document.auto_pay),
        payment_amount: Some(amount(document.paid_minor)),
        credit_memo_amount: Some(amount(document.credited_minor)),
        bill_run_id: Some(document.bill_run.map(|id| id.to_string())),
        payment_method_id: document.payment_method.map(|id| id.to_string()),
    }
}

/// The status of any billing document on the wire.
pub(super) fn status(status: DocumentStatus) -> BillingDocumentStatus {
    match status {
        DocumentStatus::Draft => BillingDocumentStatus::Draft,
        DocumentStatus::Posted => BillingDocumentStatus::Posted,
        DocumentStatus::Canceled => BillingDocumentStatus::Canceled,
    }
}
