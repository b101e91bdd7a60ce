//! Lowering: from a document's intermediate representation to what progenitor takes.
//!
//! progenitor reads OpenAPI 3.0 with one type of success and one type of failure per operation, and would invent types
//! of its own for everything it meets. A lowered document therefore holds only what a call needs: component schemas are
//! placeholders (they stand for types that exist already), parameters keep their type and lose their constraints (the
//! server checks them, and a constrained text would become a new type at each place of use), response headers and the
//! headers that negotiate compression are gone (the transport does that).
//!
//! An operation that answers 202 with a body of its own becomes two operations of the client. Both stand on one path
//! and method, so the second goes into a second document.

use std::collections::BTreeMap;

use heck::{ToPascalCase as _, ToSnakeCase as _};
use serde_json::{Map, Value, json};

use self::answers::{Answers, Success};
use crate::spec::ir::{Api, Body, Media, Method, Operation, Param, Place};
use crate::spec::{Fault, Faults};

mod answers;
mod schema;

/// Headers that say how bodies are compressed. A caller who could set them would label bodies as what they are not.
const TRANSPORT_HEADERS: [&str; 2] = ["accept-encoding", "content-encoding"];

/// The header that asks for the 202 answer.
const ASYNC_HEADER: &str = "async";

/// The header that makes a POST or PATCH safe to repeat.
const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// What progenitor is given for one API, and what the client has to know beside it.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// OpenAPI documents: each operation, then those that answer 202.
    pub documents: Vec<Value>,
    /// From a component of the lowered documents, in the case typify looks it up by, to the Rust type it stands for.
    pub replacements: BTreeMap<String, String>,
    /// The operations of all documents, in document order.
    pub operations: Vec<ClientOperation>,
}

/// An operation of the client.
#[derive(Clone, Debug)]
pub struct ClientOperation {
    /// Rust name of the method and `operationId` of the lowered document: `create_payment_run_async`.
    pub ident: String,
    /// Rust module, which is the tag's.
    pub module: String,
    /// Documentation of the method.
    pub doc: String,
    /// Documentation of each setter of the builder, by its Rust name.
    pub setters: BTreeMap<String, String>,
    /// Calls carry a bearer token.
    pub authenticated: bool,
    /// Calls carry an idempotency key, one of their own when the caller gave none.
    pub idempotent_by_key: bool,
    /// Headers that every call carries, lower case.
    pub headers: Vec<(String, String)>,
}

/// Lowers a document. `types` is the path of the module with its types: `::payment_runs_types::v1`.
pub fn lower(api: &Api, types: &str) -> Result<Lowered, Faults> {
    let mut lowering = Lowering { api, faults: Vec::new(), scalars: BTreeMap::new() };
    let mut paths: Vec<Map<String, Value>> = vec![Map::new(), Map::new()];
    let mut operations = Vec::new();
    for operation in &api.operations {
        for success in lowering.successes(operation) {
            let document = &mut paths[usize::from(success.asynchronous)];
            let (about, lowered) = lowering.operation(operation, &success);
            let item = document.entry(operation.path.clone()).or_insert_with(|| json!({}));
            item[operation.method.key()] = lowered;
            operations.push(about);
        }
    }
    let replacements = lowering.replacements(types);
    let documents = lowering.documents(paths);
    if lowering.faults.is_empty() {
        Ok(Lowered { documents, replacements, operations })
    } else {
        let mut faults = Vec::new();
        for fault in lowering.faults {
            // An operation that became two is blamed once.
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        Err(Faults(faults))
    }
}

/// The Rust name progenitor derives from a parameter's wire name.
fn setter(wire: &str) -> String {
    let plain: String = wire.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let ident = plain.to_snake_case();
    if syn::parse_str::<syn::Ident>(&ident).is_ok() { ident } else { format!("{ident}_") }
}

/// The state of one lowering.
struct Lowering<'a> {
    api: &'a Api,
    faults: Vec<Fault>,
    /// Placeholders for the hand-written scalars that parameters use, with the Rust type's generic text.
    scalars: BTreeMap<String, String>,
}

