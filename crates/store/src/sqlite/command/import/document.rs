//! Lines that bring invoices and debit memos.

use payment_runs_engine::document::{Document, DocumentStatus};
use payment_runs_engine::ids::{AccountId, Key, PaymentMethodId};
use payment_runs_engine::import::ImportedDocument;
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use rusqlite::params;

use super::{Book, Desk};
use crate::sqlite::codes::Code;
use crate::sqlite::command::document::noun_of;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::first;

pub(super) fn store(desk: &mut Desk<'_>, book: &mut Book, line: ImportedDocument) -> Result<(), Failure> {
    desk.check_number(noun_of(line.kind), &line.number);
    let entity = desk.entity();
    let sql = "SELECT 1 FROM document WHERE entity = ?1 AND kind = ?2 AND number = ?3";
    if first(desk.db, sql, params![entity.0, line.kind.code(), line.number], |_| Ok(()))?.is_some() {
        desk.refuse(Refusal::NumberTaken { noun: noun_of(line.kind), number: line.number.clone() });
    }
    let Some(account) = book.account(desk, &line.account)? else {
        // What else there is to say of the amounts needs the account's currency, unless the line names one.
        if let Some(currency) = line.currency {
            desk.more_than_nothing(line.amount, currency);
        }
        return desk.checked();
    };
    let (account, currency) = (account.id, line.currency.unwrap_or(account.currency));
    let payment_method = own_method(desk, account, line.payment_method.as_ref())?;
    let amount_minor = desk.more_than_nothing(line.amount, currency).unwrap_or_default();
    let balance_minor = match line.balance {
        Some(balance) => desk.minor(Field::Balance, balance, currency).unwrap_or_default(),
        None => amount_minor,
    };
    if balance_minor > amount_minor {
        desk.invalid(Field::Balance, "must not be more than the amount");
    }
    if !line.post && balance_minor != amount_minor {
        desk.invalid(Field::Balance, "must be the whole amount of a draft");
    }
    desk.checked()?;
    let document = Document {
        id: line.id,
        number: line.number,
        kind: line.kind,
        account,
        status: if line.post { DocumentStatus::Posted } else { DocumentStatus::Draft },
        currency,
        amount_minor,
        balance_minor,
        paid_minor: amount_minor - balance_minor,
        credited_minor: 0,
        document_date: line.document_date,
        due_date: line.due_date.unwrap_or(line.document_date),
        auto_pay: line.auto_pay,
        bill_run: line.bill_run,
        payment_method,
        held_by: None,
        comment: line.comment,
        reason_code: line.reason_code,
        posted_at: line.post.then_some(desk.now),
        stamps: desk.stamps(),
    };
    row::document::insert(desk.db, entity, &document)
}

/// The payment method of its own that a line names; it must be the account's.
fn own_method(
    desk: &mut Desk<'_>,
    account: AccountId,
    key: Option<&Key>,
) -> Result<Option<PaymentMethodId>, Failure> {
    let Some(key) = key else { return Ok(None) };
    let found = row::payment_method::find(desk.db, desk.scope, key)?;
    let found = found.filter(|method| method.account == Some(account));
    let found = desk.need(found, Noun::PaymentMethod, key.as_str(), Field::PaymentMethod);
    Ok(found.map(|method| method.id))
}
