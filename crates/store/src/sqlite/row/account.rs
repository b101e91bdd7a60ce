//! Accounts.

use std::sync::LazyLock;

use payment_runs_engine::account::{Account, Scope};
use payment_runs_engine::ids::{AccountId, EntityKey, Key, OrganizationId};
use rusqlite::{Connection, params};

use super::read_stamps;
use crate::sqlite::codes::Code;
use crate::sqlite::failure::Failure;
use crate::sqlite::sql::{BlobId, Columns, blob, execute, first, insert_sql, time, upsert_sql};

const COLUMNS: &str = "entity, id, number, name, currency, auto_pay, batch, bill_cycle_day, gateway, \
     default_payment_method, status, organization, credit_balance_minor, created_at, created_by, updated_at, updated_by";
/// What [`read`] reads.
pub(crate) const SELECTED: &str = "id, number, name, currency, auto_pay, batch, bill_cycle_day, gateway, \
     default_payment_method, status, organization, credit_balance_minor, created_at, created_by, updated_at, updated_by";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("account", COLUMNS));
static UPSERT: LazyLock<String> =
    LazyLock::new(|| upsert_sql("account", COLUMNS, "entity, id", &["credit_balance_minor"], "1"));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM account WHERE entity = ?1 AND id = ?2"));
static BY_NUMBER: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM account WHERE entity = ?1 AND number = ?2"));

pub(crate) fn read(row: &mut Columns<'_>) -> Result<Account, Failure> {
    Ok(Account {
        id: row.id()?,
        number: row.get()?,
        name: row.get()?,
        currency: row.currency()?,
        auto_pay: row.get()?,
        batch: row.get()?,
        bill_cycle_day: row.number()?,
        gateway: row.opt_id()?,
        default_payment_method: row.opt_id()?,
        status: row.code()?,
        organization: row.opt_id()?,
        credit_balance_minor: row.get()?,
        stamps: read_stamps(row)?,
    })
}

pub(crate) fn insert(db: &Connection, entity: EntityKey, account: &Account) -> Result<(), Failure> {
    write(db, &INSERT, entity, account)
}

/// Writes the account, over one with the same identifier if there is one, whose credit balance stays: only the work moves
/// money.
pub(crate) fn upsert(db: &Connection, entity: EntityKey, account: &Account) -> Result<(), Failure> {
    write(db, &UPSERT, entity, account)
}

fn write(db: &Connection, sql: &str, entity: EntityKey, account: &Account) -> Result<(), Failure> {
    let values = params![
        entity.0,
        account.id.to_blob(),
        account.number,
        account.name,
        account.currency.code(),
        account.auto_pay,
        account.batch,
        account.bill_cycle_day,
        blob(account.gateway),
        blob(account.default_payment_method),
        account.status.code(),
        blob(account.organization),
        account.credit_balance_minor,
        time(account.stamps.created_at),
        account.stamps.created_by.to_blob(),
        time(account.stamps.updated_at),
        account.stamps.updated_by.to_blob(),
    ];
    execute(db, sql, values).map(drop)
}

pub(crate) fn by_id(db: &Connection, entity: EntityKey, id: AccountId) -> Result<Option<Account>, Failure> {
    first(db, &BY_ID, params![entity.0, id.to_blob()], read)
}

pub(crate) fn by_number(
    db: &Connection,
    entity: EntityKey,
    number: &str,
) -> Result<Option<Account>, Failure> {
    first(db, &BY_NUMBER, params![entity.0, number], read)
}

/// The account that a caller names, by identifier or else by number, if it is in the caller's scope.
pub(crate) fn find(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<Account>, Failure> {
    let found = match key.as_id() {
        Some(id) => by_id(db, scope.entity, AccountId::from_u128(id))?,
        None => None,
    };
    let found = match found {
        None => by_number(db, scope.entity, key.as_str())?,
        found => found,
    };
    Ok(found.filter(|account| is_visible(scope, account.organization)))
}

/// Whether what belongs to an organization is in scope. What belongs to none is seen only by those who see all.
pub(crate) fn is_visible(scope: &Scope, organization: Option<OrganizationId>) -> bool {
    match &scope.organizations {
        None => true,
        Some(allowed) => organization.is_some_and(|one| allowed.contains(&one)),
    }
}

/// Whether the account that something belongs to is in scope.
pub(crate) fn is_account_visible(
    db: &Connection,
    scope: &Scope,
    account: AccountId,
) -> Result<bool, Failure> {
    if scope.organizations.is_none() {
        return Ok(true);
    }
    let account = by_id(db, scope.entity, account)?;
    Ok(account.is_some_and(|account| is_visible(scope, account.organization)))
}
