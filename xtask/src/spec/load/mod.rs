//! From a document to the intermediate representation. All faults are collected, then told at once.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use self::cursor::{At, Reader};
use super::ir::{Api, Component, SecurityRequirement, SecurityScheme, Server, Tag};
use super::{Fault, Faults, names};

mod cursor;
mod operation;
mod schema;

/// Names that generated code uses unqualified.
const PRELUDE: [&str; 5] = ["Box", "Option", "Result", "String", "Vec"];

/// Reads and loads the document at `root/path`; `path` is what faults and file headers show.
pub fn load_file(root: &Path, path: &Path) -> Result<Api, Faults> {
    let file = path.to_string_lossy().replace('\\', "/");
    let text = std::fs::read_to_string(root.join(path)).map_err(|error| {
        whole(&file, format!("cannot be read: {error}"), "create it, or name another".to_owned())
    })?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let document = read(&file, &text)?;
    load(&name, &file, document)
}

/// Parses YAML (or JSON, which is YAML) into JSON, order kept. Keys that are numbers, as unquoted statuses are, become text.
pub fn read(file: &str, text: &str) -> Result<Value, Faults> {
    let parsed: yaml_serde::Value = yaml_serde::from_str(text).map_err(|error| {
        whole(file, format!("is not well-formed YAML: {error}"), "mend the YAML at that line".to_owned())
    })?;
    to_json(parsed).map_err(|what| whole(file, what, "use plain YAML that JSON can say too".to_owned()))
}

fn whole(file: &str, what: String, mend: String) -> Faults {
    Faults(vec![Fault { file: file.to_owned(), pointer: String::new(), what, mend }])
}

fn to_json(value: yaml_serde::Value) -> Result<Value, String> {
    Ok(match value {
        yaml_serde::Value::Null => Value::Null,
        yaml_serde::Value::Bool(flag) => Value::Bool(flag),
        yaml_serde::Value::Number(number) => {
            serde_json::to_value(&number).map_err(|error| format!("has the number {number}: {error}"))?
        }
        yaml_serde::Value::String(text) => Value::String(text),
        yaml_serde::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        yaml_serde::Value::Mapping(mapping) => {
            let mut map = Map::new();
            for (key, value) in mapping {
                let key = match key {
                    yaml_serde::Value::String(text) => text,
                    yaml_serde::Value::Number(number) => number.to_string(),
                    yaml_serde::Value::Bool(flag) => flag.to_string(),
                    other => return Err(format!("has a key that is no text: {other:?}")),
                };
                map.insert(key, to_json(value)?);
            }
            Value::Object(map)
        }
        yaml_serde::Value::Tagged(tagged) => return Err(format!("has the YAML tag {}", tagged.tag)),
    })
}

/// Loads a document that was [read](read). `name` is the API's short name, `file` what faults show.
pub fn load(name: &str, file: &str, document: Value) -> Result<Api, Faults> {
    let mut loader = Loader {
        reader: Reader { file: file.to_owned(), faults: Vec::new() },
        document: &document,
        schemas: IndexMap::new(),
        hoisted: IndexMap::new(),
    };
    let root = At { value: &document, pointer: String::new() };
    let api = loader.api(name, &root);
    let faults = std::mem::take(&mut loader.reader.faults);
    if faults.is_empty() { Ok(Api { document, ..api }) } else { Err(Faults(faults)) }
}

/// The state of one load.
struct Loader<'d> {
    reader: Reader,
    document: &'d Value,
    schemas: IndexMap<String, Component>,
    hoisted: IndexMap<String, Component>,
}

impl<'d> Loader<'d> {
    fn api(&mut self, name: &str, root: &At<'d>) -> Api {
        self.version(root);
        self.reader.known(
            root,
            "the document",
            &["openapi", "info", "servers", "tags", "paths", "components", "security", "externalDocs"],
        );
        let (title, version, description) = self.info(root);
        let servers = self.servers(root);
        let security_schemes = self.components(root);
        let security = self.security(root, &security_schemes).unwrap_or_default();
        let operations = self.operations(root, &security_schemes, &security);
        let tags = self.tags(root, &operations);
        let mut schemas = std::mem::take(&mut self.schemas);
        schemas.append(&mut self.hoisted);
        Api {
            name: name.to_owned(),
            file: self.reader.file.clone(),
            title,
            version,
            description,
            servers,
            tags,
            schemas,
            operations,
            security_schemes,
            security,
            document: Value::Null,
        }
    }

