//! Lines that bring credits.

use payment_runs_engine::account::Account;
use payment_runs_engine::document::{CreditMemo, DocumentStatus};
use payment_runs_engine::ids::{CreditMemoId, PaymentId};
use payment_runs_engine::import::{CreditTarget, ImportedCredit};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use rusqlite::params;

use super::{Book, Desk};
use crate::sqlite::failure::Failure;
use crate::sqlite::row::{self, payment::Backing};
use crate::sqlite::sql::{BlobId, execute_one, first, time};

/// The money of a line, once its account is known.
struct Credit {
    currency: Currency,
    amount_minor: i64,
    line: ImportedCredit,
}

pub(super) fn store(desk: &mut Desk<'_>, book: &mut Book, line: ImportedCredit) -> Result<(), Failure> {
    check_number(desk, &line.target)?;
    let Some(account) = book.account(desk, &line.account)?.cloned() else { return desk.checked() };
    let currency = line.currency.unwrap_or(account.currency);
    if line.target == CreditTarget::CreditBalance && currency != account.currency {
        desk.invalid(Field::Currency, "must be the currency of the account, which its credit balance is in");
    }
    let amount_minor = desk.more_than_nothing(line.amount, currency).unwrap_or_default();
    desk.checked()?;
    let target = line.target.clone();
    let credit = Credit { currency, amount_minor, line };
    match target {
        CreditTarget::CreditMemo(id, number) => credit_memo(desk, &account, credit, id, number),
        CreditTarget::UnappliedPayment(id, number) => unapplied_payment(desk, &account, credit, id, number),
        CreditTarget::CreditBalance => credit_balance(desk, &account, &credit),
    }
}

fn check_number(desk: &mut Desk<'_>, target: &CreditTarget) -> Result<(), Failure> {
    let (noun, sql, number) = match target {
        CreditTarget::CreditMemo(_, number) => {
            (Noun::CreditMemo, "SELECT 1 FROM credit_memo WHERE entity = ?1 AND number = ?2", number)
        }
        CreditTarget::UnappliedPayment(_, number) => {
            (Noun::Payment, "SELECT 1 FROM payment WHERE entity = ?1 AND number = ?2", number)
        }
        CreditTarget::CreditBalance => return Ok(()),
    };
    desk.check_number(noun, number);
    if first(desk.db, sql, params![desk.entity().0, number], |_| Ok(()))?.is_some() {
        desk.refuse(Refusal::NumberTaken { noun, number: number.clone() });
    }
    Ok(())
}

fn credit_memo(
    desk: &Desk<'_>,
    account: &Account,
    credit: Credit,
    id: CreditMemoId,
    number: String,
) -> Result<(), Failure> {
    let memo = CreditMemo {
        id,
        number,
        account: account.id,
        status: DocumentStatus::Posted,
        currency: credit.currency,
        amount_minor: credit.amount_minor,
        unapplied_minor: credit.amount_minor,
        effective_date: credit.line.date,
        reason_code: None,
        comment: credit.line.comment,
        stamps: desk.stamps(),
    };
    row::credit::insert(desk.db, desk.entity(), &memo)
}

fn unapplied_payment(
    desk: &Desk<'_>,
    account: &Account,
    credit: Credit,
    id: PaymentId,
    number: String,
) -> Result<(), Failure> {
    let payment = Payment {
        id,
        number,
        account: account.id,
        run: None,
        kind: PaymentKind::External,
        state: PaymentState::Processed,
        currency: credit.currency,
        amount_minor: credit.amount_minor,
        unapplied_minor: credit.amount_minor,
        payment_method: None,
        gateway: None,
        charge_key: None,
        answer: GatewayAnswer::default(),
        effective_date: credit.line.date,
        reference_id: None,
        comment: credit.line.comment,
        standalone: false,
        settled_at: Some(desk.now),
        parts: Vec::new(),
        stamps: desk.stamps(),
    };
    row::payment::insert(desk.db, desk.entity(), &payment, &Backing::default())
}

fn credit_balance(desk: &Desk<'_>, account: &Account, credit: &Credit) -> Result<(), Failure> {
    let sql = "UPDATE account SET credit_balance_minor = credit_balance_minor + ?3, updated_at = ?4, updated_by = ?5 \
               WHERE entity = ?1 AND id = ?2";
    let values = params![
        desk.entity().0,
        account.id.to_blob(),
        credit.amount_minor,
        time(desk.now),
        desk.user.to_blob(),
    ];
    execute_one(desk.db, sql, values, "add to a credit balance")
}
