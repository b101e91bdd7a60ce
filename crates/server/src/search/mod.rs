//! Searching for payment runs by what a query string says: `filter[]`, `sort[]` and cursors, for every surface that has
//! them. A surface's own names and rules are its [`Dialect`].

mod cursor;
mod filter;
mod find;
mod sort;
mod value;

pub(crate) use find::{Asked, find, search};

use http::Uri;
use payment_runs_engine::run::RunStatus;
use payment_runs_engine::search::{Operator, RunField, ValueKind};
use payment_runs_stubs::{Category, Fault, Location};

/// Conditions of one request at most.
const FILTERS_MAX: usize = 50;

/// Values of one list of a condition at most.
const LIST_VALUES_MAX: usize = 100;

/// Characters of the caller's own text that a message repeats at most.
const REPEATED_CHARS_MAX: usize = 40;

/// The operators as they are written.
const OPERATORS: &[(&str, Operator)] = &[
    ("EQ", Operator::Equal),
    ("NE", Operator::NotEqual),
    ("LT", Operator::Less),
    ("GT", Operator::Greater),
    ("SW", Operator::StartsWith),
    ("IN", Operator::In),
    ("LE", Operator::LessOrEqual),
    ("GE", Operator::GreaterOrEqual),
];

/// How a surface names and writes what can be searched for.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The surface, which keeps its cursors apart from those of others.
    pub(crate) surface: &'static str,
    /// The fields to filter and sort by.
    pub(crate) fields: &'static [(&'static str, RunField)],
    /// Fields that hold no single value: to sort by them changes nothing.
    pub(crate) unsorted: &'static [&'static str],
    /// The operators.
    pub(crate) operators: &'static [Operator],
    /// The kinds of values that can be less or greater.
    pub(crate) ordered: &'static [ValueKind],
    /// The statuses as they are written.
    pub(crate) statuses: &'static [(&'static str, RunStatus)],
    /// Whether upper and lower case are the same in names and values.
    pub(crate) ignore_case: bool,
    /// Fields to sort by at most.
    pub(crate) sorts_max: usize,
}

impl Dialect {
    /// Whether the caller's name is this one.
    fn is(&self, name: &str, known: &str) -> bool {
        if self.ignore_case { name.eq_ignore_ascii_case(known) } else { name == known }
    }

    /// The field of this name.
    fn field(&self, name: &str) -> Option<RunField> {
        self.fields.iter().find(|(known, _)| self.is(name, known)).map(|(_, field)| *field)
    }

    /// The names of the fields, for messages.
    fn names(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

/// What is wrong with the names of the query's parameters: a condition with a slip in its name would otherwise answer
/// everything.
pub(crate) fn refuse_unknown_parameters(uri: &Uri, known: &[&str]) -> Vec<Fault> {
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let unknown = given.filter(|(name, _)| !name.is_empty() && !known.contains(&name.as_ref()));
    let message = format!("is not a parameter of this list, whose parameters are {}", known.join(", "));
    unknown.map(|(name, _)| fault(&excerpt(&name), message.clone())).collect()
}

/// What is wrong with a parameter of the query.
pub(crate) fn fault(parameter: &str, message: impl Into<String>) -> Fault {
    Fault {
        location: Location::Query,
        field: parameter.to_owned(),
        message: message.into(),
        category: Category::InvalidParameter,
    }
}

/// The beginning of the caller's own text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(REPEATED_CHARS_MAX).collect()
}

#[cfg(test)]
mod parser_tests;
#[cfg(test)]
mod tests;
