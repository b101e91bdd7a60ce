//! The checked-in documents as a judge: is this answer one that the contract allows?
//!
//! The judge is stricter than a caller should be: objects are closed, so that a field the document does not know is
//! found at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use http::HeaderMap;
use serde_json::{Map, Value, json};

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One documented operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The document: `v1`, `v2` or `ops`.
    pub api: &'static str,
    /// `operationId`.
    pub id: String,
    /// Upper-case method.
    pub method: String,
    /// Path template with the server's prefix.
    pub route: String,
    /// The scopes that a caller needs, all of them; none for operations that anyone may call.
    pub scopes: Vec<String>,
    /// The responses by status or range.
    responses: Map<String, Value>,
}

/// All documents.
pub struct Contract {
    documents: BTreeMap<&'static str, Value>,
    /// Every operation of every document.
    pub operations: Vec<Operation>,
    exercised: Mutex<BTreeSet<(&'static str, String, u16)>>,
}

impl Operation {
    /// The statuses that are documented one by one.
    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.responses.keys().filter_map(|status| status.parse().ok())
    }
}

const APIS: [&str; 3] = ["v1", "v2", "ops"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The documents, read once.
pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(Contract::read)
}

impl Contract {
    fn read() -> Self {
        let mut documents = BTreeMap::new();
        let mut operations = Vec::new();
        for api in APIS {
            let path = root().join(format!("openapi/{api}.yaml"));
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let document: Value = yaml_serde::from_str(&text).expect("a document is YAML");
            operations.extend(operations_of(api, &document));
            documents.insert(api, document);
        }
        Self { documents, operations, exercised: Mutex::default() }
    }

