//! House rules for documents, beyond what the loader refuses anyway: unknown keywords, formats and styles, `default`
//! responses, names that clash in Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ir::{
    Additional, Api, Content, Integer, Kind, Operation, Place, Response, Schema, SecurityScheme, Status,
};
use super::{Fault, Faults};
use crate::codegen;
use crate::codegen::types::references;

/// The verbs that an `operationId` may start with; one word per idea.
const VERBS: [&str; 20] = [
    "cancel", "create", "delete", "export", "get", "import", "list", "post", "preview", "query", "replay",
    "resolve", "rotate", "scrub", "send", "set", "stop", "test", "update", "watch",
];

/// Operations that anyone may call: a token is what one of them gives, and who asks whether the server is up has none.
const PUBLIC: [&str; 3] = ["createToken", "getHealth", "getReadiness"];

/// Folders of `openapi/samples` beside the one named as the API: object query is a part of v1 with samples of its own.
const SAMPLE_FOLDERS: [(&str, &str); 1] = [("v1", "object-query")];

/// Checks every document of the project below `root` and its samples.
pub fn run(root: &Path) -> Result<(), Faults> {
    let apis = codegen::load_all(root)?;
    let mut faults: Vec<Fault> = apis.iter().flat_map(rules).collect();
    faults.extend(samples(&apis, &root.join("openapi/samples")));
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}

/// The rules that one document can be checked against alone.
pub fn rules(api: &Api) -> Vec<Fault> {
    let mut lint = Lint { api, faults: Vec::new() };
    for operation in &api.operations {
        lint.operation(operation);
        lint.scopes(operation);
        lint.params(operation);
        lint.successes(operation);
        lint.failures(operation);
    }
    lint.tags();
    lint.components();
    lint.unused_schemas();
    lint.unused_shared();
    lint.faults
}

struct Lint<'a> {
    api: &'a Api,
    faults: Vec<Fault>,
}

