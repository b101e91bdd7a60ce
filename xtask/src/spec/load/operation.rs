//! Paths, operations, parameters, bodies and answers.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::Loader;
use super::cursor::{At, join};
use crate::spec::ir::{
    Body, Content, Header, Kind, Media, Method, Operation, Param, Place, Response, Schema,
    SecurityRequirement, SecurityScheme, Status, Style,
};
use crate::spec::names;

/// Header names that OpenAPI ignores as parameters, since it describes them elsewhere.
const IGNORED_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

type Schemes = IndexMap<String, SecurityScheme>;

impl<'d> Loader<'d> {
    pub(super) fn operations(
        &mut self,
        root: &At<'d>,
        schemes: &Schemes,
        security: &[SecurityRequirement],
    ) -> Vec<Operation> {
        let mut operations: Vec<Operation> = Vec::new();
        let Some(paths) = self.reader.object(root, "paths") else {
            self.reader.fault(root, "the document has no `paths`", "add `paths`");
            return operations;
        };
        for (path, item) in paths.entries() {
            if !path.starts_with('/') {
                self.reader.fault(
                    &item,
                    format!("path `{path}` does not start with `/`"),
                    "write it with a slash",
                );
            }
            let mut known = vec!["summary", "description", "parameters"];
            known.extend(Method::ALL.iter().map(|(key, _)| *key));
            self.reader.known(&item, "a path", &known);
            for (key, at) in item.entries() {
                let Some((_, method)) = Method::ALL.iter().find(|(known, _)| *known == key) else { continue };
                if let Some(operation) = self.operation(&at, &item, path, *method, schemes, security) {
                    self.unique_operation(&at, &operations, &operation);
                    operations.push(operation);
                }
            }
        }
        operations
    }

    fn unique_operation(&mut self, at: &At<'d>, operations: &[Operation], operation: &Operation) {
        if let Some(other) = operations.iter().find(|other| other.ident == operation.ident) {
            let what = format!("operationId `{}` is taken by {} {}", operation.id, other.method, other.path);
            self.reader.fault(at, what, "give each operation an id of its own");
        }
    }

    fn operation(
        &mut self,
        at: &At<'d>,
        item: &At<'d>,
        path: &str,
        method: Method,
        schemes: &Schemes,
        security: &[SecurityRequirement],
    ) -> Option<Operation> {
        let known = [
            "operationId",
            "tags",
            "summary",
            "description",
            "parameters",
            "requestBody",
            "responses",
            "deprecated",
            "security",
        ];
        self.reader.known(at, "an operation", &known);
        let id = self.reader.required_text(at, "operationId", "an operation");
        if id.is_empty() {
            return None;
        }
        let hint = names::pascal(&id);
        let params = self.params(at, item, path, &hint);
        let tag = self.reader.texts(at, "tags").into_iter().next().unwrap_or_else(|| "default".to_owned());
        let body = self.body(at, &hint);
        if body.is_some() && matches!(method, Method::Get | Method::Head) {
            let what = format!("{method} carries a body");
            self.reader.fault(at, what, "send the data as parameters, or use POST");
        }
        Some(Operation {
            ident: names::snake(&id),
            id,
            method,
            path: path.to_owned(),
            module: names::snake(&tag),
            tag,
            summary: self.reader.text(at, "summary"),
            description: self.reader.text(at, "description"),
            params,
            body,
            responses: self.responses(at, &hint),
            deprecated: self.reader.flag(at, "deprecated"),
            security: self.security(at, schemes).unwrap_or_else(|| security.to_vec()),
            pointer: at.pointer.clone(),
        })
    }

    /// The path's parameters, then the operation's, which replace those of the same name and place.
    fn params(&mut self, at: &At<'d>, item: &At<'d>, path: &str, hint: &str) -> Vec<Param> {
        let mut params: Vec<Param> = Vec::new();
        for (list, own) in [(item, false), (at, true)] {
            let from = params.len();
            for there in self.reader.array(list, "parameters") {
                let Some(param) = self.param(&there, hint) else { continue };
                let same = |other: &Param| other.place == param.place && other.name == param.name;
                match params.iter().position(same) {
                    Some(taken) if own && taken < from => params[taken] = param,
                    Some(_) => {
                        let what = format!("parameter `{}` stands here twice", param.name);
                        self.reader.fault(&there, what, "remove one of them");
                    }
                    None => params.push(param),
                }
            }
        }
        self.unique_params(at, &params);
        self.path_template(at, path, &params);
        params
    }

    fn unique_params(&mut self, at: &At<'d>, params: &[Param]) {
        let mut taken: HashMap<(Place, &str), &str> = HashMap::new();
        for param in params {
            if let Some(other) = taken.insert((param.place, &param.ident), &param.name) {
                let what = format!(
                    "parameters `{}` and `{other}` both become `{}` in Rust",
                    param.name, param.ident
                );
                self.reader.fault(at, what, "rename one of them");
            }
        }
    }

