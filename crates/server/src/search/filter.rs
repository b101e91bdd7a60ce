//! `filter[]`: conditions such as `state.IN:[pending,processing]`, all of which must hold.

use payment_runs_engine::search::{Condition, Operator, RunField, ValueKind};
use payment_runs_stubs::Fault;

use super::value::read_values;
use super::{Dialect, FILTERS_MAX, LIST_VALUES_MAX, OPERATORS, excerpt, fault};
use crate::time::Zone;

/// The parameter.
const FILTER: &str = "filter[]";

/// Reads the conditions; what is wrong with any of them goes to the faults.
pub(super) fn read_filters(
    dialect: &Dialect,
    zone: &Zone,
    texts: &[String],
    faults: &mut Vec<Fault>,
) -> Vec<Condition> {
    if texts.len() > FILTERS_MAX {
        faults.push(fault(FILTER, format!("must be given at most {FILTERS_MAX} times")));
        return Vec::new();
    }
    let read = texts.iter().map(|text| read_filter(dialect, zone, text));
    read.filter_map(|read| read.map_err(|message| faults.push(fault(FILTER, message))).ok()).collect()
}

fn read_filter(dialect: &Dialect, zone: &Zone, text: &str) -> Result<Condition, String> {
    let shape = || format!("'{}' must be written as field.OPERATOR:value", excerpt(text));
    let (left, value) = text.split_once(':').ok_or_else(shape)?;
    let (name, operator) = left.rsplit_once('.').ok_or_else(shape)?;
    let field = dialect.field(name).ok_or_else(|| {
        format!("'{}' cannot be filtered by; the fields are {}", excerpt(name), dialect.names())
    })?;
    let operator = read_operator(dialect, operator)?;
    check_kind(dialect, name, field, operator)?;
    let texts = if operator == Operator::In { list(value)? } else { vec![value] };
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        let read = read_values(dialect, zone, field.kind(), operator, text);
        values.extend(read.map_err(|message| format!("'{}' of '{name}' {message}", excerpt(text)))?);
    }
    Ok(Condition { field, operator, values })
}

fn read_operator(dialect: &Dialect, text: &str) -> Result<Operator, String> {
    let known = || OPERATORS.iter().filter(|(_, operator)| dialect.operators.contains(operator));
    let found = known().find(|(name, _)| dialect.is(text, name)).map(|(_, operator)| *operator);
    found.ok_or_else(|| {
        let names: Vec<&str> = known().map(|(name, _)| *name).collect();
        format!("'{}' is not an operator; the operators are {}", excerpt(text), names.join(", "))
    })
}

/// Not every operator makes sense for every kind of value.
fn check_kind(dialect: &Dialect, name: &str, field: RunField, operator: Operator) -> Result<(), String> {
    let kind = field.kind();
    let fits = match operator {
        Operator::Equal | Operator::NotEqual | Operator::In => true,
        Operator::StartsWith => matches!(kind, ValueKind::Text | ValueKind::Id),
        Operator::Less | Operator::Greater | Operator::LessOrEqual | Operator::GreaterOrEqual => {
            dialect.ordered.contains(&kind)
        }
    };
    if fits {
        return Ok(());
    }
    let written = OPERATORS.iter().find(|(_, known)| *known == operator).map_or("", |(name, _)| *name);
    Err(format!("'{name}' cannot be compared with {written}"))
}

/// The values of `[a,b]`, without the blanks around them.
fn list(text: &str) -> Result<Vec<&str>, String> {
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let values: Vec<&str> = inner.into_iter().flat_map(|text| text.split(',')).map(str::trim).collect();
    match values.len() {
        0 => Err(format!("'{}' must be a list such as [a,b]", excerpt(text))),
        1 if values == [""] => Err("a list must not be empty".to_owned()),
        1..=LIST_VALUES_MAX => Ok(values),
        _ => Err(format!("a list must have at most {LIST_VALUES_MAX} values")),
    }
}
