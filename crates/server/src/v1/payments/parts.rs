//! The documents that a new payment pays, and what is wrong with which of them.

use payment_runs_engine::command::NewPaymentPart;
use payment_runs_engine::document::{Document, DocumentKind};
use payment_runs_engine::ids::Key;
use payment_runs_engine::money::Currency;
use payment_runs_engine::refusal::Noun;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::Decimal;
use payment_runs_types::v1::CreatePaymentRequest;

use crate::call::Call;
use crate::faults::Faults;
use crate::money::to_minor;
use crate::v1::owner::Owner;

/// A document that the payment pays, and where the body says so.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// `invoices` or `debitMemos`, and the place in it.
    place: (&'static str, usize),
    /// The field that names the document.
    named_by: String,
    /// What the command is told.
    pub(super) new: NewPaymentPart,
}

impl Part {
    /// The list that holds it.
    pub(super) fn list(&self) -> &'static str {
        self.place.0
    }

    fn path(&self, field: &str) -> String {
        let (list, at) = self.place;
        format!("{list}[{at}].{field}")
    }
}

/// Reads the documents, invoices first.
pub(super) fn read_parts(body: &CreatePaymentRequest, currency: Currency, faults: &mut Faults) -> Vec<Part> {
    let mut reader = Reader { currency, faults };
    let mut parts = Vec::new();
    for (at, part) in body.invoices.iter().flatten().enumerate() {
        let keys = (part.invoice_id.as_deref(), part.invoice_number.as_deref());
        parts.push(reader.read(DocumentKind::Invoice, at, keys, part.amount));
    }
    for (at, part) in body.debit_memos.iter().flatten().enumerate() {
        let keys = (part.debit_memo_id.as_deref(), part.debit_memo_number.as_deref());
        parts.push(reader.read(DocumentKind::DebitMemo, at, keys, part.amount));
    }
    parts
}

struct Reader<'a> {
    currency: Currency,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn read(
        &mut self,
        kind: DocumentKind,
        at: usize,
        (id, number): (Option<&str>, Option<&str>),
        amount: Decimal,
    ) -> Part {
        let (list, noun) = match kind {
            DocumentKind::Invoice => ("invoices", "invoice"),
            DocumentKind::DebitMemo => ("debitMemos", "debitMemo"),
        };
        let path = format!("{list}[{at}]");
        let amount_minor = self.faults.take(to_minor(&format!("{path}.amount"), amount, self.currency));
        match (id, number) {
            (None, None) => self.faults.missing(path, format!("needs '{noun}Id' or '{noun}Number'")),
            (Some(_), Some(_)) => self.faults.excludes(format!("{path}.{noun}Id"), &format!("{noun}Number")),
            _ => {}
        }
        let named_by = if id.is_some() { format!("{noun}Id") } else { format!("{noun}Number") };
        let document = Key::new(id.or(number).unwrap_or_default());
        let amount_minor = amount_minor.unwrap_or_default();
        Part { place: (list, at), named_by, new: NewPaymentPart { kind, document, amount_minor } }
    }
}

/// The rejection with the documents at fault told one by one. The command refuses them as a whole, under `field`; which of
/// them it meant is looked up only then.
pub(super) async fn locate(
    call: &Call<'_>,
    owner: &Owner,
    parts: &[Part],
    field: &str,
    rejection: Rejection,
) -> Rejection {
    if rejection.faults.iter().all(|fault| fault.field != field) {
        return rejection;
    }
    let mut located = Faults::default();
    for part in parts {
        let ledger = &call.app.ports.ledger;
        match ledger.find_document(call.scope(), part.new.kind, &part.new.document).await {
            Ok(document) => check_part(owner, part, document.as_ref(), &mut located),
            Err(_) => return rejection,
        }
    }
    match located.finish() {
        Ok(()) => rejection,
        Err(told) => {
            let others = rejection.faults.into_iter().filter(|fault| fault.field != field);
            Rejection::from_faults(told.faults.into_iter().chain(others).collect())
        }
    }
}