impl Lowering<'_> {
    fn fault(&mut self, pointer: &str, what: impl Into<String>, mend: impl Into<String>) {
        let (what, mend) = (what.into(), mend.into());
        self.faults.push(Fault { file: self.api.file.clone(), pointer: pointer.to_owned(), what, mend });
    }

    /// One document for each map of paths that is not empty.
    fn documents(&self, paths: Vec<Map<String, Value>>) -> Vec<Value> {
        let placeholders: Map<String, Value> = self
            .api
            .schemas
            .keys()
            .chain(self.scalars.keys())
            .map(|name| (name.clone(), json!({ "type": "object" })))
            .collect();
        paths
            .into_iter()
            .filter(|paths| !paths.is_empty())
            .map(|paths| {
                json!({
                    "openapi": "3.0.3",
                    "info": { "title": self.api.title, "version": self.api.version },
                    "paths": paths,
                    "components": { "schemas": placeholders },
                })
            })
            .collect()
    }

    fn replacements(&mut self, types: &str) -> BTreeMap<String, String> {
        let mut replacements: BTreeMap<String, String> = BTreeMap::new();
        let components = self.api.schemas.iter();
        let components = components.map(|(key, component)| (key, format!("{types}::{}", component.name)));
        let scalars = self.scalars.iter().map(|(key, rust)| (key, rust.replace("{types}", types)));
        let mut clashes = Vec::new();
        for (key, rust) in components.chain(scalars) {
            if replacements.insert(key.to_pascal_case(), rust).is_some() {
                clashes.push(key.clone());
            }
        }
        for name in clashes {
            let what = format!("the client needs the name `{name}` for itself");
            self.fault(
                "/components/schemas",
                what,
                "rename the component that differs from it by case at most",
            );
        }
        replacements
    }

    fn operation(&mut self, operation: &Operation, success: &Success) -> (ClientOperation, Value) {
        let keyed = matches!(operation.method, Method::Post | Method::Patch);
        let kept: Vec<&Param> = operation.params.iter().filter(|param| !dropped(param, success)).collect();
        let mut setters = self.setters(operation, &kept);
        let mut parameters: Vec<Value> = kept.iter().map(|param| self.parameter(param)).collect();
        let mut headers = success.headers();
        let body = operation.body.as_ref().and_then(|body| self.body(operation, body, &mut headers));
        for (name, required, doc) in choice_of_type(operation, success) {
            let schema = json!({ "type": "string" });
            parameters.push(json!({ "name": name, "in": "header", "required": required, "schema": schema }));
            setters.insert(setter(name), doc);
        }
        let ident = success.ident(operation);
        let about = ClientOperation {
            module: operation.module.clone(),
            doc: doc(operation, success),
            setters,
            authenticated: !operation.security.is_empty(),
            idempotent_by_key: keyed
                && operation.params.iter().any(|param| is_header(param, IDEMPOTENCY_HEADER)),
            headers,
            ident: ident.clone(),
        };
        let Answers { responses } = self.answers(operation, success);
        let mut lowered = json!({ "operationId": ident, "parameters": parameters });
        if let Some(body) = body {
            lowered["requestBody"] = body;
        }
        lowered["responses"] = Value::Object(responses);
        (about, lowered)
    }

    fn setters(&mut self, operation: &Operation, kept: &[&Param]) -> BTreeMap<String, String> {
        let mut setters = BTreeMap::new();
        if let Some(body) = &operation.body {
            let about = body.description.clone().unwrap_or_else(|| "The body of the request.".to_owned());
            setters.insert("body".to_owned(), about);
        }
        for param in kept {
            let place = match param.place {
                Place::Path => "in the path",
                Place::Query => "in the query",
                Place::Header => "header",
            };
            let about = param.description.as_deref().unwrap_or_default();
            let text = format!("`{}` {place}. {about}", param.name).trim_end().to_owned();
            if setters.insert(setter(&param.name), text).is_some() {
                let what = format!("the client would set `{}` and another parameter by one name", param.name);
                self.fault(&param.pointer, what, "rename one of them");
            }
        }
        setters
    }

    fn body(
        &mut self,
        operation: &Operation,
        body: &Body,
        headers: &mut Vec<(String, String)>,
    ) -> Option<Value> {
        let schema = &body.content.schema;
        let (content_type, schema) = match body.content.media {
            Media::Json => ("application/json", self.schema(schema)),
            Media::Form => ("application/x-www-form-urlencoded", self.schema(schema)),
            Media::Stream => {
                if let [only] = body.content.content_types.as_slice() {
                    headers.push(("content-type".to_owned(), only.clone()));
                }
                ("application/octet-stream", json!({ "type": "string", "format": "binary" }))
            }
            Media::Events => {
                let mend = "events come from the server: send a stream such as application/x-ndjson";
                self.fault(&operation.pointer, "a request carries server-sent events", mend);
                return None;
            }
        };
        Some(json!({ "required": true, "content": { content_type: { "schema": schema } } }))
    }
}

/// Streams of several types: the caller names the one that is sent, and may name the one to receive.
fn choice_of_type(operation: &Operation, success: &Success) -> Vec<(&'static str, bool, String)> {
    let told = |types: &[String]| types.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
    let mut choices = Vec::new();
    let sent = operation.body.as_ref().map_or(&[][..], |body| &body.content.content_types);
    if sent.len() > 1 {
        choices.push(("content-type", true, format!("`content-type` header. What is sent: {}.", told(sent))));
    }
    let received = success.stream_types();
    if received.len() > 1 {
        choices.push(("accept", false, format!("`accept` header. What to receive: {}.", told(received))));
    }
    choices
}

/// The transport, or the choice between the two operations, decides these.
fn dropped(param: &Param, success: &Success) -> bool {
    TRANSPORT_HEADERS.iter().any(|name| is_header(param, name))
        || (success.split && is_header(param, ASYNC_HEADER))
}

fn is_header(param: &Param, name: &str) -> bool {
    param.place == Place::Header && param.name.eq_ignore_ascii_case(name)
}

fn doc(operation: &Operation, success: &Success) -> String {
    let mut paragraphs = Vec::new();
    paragraphs
        .extend(operation.summary.as_ref().map(|summary| format!("{}.", summary.trim_end_matches('.'))));
    if success.asynchronous {
        paragraphs.push("Asks the server to answer before the work is done (status 202).".to_owned());
    }
    paragraphs.extend(operation.description.clone());
    paragraphs.push(format!("Sends `{} {}`.", operation.method, operation.path));
    paragraphs.iter().map(|paragraph| paragraph.trim()).collect::<Vec<_>>().join("\n\n")
}