    fn path_template(&mut self, at: &At<'d>, path: &str, params: &[Param]) {
        let in_template: Vec<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
        for name in &in_template {
            if !params.iter().any(|param| param.place == Place::Path && param.name == *name) {
                let what = format!("`{{{name}}}` of the path is not described");
                self.reader.fault(at, what, "add a parameter with `in: path`");
            }
        }
        for param in params.iter().filter(|param| param.place == Place::Path) {
            if !in_template.contains(&param.name.as_str()) {
                let what = format!("path parameter `{}` is not in `{path}`", param.name);
                self.reader.fault(at, what, "remove it, or put it into the path");
            }
        }
    }

    fn param(&mut self, at: &At<'d>, operation: &str) -> Option<Param> {
        let (target, shared) = self.resolve(at, "parameters")?;
        let at = &target;
        let known = [
            "name",
            "in",
            "required",
            "description",
            "deprecated",
            "example",
            "examples",
            "style",
            "explode",
            "schema",
            "x-comma-list",
        ];
        self.reader.known(at, "a parameter", &known);
        let name = self.reader.required_text(at, "name", "a parameter");
        let place = self.place(at, &name)?;
        let style = self.style(at, place);
        let explode = match at.key("explode") {
            Some(_) => self.reader.flag(at, "explode"),
            None => style == Style::Form,
        };
        let hint = match &shared {
            Some(shared) => names::type_name(shared),
            None => format!("{operation}{}", names::pascal(&name)),
        };
        let mut schema = self.required_schema(at, "a parameter", &hint);
        let written_as_one = !explode || self.reader.flag(at, "x-comma-list");
        match &mut schema.kind {
            Kind::Array(array) => array.comma_list |= written_as_one,
            Kind::Map(_) | Kind::Any if at.value.get("schema").is_some() => {
                let mend = "use a scalar, an enum or an array of them";
                self.reader.fault(at, "a parameter must be a scalar or an array of scalars", mend);
            }
            _ => {}
        }
        let required = self.reader.flag(at, "required");
        if place == Place::Path && !required {
            self.reader.fault(at, "a path parameter is not required", "add `required: true`");
        }
        Some(Param {
            ident: names::snake(&name),
            name,
            place,
            required,
            description: self.reader.text(at, "description"),
            deprecated: self.reader.flag(at, "deprecated"),
            example: at.value.get("example").cloned().or_else(|| schema.example.clone()),
            style,
            explode,
            schema,
            shared,
            pointer: at.pointer.clone(),
        })
    }

