//! Commands on credit memos.

use payment_runs_engine::command::{NewCreditMemo, Output};
use payment_runs_engine::document::{CreditMemo, DocumentStatus};
use payment_runs_engine::ids::Key;
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::Desk;
use super::account::need_open_account;
use super::document::status_words;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::Sequence;

pub(super) fn create(desk: &mut Desk<'_>, new: NewCreditMemo) -> Result<Output, Failure> {
    let account = need_open_account(desk, &new.account)?;
    if let Some(currency) = new.currency.or(account.as_ref().map(|account| account.currency)) {
        desk.check_currency(currency)?;
    }
    if new.amount_minor <= 0 {
        desk.invalid(Field::Amount, "the amount is more than 0");
    }
    let entity = desk.entity();
    let number = desk.number(new.number, Sequence::CreditMemo, Noun::CreditMemo, |db, number| {
        Ok(row::credit::by_number(db, entity, number)?.is_some())
    })?;
    desk.checked()?;
    let Some(account) = account else { return Err(Failure::broken("a credit memo without an account")) };
    let memo = CreditMemo {
        id: new.id,
        number,
        account: account.id,
        status: if new.post { DocumentStatus::Posted } else { DocumentStatus::Draft },
        currency: new.currency.unwrap_or(account.currency),
        amount_minor: new.amount_minor,
        unapplied_minor: new.amount_minor,
        effective_date: new.effective_date,
        reason_code: new.reason_code,
        comment: new.comment,
        stamps: desk.stamps(),
    };
    row::credit::insert(desk.db, entity, &memo)?;
    Ok(Output::CreditMemo(memo))
}

pub(super) fn post(desk: &mut Desk<'_>, key: &Key) -> Result<Output, Failure> {
    let found = row::credit::find(desk.db, desk.scope, key)?;
    let mut memo = Desk::need_path(found, Noun::CreditMemo, key)?;
    if memo.status != DocumentStatus::Draft {
        let state = status_words(memo.status);
        desk.refuse(Refusal::WrongState { noun: Noun::CreditMemo, state });
    }
    desk.checked()?;
    memo.status = DocumentStatus::Posted;
    desk.restamp(&mut memo.stamps);
    row::credit::upsert(desk.db, desk.entity(), &memo)?;
    Ok(Output::CreditMemo(memo))
}