impl Lint<'_> {
    fn fault(&mut self, pointer: &str, what: impl Into<String>, mend: impl Into<String>) {
        let (what, mend) = (what.into(), mend.into());
        self.faults.push(Fault { file: self.api.file.clone(), pointer: pointer.to_owned(), what, mend });
    }

    fn operation(&mut self, operation: &Operation) {
        let (at, id) = (operation.pointer.as_str(), operation.id.as_str());
        let camel =
            id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(|c| c.is_ascii_alphanumeric());
        let verb = VERBS.iter().find(|verb| id.strip_prefix(**verb).is_some_and(starts_upper));
        if !camel || verb.is_none() {
            let mend =
                format!("write camelCase, a verb and then what it acts on; verbs: {}", VERBS.join(", "));
            self.fault(at, format!("operationId `{id}` is no verb and noun"), mend);
        }
        if is_blank(operation.summary.as_ref()) {
            self.fault(at, "an operation without a summary", "add `summary`: one line, verb first");
        }
        if is_blank(operation.description.as_ref()) {
            self.fault(
                at,
                "an operation without a description",
                "add `description`: what it does and refuses",
            );
        }
        let tags =
            self.api.document.pointer(at).and_then(|value| value.get("tags")?.as_array()).map_or(0, Vec::len);
        if tags != 1 {
            self.fault(
                at,
                format!("an operation with {tags} tags"),
                "give it exactly one; files are split by it",
            );
        }
    }

    /// Every operation says which permissions a caller needs, as scopes of a token that tools can fetch.
    fn scopes(&mut self, operation: &Operation) {
        let is_public = PUBLIC.contains(&operation.id.as_str());
        let schemes = &self.api.security_schemes;
        let is_known = |name: &String, scope: &String| match schemes.get(name) {
            Some(SecurityScheme::ClientCredentials { scopes, .. }) => scopes.contains_key(scope),
            _ => false,
        };
        let are_known = |(name, scopes): (&String, &Vec<String>)| {
            !scopes.is_empty() && scopes.iter().all(|scope| is_known(name, scope))
        };
        let is_right = match operation.security.as_slice() {
            [] => is_public,
            [only] => !is_public && only.len() == 1 && only.iter().all(are_known),
            _ => false,
        };
        if !is_right {
            let mend = format!(
                "write `security: [{{ oauth2: [scope] }}]` with scopes that the document declares; `security: []` is for {} alone",
                PUBLIC.join(", ")
            );
            self.fault(&operation.pointer, "an operation without the scopes that its callers need", mend);
        }
    }

    fn params(&mut self, operation: &Operation) {
        for param in &operation.params {
            if is_blank(param.description.as_ref()) {
                self.fault(
                    &param.pointer,
                    format!("parameter `{}` is not described", param.name),
                    "add `description`",
                );
            }
            let target = match &param.schema.kind {
                Kind::Array(array) => self.api.component(&array.items),
                _ => self.api.component(&param.schema),
            };
            if target.is_some_and(|component| component.hoisted) && param.shared.is_none() {
                let what = format!("parameter `{}` writes an enum inline", param.name);
                self.fault(&param.pointer, what, "move it to components.schemas and refer to it");
            }
            if param.place == Place::Header && param.required {
                let what = format!("header `{}` is required", param.name);
                self.fault(&param.pointer, what, "make it optional: proxies drop headers they do not know");
            }
            self.integers(&param.schema);
        }
    }

    /// 202 tells that the work was queued and may differ; all other successes share one body.
    fn successes(&mut self, operation: &Operation) {
        let answers = operation.successes().filter(|response| response.status != Status::Code(202));
        let bodies: BTreeSet<String> = answers.map(body_name).collect();
        if bodies.len() > 1 {
            let what = format!("successes have different bodies: {}", join(&bodies));
            self.fault(&operation.pointer, what, "give every 2xx response but 202 one component");
        }
    }

    fn failures(&mut self, operation: &Operation) {
        let bodies: BTreeSet<String> = operation.failures().map(body_name).collect();
        if bodies.len() > 1 {
            let what = format!("failures have different bodies: {}", join(&bodies));
            self.fault(&operation.pointer, what, "give every 4xx and 5xx response one component");
        }
        for class in [4, 5] {
            if !operation.failures().any(|response| response.status.class() == class) {
                let what = format!("no {class}xx response is documented");
                self.fault(&operation.pointer, what, format!("add `{class}XX`, or the statuses by number"));
            }
        }
    }

    fn tags(&mut self) {
        for tag in &self.api.tags {
            // Operations without a tag are blamed themselves.
            let is_written = tag.name != "default";
            if is_written && is_blank(tag.description.as_ref()) {
                let what = format!("tag `{}` is not described", tag.name);
                self.fault("/tags", what, "declare it under `tags` with a `description`");
            }
        }
    }

    fn components(&mut self) {
        for component in self.api.schemas.values() {
            let schema = &component.schema;
            if is_blank(schema.description.as_ref()) {
                let what = format!("component `{}` is not described", component.name);
                self.fault(&schema.pointer, what, "add `description`: what it is, and where it comes from");
            }
            self.integers(schema);
        }
    }

    /// Integers carry their width, and fields of objects a description; references say it at their target.
    fn integers(&mut self, schema: &Schema) {
        match &schema.kind {
            Kind::Integer(Integer { format: None, .. }) => {
                self.fault(
                    &schema.pointer,
                    "an integer without a format",
                    "add `format: int32` or `format: int64`",
                );
            }
            Kind::Array(array) => self.integers(&array.items),
            Kind::Map(values) => self.integers(values),
            Kind::Object(object) => {
                for field in &object.fields {
                    let is_reference = matches!(field.schema.kind, Kind::Ref(_));
                    if !is_reference && is_blank(field.schema.description.as_ref()) {
                        let what = format!("field `{}` is not described", field.name);
                        self.fault(&field.schema.pointer, what, "add `description`");
                    }
                    self.integers(&field.schema);
                }
                if let Additional::Map(values) | Additional::Custom { schema: values, .. } =
                    &object.additional
                {
                    self.integers(values);
                }
            }
            _ => {}
        }
    }

    fn unused_schemas(&mut self) {
        let mut used = BTreeSet::new();
        let mut pending: Vec<String> =
            self.api.operations.iter().flat_map(schemas).flat_map(references).collect();
        while let Some(name) = pending.pop() {
            if let Some(component) = self.api.schemas.get(&name)
                && used.insert(name)
            {
                pending.extend(references(&component.schema));
            }
        }
        // An `allOf` is merged, which leaves its parts without a user of their own.
        let text = self.api.document.to_string();
        for component in self.api.schemas.values().filter(|component| !used.contains(&component.name)) {
            if !text.contains(&format!("\"#/components/schemas/{}\"", component.name)) {
                let what = format!("component `{}` is not used", component.name);
                self.fault(&component.schema.pointer, what, "remove it");
            }
        }
    }

    fn unused_shared(&mut self) {
        let text = self.api.document.to_string();
        for kind in ["parameters", "responses", "headers", "requestBodies"] {
            let all = self.api.document.pointer(&format!("/components/{kind}"));
            for name in all.and_then(serde_json::Value::as_object).into_iter().flat_map(|map| map.keys()) {
                let pointer = format!("/components/{kind}/{name}");
                if !text.contains(&format!("\"#{pointer}\"")) {
                    self.fault(&pointer, format!("`{name}` is not used"), "remove it");
                }
            }
        }
    }
}

