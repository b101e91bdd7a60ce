//! Lists with conditions and sorting, compiled to parameterised SQL. Names come from the tables in this file, values
//! only ever as parameters.

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{AccountId, EntityKey, RunId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::{DecisionQuery, RunCondition, RunQuery, RunSort};
use rusqlite::types::Value;

use super::codes::Code;
use super::failure::Failure;
use super::row;
use super::sql::{BlobId, time, to_json};

/// Rows that one page holds at most, whatever is asked for.
pub(crate) const PAGE_ROWS_MAX: u32 = 1_000;
const SECOND_MS: i64 = 1_000;

/// A statement under construction, with the values of its parameters.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl Query {
    pub(crate) fn new(sql: String) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// Takes a value in and gives the mark that stands for it.
    pub(crate) fn mark(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    pub(crate) fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// `column = value`, or `column IS NULL`.
    pub(crate) fn and_equal(&mut self, column: &str, value: Option<Value>) {
        let condition = match value {
            Some(value) => format!("{column} = {}", self.mark(value)),
            None => format!("{column} IS NULL"),
        };
        self.and(&condition);
    }

    /// A time within the second of the value, or none.
    fn and_second(&mut self, column: &str, at: Option<i64>) {
        let Some(at) = at else { return self.and(&format!("{column} IS NULL")) };
        let second = at.div_euclid(SECOND_MS) * SECOND_MS;
        let condition =
            format!("{column} BETWEEN {} AND {}", self.mark(second), self.mark(second + SECOND_MS - 1));
        self.and(&condition);
    }

    pub(crate) fn limit(&mut self, limit: u32, offset: u64) {
        let limit = self.mark(i64::from(limit.min(PAGE_ROWS_MAX)));
        let offset = self.mark(i64::try_from(offset).unwrap_or(i64::MAX));
        for text in [" LIMIT ", &limit, " OFFSET ", &offset] {
            self.sql.push_str(text);
        }
    }
}

fn bytes<I: BlobId>(id: I) -> Value {
    Value::Blob(id.to_blob().to_vec())
}

fn run_column(sort: RunSort) -> &'static str {
    match sort {
        RunSort::Number => "number",
        RunSort::TargetDate => "target_date",
        RunSort::Status => "status",
        RunSort::CreatedAt => "created_at",
        RunSort::CreatedBy => "created_by",
        RunSort::UpdatedAt => "updated_at",
        RunSort::UpdatedBy => "updated_by",
    }
}

