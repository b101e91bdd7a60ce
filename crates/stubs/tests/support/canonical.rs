//! One form for the contract (OpenAPI 3.0) and for what utoipa derives (3.1), so that they can be compared.
//!
//! Shared parameters, answers, headers and bodies are put in place; so are components that only one side names. The
//! document's security stands on each operation. Defaults of the format are written out. Prose is dropped, and so are
//! `deprecated` (prose to a caller) and extensions.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::upgrade;

/// Keywords of schemas that are prose, or that a Rust declaration has no part in.
const DROPPED: [&str; 10] = [
    "title",
    "description",
    "example",
    "examples",
    "deprecated",
    "discriminator",
    "externalDocs",
    "xml",
    "propertyNames",
    "contentEncoding",
];

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// A document, brought up to 3.1 and to the common form.
pub(crate) fn canonical(document: &Value, common: &BTreeSet<String>) -> Value {
    let is_old = document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0."));
    let this = Canon { document, common, is_old };
    let mut operations = Map::new();
    for (path, item) in entries(&document["paths"]) {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let name = format!("{} {path}", method.to_uppercase());
                operations.insert(name, this.operation(item, operation));
            }
        }
    }
    let schemas: Map<String, Value> = entries(&document["components"]["schemas"])
        .filter(|(name, _)| common.contains(*name))
        .map(|(name, schema)| (name.clone(), this.schema(schema)))
        .collect();
    json!({
        "info": {"title": document["info"]["title"], "version": document["info"]["version"]},
        "servers": list(&document["servers"]).map(|server| server["url"].clone()).collect::<Vec<_>>(),
        "tags": list(&document["tags"]).map(|tag| tag["name"].clone()).collect::<Vec<_>>(),
        "securitySchemes": prose_free(&document["components"]["securitySchemes"]),
        "operations": operations,
        "schemas": schemas,
    })
}

/// The names of the components of a document.
pub(crate) fn component_names(document: &Value) -> BTreeSet<String> {
    entries(&document["components"]["schemas"]).map(|(name, _)| name.clone()).collect()
}

/// Every difference, as `pointer: contract …, code …`.
pub(crate) fn differences(contract: &Value, code: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(contract, code, "", &mut found);
    found
}

fn compare(contract: &Value, code: &Value, pointer: &str, found: &mut Vec<String>) {
    match (contract, code) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => compare(left, right, &pointer, found),
                    (Some(left), None) => found.push(format!("{pointer}: only in the contract: {left}")),
                    (None, Some(right)) => found.push(format!("{pointer}: only in the code: {right}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                compare(left, right, &format!("{pointer}/{at}"), found);
            }
        }
        (left, right) if left == right => {}
        (left, right) => found.push(format!("{pointer}: contract {left}, code {right}")),
    }
}

struct Canon<'d> {
    document: &'d Value,
    /// Components that both sides name.
    common: &'d BTreeSet<String>,
    is_old: bool,
}