/// Every operation has a sample, and every folder of samples an operation.
fn samples(apis: &[Api], folder: &Path) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (top, path) in folders(folder).into_iter().chain(folders(&folder.join("own"))) {
        for (operation, path) in folders(&path) {
            let is_sample = |name: &str| name.ends_with(".request.json") || name.ends_with(".response.json");
            let count = files(&path).iter().filter(|name| is_sample(name)).count();
            *found.entry((api_of(&top).to_owned(), operation)).or_default() += count;
        }
    }
    found.retain(|(api, _), _| api != "own");
    for operation in apis.iter().flat_map(|api| api.operations.iter().map(move |operation| (api, operation)))
    {
        let (api, operation) = operation;
        let count = found.remove(&(api.name.clone(), operation.id.clone())).unwrap_or_default();
        if count == 0 {
            faults.push(Fault {
                file: api.file.clone(),
                pointer: operation.pointer.clone(),
                what: format!("operation `{}` has no sample", operation.id),
                mend: format!(
                    "add openapi/samples/{0}/{1}/<case>.request.json or .response.json; one that is not \
                               of the public reference under own/{0}",
                    api.name, operation.id
                ),
            });
        }
    }
    for (api, operation) in found.into_keys() {
        faults.push(Fault {
            file: "openapi/samples".to_owned(),
            pointer: format!("/{api}/{operation}"),
            what: format!("samples of `{operation}`, which openapi/{api}.yaml does not have"),
            mend: "rename the folder to an operationId, or remove it".to_owned(),
        });
    }
    faults
}

/// The API whose operations a folder of samples illustrates.
fn api_of(folder: &str) -> &str {
    SAMPLE_FOLDERS.iter().find(|(_, other)| *other == folder).map_or(folder, |(api, _)| api)
}

fn folders(path: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect()
}

fn files(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Every schema that an operation names itself.
fn schemas(operation: &Operation) -> Vec<&Schema> {
    let contents = operation.responses.iter().filter_map(|response| response.content.as_ref());
    let contents = contents.chain(operation.body.iter().map(|body| &body.content));
    let headers =
        operation.responses.iter().flat_map(|response| &response.headers).map(|header| &header.schema);
    let params = operation.params.iter().map(|param| &param.schema);
    contents.map(|content: &Content| &content.schema).chain(headers).chain(params).collect()
}

fn body_name(response: &Response) -> String {
    match response.content.as_ref().map(|content| &content.schema.kind) {
        Some(Kind::Ref(name)) => name.clone(),
        Some(_) => format!("an inline body of {}", response.status),
        None => format!("no body of {}", response.status),
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

fn is_blank(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn starts_upper(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
}