/// Why a document cannot be paid like this.
fn check_part(owner: &Owner, part: &Part, document: Option<&Document>, located: &mut Faults) {
    let noun = match part.new.kind {
        DocumentKind::Invoice => Noun::Invoice.words(),
        DocumentKind::DebitMemo => Noun::DebitMemo.words(),
    };
    let by = part.path(&part.named_by);
    let Some(document) = document else {
        located.invalid(by, format!("{noun} '{}' does not exist", part.new.document));
        return;
    };
    if owner.account.as_ref().is_some_and(|account| account.id != document.account) {
        located.push(Category::BusinessRule, by, "belongs to another account");
    } else if owner.currency.is_some_and(|currency| currency != document.currency) {
        located.push(Category::BusinessRule, by, format!("is owed in {}", document.currency));
    } else if part.new.amount_minor > document.balance_minor {
        let message = format!("is more than the balance of the {noun}");
        located.push(Category::BusinessRule, part.path("amount"), message);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use jiff::Timestamp;
    use payment_runs_engine::account::Stamps;
    use payment_runs_engine::document::DocumentStatus;
    use payment_runs_engine::ids::{AccountId, DocumentId, UserId};
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_name_one_document_each() {
        let body: CreatePaymentRequest = serde_json::from_value(json!({
            "amount": 10, "currency": "USD", "type": "External",
            "invoices": [
                {"invoiceId": "a", "amount": 1},
                {"amount": 1.005},
                {"invoiceId": "a", "invoiceNumber": "b", "amount": 1}
            ],
            "debitMemos": [{"debitMemoNumber": "DM1", "amount": 2.5}]
        }))
        .unwrap();
        let mut faults = Faults::default();
        let parts = read_parts(&body, Currency::USD, &mut faults);
        let kind = |part: &Part| (part.new.kind, part.new.document.to_string(), part.new.amount_minor);
        let kinds: Vec<_> = parts.iter().map(kind).collect();
        assert_eq!(kinds[0], (DocumentKind::Invoice, "a".to_owned(), 100));
        assert_eq!(kinds[3], (DocumentKind::DebitMemo, "DM1".to_owned(), 250));
        let told: Vec<_> = faults.finish().unwrap_err().faults.into_iter().map(|fault| fault.field).collect();
        assert_eq!(told, ["invoices[1].amount", "invoices[1]", "invoices[2].invoiceId"]);
    }

    fn invoice(account: u128, currency: Currency, balance_minor: i64) -> Document {
        Document {
            id: DocumentId::from_u128(1),
            number: "INV00000001".to_owned(),
            kind: DocumentKind::Invoice,
            account: AccountId::from_u128(account),
            status: DocumentStatus::Posted,
            currency,
            amount_minor: 10_000,
            balance_minor,
            paid_minor: 0,
            credited_minor: 0,
            document_date: "2026-03-01".parse().unwrap(),
            due_date: "2026-03-31".parse().unwrap(),
            auto_pay: true,
            bill_run: None,
            payment_method: None,
            held_by: None,
            comment: None,
            reason_code: None,
            posted_at: None,
            stamps: Stamps::new(Timestamp::UNIX_EPOCH, UserId::from_u128(1)),
        }
    }

    #[test]
    fn what_is_wrong_with_a_document_is_told_at_its_place() {
        let owner = Owner { account: None, currency: Some(Currency::USD) };
        let new = NewPaymentPart {
            kind: DocumentKind::Invoice,
            document: Key::new("INV00000001"),
            amount_minor: 500,
        };
        let part = Part { place: ("invoices", 2), named_by: "invoiceNumber".to_owned(), new };
        let euro = Currency::from_code("EUR").unwrap();
        for (document, told) in [
            (None, Some("invoices[2].invoiceNumber: invoice 'INV00000001' does not exist")),
            (Some(invoice(1, euro, 500)), Some("invoices[2].invoiceNumber: is owed in EUR")),
            (
                Some(invoice(1, Currency::USD, 499)),
                Some("invoices[2].amount: is more than the balance of the invoice"),
            ),
            (Some(invoice(1, Currency::USD, 500)), None),
        ] {
            let mut located = Faults::default();
            check_part(&owner, &part, document.as_ref(), &mut located);
            let found = located.finish().err().map(|rejection| rejection.faults);
            let found = found.map(|faults| format!("{}: {}", faults[0].field, faults[0].message));
            assert_eq!(found.as_deref(), told);
        }
    }
}