    /// The operation that a call reaches.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or_default();
        self.operations
            .iter()
            .find(|operation| operation.method == method && matches_route(&operation.route, path))
    }

    /// Everything that is wrong with an answer, in words; empty when the contract allows it.
    pub fn judge(
        &self,
        method: &str,
        path: &str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else { return Vec::new() };
        let faults = self.judge_operation(operation, status, headers, body);
        if faults.is_empty() {
            // A refusal of an old version has the status of a success.
            self.note(operation, if is_refusal(status, body) { 400 } else { status });
        }
        faults
    }

    /// Writes down what was called and how it was answered, where `cargo xtask test` asks for it: each test is a process
    /// of its own, and the file is what they have in common.
    fn note(&self, operation: &Operation, status: u16) {
        /// Far more than all tests of all operations need; a file that is larger is not written any more.
        const BYTES_MAX: u64 = 4 * 1024 * 1024;
        let is_new = self.exercised.lock().unwrap().insert((operation.api, operation.id.clone(), status));
        let Some(file) = std::env::var_os("PAYMENT_RUNS_EXERCISED_FILE").filter(|_| is_new) else { return };
        let path = root().join(file);
        let mut file =
            std::fs::OpenOptions::new().append(true).create(true).open(&path).expect("the file opens");
        if file.metadata().expect("the file is there").len() < BYTES_MAX {
            // One call writes the whole line, so that lines of several processes do not mix.
            let line = format!("{} {} {status}\n", operation.api, operation.id);
            file.write_all(line.as_bytes()).expect("the line is written");
        }
    }

    /// The same for an operation that is known.
    pub fn judge_operation(
        &self,
        operation: &Operation,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Vec<String> {
        let Some(response) = self.response(operation, status) else {
            return vec![format!("{} does not document status {status}", operation.id)];
        };
        let mut faults = header_faults(&response, headers);
        // An answer of an old version is the error's body with status 200.
        let judged = if is_refusal(status, body) {
            self.response(operation, 400).unwrap_or(response)
        } else {
            response
        };
        faults.extend(self.body_faults(operation.api, &judged, headers, body));
        faults
    }

    fn response(&self, operation: &Operation, status: u16) -> Option<Value> {
        let range = format!("{}XX", status / 100);
        let found =
            operation.responses.get(&status.to_string()).or_else(|| operation.responses.get(&range))?;
        Some(self.deref(operation.api, found).clone())
    }

    fn deref<'a>(&'a self, api: &str, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                self.documents[api].pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => value,
        }
    }

    fn body_faults(&self, api: &str, response: &Value, headers: &HeaderMap, body: &[u8]) -> Vec<String> {
        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(schema) = response.pointer("/content/text~1event-stream/schema") {
            return self.event_faults(api, schema, media, body);
        }
        let essence = media.split(';').next().unwrap_or_default().trim();
        if essence != "application/json"
            && let Some(stream) = response["content"].get(essence)
        {
            return self.stream_faults(api, &stream["schema"], body);
        }
        let Some(schema) = response.pointer("/content/application~1json/schema") else {
            return if body.is_empty() { vec![] } else { vec!["the answer should have no body".to_owned()] };
        };
        if !media.starts_with("application/json") {
            return vec![format!("the content type is `{media}`")];
        }
        let json: Value = match serde_json::from_slice(body) {
            Ok(json) => json,
            Err(error) => return vec![format!("the body is not JSON: {error}")],
        };
        self.schema_faults(api, schema, &json)
    }

    /// A stream whose schema is text is judged as a whole; that of one message is for the test of the operation to judge.
    fn stream_faults(&self, api: &str, schema: &Value, body: &[u8]) -> Vec<String> {
        let Ok(text) = std::str::from_utf8(body) else { return vec!["the stream is not UTF-8".to_owned()] };
        if schema["type"] == "string" { self.schema_faults(api, schema, &json!(text)) } else { vec![] }
    }

    /// What is wrong with the events of a stream.
    fn event_faults(&self, api: &str, schema: &Value, media: &str, body: &[u8]) -> Vec<String> {
        if media != "text/event-stream" {
            return vec![format!("the content type is `{media}`")];
        }
        let text = String::from_utf8_lossy(body);
        let (events, rest) = crate::watching::events_of(&text);
        let mut faults: Vec<String> =
            events.iter().flat_map(|event| self.schema_faults(api, schema, &event.data)).collect();
        if !rest.is_empty() {
            faults.push(format!("an event is cut off: {rest}"));
        }
        faults
    }

    /// What a named schema of a document, with its objects closed, holds against a value.
    pub fn component_faults(&self, api: &str, name: &str, json: &Value) -> Vec<String> {
        self.schema_faults(api, &json!({ "$ref": format!("#/components/schemas/{name}") }), json)
    }

    /// What a schema of a document, with its objects closed, holds against a value.
    pub fn schema_faults(&self, api: &str, schema: &Value, json: &Value) -> Vec<String> {
        self.faults(api, schema, json, true)
    }

    fn faults(&self, api: &str, schema: &Value, json: &Value, close: bool) -> Vec<String> {
        let convert = |schema: &Value| converted(schema, close);
        let schemas = self.documents[api].pointer("/components/schemas").cloned().unwrap_or_default();
        let mut root = convert(schema);
        let definitions: Map<String, Value> = schemas
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), convert(schema)))
            .collect();
        root["$defs"] = Value::Object(definitions);
        let validator = jsonschema::draft202012::new(&root).expect("a document's schema is a schema");
        validator.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// What a schema of a document holds against a value, where unknown fields are ignored unless it forbids them.
    pub fn open_schema_faults(&self, api: &str, schema: &Value, json: &Value) -> Vec<String> {
        self.faults(api, schema, json, false)
    }

    /// The body schema of an operation's request, if it takes a body.
    pub fn request_schema(&self, operation: &Operation) -> Option<Value> {
        let document = &self.documents[operation.api];
        let (_, item) = document["paths"].as_object()?.iter().find(|(path, _)| {
            operation.route.ends_with(path.as_str()) && item_has(&document["paths"][path.as_str()], operation)
        })?;
        let body = &item[operation.method.to_lowercase()]["requestBody"];
        let body = self.deref(operation.api, body);
        body["content"].as_object()?.values().next().map(|media| media["schema"].clone())
    }

    /// The paths of the values that an operation's body may hold, such as `data[].amount`.
    pub fn body_fields(&self, operation: &Operation) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        if let Some(schema) = self.request_schema(operation) {
            self.collect_fields(operation.api, &schema, String::new(), &mut fields);
        }
        fields
    }

    fn collect_fields(&self, api: &str, schema: &Value, path: String, fields: &mut BTreeSet<String>) {
        let schema = self.deref(api, schema);
        let properties = schema["properties"].as_object();
        if let Some(items) = schema.get("items") {
            self.collect_fields(api, items, format!("{path}[]"), fields);
        } else if let Some(properties) = properties {
            for (name, property) in properties {
                let separator = if path.is_empty() { "" } else { "." };
                self.collect_fields(api, property, format!("{path}{separator}{name}"), fields);
            }
        } else if !path.is_empty() {
            fields.insert(path);
        }
    }
}