impl Canon<'_> {
    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        match target {
            Some(pointer) => self.document.pointer(pointer).expect("a reference leads somewhere"),
            None => value,
        }
    }

    fn operation(&self, item: &Value, operation: &Value) -> Value {
        let mut parameters = Map::new();
        for parameter in list(&item["parameters"]).chain(list(&operation["parameters"])) {
            let parameter = self.resolve(parameter);
            let (place, name) = (text(&parameter["in"]), text(&parameter["name"]));
            parameters.insert(format!("{place} {name}"), self.parameter(parameter, place));
        }
        let responses: Map<String, Value> = entries(&operation["responses"])
            .map(|(status, response)| (status.clone(), self.response(self.resolve(response))))
            .collect();
        let mut canonical = json!({
            "operationId": operation["operationId"],
            "tags": operation["tags"],
            "parameters": parameters,
            "responses": responses,
            "security": security(operation.get("security").unwrap_or(&self.document["security"])),
        });
        if let Some(body) = operation.get("requestBody") {
            let body = self.resolve(body);
            canonical["requestBody"] = json!({
                "required": body["required"].as_bool().unwrap_or(false),
                "content": self.content(&body["content"]),
            });
        }
        canonical
    }

    fn parameter(&self, parameter: &Value, place: &str) -> Value {
        let style = parameter["style"].as_str().unwrap_or(if place == "query" { "form" } else { "simple" });
        let schema = self.schema(&parameter["schema"]);
        let mut canonical = json!({
            "required": parameter["required"].as_bool().unwrap_or(false),
            "schema": schema,
        });
        // How a list is written; nothing to say of scalars.
        if canonical["schema"]["type"] == "array" {
            canonical["style"] = json!(style);
            canonical["explode"] = json!(parameter["explode"].as_bool().unwrap_or(style == "form"));
        }
        canonical
    }

    fn response(&self, response: &Value) -> Value {
        let headers: Map<String, Value> = entries(&response["headers"])
            .map(|(name, header)| {
                let header = self.resolve(header);
                // utoipa has no word for it, so the code says it with an extension.
                let required = header.get("required").or(header.get("x-required")).and_then(Value::as_bool);
                let canonical =
                    json!({"required": required.unwrap_or(false), "schema": self.schema(&header["schema"])});
                (name.to_lowercase(), canonical)
            })
            .collect();
        json!({"headers": headers, "content": self.content(&response["content"])})
    }

    fn content(&self, content: &Value) -> Value {
        entries(content).map(|(kind, media)| (kind.clone(), self.schema(&media["schema"]))).collect()
    }

    fn schema(&self, schema: &Value) -> Value {
        if self.is_old { self.common_form(&upgrade::schema_of(schema)) } else { self.common_form(schema) }
    }

    fn common_form(&self, schema: &Value) -> Value {
        let Some(from) = schema.as_object() else { return schema.clone() };
        if let Some(name) = reference(schema)
            && !self.common.contains(name)
        {
            return self.schema(self.resolve(schema));
        }
        let mut to = Map::new();
        for (key, value) in from {
            let value = match (key.as_str(), value) {
                (key, _) if DROPPED.contains(&key) || key.starts_with("x-") => continue,
                ("properties", Value::Object(named)) => {
                    named.iter().map(|(name, schema)| (name.clone(), self.common_form(schema))).collect()
                }
                // Anything at all is `true` to one and `{}` to the other.
                ("additionalProperties", Value::Bool(true)) => json!({}),
                ("allOf" | "oneOf" | "anyOf", Value::Array(parts)) => {
                    parts.iter().map(|part| self.common_form(part)).collect()
                }
                ("type", Value::Array(kinds)) => sorted(kinds),
                ("required", Value::Array(names)) => sorted(names),
                ("default" | "enum", _) => value.clone(),
                _ => self.common_form(value),
            };
            to.insert(key.clone(), value);
        }
        floats(&mut to);
        alternatives(&mut to);
        self.merged(to)
    }

    /// Puts the parts of an `allOf` into one object.
    fn merged(&self, mut schema: Map<String, Value>) -> Value {
        let Some(Value::Array(parts)) = schema.remove("allOf") else { return Value::Object(schema) };
        if let [part] = parts.as_slice()
            && schema.is_empty()
        {
            return part.clone();
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut whole = Map::new();
        let own = Value::Object(std::mem::take(&mut schema));
        for part in parts.iter().chain([&own]) {
            let part = match reference(part) {
                Some(_) => self.schema(self.resolve(part)),
                None => part.clone(),
            };
            for (key, value) in part.as_object().into_iter().flatten() {
                match (key.as_str(), value) {
                    ("properties", Value::Object(more)) => properties.extend(more.clone()),
                    ("required", Value::Array(more)) => required.extend(more.clone()),
                    _ => {
                        whole.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        whole.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            whole.insert("required".to_owned(), sorted(&required));
        }
        Value::Object(whole)
    }
}

/// Bounds as floats, so that `1` equals `1.0`.
fn floats(schema: &mut Map<String, Value>) {
    let bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
    for (_, value) in schema.iter_mut().filter(|(key, _)| bounds.contains(&key.as_str())) {
        if let Some(float) = value.as_f64() {
            *value = json!(float);
        }
    }
}

/// Alternatives in one order, under one name.
fn alternatives(schema: &mut Map<String, Value>) {
    for key in ["oneOf", "anyOf"] {
        if let Some(Value::Array(mut parts)) = schema.remove(key) {
            parts.sort_by_key(Value::to_string);
            schema.insert("oneOf".to_owned(), Value::Array(parts));
        }
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

fn sorted(values: &[Value]) -> Value {
    let mut values = values.to_vec();
    values.sort_by_key(Value::to_string);
    values.dedup();
    Value::Array(values)
}

/// No credentials asked for is written `[]` or `[{}]`.
fn security(security: &Value) -> Value {
    list(security)
        .filter(|requirement| requirement.as_object().is_some_and(|map| !map.is_empty()))
        .cloned()
        .collect()
}

fn prose_free(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "description")
            .map(|(key, value)| (key.clone(), prose_free(value)))
            .collect(),
        Value::Null => json!({}),
        other => other.clone(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