/// The runs that are in scope and not deleted; conditions, an order and a limit may follow.
pub(crate) fn visible_runs(scope: &Scope) -> Result<Query, Failure> {
    let mut query = Query::new(format!("SELECT {} FROM run WHERE is_deleted = 0", row::run::SELECTED));
    query.and_equal("entity", Some(Value::Integer(i64::from(scope.entity.0))));
    if let Some(organizations) = &scope.organizations {
        let allowed = query.mark(to_json(organizations)?);
        query.and("json_array_length(organizations) > 0");
        query.and(&format!(
            "NOT EXISTS (SELECT 1 FROM json_each(run.organizations) AS own \
             WHERE own.value NOT IN (SELECT allowed.value FROM json_each({allowed}) AS allowed))"
        ));
    }
    Ok(query)
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_runs`].
pub(crate) fn runs(scope: &Scope, asked: &RunQuery) -> Result<Query, Failure> {
    let mut query = visible_runs(scope)?;
    for condition in &asked.conditions {
        match condition {
            RunCondition::CreatedBy(user) => query.and_equal("created_by", user.map(bytes)),
            RunCondition::CreatedAt(at) => query.and_second("created_at", at.map(time)),
            RunCondition::Status(status) => {
                query.and_equal("status", status.map(|one| Value::Integer(one.code())));
            }
            RunCondition::TargetDate(date) => {
                query.and_equal("target_date", date.map(|date| Value::Text(date.to_string())));
            }
            RunCondition::UpdatedBy(user) => query.and_equal("updated_by", user.map(bytes)),
            RunCondition::UpdatedAt(at) => query.and_second("updated_at", at.map(time)),
            RunCondition::Never => query.and("0"),
        }
    }
    let direction = |ascending: bool| if ascending { "ASC" } else { "DESC" };
    let mut order: Vec<String> = asked
        .sort
        .iter()
        .map(|(sort, ascending)| format!("{} {}", run_column(*sort), direction(*ascending)))
        .collect();
    order.push("number DESC".to_owned());
    query.sql.push_str(" ORDER BY ");
    query.sql.push_str(&order.join(", "));
    query.limit(asked.limit, asked.offset);
    Ok(query)
}

/// Which payments, with the account's key already resolved.
pub(crate) struct Payments<'a> {
    pub(crate) account: Option<AccountId>,
    pub(crate) run: Option<RunId>,
    pub(crate) states: &'a [PaymentState],
    pub(crate) offset: u64,
    pub(crate) limit: u32,
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_payments`].
pub(crate) fn payments(scope: &Scope, asked: &Payments<'_>) -> Result<Query, Failure> {
    // Without statistics the planner takes the table's own order for the cheapest, and would walk the whole entity.
    let index = match (asked.account, asked.run) {
        (Some(_), _) => "INDEXED BY payment_account",
        (None, Some(_)) => "INDEXED BY payment_run",
        (None, None) => "",
    };
    let mut query = Query::new(format!("SELECT {} FROM payment {index} WHERE 1", row::payment::SELECTED));
    query.and_equal("entity", Some(Value::Integer(i64::from(scope.entity.0))));
    if let Some(account) = asked.account {
        query.and_equal("account", Some(bytes(account)));
    }
    if let Some(run) = asked.run {
        // The second condition lets the partial index of runs be used.
        query.and_equal("run", Some(bytes(run)));
        query.and("run IS NOT NULL");
    }
    if !asked.states.is_empty() {
        let marks: Vec<String> = asked.states.iter().map(|state| query.mark(state.code())).collect();
        query.and(&format!("state IN ({})", marks.join(", ")));
    }
    if let Some(organizations) = &scope.organizations {
        let allowed = query.mark(to_json(organizations)?);
        query.and(&format!(
            "EXISTS (SELECT 1 FROM account WHERE account.entity = payment.entity AND account.id = payment.account \
             AND lower(hex(account.organization)) IN (SELECT value FROM json_each({allowed})))"
        ));
    }
    query.sql.push_str(" ORDER BY id DESC");
    query.limit(asked.limit, asked.offset);
    Ok(query)
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_decisions`].
pub(crate) fn decisions(entity: EntityKey, run: RunId, asked: &DecisionQuery) -> Query {
    let is_skipped_only = asked.picked == Some(false) || asked.reason.is_some();
    let index = if is_skipped_only { "INDEXED BY decision_skipped" } else { "" };
    let columns = row::decision::SELECTED;
    let mut query = Query::new(format!("SELECT chunk, ordinal, {columns} FROM decision {index} WHERE 1"));
    query.and_equal("entity", Some(Value::Integer(i64::from(entity.0))));
    query.and_equal("run", Some(bytes(run)));
    match asked.picked {
        Some(true) => query.and("reason IS NULL"),
        Some(false) => query.and("reason IS NOT NULL"),
        None => {}
    }
    if let Some(reason) = asked.reason {
        query.and_equal("reason", Some(Value::Integer(reason.code())));
    }
    if let Some(after) = asked.after {
        let condition = format!(
            "(chunk, ordinal) > ({}, {})",
            query.mark(i64::from(after.chunk)),
            query.mark(i64::from(after.ordinal))
        );
        query.and(&condition);
    }
    query.sql.push_str(" ORDER BY chunk, ordinal");
    query.limit(asked.limit, 0);
    query
}
