//! The port [`Search`]: a search compiled to one parameterised statement. Names come from the tables in this file, values
//! only ever as parameters.

use async_trait::async_trait;
use jiff::tz::TimeZone;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{FoundRun, Search, StoreError};
use payment_runs_engine::run::RunStatus;
use payment_runs_engine::search::{
    Condition, Operator, Position, RunField, RunSearch, Sort, Value, ValueKind,
};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as Parameter;
use rusqlite::{Connection, params_from_iter};

use super::codes::Code;
use super::failure::Failure;
use super::query::{Query, visible_runs};
use super::sql::{all, first, from_time, params_of, time};
use super::{SqliteStore, row};

/// Milliseconds in the second to which conditions compare moments.
const SECOND_MS: i64 = 1_000;

/// How a run's first charge is found. Payments that were never sent are passed over, as far as a bounded look reaches.
const FIRST_CHARGE: &str = "SELECT created_at FROM (SELECT created_at, state FROM payment \
     WHERE entity = ?1 AND run = ?2 AND run IS NOT NULL ORDER BY id LIMIT 100) WHERE state <> 5 LIMIT 1";

/// The target date that callers see. Whoever uses it calls [`define_run_day`] first.
pub(super) const SHOWN_TARGET_DATE: &str = "coalesce(run.target_date, run_day(run.run_at))";

