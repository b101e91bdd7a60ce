//! Commands on invoices and debit memos.

use payment_runs_engine::command::{NewDocument, Output};
use payment_runs_engine::document::{Document, DocumentItem, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::Key;
use payment_runs_engine::money::MoneyError;
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::Desk;
use super::account::need_open_account;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::Sequence;

/// The noun of a kind of document.
pub(super) fn noun_of(kind: DocumentKind) -> Noun {
    match kind {
        DocumentKind::Invoice => Noun::Invoice,
        DocumentKind::DebitMemo => Noun::DebitMemo,
    }
}

fn sequence_of(kind: DocumentKind) -> Sequence {
    match kind {
        DocumentKind::Invoice => Sequence::Invoice,
        DocumentKind::DebitMemo => Sequence::DebitMemo,
    }
}

/// A status in words, as refusals say it.
pub(super) fn status_words(status: DocumentStatus) -> String {
    match status {
        DocumentStatus::Draft => "a draft",
        DocumentStatus::Posted => "posted already",
        DocumentStatus::Canceled => "canceled",
    }
    .to_owned()
}

pub(super) fn create(desk: &mut Desk<'_>, new: NewDocument) -> Result<Output, Failure> {
    let account = need_open_account(desk, &new.account)?;
    if let Some(currency) = new.currency.or(account.as_ref().map(|account| account.currency)) {
        desk.check_currency(currency)?;
    }
    let amount_minor = total(desk, &new.items);
    let payment_method = match (&new.payment_method, &account) {
        (Some(key), Some(account)) => {
            let found = row::payment_method::find(desk.db, desk.scope, key)?
                .filter(|method| method.account == Some(account.id));
            let found = desk.need(found, Noun::PaymentMethod, key.as_str(), Field::PaymentMethod);
            found.map(|method| method.id)
        }
        _ => None,
    };
    let (entity, kind) = (desk.entity(), new.kind);
    let number = desk.number(new.number, sequence_of(kind), noun_of(kind), |db, number| {
        Ok(row::document::by_number(db, entity, kind, number)?.is_some())
    })?;
    desk.checked()?;
    let Some(account) = account else { return Err(Failure::broken("a document without an account")) };
    let document = Document {
        id: new.id,
        number,
        kind,
        account: account.id,
        status: if new.post { DocumentStatus::Posted } else { DocumentStatus::Draft },
        currency: new.currency.unwrap_or(account.currency),
        amount_minor,
        balance_minor: amount_minor,
        paid_minor: 0,
        credited_minor: 0,
        document_date: new.document_date,
        due_date: new.due_date.unwrap_or(new.document_date),
        auto_pay: new.auto_pay,
        bill_run: new.bill_run,
        payment_method,
        held_by: None,
        comment: new.comment,
        reason_code: new.reason_code,
        posted_at: new.post.then_some(desk.now),
        stamps: desk.stamps(),
    };
    row::document::insert(desk.db, entity, &document)?;
    row::document::insert_items(desk.db, entity, account.id, document.id, &new.items)?;
    Ok(Output::Document(document))
}

pub(super) fn post(desk: &mut Desk<'_>, kind: DocumentKind, key: &Key) -> Result<Output, Failure> {
    let found = row::document::find(desk.db, desk.scope, kind, key)?;
    let mut document = Desk::need_path(found, noun_of(kind), key)?;
    if document.status != DocumentStatus::Draft {
        let state = status_words(document.status);
        desk.refuse(Refusal::WrongState { noun: noun_of(kind), state });
    }
    desk.checked()?;
    document.status = DocumentStatus::Posted;
    document.posted_at = Some(desk.now);
    desk.restamp(&mut document.stamps);
    row::document::upsert(desk.db, desk.entity(), &document)?;
    Ok(Output::Document(document))
}

/// The sum of the items with their tax; 0 and a refusal where there is none.
fn total(desk: &mut Desk<'_>, items: &[DocumentItem]) -> i64 {
    if items.is_empty() {
        desk.invalid(Field::Items, "there is at least one item");
    }
    let sum = items
        .iter()
        .try_fold(0_i64, |sum, item| sum.checked_add(item.amount_minor)?.checked_add(item.tax_minor));
    match sum {
        None => {
            desk.refuse(Refusal::Money { field: Field::Items, source: MoneyError::TooLarge });
            0
        }
        Some(sum) if sum < 0 => {
            desk.invalid(Field::Items, "the items come to less than nothing");
            0
        }
        Some(sum) => sum,
    }
}
