//! Lists of runs, payments, decisions and accounts, and the progress of a run.

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{AccountId, EntityKey, Key, RunId};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::ledger::{DecisionPosition, DecisionQuery, PaymentQuery, Progress, RunQuery};
use payment_runs_engine::run::{Decision, Run};
use payment_runs_engine::run_rules::time_zone;
use rusqlite::{Connection, params, params_from_iter};

use crate::sqlite::access;
use crate::sqlite::failure::Failure;
use crate::sqlite::query;
use crate::sqlite::row;
use crate::sqlite::search::define_run_day;
use crate::sqlite::sql::{BlobId, all, first, params_of, unsigned};

pub(crate) fn runs(db: &Connection, scope: &Scope, asked: &RunQuery) -> Result<Vec<Run>, Failure> {
    if query::needs_days(asked) {
        let settings = access::settings(db, scope.entity)?;
        define_run_day(db, time_zone(&settings))?;
    }
    let query = query::runs(scope, asked)?;
    all(db, &query.sql, params_from_iter(query.values), row::run::read)
}

pub(crate) fn payments(
    db: &Connection,
    scope: &Scope,
    asked: &PaymentQuery,
) -> Result<Vec<Payment>, Failure> {
    let account = match &asked.account {
        None => None,
        Some(key) => match row::account::find(db, scope, key)? {
            Some(account) => Some(account.id),
            None => return Ok(Vec::new()),
        },
    };
    let query = query::payments(scope, account, asked)?;
    let mut payments = all(db, &query.sql, params_from_iter(query.values), row::payment::read)?;
    for payment in &mut payments {
        payment.parts = row::payment::parts(db, scope.entity, payment.id)?;
    }
    Ok(payments)
}

pub(crate) fn decisions(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
    asked: &DecisionQuery,
) -> Result<Vec<(DecisionPosition, Decision)>, Failure> {
    let query = query::decisions(entity, run, asked);
    all(db, &query.sql, params_from_iter(query.values), |row| {
        let position = DecisionPosition { chunk: row.number()?, ordinal: row.number()? };
        Ok((position, row::decision::read(row)?))
    })
}

/// The numbers of accounts; those that do not exist are left out.
pub(crate) fn account_numbers(
    db: &Connection,
    entity: EntityKey,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, String)>, Failure> {
    let sql = "SELECT number FROM account WHERE entity = ?1 AND id = ?2";
    let mut numbers = Vec::with_capacity(accounts.len());
    for id in accounts {
        let number = first(db, sql, params![entity.0, id.to_blob()], |row| row.get())?;
        numbers.extend(number.map(|number| (*id, number)));
    }
    Ok(numbers)
}

pub(crate) fn progress(db: &Connection, scope: &Scope, key: &Key) -> Result<Option<Progress>, Failure> {
    let Some(run) = row::run::find(db, scope, key)? else { return Ok(None) };
    let sql = "SELECT documents_selected, selection_complete, is_stopping AND status = 1, chunk_count, chunks_done \
               FROM run WHERE entity = ?1 AND id = ?2";
    let found = first(db, sql, params_of(scope.entity, run.id), |row| {
        Ok((unsigned(row.get()?)?, row.get()?, row.get()?, (row.number()?, row.number()?)))
    })?;
    let Some((documents_selected, selection_complete, stopping, chunks)) = found else { return Ok(None) };
    let tallies = row::tally::sum(db, scope.entity, run.id)?;
    Ok(Some(Progress { run, documents_selected, selection_complete, stopping, chunks, tallies }))
}