/// What stands for a field in a statement.
enum Expression {
    /// A column of the run.
    Column(&'static str),
    /// A counter, as the sum of this over the run's tallies.
    Counter(&'static str),
}

use Expression::{Column, Counter};

const EXPRESSIONS: &[(RunField, Expression)] = &[
    (RunField::Id, Column("run.id")),
    (RunField::Number, Column("run.number")),
    (RunField::Status, Column("run.status")),
    (RunField::TargetDate, Column(SHOWN_TARGET_DATE)),
    (RunField::RunAt, Column("run.run_at")),
    (RunField::CreatedAt, Column("run.created_at")),
    (RunField::CreatedBy, Column("run.created_by")),
    (RunField::UpdatedAt, Column("run.updated_at")),
    (RunField::UpdatedBy, Column("run.updated_by")),
    (RunField::ExecutedAt, Column("run.executed_at")),
    (RunField::CompletedAt, Column("run.completed_at")),
    (RunField::ErrorMessage, Column("run.error_message")),
    (RunField::Account, Column("run.filter_account")),
    (RunField::Batch, Column("run.filter_batch")),
    (RunField::BillCycleDay, Column("run.filter_bill_cycle_day")),
    (RunField::BillRun, Column("run.filter_bill_run")),
    (RunField::Currency, Column("run.filter_currency")),
    (RunField::Gateway, Column("run.filter_gateway")),
    (RunField::ApplyCreditBalance, Column("run.apply_credit_balance")),
    (RunField::AutoApplyCreditMemo, Column("run.auto_apply_credit_memo")),
    (RunField::AutoApplyUnappliedPayment, Column("run.auto_apply_unapplied_payment")),
    (RunField::CollectPayment, Column("run.collect_payment")),
    (RunField::ConsolidatedPayment, Column("run.consolidated_payment")),
    (RunField::ProcessPaymentWithClosedPm, Column("run.process_payment_with_closed_pm")),
    (RunField::Payments, Counter("payments")),
    (RunField::Errors, Counter("errors + processing")),
    (RunField::Invoices, Counter("invoices")),
    (RunField::DebitMemos, Counter("debit_memos")),
    (RunField::CreditMemos, Counter("credit_memos")),
    (RunField::UnappliedPayments, Counter("unapplied_payments")),
    (RunField::CreditBalanceUses, Counter("credit_balance")),
    (RunField::Unprocessed, Counter("unprocessed_invoices + unprocessed_debit_memos")),
    (RunField::UnprocessedDebitMemos, Counter("unprocessed_debit_memos")),
];

#[async_trait]
impl Search for SqliteStore {
    async fn search_runs(&self, scope: &Scope, search: &RunSearch) -> Result<Vec<FoundRun>, StoreError> {
        let (scope, search) = (scope.clone(), search.clone());
        self.read("search for payment runs", move |db| search_runs(db, &scope, &search)).await
    }
}

fn search_runs(db: &Connection, scope: &Scope, search: &RunSearch) -> Result<Vec<FoundRun>, Failure> {
    if needs_days(search) {
        define_run_day(db, search.time_zone.clone())?;
    }
    let query = compile(scope, search)?;
    let runs = all(db, &query.sql, params_from_iter(query.values), row::run::read)?;
    let complete = |run: payment_runs_engine::run::Run| {
        let tallies = row::tally::sum(db, scope.entity, run.id)?;
        let first_charge_at = first_charge_at(db, scope.entity, run.id)?;
        let next_run_at = next_run_at(db, scope.entity, &run)?;
        Ok(FoundRun { run, tallies, first_charge_at, next_run_at })
    };
    runs.into_iter().map(complete).collect()
}

fn first_charge_at(
    db: &Connection,
    entity: EntityKey,
    run: RunId,
) -> Result<Option<jiff::Timestamp>, Failure> {
    first(db, FIRST_CHARGE, params_of(entity, run), |row| row.get().and_then(from_time))
}

/// When the run's schedule goes on, or the run itself starts where it has none.
fn next_run_at(
    db: &Connection,
    entity: EntityKey,
    run: &payment_runs_engine::run::Run,
) -> Result<Option<jiff::Timestamp>, Failure> {
    match &run.occurrence {
        Some(one) => Ok(row::schedule::pending(db, entity, one.schedule)?.map(|next| next.at)),
        None => Ok(run.run_at.filter(|_| run.status == RunStatus::Pending)),
    }
}

fn needs_days(search: &RunSearch) -> bool {
    let fields = search.conditions.iter().map(|condition| condition.field);
    fields.chain(search.sort.iter().map(|sort| sort.field)).any(|field| field == RunField::TargetDate)
}

/// Gives the connection the function `run_day`: the day of a moment in the time zone.
pub(super) fn define_run_day(db: &Connection, time_zone: TimeZone) -> Result<(), Failure> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("run_day", 1, flags, move |context| {
        let at = context.get::<Option<i64>>(0)?.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        Ok(at.map(|at| at.to_zoned(time_zone.clone()).date().to_string()))
    })?;
    Ok(())
}

fn compile(scope: &Scope, search: &RunSearch) -> Result<Query, Failure> {
    let mut query = visible_runs(scope)?;
    for one in &search.conditions {
        let condition = condition(&mut query, one, search.ignore_case);
        query.and(&condition);
    }
    if let Some(after) = &search.after {
        let condition = after_position(&mut query, search, after);
        query.and(&condition);
    }
    let mut order: Vec<String> = search
        .sort
        .iter()
        .map(|sort| format!("{} {}", expression(sort.field, search.ignore_case), direction(sort.ascending)))
        .collect();
    order.push(format!("run.id {}", direction(breaks_ties_upwards(search))));
    query.sql.push_str(" ORDER BY ");
    query.sql.push_str(&order.join(", "));
    query.limit(search.limit, 0);
    Ok(query)
}

/// Rows without a value come first upwards and last downwards, which is how SQLite sorts by itself.
fn direction(ascending: bool) -> &'static str {
    if ascending { "ASC" } else { "DESC" }
}

fn breaks_ties_upwards(search: &RunSearch) -> bool {
    search.sort.last().is_some_and(|sort| sort.ascending)
}

/// The field in the statement's language; text is folded where case does not matter.
fn expression(field: RunField, ignore_case: bool) -> String {
    let found = EXPRESSIONS.iter().find(|(listed, _)| *listed == field);
    let expression = match found.map(|(_, expression)| expression) {
        Some(Column(column)) => (*column).to_owned(),
        Some(Counter(sum)) => format!(
            "(SELECT coalesce(sum({sum}), 0) FROM chunk_tally \
             WHERE chunk_tally.entity = run.entity AND chunk_tally.run = run.id)"
        ),
        None => "NULL".to_owned(),
    };
    if ignore_case && field.kind() == ValueKind::Text { format!("lower({expression})") } else { expression }
}

