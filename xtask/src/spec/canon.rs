//! One canonical form for the checked-in documents (OpenAPI 3.0) and for what utoipa derives from code (3.1), so that the
//! two can be compared value for value.
//!
//! Left out, since code does not say it: prose, examples, `servers`, vendor keys, whether a response header is always
//! sent. Components that only one side names (hoisted inline schemas) are written out in place.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// References are followed through this many components when they are written out in place.
const INLINE_DEPTH_MAX: usize = 16;

/// Keywords that do not change what a schema accepts, or that one of the two dialects lacks.
const LEFT_OUT: [&str; 8] =
    ["description", "title", "example", "examples", "externalDocs", "propertyNames", "discriminator", "xml"];

/// Differences between a document and the code's own, both in canonical form, one a line: `- pointer: …` where only the
/// document has something, `+` where only the code has, `!` where they disagree.
pub fn differences(document: &Value, code: &Value) -> Vec<String> {
    let names = component_names(document);
    let mut found = Vec::new();
    compare("", &canonical(document, &names), &canonical(code, &names), &mut found);
    found
}

/// As [`differences`], of `components.schemas` alone.
pub fn schema_differences(document: &Value, code: &Value) -> Vec<String> {
    let names = component_names(document);
    let mut found = Vec::new();
    let of = |value: &Value| canonical(value, &names)["schemas"].take();
    compare("/schemas", &of(document), &of(code), &mut found);
    found
}

fn component_names(document: &Value) -> BTreeSet<String> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    schemas.into_iter().flat_map(Map::keys).cloned().collect()
}

/// `{schemas, paths}` in canonical form; components other than those named are written out where they are used.
fn canonical(document: &Value, names: &BTreeSet<String>) -> Value {
    let canon = Canon { document, names };
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let schemas = schemas.into_iter().flatten().filter(|(name, _)| names.contains(*name));
    let schemas: Map<_, _> = schemas.map(|(name, schema)| (name.clone(), canon.schema(schema, 0))).collect();
    let mut paths = Map::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        paths.insert(path.clone(), canon.path(item));
    }
    json!({"schemas": schemas, "paths": paths})
}

struct Canon<'d> {
    document: &'d Value,
    names: &'d BTreeSet<String>,
}

