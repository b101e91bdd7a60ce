//! Values of conditions, typed by their field.

use payment_runs_engine::ids::Key;
use payment_runs_engine::search::{Operator, Value, ValueKind};
use payment_runs_types::{Date, DateTime};

use super::Dialect;
use crate::time::{Zone, read_instant};

/// The value that stands for no value.
const NULL: &str = "null";

/// Reads one value: two where a time comes twice and either may be meant. The error says, as a sentence that goes on after
/// the value, what it must be.
pub(super) fn read_values(
    dialect: &Dialect,
    zone: &Zone,
    kind: ValueKind,
    operator: Operator,
    text: &str,
) -> Result<Vec<Value>, String> {
    if operator == Operator::StartsWith {
        return Ok(vec![Value::Text(text.to_owned())]);
    }
    if dialect.is(text, NULL) {
        return match operator {
            Operator::Equal | Operator::NotEqual | Operator::In => Ok(vec![Value::Null]),
            _ => Err("can only be tested with EQ, NE and IN".to_owned()),
        };
    }
    let read = match kind {
        ValueKind::Text => Some(Value::Text(text.to_owned())),
        // A text that is no identifier belongs to nothing, but can be compared all the same.
        ValueKind::Id => Some(Key::new(text).as_id().map_or_else(|| Value::Text(text.to_owned()), Value::Id)),
        ValueKind::Integer => text.parse().ok().map(Value::Integer),
        ValueKind::Bool if dialect.is(text, "true") => Some(Value::Bool(true)),
        ValueKind::Bool if dialect.is(text, "false") => Some(Value::Bool(false)),
        ValueKind::Bool => None,
        ValueKind::Date => text.parse::<Date>().ok().map(|date| Value::Date(date.into())),
        ValueKind::Time => return read_times(zone, operator, text).ok_or_else(|| must_be(dialect, kind)),
        ValueKind::Status => dialect
            .statuses
            .iter()
            .find(|(known, _)| dialect.is(text, known))
            .map(|(_, status)| Value::Status(*status)),
    };
    read.map(|value| vec![value]).ok_or_else(|| must_be(dialect, kind))
}

/// A time with an offset from UTC, or one of the entity's time zone. Of one that comes twice a comparison upwards begins
/// with the first instant, and one downwards ends with the last.
fn read_times(zone: &Zone, operator: Operator, text: &str) -> Option<Vec<Value>> {
    let mut instants = match read_instant(text) {
        Some(at) => vec![at],
        None => zone.instants(text.parse::<DateTime>().ok()?),
    };
    match operator {
        Operator::Less | Operator::GreaterOrEqual => instants.truncate(1),
        Operator::Greater | Operator::LessOrEqual => drop(instants.drain(..instants.len().saturating_sub(1))),
        Operator::Equal | Operator::NotEqual | Operator::In | Operator::StartsWith => {}
    }
    (!instants.is_empty()).then(|| instants.into_iter().map(Value::Time).collect())
}

fn must_be(dialect: &Dialect, kind: ValueKind) -> String {
    match kind {
        ValueKind::Text | ValueKind::Id => "must be text".to_owned(),
        ValueKind::Integer => "must be a whole number".to_owned(),
        ValueKind::Bool => "must be true or false".to_owned(),
        ValueKind::Date => "must be a date such as 2024-07-31".to_owned(),
        ValueKind::Time => "must be a time such as 2024-07-31T11:00:00Z".to_owned(),
        ValueKind::Status => {
            let statuses: Vec<&str> = dialect.statuses.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", statuses.join(", "))
        }
    }
}