/// The value as a parameter; none for null.
fn parameter(value: &Value, ignore_case: bool) -> Option<Parameter> {
    Some(match value {
        Value::Null => return None,
        Value::Text(text) if ignore_case => Parameter::Text(text.to_ascii_lowercase()),
        Value::Text(text) => Parameter::Text(text.clone()),
        Value::Id(id) => Parameter::Blob(id.to_be_bytes().to_vec()),
        Value::Integer(number) => Parameter::Integer(*number),
        Value::Bool(flag) => Parameter::Integer(i64::from(*flag)),
        Value::Date(date) => Parameter::Text(date.to_string()),
        Value::Time(at) => Parameter::Integer(time(*at)),
        Value::Status(status) => Parameter::Integer(status.code()),
    })
}

fn condition(query: &mut Query, condition: &Condition, ignore_case: bool) -> String {
    let field = condition.field;
    let parts: Vec<String> = condition
        .values
        .iter()
        .map(|value| {
            let column = operand(field, value, ignore_case);
            compared(query, &column, condition.operator, value, ignore_case)
        })
        .collect();
    match (parts.is_empty(), condition.operator) {
        (true, _) => "0".to_owned(),
        (false, Operator::NotEqual) => parts.join(" AND "),
        (false, _) => format!("({})", parts.join(" OR ")),
    }
}

/// What a value is compared with: an identifier is compared as text with a text.
fn operand(field: RunField, value: &Value, ignore_case: bool) -> String {
    let expression = expression(field, ignore_case);
    match (field.kind(), value) {
        // Without an identifier there is no text either, where `hex` would give an empty one.
        (ValueKind::Id, Value::Text(_)) => format!("lower(nullif(hex({expression}), ''))"),
        _ => expression,
    }
}

/// One comparison, which is never unknown: without a value it is false, or for [`Operator::NotEqual`] true.
fn compared(query: &mut Query, column: &str, operator: Operator, value: &Value, ignore_case: bool) -> String {
    let Some(parameter) = parameter(value, ignore_case) else {
        return match operator {
            Operator::Equal | Operator::In => format!("{column} IS NULL"),
            Operator::NotEqual => format!("{column} IS NOT NULL"),
            _ => "0".to_owned(),
        };
    };
    let (from, upto) = match (value, parameter) {
        (Value::Time(_), Parameter::Integer(at)) => {
            let second = at.div_euclid(SECOND_MS) * SECOND_MS;
            (query.mark(second), query.mark(second + SECOND_MS - 1))
        }
        (_, parameter) => {
            let mark = query.mark(parameter);
            (mark.clone(), mark)
        }
    };
    // Texts and identifiers are not between themselves and anything else, so one form serves all kinds.
    match operator {
        Operator::Equal | Operator::In => format!("{column} BETWEEN {from} AND {upto}"),
        Operator::NotEqual => format!("({column} IS NULL OR {column} NOT BETWEEN {from} AND {upto})"),
        Operator::Less => format!("{column} < {from}"),
        Operator::LessOrEqual => format!("{column} <= {upto}"),
        Operator::Greater => format!("{column} > {upto}"),
        Operator::GreaterOrEqual => format!("{column} >= {from}"),
        Operator::StartsWith => format!("substr({column}, 1, length({from})) = {from}"),
    }
}

/// After a position in the order: past it in one sort field and level with it in all the earlier ones, or level with it in
/// all of them and past its identifier.
fn after_position(query: &mut Query, search: &RunSearch, after: &Position) -> String {
    let id = Sort { field: RunField::Id, ascending: breaks_ties_upwards(search) };
    let fields = search.sort.iter().zip(&after.values).chain([(&id, &after.id)]);
    let mut level = String::new();
    let mut ways = Vec::new();
    for (sort, value) in fields {
        let column = expression(sort.field, search.ignore_case);
        let mark = parameter(value, search.ignore_case).map(|parameter| query.mark(parameter));
        let past = match (&mark, sort.ascending) {
            (Some(mark), true) => format!("{column} > {mark}"),
            (Some(mark), false) => format!("({column} < {mark} OR {column} IS NULL)"),
            (None, true) => format!("{column} IS NOT NULL"),
            (None, false) => "0".to_owned(),
        };
        ways.push(format!("({level}{past})"));
        let same = mark.map_or_else(|| format!("{column} IS NULL"), |mark| format!("{column} = {mark}"));
        level.push_str(&same);
        level.push_str(" AND ");
    }
    format!("({})", ways.join(" OR "))
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
