//! The contract's own schemas for schemars.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// How a generator refers to a type.
pub(crate) type Reference = fn(&mut SchemaGenerator) -> Schema;

/// The generator's reference to a type, which it then includes.
pub(crate) fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of one component out of a generated `{"$defs": …}` text, its references replaced by the generator's own.
pub(crate) fn component(
    schemas: &str,
    name: &str,
    generator: &mut SchemaGenerator,
    refers: &[(&str, Reference)],
) -> Schema {
    let mut all: Map<String, Value> = serde_json::from_str(schemas).unwrap_or_default();
    let found = all.get_mut("$defs").and_then(|defs| defs.get_mut(name)).map(Value::take);
    let mut schema = found.unwrap_or_default();
    replace(&mut schema, generator, refers);
    Schema::try_from(schema).unwrap_or_default()
}

/// Puts the generator's own reference wherever the contract refers to `#/$defs/<name>`.
fn replace(value: &mut Value, generator: &mut SchemaGenerator, refers: &[(&str, Reference)]) {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/"));
    if let Some((_, refer)) = target.and_then(|name| refers.iter().find(|(known, _)| *known == name)) {
        let own = refer(generator).to_value();
        if let (Value::Object(map), Value::Object(own)) = (value, own) {
            map.shift_remove("$ref");
            map.extend(own);
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, generator, refers)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, generator, refers)),
        _ => {}
    }
}
