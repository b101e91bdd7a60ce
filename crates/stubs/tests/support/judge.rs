//! The contract as a validator: the judge that models and parameters are compared with.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::upgrade;

/// The components of a document as schemas that say all that values can break.
pub(crate) fn definitions(document: &Value) -> Map<String, Value> {
    let mut definitions = upgrade::components(document);
    definitions.values_mut().for_each(complete);
    definitions
}

/// Writes out what a plain validator does not know: the width of integers, and which names custom fields have.
pub(crate) fn complete(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(complete),
        Value::Object(map) => {
            map.values_mut().for_each(complete);
            if let Some(pattern) = map.shift_remove("x-key-pattern").as_ref().and_then(Value::as_str) {
                let values = map.insert("additionalProperties".to_owned(), json!(false)).unwrap_or_default();
                map.insert("patternProperties".to_owned(), json!({pattern: values}));
            }
            let width = match map.get("format").and_then(Value::as_str) {
                Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
                Some("int64") => (i64::MIN, i64::MAX),
                _ => return,
            };
            map.entry("minimum").or_insert(width.0.into());
            map.entry("maximum").or_insert(width.1.into());
        }
        _ => {}
    }
}

/// A validator of a schema that refers to the components given.
pub(crate) fn validator(definitions: &Map<String, Value>, schema: &Value) -> Validator {
    let schema = json!({"allOf": [schema], "components": {"schemas": definitions}});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("zuora-date-time", is_zuora_date_time)
        .build(&schema)
        .unwrap_or_else(|error| panic!("a schema does not compile: {error}"))
}

/// The times that the validator knows.
static DATE_TIME: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&json!({"format": "date-time"}))
        .expect("a schema")
});

/// `yyyy-mm-dd hh:mm:ss`, `T` for the blank, by way of the time with an offset that the validator knows.
fn is_zuora_date_time(text: &str) -> bool {
    let Some((date, clock)) = text.split_once([' ', 'T']) else { return false };
    clock.len() >= 8 && DATE_TIME.is_valid(&json!(format!("{date}T{clock}Z")))
}
