//! From text to JSON by the contract's schema, so that the same validator judges parameters, forms and JSON.

use std::str::FromStr as _;

use serde_json::{Map, Number, Value};

use super::params::grouped;
use super::text::pieces;

/// Names and values as they arrived.
pub(super) type Pairs = Vec<(String, String)>;

/// The pairs of a query or a form.
pub(super) fn pairs(encoded: &[u8]) -> Pairs {
    // Any bytes have pairs: what is not UTF-8 is replaced, as serde_html_form itself does.
    serde_html_form::from_bytes(encoded).unwrap_or_default()
}

/// An object of the values that the schema's properties name, each brought to its property's type where it can be, and
/// the names of scalars that were given more than once.
pub(super) fn object(schema: &Value, defs: &Value, pairs: &Pairs) -> (Value, Vec<String>) {
    let none = Map::new();
    let properties = resolve(schema, defs).get("properties").and_then(Value::as_object).unwrap_or(&none);
    let mut object = Map::new();
    let mut repeated = Vec::new();
    for (name, texts) in grouped(pairs) {
        let Some(property) = properties.get(name) else {
            object.insert(name.to_owned(), Value::String(texts[0].to_owned()));
            continue;
        };
        let property = resolve(property, defs);
        let value = if kind(property) == "array" {
            array(property, defs, &texts)
        } else {
            if texts.len() > 1 {
                repeated.push(name.to_owned());
            }
            scalar(property, texts[0])
        };
        object.insert(name.to_owned(), value);
    }
    (Value::Object(object), repeated)
}

/// Follows references and the one branch of a nullable reference.
pub(crate) fn resolve<'s>(mut schema: &'s Value, defs: &'s Value) -> &'s Value {
    /// Longer chains are references that lead back to themselves.
    const STEPS_MAX: usize = 32;
    for _ in 0..STEPS_MAX {
        let target =
            schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/"));
        let branch = schema.get("anyOf").and_then(|branches| branches.get(0));
        let Some(next) = target.and_then(|name| defs.get(name)).or(branch) else { break };
        schema = next;
    }
    schema
}

/// The type that is not `null`.
pub(crate) fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|k| *k != "null").unwrap_or("")
        }
        _ => "",
    }
}

fn array(schema: &Value, defs: &Value, texts: &[&str]) -> Value {
    let commas = schema.get("x-comma-list") == Some(&Value::Bool(true));
    let item = schema.get("items").map_or(&Value::Null, |items| resolve(items, defs));
    let values = texts.iter().flat_map(|text| if commas { pieces(text).collect() } else { vec![*text] });
    values.map(|text| scalar(item, text)).collect()
}

/// Text stays text where it does not read as the type, and the validator says so.
fn scalar(schema: &Value, text: &str) -> Value {
    let read = match kind(schema) {
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => Number::from_str(text).ok().map(Value::Number),
        "boolean" => text.parse::<bool>().ok().map(Value::Bool),
        _ => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}
