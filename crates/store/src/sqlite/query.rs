//! Lists with conditions and sorting, compiled to parameterised SQL. Names come from the tables in this file, values
//! only ever as parameters.

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{AccountId, EntityKey, RunId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ScheduleQuery;
use payment_runs_engine::ports::ledger::{
    DecisionQuery, PaymentCondition, PaymentQuery, PaymentSort, RunCondition, RunQuery, RunSort,
};
use rusqlite::types::Value;

use super::codes::Code;
use super::failure::Failure;
use super::row;
use super::search::SHOWN_TARGET_DATE;
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

    /// A time within the second of one of the instants.
    fn and_second(&mut self, column: &str, instants: &[Timestamp]) {
        let seconds: Vec<String> = instants
            .iter()
            .map(|at| {
                let second = time(*at).div_euclid(SECOND_MS) * SECOND_MS;
                format!("{column} BETWEEN {} AND {}", self.mark(second), self.mark(second + SECOND_MS - 1))
            })
            .collect();
        let condition =
            if seconds.is_empty() { "0".to_owned() } else { format!("({})", seconds.join(" OR ")) };
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
        RunSort::TargetDate => SHOWN_TARGET_DATE,
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
    and_organizations(&mut query, scope, "run")?;
    Ok(query)
}

/// The statement of [`payment_runs_engine::ports::Schedules::list_schedules`].
pub(crate) fn schedules(scope: &Scope, asked: &ScheduleQuery) -> Result<Query, Failure> {
    let mut query = Query::new(format!("SELECT {} FROM schedule WHERE 1", row::schedule::SELECTED));
    query.and_equal("entity", Some(Value::Integer(i64::from(scope.entity.0))));
    if let Some(after) = asked.after {
        let condition = format!("id < {}", query.mark(bytes(after)));
        query.and(&condition);
    }
    and_organizations(&mut query, scope, "schedule")?;
    query.sql.push_str(" ORDER BY id DESC");
    query.limit(asked.limit, 0);
    Ok(query)
}

/// What is for the organizations in scope and for no others.
fn and_organizations(query: &mut Query, scope: &Scope, table: &str) -> Result<(), Failure> {
    let Some(organizations) = &scope.organizations else { return Ok(()) };
    let allowed = query.mark(to_json(organizations)?);
    query.and(&format!(
        "json_array_length({table}.organizations) > 0 AND NOT EXISTS (SELECT 1 FROM json_each({table}.organizations) \
         AS own WHERE own.value NOT IN (SELECT allowed.value FROM json_each({allowed}) AS allowed))"
    ));
    Ok(())
}

/// Whether the list looks at the days on which runs start.
pub(crate) fn needs_days(asked: &RunQuery) -> bool {
    asked.conditions.iter().any(|condition| matches!(condition, RunCondition::TargetDate(_)))
        || asked.sort.iter().any(|(sort, _)| *sort == RunSort::TargetDate)
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_runs`].
pub(crate) fn runs(scope: &Scope, asked: &RunQuery) -> Result<Query, Failure> {
    let mut query = visible_runs(scope)?;
    for condition in &asked.conditions {
        match condition {
            RunCondition::CreatedBy(user) => query.and_equal("created_by", user.map(bytes)),
            RunCondition::CreatedAt(instants) => query.and_second("created_at", instants),
            RunCondition::Status(status) => {
                query.and_equal("status", status.map(|one| Value::Integer(one.code())));
            }
            RunCondition::TargetDate(date) => {
                query.and_equal(SHOWN_TARGET_DATE, date.map(|date| Value::Text(date.to_string())));
            }
            RunCondition::UpdatedBy(user) => query.and_equal("updated_by", user.map(bytes)),
            RunCondition::UpdatedAt(instants) => query.and_second("updated_at", instants),
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

/// The currencies whose amounts do not have two decimal places, with how many they have.
const OTHER_PLACES: &[(u8, &[&str])] = &[
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
            "XAF", "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];
/// The decimal places of every other currency.
const PLACES: u8 = 2;
/// The decimal places in which amounts of several currencies are compared; none has more.
const PLACES_MAX: u8 = 4;

/// An amount as callers see it, in the same unit whatever the currency.
fn comparable(minor: &str) -> String {
    let factor = |places: u8| 10_i64.pow(u32::from(PLACES_MAX - places));
    let listed = OTHER_PLACES.iter().map(|(places, codes)| {
        format!("WHEN currency IN ('{}') THEN {} ", codes.join("', '"), factor(*places))
    });
    format!("{minor} * (CASE {}ELSE {} END)", listed.collect::<String>(), factor(PLACES))
}

fn payment_column(sort: PaymentSort) -> String {
    let column = match sort {
        PaymentSort::Number => "number",
        PaymentSort::Account => "account",
        PaymentSort::Amount => return comparable("amount_minor"),
        PaymentSort::AppliedAmount => {
            let processed = PaymentState::Processed.code();
            let applied = format!(
                "(CASE WHEN state = {processed} AND standalone = 0 THEN amount_minor - unapplied_minor ELSE 0 END)"
            );
            return comparable(&applied);
        }
        PaymentSort::UnappliedAmount => return comparable("unapplied_minor"),
        PaymentSort::CreatedBy => "created_by",
        PaymentSort::CreatedAt => "created_at",
        PaymentSort::EffectiveDate => "effective_date",
        PaymentSort::UpdatedBy => "updated_by",
        PaymentSort::UpdatedAt => "updated_at",
    };
    column.to_owned()
}

/// The order of a list of payments. Identifiers tell the order of creation.
fn payment_order(asked: &PaymentQuery) -> String {
    let sort = &asked.sort;
    if sort.is_empty() {
        return if asked.oldest_first { "id" } else { "id DESC" }.to_owned();
    }
    let order = |(sort, ascending): &(PaymentSort, bool)| {
        format!("{} {}", payment_column(*sort), if *ascending { "ASC" } else { "DESC" })
    };
    let mut columns: Vec<String> = sort.iter().map(order).collect();
    if !sort.iter().any(|(field, _)| *field == PaymentSort::Number) {
        columns.push("number DESC".to_owned());
    }
    columns.join(", ")
}

fn and_payment(query: &mut Query, condition: &PaymentCondition) {
    match condition {
        PaymentCondition::Number(number) => query.and_equal("number", Some(Value::Text(number.clone()))),
        PaymentCondition::Kind(kind) => query.and_equal("kind", Some(Value::Integer(kind.code()))),
        PaymentCondition::Currency(currency) => {
            query.and_equal("currency", Some(Value::Text(currency.code().to_owned())));
        }
        PaymentCondition::EffectiveDate(date) => {
            query.and_equal("effective_date", Some(Value::Text(date.to_string())));
        }
        PaymentCondition::CreatedBy(user) => query.and_equal("created_by", user.map(bytes)),
        PaymentCondition::CreatedAt(instants) => query.and_second("created_at", instants),
        PaymentCondition::UpdatedBy(user) => query.and_equal("updated_by", user.map(bytes)),
        PaymentCondition::UpdatedAt(instants) => query.and_second("updated_at", instants),
        PaymentCondition::Never => query.and("0"),
    }
}

/// The index by which payments are found. Without statistics the planner takes the table's own order for the cheapest, and
/// would walk the whole entity.
fn payment_index(account: Option<AccountId>, asked: &PaymentQuery) -> &'static str {
    let by_number = asked.conditions.iter().any(|one| matches!(one, PaymentCondition::Number(_)))
        || matches!(asked.sort.as_slice(), [(PaymentSort::Number, _), ..]);
    match (account, asked.run) {
        (Some(_), _) => "INDEXED BY payment_account",
        (None, Some(_)) => "INDEXED BY payment_run",
        (None, None) if by_number => "INDEXED BY payment_number",
        (None, None) if is_listed_by_state(asked) => "INDEXED BY payment_state",
        (None, None) => "",
    }
}

/// The states that the index of payments by state holds, as its condition is written.
const LISTED_STATES: &str = "state IN (1, 2, 4, 5)";

/// Whether the payments of one of those states are asked for, in the order by identifier.
fn is_listed_by_state(asked: &PaymentQuery) -> bool {
    let is_listed = |state: &PaymentState| !matches!(state, PaymentState::Intent | PaymentState::Processed);
    asked.sort.is_empty() && asked.states.len() == 1 && asked.states.iter().all(is_listed)
}

/// The statement of [`payment_runs_engine::ports::Ledger::list_payments`], with the account's key resolved.
pub(crate) fn payments(
    scope: &Scope,
    account: Option<AccountId>,
    asked: &PaymentQuery,
) -> Result<Query, Failure> {
    let index = payment_index(account, asked);
    let mut query = Query::new(format!("SELECT {} FROM payment {index} WHERE 1", row::payment::SELECTED));
    query.and_equal("entity", Some(Value::Integer(i64::from(scope.entity.0))));
    if let Some(account) = account {
        query.and_equal("account", Some(bytes(account)));
    }
    if let Some(run) = asked.run {
        // The second condition lets the partial index of runs be used.
        query.and_equal("run", Some(bytes(run)));
        query.and("run IS NOT NULL");
    }
    if index.ends_with("payment_state") {
        query.and(LISTED_STATES);
    }
    if let [state] = asked.states.as_slice() {
        query.and_equal("state", Some(Value::Integer(state.code())));
    } else if !asked.states.is_empty() {
        let marks: Vec<String> = asked.states.iter().map(|state| query.mark(state.code())).collect();
        query.and(&format!("state IN ({})", marks.join(", ")));
    }
    if let Some(after) = asked.after {
        let after = query.mark(bytes(after));
        query.and(&format!("id {} {after}", if asked.oldest_first { '>' } else { '<' }));
    }
    for condition in &asked.conditions {
        and_payment(&mut query, condition);
    }
    if let Some(organizations) = &scope.organizations {
        let allowed = query.mark(to_json(organizations)?);
        query.and(&format!(
            "EXISTS (SELECT 1 FROM account WHERE account.entity = payment.entity AND account.id = payment.account \
             AND lower(hex(account.organization)) IN (SELECT value FROM json_each({allowed})))"
        ));
    }
    query.sql.push_str(" ORDER BY ");
    query.sql.push_str(&payment_order(asked));
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

#[cfg(test)]
mod tests {
    use payment_runs_engine::money::Currency;

    use super::*;

    #[test]
    fn the_decimal_places_of_every_currency_are_known() {
        let letters = || 'A'..='Z';
        let mut known = 0;
        for code in
            letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))))
        {
            let Ok(currency) = Currency::from_code(&code) else { continue };
            let listed = OTHER_PLACES.iter().find(|(_, codes)| codes.contains(&code.as_str()));
            assert_eq!(currency.exponent(), listed.map_or(PLACES, |(places, _)| *places), "{code}");
            known += 1;
        }
        assert!(known > 150, "{known}");
    }
}
