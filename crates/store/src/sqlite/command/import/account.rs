//! Lines that bring accounts.

use payment_runs_engine::account::Account;
use payment_runs_engine::import::ImportedAccount;
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use rusqlite::params;

use super::{Book, Desk};
use crate::sqlite::command::account::{check_bill_cycle_day, check_names};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sql::first;

pub(super) fn store(desk: &mut Desk<'_>, book: &mut Book, line: ImportedAccount) -> Result<(), Failure> {
    desk.check_number(Noun::Account, &line.number);
    check_names(desk, Some(&line.name), line.batch.as_deref());
    check_bill_cycle_day(desk, line.bill_cycle_day);
    let gateway = book.gateway(desk, line.gateway.as_ref())?;
    let organization = book.organization(desk, line.organization.as_ref())?;
    let credit_balance_minor = match line.credit_balance {
        Some(amount) => desk.minor(Field::CreditBalance, amount, line.currency).unwrap_or_default(),
        None => 0,
    };
    let entity = desk.entity();
    let sql = "SELECT 1 FROM account WHERE entity = ?1 AND number = ?2";
    if first(desk.db, sql, params![entity.0, line.number], |_| Ok(()))?.is_some() {
        desk.refuse(Refusal::NumberTaken { noun: Noun::Account, number: line.number.clone() });
    }
    desk.checked()?;
    let account = Account {
        id: line.id,
        number: line.number,
        name: line.name,
        currency: line.currency,
        auto_pay: line.auto_pay,
        batch: line.batch,
        bill_cycle_day: line.bill_cycle_day,
        gateway,
        default_payment_method: None,
        status: line.status,
        organization,
        credit_balance_minor,
        stamps: desk.stamps(),
    };
    row::account::insert(desk.db, entity, &account)
}