    fn place(&mut self, at: &At<'d>, name: &str) -> Option<Place> {
        let place = self.reader.required_text(at, "in", "a parameter");
        match place.as_str() {
            "path" => Some(Place::Path),
            "query" => Some(Place::Query),
            "header" => {
                if IGNORED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                    let mend = "remove it: media types and `security` say it";
                    self.reader.fault(at, format!("OpenAPI ignores `{name}` as a header parameter"), mend);
                }
                Some(Place::Header)
            }
            other => {
                let there = at.key("in").unwrap_or_else(|| at.clone());
                self.reader.fault(&there, format!("unknown place `{other}`"), "use path, query or header");
                None
            }
        }
    }

    fn style(&mut self, at: &At<'d>, place: Place) -> Style {
        let usual = if place == Place::Query { Style::Form } else { Style::Simple };
        let written = self.reader.text(at, "style");
        let known = match (written.as_deref(), usual) {
            (None, _) | (Some("form"), Style::Form) | (Some("simple"), Style::Simple) => true,
            (Some(_), _) => false,
        };
        if !known {
            let there = at.key("style").unwrap_or_else(|| at.clone());
            let mend = "use form in queries and simple elsewhere, or drop it";
            self.reader.fault(&there, format!("unknown style `{}`", written.unwrap_or_default()), mend);
        }
        usual
    }

    fn required_schema(&mut self, at: &At<'d>, place: &str, hint: &str) -> Schema {
        if let Some(there) = at.key("schema") {
            return self.inline_schema(&there, hint);
        }
        self.reader.fault(at, format!("{place} has no `schema`"), "add `schema`");
        super::schema::bare(at)
    }

    fn body(&mut self, operation: &At<'d>, hint: &str) -> Option<Body> {
        let at = operation.key("requestBody")?;
        let (at, shared) = self.resolve(&at, "requestBodies")?;
        self.reader.known(
            &at,
            "a request body",
            &["description", "required", "content", "x-plain-bytes-max"],
        );
        let hint = shared.map_or_else(|| format!("{hint}Request"), |shared| names::type_name(&shared));
        let content = self.content(&at, &hint);
        if content.is_none() {
            self.reader.fault(&at, "a request body has no content", "add `content` with a media type");
        }
        Some(Body {
            content: content?,
            required: self.reader.flag(&at, "required"),
            plain_bytes_max: self.reader.count(&at, "x-plain-bytes-max"),
            description: self.reader.text(&at, "description"),
        })
    }

    /// The one kind of content that a body has; `None` without `content`.
    fn content(&mut self, at: &At<'d>, hint: &str) -> Option<Content> {
        let all = self.reader.object(at, "content")?;
        let mut found: Option<Content> = None;
        for (content_type, there) in all.entries() {
            self.reader.known(&there, "a media type", &["schema", "example", "examples"]);
            let Some(media) = self.media(&there, content_type) else { continue };
            let schema = self.required_schema(&there, "a media type", hint);
            match &mut found {
                None => found = Some(Content { media, content_types: vec![content_type.to_owned()], schema }),
                Some(first) if first.media == Media::Stream && media == Media::Stream => {
                    first.content_types.push(content_type.to_owned());
                }
                Some(_) => {
                    let mend = "keep one media type; only streams may have several";
                    self.reader.fault(&there, format!("`{content_type}` is a second kind of content"), mend);
                }
            }
        }
        found
    }

    fn media(&mut self, at: &At<'d>, content_type: &str) -> Option<Media> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Media::Json),
            json if json.starts_with("application/") && json.ends_with("+json") => Some(Media::Json),
            "application/x-www-form-urlencoded" => Some(Media::Form),
            "application/octet-stream" | "application/x-ndjson" | "text/csv" | "text/plain" => {
                Some(Media::Stream)
            }
            "text/event-stream" => Some(Media::Events),
            _ => {
                let mend = "use JSON, a form, text/event-stream, or a stream (application/octet-stream, \
                            application/x-ndjson, text/csv, text/plain)";
                self.reader.fault(at, format!("unknown media type `{content_type}`"), mend);
                None
            }
        }
    }

    fn responses(&mut self, operation: &At<'d>, hint: &str) -> Vec<Response> {
        let mut responses = Vec::new();
        let Some(all) = self.reader.object(operation, "responses") else {
            self.reader.fault(operation, "an operation has no `responses`", "add `responses`");
            return responses;
        };
        for (status, at) in all.entries() {
            let Some(parsed) = self.status(&at, status) else { continue };
            let Some((at, shared)) = self.resolve(&at, "responses") else { continue };
            self.reader.known(&at, "a response", &["description", "headers", "content"]);
            let hint = match &shared {
                Some(shared) => names::type_name(shared),
                None => format!("{hint}Response{status}"),
            };
            responses.push(Response {
                status: parsed,
                description: self.reader.required_text(&at, "description", "a response"),
                headers: self.headers(&at, &hint),
                content: self.content(&at, &hint),
                shared,
            });
        }
        if !responses.iter().any(|response| response.status.class() == 2) {
            self.reader.fault(&all, "no response tells of success", "add a 2xx response");
        }
        responses
    }

    fn status(&mut self, at: &At<'d>, status: &str) -> Option<Status> {
        let range = status.strip_suffix("XX").and_then(|class| class.parse().ok()).map(Status::Range);
        let code = status.parse().ok().filter(|code| (100..600).contains(code)).map(Status::Code);
        let parsed = range.filter(|range| (1..=5).contains(&range.class())).or(code);
        if parsed.is_none() {
            let mend = match status {
                "default" => "write `4XX` and `5XX`: `default` would be success and failure at once",
                _ => "write a status such as 200 or a range such as 4XX",
            };
            self.reader.fault(at, format!("unknown status `{status}`"), mend);
        }
        parsed
    }

    fn headers(&mut self, response: &At<'d>, hint: &str) -> Vec<Header> {
        let mut headers = Vec::new();
        let Some(all) = self.reader.object(response, "headers") else { return headers };
        for (name, at) in all.entries() {
            let Some((at, shared)) = self.resolve(&at, "headers") else { continue };
            let known = ["description", "required", "deprecated", "example", "schema"];
            self.reader.known(&at, "a header", &known);
            let hint = match &shared {
                Some(shared) => names::type_name(shared),
                None => format!("{hint}{}", names::pascal(name)),
            };
            let schema = self.required_schema(&at, "a header", &hint);
            if matches!(schema.kind, Kind::Array(_) | Kind::Map(_) | Kind::Any) {
                let there = At { value: at.value, pointer: join(&at.pointer, "schema") };
                self.reader.fault(&there, "a header must be a scalar", "describe it as a string");
            }
            headers.push(Header {
                name: name.to_owned(),
                ident: names::snake(name),
                required: self.reader.flag(&at, "required"),
                description: self.reader.text(&at, "description"),
                schema,
                shared,
            });
        }
        headers
    }
}
