//! From schemas of OpenAPI 3.0 to those of 3.1, which are JSON Schema 2020-12. Written for the tests alone, so that a
//! mistake of the generator is not made twice.

use serde_json::{Map, Value, json};

/// Every component of a 3.0 document by name, references as `#/components/schemas/…`.
pub(crate) fn components(document: &Value) -> Map<String, Value> {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    schemas.iter().map(|(name, schema)| (name.clone(), schema_of(schema))).collect()
}

/// One schema, with everything below it. Annotations stay.
pub(crate) fn schema_of(schema: &Value) -> Value {
    let Some(from) = schema.as_object() else { return schema.clone() };
    let mut to = Map::new();
    for (key, value) in from {
        let value = match (key.as_str(), value) {
            ("nullable" | "exclusiveMinimum" | "exclusiveMaximum" | "minimum" | "maximum", _) => continue,
            ("properties", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), schema_of(schema))).collect()
            }
            ("items" | "additionalProperties", _) => schema_of(value),
            ("allOf" | "oneOf", Value::Array(parts)) => parts.iter().map(schema_of).collect(),
            _ => value.clone(),
        };
        to.insert(key.clone(), value);
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if let Some(value) = from.get(bound) {
            let key = if from.get(exclusive) == Some(&json!(true)) { exclusive } else { bound };
            to.insert(key.to_owned(), value.clone());
        }
    }
    if from.get("nullable") == Some(&json!(true)) { nullable(to) } else { Value::Object(to) }
}

fn nullable(mut schema: Map<String, Value>) -> Value {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match schema.get_mut("type") {
        Some(kind) => {
            *kind = json!([kind.take(), "null"]);
            Value::Object(schema)
        }
        None => json!({"oneOf": [schema, {"type": "null"}]}),
    }
}