    fn version(&mut self, root: &At<'d>) {
        let version = self.reader.required_text(root, "openapi", "the document");
        let known = version.strip_prefix("3.0.").is_some_and(|patch| patch.parse::<u8>().is_ok());
        if !known && !version.is_empty() {
            let there = root.key("openapi").unwrap_or_else(|| root.clone());
            self.reader.fault(
                &there,
                format!("OpenAPI {version} is not read"),
                "write the document in OpenAPI 3.0.3",
            );
        }
    }

    fn info(&mut self, root: &At<'d>) -> (String, String, Option<String>) {
        let Some(info) = self.reader.object(root, "info") else {
            self.reader.fault(root, "the document has no `info`", "add `info` with `title` and `version`");
            return (String::new(), String::new(), None);
        };
        let known = ["title", "version", "description", "contact", "license", "termsOfService"];
        self.reader.known(&info, "info", &known);
        let title = self.reader.required_text(&info, "title", "info");
        let version = self.reader.required_text(&info, "version", "info");
        (title, version, self.reader.text(&info, "description"))
    }

    fn servers(&mut self, root: &At<'d>) -> Vec<Server> {
        let mut servers = Vec::new();
        for server in self.reader.array(root, "servers") {
            self.reader.known(&server, "a server", &["url", "description"]);
            let url = self.reader.required_text(&server, "url", "a server");
            servers.push(Server { url, description: self.reader.text(&server, "description") });
        }
        servers
    }

    fn tags(&mut self, root: &At<'d>, operations: &[super::ir::Operation]) -> Vec<Tag> {
        let mut tags = Vec::new();
        for tag in self.reader.array(root, "tags") {
            self.reader.known(&tag, "a tag", &["name", "description", "externalDocs"]);
            let name = self.reader.required_text(&tag, "name", "a tag");
            let description = self.reader.text(&tag, "description");
            tags.push(Tag { module: names::snake(&name), name, description });
        }
        for operation in operations {
            if !tags.iter().any(|tag| tag.name == operation.tag) {
                let (name, module) = (operation.tag.clone(), operation.module.clone());
                tags.push(Tag { name, module, description: None });
            }
        }
        let mut modules: HashMap<&str, &str> = HashMap::new();
        for tag in &tags {
            let taken = modules.insert(&tag.module, &tag.name);
            if taken.is_some() || ["mod", "shared", "api"].contains(&tag.module.as_str()) {
                let there = root.key("tags").unwrap_or_else(|| root.clone());
                let what = format!("tag `{}` becomes the module `{}`, which is taken", tag.name, tag.module);
                self.reader.fault(&there, what, "rename the tag");
            }
        }
        tags
    }

    /// Loads `components.schemas` into the loader and returns the security schemes.
    fn components(&mut self, root: &At<'d>) -> IndexMap<String, SecurityScheme> {
        let Some(components) = self.reader.object(root, "components") else { return IndexMap::new() };
        let known =
            ["schemas", "parameters", "responses", "headers", "requestBodies", "securitySchemes", "examples"];
        self.reader.known(&components, "components", &known);
        if let Some(schemas) = self.reader.object(&components, "schemas") {
            self.component_schemas(&schemas);
        }
        let mut schemes = IndexMap::new();
        if let Some(all) = self.reader.object(&components, "securitySchemes") {
            for (name, at) in all.entries() {
                if let Some(scheme) = self.security_scheme(&at) {
                    schemes.insert(name.to_owned(), scheme);
                }
            }
        }
        schemes
    }

    fn component_schemas(&mut self, schemas: &At<'d>) {
        let mut taken: HashMap<String, &str> = HashMap::new();
        for (name, at) in schemas.entries() {
            let rust = names::type_name(name);
            if rust != name {
                let what = format!("component `{name}` is no Rust type name");
                self.reader.fault(&at, what, format!("rename it to `{rust}`"));
            }
            if PRELUDE.contains(&name) {
                self.reader.fault(&at, format!("component `{name}` would hide Rust's own type"), "rename it");
            }
            if let Some(other) = taken.insert(rust.to_lowercase(), name) {
                let what = format!("component `{name}` differs from `{other}` only by case");
                self.reader.fault(&at, what, "rename one of them");
            }
            let schema = self.component_schema(&at, name);
            let component = Component { name: rust, schema, raw: at.value.clone(), hoisted: false };
            self.schemas.insert(name.to_owned(), component);
        }
    }