impl Canon<'_> {
    fn schema(&self, schema: &Value, depth: usize) -> Value {
        let Some(map) = schema.as_object() else { return schema.clone() };
        let mut map = map.clone();
        map.retain(|key, _| !LEFT_OUT.contains(&key.as_str()) && !key.starts_with("x-"));
        if let Some(inlined) = self.written_out(&map, depth) {
            return inlined;
        }
        self.unwrap_null(&mut map, depth);
        self.merge_all_of(&mut map, depth);
        numbers(&mut map);
        defaults(&mut map);
        for key in ["items", "additionalProperties"] {
            if let Some(inner) = map.get_mut(key) {
                *inner = if *inner == json!(true) { json!({}) } else { self.schema(inner, depth) };
            }
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(Value::Array(items)) = map.get_mut(key) {
                for item in items {
                    *item = self.schema(item, depth);
                }
            }
        }
        if let Some(Value::Object(properties)) = map.get_mut("properties") {
            for property in properties.values_mut() {
                *property = self.schema(property, depth);
            }
        }
        Value::Object(map)
    }

    /// A reference to a component that the document does not have.
    fn written_out(&self, map: &Map<String, Value>, depth: usize) -> Option<Value> {
        let reference = map.get("$ref")?.as_str()?;
        let name = reference.strip_prefix("#/components/schemas/")?;
        if self.names.contains(name) || depth > INLINE_DEPTH_MAX {
            return None;
        }
        let target = self.document.pointer(reference.strip_prefix('#')?)?;
        Some(self.schema(target, depth + 1))
    }

    /// Every way to say that `null` is fine becomes `nullable: true`.
    fn unwrap_null(&self, map: &mut Map<String, Value>, depth: usize) {
        let is_null = |value: &Value| value.get("type") == Some(&json!("null"));
        let mut nullable = map.shift_remove("nullable") == Some(json!(true));
        if let Some(Value::Array(kinds)) = map.get_mut("type") {
            nullable |= kinds.iter().any(|kind| kind == "null");
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                let only = only.clone();
                map.insert("type".to_owned(), only);
            }
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            let Some(Value::Array(items)) = map.get_mut(key) else { continue };
            let before = items.len();
            items.retain(|item| !is_null(item));
            nullable |= items.len() < before;
            let is_reference = items.iter().all(|item| item.get("$ref").is_some());
            if items.len() == 1 && (key != "allOf" || is_reference) {
                let only = items.remove(0);
                map.shift_remove(key);
                if let Value::Object(only) = self.schema(&only, depth) {
                    map.extend(only);
                }
            }
        }
        if let Some(Value::Array(values)) = map.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
        let takes_anything = map.keys().all(|key| key == "default");
        if nullable && !takes_anything {
            map.insert("nullable".to_owned(), json!(true));
        }
    }

    fn merge_all_of(&self, map: &mut Map<String, Value>, depth: usize) {
        let Some(Value::Array(mut parts)) = map.shift_remove("allOf") else { return };
        let mut whole = Map::new();
        parts.push(Value::Object(map.clone()));
        for part in parts {
            let target = part.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
            let target = target.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(&part);
            if depth > INLINE_DEPTH_MAX {
                return;
            }
            let Value::Object(part) = self.schema(target, depth + 1) else { continue };
            for (key, value) in part {
                match (whole.get_mut(&key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                    (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                    (_, value) => {
                        whole.insert(key, value);
                    }
                }
            }
        }
        *map = whole;
    }

    fn path(&self, item: &Value) -> Value {
        let mut operations = Map::new();
        for (key, operation) in item.as_object().into_iter().flatten() {
            if super::ir::Method::ALL.iter().any(|(known, _)| known == key) {
                operations.insert(key.clone(), self.operation(item, operation));
            }
        }
        Value::Object(operations)
    }

    fn operation(&self, item: &Value, operation: &Value) -> Value {
        let own = operation.get("parameters").and_then(Value::as_array);
        let shared = item.get("parameters").and_then(Value::as_array);
        let parameters: Map<_, _> = shared
            .into_iter()
            .flatten()
            .chain(own.into_iter().flatten())
            .map(|value| self.parameter(value))
            .collect();
        let mut responses = Map::new();
        for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten()
        {
            responses.insert(status.clone(), self.response(self.target(response)));
        }
        let mut whole = json!({
            "operationId": operation.get("operationId"),
            "tags": operation.get("tags"),
            "deprecated": operation.get("deprecated") == Some(&json!(true)),
            "security": operation.get("security").or(self.document.get("security")),
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(body) = operation.get("requestBody") {
            let body = self.target(body);
            let required = body.get("required") == Some(&json!(true));
            whole["requestBody"] = json!({"required": required, "content": self.content(body)});
        }
        whole
    }

    /// The component behind a reference to a parameter, response, header or body.
    fn target<'v>(&'v self, value: &'v Value) -> &'v Value {
        let pointer = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    fn parameter(&self, value: &Value) -> (String, Value) {
        let value = self.target(value);
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let usual = if text("in") == "query" { "form" } else { "simple" };
        let style = value.get("style").and_then(Value::as_str).unwrap_or(usual);
        let explode = value.get("explode").and_then(Value::as_bool).unwrap_or(style == "form");
        let name =
            if text("in") == "header" { text("name").to_ascii_lowercase() } else { text("name").to_owned() };
        let canonical = json!({
            "required": value.get("required") == Some(&json!(true)),
            "deprecated": value.get("deprecated") == Some(&json!(true)),
            "style": style,
            "explode": explode,
            "schema": value.get("schema").map(|schema| self.schema(schema, 0)),
        });
        (format!("{} {name}", text("in")), canonical)
    }

    fn response(&self, response: &Value) -> Value {
        let mut headers = Map::new();
        for (name, header) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let schema = self.target(header).get("schema").map(|schema| self.schema(schema, 0));
            headers.insert(name.to_ascii_lowercase(), json!(schema));
        }
        json!({"headers": headers, "content": self.content(response)})
    }

    fn content(&self, body: &Value) -> Value {
        let mut content = Map::new();
        for (media, value) in body.get("content").and_then(Value::as_object).into_iter().flatten() {
            content.insert(media.clone(), json!(value.get("schema").map(|schema| self.schema(schema, 0))));
        }
        Value::Object(content)
    }
}

/// Numbers become floats; bounds that are exclusive are written as in 3.1, those of integers inclusively.
#[expect(clippy::float_arithmetic, reason = "bounds of integers, compared as the two dialects write them")]
fn numbers(map: &mut Map<String, Value>) {
    let is_integer = map.get("type") == Some(&json!("integer"));
    for (inclusive, exclusive, step) in
        [("minimum", "exclusiveMinimum", 1.0), ("maximum", "exclusiveMaximum", -1.0)]
    {
        if map.get(exclusive) == Some(&json!(true))
            && let Some(bound) = map.shift_remove(inclusive)
        {
            map.insert(exclusive.to_owned(), bound);
        }
        map.retain(|key, value| key != exclusive || value.is_number());
        if is_integer && let Some(bound) = map.shift_remove(exclusive).and_then(|bound| bound.as_f64()) {
            map.insert(inclusive.to_owned(), json!(bound + step));
        }
        for key in [inclusive, exclusive] {
            if let Some(bound) = map.get_mut(key) {
                *bound = json!(bound.as_f64());
            }
        }
    }
}

/// What is the same written or left out is left out, or written.
fn defaults(map: &mut Map<String, Value>) {
    for key in ["readOnly", "writeOnly", "deprecated"] {
        map.retain(|name, value| name != key || *value == json!(true));
    }
    if map.get("type") == Some(&json!("integer")) {
        map.entry("format").or_insert_with(|| json!("int64"));
    }
    if map.get("minItems") == Some(&json!(0)) {
        map.shift_remove("minItems");
    }
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    map.retain(|key, value| key != "required" || !is_empty(value));
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.sort_by_key(ToString::to_string);
        required.dedup();
    }
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    map.retain(|key, value| key != "properties" || !is_empty(value));
    if map.get("type") == Some(&json!("object")) && !map.contains_key("properties") {
        map.entry("additionalProperties").or_insert_with(|| json!({}));
    }
}

fn compare(pointer: &str, document: &Value, code: &Value, found: &mut Vec<String>) {
    match (document, code) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let there = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                match right.get(key) {
                    Some(other) => compare(&there, value, other, found),
                    None => found.push(format!("- {there}: {value} stands only in the document")),
                }
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                let there = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push(format!("+ {there}: {value} stands only in the code"));
            }
        }
        _ if document == code => {}
        _ => found.push(format!("! {pointer}: document {document}, code {code}")),
    }
}
