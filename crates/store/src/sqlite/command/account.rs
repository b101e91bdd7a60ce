//! Commands on accounts.

use payment_runs_engine::account::{Account, AccountStatus};
use payment_runs_engine::command::{AccountChange, Change, NewAccount, Output};
use payment_runs_engine::ids::{AccountId, GatewayId, Key, OrganizationId};
use payment_runs_engine::naming::{BATCH_CHARS_MAX, NAME_CHARS_MAX};
use payment_runs_engine::payment_method::{PaymentMethod, PaymentMethodStatus};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run_rules::BILL_CYCLE_DAY_MAX;
use rusqlite::params;

use super::Desk;
use super::payment_method::from_new;
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::Sequence;
use crate::sqlite::sql::{BlobId, first};

pub(super) fn create(desk: &mut Desk<'_>, new: NewAccount) -> Result<Output, Failure> {
    check_names(desk, Some(&new.name), new.batch.as_deref());
    check_bill_cycle_day(desk, new.bill_cycle_day);
    desk.check_currency(new.currency)?;
    let gateway = find_gateway(desk, new.gateway.as_ref())?;
    let organization = find_organization(desk, new.organization.as_ref())?;
    if new.payment_method.is_some() && new.new_payment_method.is_some() {
        desk.invalid(Field::PaymentMethod, "either an existing payment method or a new one can be given");
    }
    let existing = match &new.payment_method {
        Some(key) => find_free_method(desk, key, None)?,
        None => None,
    };
    let created = new.new_payment_method.map(|method| from_new(method, Some(new.id), desk.stamps()));
    let method = created.as_ref().or(existing.as_ref());
    let has_electronic = method.is_some_and(|method| method.kind.is_electronic());
    check_auto_pay(desk, new.auto_pay.unwrap_or(has_electronic), has_electronic);
    let entity = desk.entity();
    let number = desk.number(new.number, Sequence::Account, Noun::Account, |db, number| {
        Ok(row::account::by_number(db, entity, number)?.is_some())
    })?;
    desk.checked()?;
    let account = Account {
        id: new.id,
        number,
        name: new.name,
        currency: new.currency,
        auto_pay: new.auto_pay.unwrap_or(has_electronic),
        batch: new.batch,
        bill_cycle_day: new.bill_cycle_day,
        gateway,
        default_payment_method: method.map(|method| method.id),
        status: AccountStatus::Active,
        organization,
        credit_balance_minor: 0,
        stamps: desk.stamps(),
    };
    row::account::insert(desk.db, entity, &account)?;
    if let Some(method) = created {
        row::payment_method::insert(desk.db, entity, &method)?;
    } else if let Some(method) = existing {
        attach(desk, method, account.id)?;
    }
    Ok(Output::Account(account))
}

pub(super) fn update(desk: &mut Desk<'_>, key: &Key, change: AccountChange) -> Result<Output, Failure> {
    let found = row::account::find(desk.db, desk.scope, key)?;
    let mut account = Desk::need_path(found, Noun::Account, key)?;
    check_names(desk, change.name.as_deref(), change.batch.as_deref());
    if let Some(day) = change.bill_cycle_day {
        check_bill_cycle_day(desk, day);
        account.bill_cycle_day = day;
    }
    match &change.gateway {
        Change::Keep => {}
        Change::Clear => account.gateway = None,
        Change::Set(key) => account.gateway = find_gateway(desk, Some(key))?,
    }
    let chosen = match &change.default_payment_method {
        Some(key) => find_free_method(desk, key, Some(account.id))?,
        None => None,
    };
    account.default_payment_method = chosen.as_ref().map(|one| one.id).or(account.default_payment_method);
    account.name = change.name.unwrap_or(account.name);
    account.batch = change.batch.or(account.batch);
    account.status = change.status.unwrap_or(account.status);
    account.auto_pay = change.auto_pay.unwrap_or(account.auto_pay);
    if change.auto_pay == Some(true) {
        let default = match account.default_payment_method {
            Some(id) => row::payment_method::by_id(desk.db, desk.entity(), id)?,
            None => None,
        };
        check_auto_pay(desk, true, default.is_some_and(|method| method.kind.is_electronic()));
    }
    desk.checked()?;
    if let Some(method) = chosen.filter(|method| method.account.is_none()) {
        attach(desk, method, account.id)?;
    }
    desk.restamp(&mut account.stamps);
    row::account::upsert(desk.db, desk.entity(), &account)?;
    Ok(Output::Account(account))
}