/// Whether a status of success comes with a body that says otherwise, as old versions of v1 answer.
fn is_refusal(status: u16, body: &[u8]) -> bool {
    status == 200 && serde_json::from_slice::<Value>(body).is_ok_and(|body| body["success"] == false)
}

fn item_has(item: &Value, operation: &Operation) -> bool {
    item[operation.method.to_lowercase()]["operationId"] == Value::String(operation.id.clone())
}

fn operations_of(api: &'static str, document: &Value) -> Vec<Operation> {
    let prefix = document["servers"][0]["url"].as_str().unwrap_or_default().trim_end_matches('/');
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.push(Operation {
                    api,
                    id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
                    method: method.to_uppercase(),
                    route: format!("{prefix}{path}"),
                    scopes: scopes_of(&operation["security"]),
                    responses: operation["responses"].as_object().cloned().unwrap_or_default(),
                });
            }
        }
    }
    operations
}

/// The scopes of the one scheme that an operation may ask for.
fn scopes_of(security: &Value) -> Vec<String> {
    let scopes = security[0]["oauth2"].as_array().into_iter().flatten();
    scopes.filter_map(|scope| scope.as_str().map(str::to_owned)).collect()
}

fn matches_route(route: &str, path: &str) -> bool {
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(text)) if part.starts_with('{') && !text.is_empty() => {}
            (Some(part), Some(text)) if part == text => {}
            _ => return false,
        }
    }
}

/// Headers that the document requires or bounds.
fn header_faults(response: &Value, headers: &HeaderMap) -> Vec<String> {
    let mut faults = Vec::new();
    if !headers.contains_key("zuora-request-id") {
        faults.push("the header Zuora-Request-Id is missing".to_owned());
    }
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        if header["required"] == true && !headers.contains_key(name.as_str()) {
            faults.push(format!("the header {name} is missing"));
        }
    }
    faults
}

/// A schema of OpenAPI 3.0 as one of JSON Schema 2020-12; with `close`, every object is closed that is not open on purpose.
fn converted(schema: &Value, close: bool) -> Value {
    let closed = |schema: &Value| converted(schema, close);
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in fields {
        match key.as_str() {
            "$ref" => {
                let name = value.as_str().unwrap_or_default().replace("#/components/schemas/", "#/$defs/");
                out.insert("$ref".into(), Value::String(name));
            }
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                out.insert(
                    "properties".into(),
                    properties.map(|(name, s)| (name.clone(), closed(s))).collect(),
                );
            }
            "items" | "not" => {
                out.insert(key.clone(), closed(value));
            }
            "allOf" | "anyOf" | "oneOf" => {
                let parts = value.as_array().into_iter().flatten().map(&closed).collect();
                out.insert(key.clone(), Value::Array(parts));
            }
            "minimum" if fields.get("exclusiveMinimum") == Some(&Value::Bool(true)) => {
                out.insert("exclusiveMinimum".into(), value.clone());
            }
            "maximum" if fields.get("exclusiveMaximum") == Some(&Value::Bool(true)) => {
                out.insert("exclusiveMaximum".into(), value.clone());
            }
            "exclusiveMinimum"
            | "exclusiveMaximum"
            | "nullable"
            | "additionalProperties"
            | "x-key-pattern" => {}
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    close_object(fields, &mut out, close);
    if fields.get("nullable") == Some(&Value::Bool(true)) {
        return json!({ "anyOf": [Value::Object(out), { "type": "null" }] });
    }
    Value::Object(out)
}

fn close_object(fields: &Map<String, Value>, out: &mut Map<String, Value>, close: bool) {
    let closed = |schema: &Value| converted(schema, close);
    let additional = fields.get("additionalProperties");
    match (additional, fields.get("x-key-pattern").and_then(Value::as_str)) {
        (Some(schema), Some(pattern)) => {
            out.insert("patternProperties".into(), json!({ pattern: closed(schema) }));
            out.insert("additionalProperties".into(), Value::Bool(false));
        }
        (Some(schema), None) => {
            out.insert("additionalProperties".into(), closed(schema));
        }
        (None, _) if close && fields.contains_key("properties") => {
            out.insert("additionalProperties".into(), Value::Bool(false));
        }
        (None, _) => {}
    }
}