    fn security_scheme(&mut self, at: &At<'d>) -> Option<SecurityScheme> {
        self.reader.known(
            at,
            "a security scheme",
            &["type", "scheme", "bearerFormat", "description", "flows", "in", "name"],
        );
        let kind = self.reader.required_text(at, "type", "a security scheme");
        let description = self.reader.text(at, "description");
        let detail = self.reader.text(at, if kind == "apiKey" { "in" } else { "scheme" });
        let scheme = match (kind.as_str(), detail.as_deref()) {
            ("http", Some("bearer")) => SecurityScheme::Bearer { description },
            ("http", Some("basic")) => SecurityScheme::Basic { description },
            ("apiKey", Some("header")) => {
                let name = self.reader.required_text(at, "name", "a security scheme");
                SecurityScheme::HeaderKey { name, description }
            }
            ("oauth2", None) => return self.client_credentials(at, description),
            _ => {
                let mend = "use http bearer, http basic, apiKey in a header, or oauth2 clientCredentials";
                let what = format!("unknown security scheme `{kind} {}`", detail.unwrap_or_default());
                self.reader.fault(at, what, mend);
                return None;
            }
        };
        Some(scheme)
    }

    fn client_credentials(&mut self, at: &At<'d>, description: Option<String>) -> Option<SecurityScheme> {
        let flows = self.reader.object(at, "flows")?;
        self.reader.known(&flows, "the flows", &["clientCredentials"]);
        let flow = self.reader.object(&flows, "clientCredentials")?;
        self.reader.known(&flow, "the flow", &["tokenUrl", "scopes", "refreshUrl"]);
        let token_url = self.reader.required_text(&flow, "tokenUrl", "the flow");
        let mut scopes = IndexMap::new();
        if let Some(all) = self.reader.object(&flow, "scopes") {
            for (scope, _) in all.entries() {
                scopes.insert(scope.to_owned(), self.reader.text(&all, scope).unwrap_or_default());
            }
        }
        Some(SecurityScheme::ClientCredentials { token_url, scopes, description })
    }

    /// The `security` of the document or of an operation; `None` when absent.
    fn security(
        &mut self,
        at: &At<'d>,
        schemes: &IndexMap<String, SecurityScheme>,
    ) -> Option<Vec<SecurityRequirement>> {
        at.key("security")?;
        let mut requirements = Vec::new();
        for item in self.reader.array(at, "security") {
            let mut requirement = SecurityRequirement::new();
            for (name, there) in item.entries() {
                if !schemes.contains_key(name) {
                    let what = format!("security scheme `{name}` is not defined");
                    self.reader.fault(&there, what, "define it under components.securitySchemes");
                }
                requirement.insert(name.to_owned(), self.reader.texts(&item, name));
            }
            requirements.push(requirement);
        }
        Some(requirements)
    }

    /// Follows a `$ref` into one kind of shared component; the place itself when it is no reference.
    fn resolve(&mut self, at: &At<'d>, kind: &str) -> Option<(At<'d>, Option<String>)> {
        let Some(reference) = at.reference() else { return Some((at.clone(), None)) };
        self.reader.known(at, "a reference", &["$ref"]);
        let prefix = format!("#/components/{kind}/");
        let found = reference.strip_prefix(&prefix).and_then(|name| {
            let value = self.document.get("components")?.get(kind)?.get(name)?;
            Some((name, value))
        });
        let Some((name, value)) = found else {
            let what = format!("`{reference}` leads nowhere");
            self.reader.fault(at, what, format!("define it, or refer to `{prefix}…` of this document"));
            return None;
        };
        let target = At { value, pointer: format!("/components/{kind}/{name}") };
        if target.reference().is_some() {
            let what = format!("`{reference}` is itself a reference");
            self.reader.fault(at, what, "refer to the target directly");
            return None;
        }
        Some((target, Some(name.to_owned())))
    }
}