/// The account that a field names.
pub(super) fn need_account(desk: &mut Desk<'_>, key: &Key) -> Result<Option<Account>, Failure> {
    let found = row::account::find(desk.db, desk.scope, key)?;
    Ok(desk.need(found, Noun::Account, key.as_str(), Field::Account))
}

/// Like [`need_account`], for something that is billed to the account.
pub(super) fn need_open_account(desk: &mut Desk<'_>, key: &Key) -> Result<Option<Account>, Failure> {
    let account = need_account(desk, key)?;
    if account.as_ref().is_some_and(|account| account.status == AccountStatus::Canceled) {
        desk.refuse(Refusal::WrongState { noun: Noun::Account, state: "canceled".to_owned() });
    }
    Ok(account)
}

/// Notes what is wrong with the name of an account or its batch.
pub(super) fn check_names(desk: &mut Desk<'_>, name: Option<&str>, batch: Option<&str>) {
    if let Some(name) = name {
        desk.check_name(Field::Name, name, NAME_CHARS_MAX);
    }
    if let Some(batch) = batch {
        desk.check_name(Field::Batch, batch, BATCH_CHARS_MAX);
    }
}

pub(super) fn check_bill_cycle_day(desk: &mut Desk<'_>, day: u8) {
    if day > BILL_CYCLE_DAY_MAX {
        desk.invalid(Field::BillCycleDay, "a bill cycle day is between 1 and 31, or 0 when it is not set");
    }
}

fn check_auto_pay(desk: &mut Desk<'_>, is_on: bool, has_electronic: bool) {
    if is_on && !has_electronic {
        desk.invalid(Field::AutoPay, "auto-pay needs an electronic payment method as the account's default");
    }
}

pub(super) fn find_gateway(desk: &mut Desk<'_>, key: Option<&Key>) -> Result<Option<GatewayId>, Failure> {
    let Some(key) = key else { return Ok(None) };
    let found = row::gateway::find(desk.db, desk.entity(), key)?;
    Ok(desk.need(found, Noun::PaymentGateway, key.as_str(), Field::Gateway).map(|gateway| gateway.id))
}

/// The organization of a new account: the one named, or the only one that the caller may see.
pub(super) fn find_organization(
    desk: &mut Desk<'_>,
    key: Option<&Key>,
) -> Result<Option<OrganizationId>, Failure> {
    let allowed = desk.scope.organizations.clone();
    let Some(key) = key else {
        return Ok(match allowed.as_deref() {
            None => None,
            Some([only]) => Some(*only),
            Some(_) => {
                desk.refuse(Refusal::OneNeeded { fields: &[Field::Organizations] });
                None
            }
        });
    };
    let id = key.as_id().map(OrganizationId::from_u128);
    let sql = "SELECT id FROM organization WHERE entity = ?1 AND (id = ?2 OR name = ?3)";
    let values = params![desk.entity().0, id.map(BlobId::to_blob), key.as_str()];
    let found = first(desk.db, sql, values, |row| row.id::<OrganizationId>())?;
    // One that was never described, but that the caller's own scope names, exists as well.
    let found = found.or(id.filter(|id| allowed.as_ref().is_some_and(|allowed| allowed.contains(id))));
    let found = found.filter(|id| allowed.as_ref().is_none_or(|allowed| allowed.contains(id)));
    Ok(desk.need(found, Noun::Organization, key.as_str(), Field::Organizations))
}

/// A payment method that may become the default of `account`: its own, or one that has no account yet.
fn find_free_method(
    desk: &mut Desk<'_>,
    key: &Key,
    account: Option<AccountId>,
) -> Result<Option<PaymentMethod>, Failure> {
    let found = row::payment_method::find(desk.db, desk.scope, key)?;
    let Some(method) = desk.need(found, Noun::PaymentMethod, key.as_str(), Field::PaymentMethod) else {
        return Ok(None);
    };
    if method.account.is_some() && method.account != account {
        desk.invalid(Field::PaymentMethod, "the payment method belongs to another account");
    }
    if method.status != PaymentMethodStatus::Active {
        desk.invalid(Field::PaymentMethod, "the payment method is not active");
    }
    Ok(Some(method))
}

fn attach(desk: &Desk<'_>, mut method: PaymentMethod, account: AccountId) -> Result<(), Failure> {
    method.account = Some(account);
    desk.restamp(&mut method.stamps);
    row::payment_method::upsert(desk.db, desk.entity(), &method)
}
