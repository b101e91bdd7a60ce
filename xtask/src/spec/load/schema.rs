//! Schemas: each keyword is either understood or blamed.

use std::collections::HashMap;

use serde_json::{Number, Value};

use super::Loader;
use super::cursor::{At, join, keys};
use crate::spec::ir::{
    Additional, Array, Bound, Component, Decimal, EnumValue, Field, Integer, IntegerFormat, Kind, Object,
    OneOf, Schema, Text, TextFormat,
};
use crate::spec::names;

/// Keywords that say nothing about the shape, allowed beside every `type`.
const ANNOTATIONS: [&str; 8] =
    ["title", "description", "default", "example", "deprecated", "readOnly", "writeOnly", "nullable"];

/// Annotations of the place where an inline schema stands; its hoisted component does not repeat them.
const OF_THE_PLACE: [&str; 4] = ["nullable", "default", "readOnly", "writeOnly"];

/// References may lead through this many components before the document is thought circular.
const MERGE_DEPTH_MAX: usize = 16;

const NUMERIC: [&str; 6] = ["type", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

impl<'d> Loader<'d> {
    /// A schema that has a name of its own.
    pub(super) fn component_schema(&mut self, at: &At<'d>, name: &str) -> Schema {
        if at.reference().is_some() {
            self.reader.fault(
                at,
                format!("component `{name}` is only a reference"),
                "refer to its target directly, or write `allOf: [{$ref: …}]`",
            );
            return bare(at);
        }
        if at.value.get("nullable") == Some(&Value::Bool(true)) {
            let mend =
                "take `nullable` out of it; write `nullable: true, allOf: [{$ref: …}]` where it may be null";
            self.reader.fault(at, format!("component `{name}` is nullable everywhere"), mend);
        }
        let kind = self.kind(at, name, true);
        self.annotated(at, kind)
    }

    /// A schema in any other place. Objects, enums and alternatives are hoisted under `hint`.
    pub(super) fn inline_schema(&mut self, at: &At<'d>, hint: &str) -> Schema {
        if at.reference().is_some() {
            self.reader.known(at, "a reference", &["$ref"]);
            let kind = self.reference(at);
            return Schema { kind, ..bare(at) };
        }
        if let Some(kind) = self.wrapped_reference(at) {
            return self.annotated(at, kind);
        }
        let kind = match self.kind(at, hint, false) {
            Kind::Enum(_) | Kind::Object(_) | Kind::OneOf(_) => self.hoist(at, hint),
            kind => kind,
        };
        self.annotated(at, kind)
    }

    /// `allOf: [{$ref}]` beside nothing but annotations: how 3.0 describes a reference or makes it nullable.
    fn wrapped_reference(&mut self, at: &At<'d>) -> Option<Kind> {
        let [only] = at.value.get("allOf")?.as_array()?.as_slice() else { return None };
        only.get("$ref")?;
        let plain = keys(at.value).all(|key| key == "allOf" || ANNOTATIONS.contains(&key.as_str()));
        let inner = At { value: only, pointer: join(&join(&at.pointer, "allOf"), "0") };
        plain.then(|| self.reference(&inner))
    }

    fn reference(&mut self, at: &At<'d>) -> Kind {
        let reference = at.reference().unwrap_or_default();
        let name = reference.strip_prefix("#/components/schemas/");
        let known = |name: &&str| self.document.pointer(&format!("/components/schemas/{name}")).is_some();
        if let Some(name) = name.filter(known) {
            return Kind::Ref(name.to_owned());
        }
        let what = format!("`{reference}` leads nowhere");
        self.reader.fault(at, what, "define it under components.schemas of this document");
        Kind::Any
    }

    fn hoist(&mut self, at: &At<'d>, hint: &str) -> Kind {
        let name = names::type_name(hint);
        let taken = self.document.pointer(&format!("/components/schemas/{name}")).is_some()
            || self.hoisted.get(&name).is_some_and(|other| other.schema.pointer != at.pointer);
        if taken {
            let what = format!("an inline schema here would be named `{name}`, which is taken");
            self.reader.fault(at, what, "move it to components.schemas under a name of its own");
        } else if !self.hoisted.contains_key(&name) {
            let mut raw = at.value.clone();
            if let Some(map) = raw.as_object_mut() {
                map.retain(|key, _| !OF_THE_PLACE.contains(&key.as_str()));
            }
            let kind = self.kind(at, hint, true);
            let schema = Schema { kind, description: self.reader.text(at, "description"), ..bare(at) };
            let component = Component { name: name.clone(), schema, raw, hoisted: true };
            self.hoisted.insert(name.clone(), component);
        }
        Kind::Ref(name)
    }

    fn annotated(&mut self, at: &At<'d>, kind: Kind) -> Schema {
        Schema {
            kind,
            nullable: self.reader.flag(at, "nullable"),
            title: self.reader.text(at, "title"),
            description: self.reader.text(at, "description"),
            default: at.value.get("default").cloned(),
            example: at.value.get("example").cloned(),
            deprecated: self.reader.flag(at, "deprecated"),
            read_only: self.reader.flag(at, "readOnly"),
            write_only: self.reader.flag(at, "writeOnly"),
            pointer: at.pointer.clone(),
        }
    }

    fn known(&mut self, at: &At<'d>, place: &str, keywords: &[&str]) {
        let known: Vec<&str> = keywords.iter().chain(&ANNOTATIONS).copied().collect();
        self.reader.known(at, place, &known);
    }

    /// The shape. With `deep` false, an object, an enum or alternatives are recognised but not descended into.
    fn kind(&mut self, at: &At<'d>, hint: &str, deep: bool) -> Kind {
        if !at.value.is_object() {
            self.reader.fault(at, "a schema must be an object", "write a mapping here");
            return Kind::Any;
        }
        if at.value.get("allOf").is_some() {
            let object = Object { fields: Vec::new(), additional: Additional::Ignored };
            return Kind::Object(if deep { self.merged(at, hint, 0) } else { object });
        }
        if at.value.get("oneOf").is_some() {
            let empty = OneOf { variants: Vec::new() };
            return Kind::OneOf(if deep { self.one_of(at) } else { empty });
        }
        match at.value.get("type").and_then(Value::as_str) {
            Some("object") => self.object(at, hint, deep),
            Some("array") => self.list(at, hint),
            Some("string") if at.value.get("enum").is_some() => Kind::Enum(self.values(at)),
            Some("string") => Kind::String(self.string(at)),
            Some("integer") => Kind::Integer(self.integer(at)),
            Some("number") => Kind::Decimal(self.decimal(at)),
            Some("boolean") => {
                self.known(at, "a boolean schema", &["type"]);
                Kind::Bool
            }
            Some(other) => {
                let mend = "use object, array, string, integer, number or boolean";
                self.reader.fault(at, format!("unknown type `{other}`"), mend);
                Kind::Any
            }
            None => self.untyped(at),
        }
    }

    fn untyped(&mut self, at: &At<'d>) -> Kind {
        if at.value.get("type").is_some() {
            self.reader.fault(at, "`type` must be one name", "write one type; for null add `nullable: true`");
        } else {
            self.known(at, "a schema without `type`", &[]);
        }
        Kind::Any
    }

    fn object(&mut self, at: &At<'d>, hint: &str, deep: bool) -> Kind {
        let known = ["type", "properties", "required", "additionalProperties", "x-key-pattern"];
        self.known(at, "an object schema", &known);
        let has_fields = keys(at.value.get("properties").unwrap_or(&Value::Null)).next().is_some();
        let has_pattern = at.value.get("x-key-pattern").is_some();
        if has_fields || has_pattern || at.value.get("additionalProperties") == Some(&Value::Bool(false)) {
            let shallow = || Object { fields: Vec::new(), additional: Additional::Ignored };
            return Kind::Object(if deep { self.fields(at, hint) } else { shallow() });
        }
        self.missing_fields(at, &[]);
        match self.additional(at, hint) {
            Additional::Map(values) => Kind::Map(values),
            _ => Kind::Map(Box::new(bare(at))),
        }
    }

    fn fields(&mut self, at: &At<'d>, hint: &str) -> Object {
        let required = self.reader.texts(at, "required");
        let mut fields = Vec::new();
        if let Some(properties) = self.reader.object(at, "properties") {
            for (name, there) in properties.entries() {
                let schema = self.inline_schema(&there, &format!("{hint}{}", names::pascal(name)));
                let required = required.iter().any(|field| field == name);
                fields.push(Field { name: name.to_owned(), ident: names::snake(name), required, schema });
            }
        }
        self.missing_fields(at, &fields);
        self.unique_fields(&fields);
        Object { fields, additional: self.additional(at, hint) }
    }

    fn missing_fields(&mut self, at: &At<'d>, fields: &[Field]) {
        for item in self.reader.array(at, "required") {
            let name = item.value.as_str().unwrap_or_default();
            if !fields.iter().any(|field| field.name == name) {
                let what = format!("required field `{name}` has no schema");
                self.reader.fault(&item, what, "add it to `properties`, or drop it from `required`");
            }
        }
    }

    fn unique_fields(&mut self, fields: &[Field]) {
        let mut taken: HashMap<&str, &str> = HashMap::new();
        for field in fields {
            if let Some(other) = taken.insert(&field.ident, &field.name) {
                let there = At { value: self.document, pointer: field.schema.pointer.clone() };
                let what = format!("`{}` and `{other}` both become `{}` in Rust", field.name, field.ident);
                self.reader.fault(&there, what, "rename one of them");
            }
        }
    }

    fn additional(&mut self, at: &At<'d>, hint: &str) -> Additional {
        let pattern = self.reader.text(at, "x-key-pattern");
        if let (Some(there), Some(pattern)) = (at.key("x-key-pattern"), &pattern) {
            self.check_pattern(&there, pattern);
        }
        let Some(there) = at.key("additionalProperties") else {
            if pattern.is_some() {
                let mend = "add `additionalProperties` with the schema of the values";
                self.reader.fault(at, "`x-key-pattern` without `additionalProperties`", mend);
            }
            return Additional::Ignored;
        };
        let schema = match there.value {
            Value::Bool(false) => return Additional::Forbidden,
            Value::Bool(true) => bare(&there),
            _ => self.inline_schema(&there, &format!("{hint}Value")),
        };
        let schema = Box::new(schema);
        match pattern {
            Some(pattern) => Additional::Custom { pattern, schema },
            None => Additional::Map(schema),
        }
    }

    /// `allOf` of objects, its own siblings last.
    fn merged(&mut self, at: &At<'d>, hint: &str, depth: usize) -> Object {
        let mut whole = Object { fields: Vec::new(), additional: Additional::Ignored };
        if depth > MERGE_DEPTH_MAX {
            self.reader.fault(
                at,
                "`allOf` leads back to itself",
                "take the component out of its own `allOf`",
            );
            return whole;
        }
        let mut known: Vec<&str> = vec!["allOf", "type", "properties", "required", "additionalProperties"];
        known.extend(ANNOTATIONS);
        self.reader.known(at, "an `allOf` schema", &known);
        let mut parts = self.reader.array(at, "allOf");
        if at.value.get("properties").is_some() || at.value.get("additionalProperties").is_some() {
            parts.push(at.clone());
        }
        for part in parts {
            let own = part.pointer == at.pointer;
            let (target, hint) = match self.part(&part) {
                Some((target, Some(name))) => (target, name),
                Some((target, None)) => (target, hint.to_owned()),
                None => continue,
            };
            let object = match target.value.get("allOf") {
                Some(_) if !own => self.merged(&target, &hint, depth + 1),
                _ if own || is_object(target.value) => self.fields(&target, &hint),
                _ => {
                    let mend = "keep `allOf` to objects with properties";
                    self.reader.fault(&part, "a part of `allOf` is no object", mend);
                    continue;
                }
            };
            self.merge(&part, &mut whole, object);
        }
        whole
    }

    /// A part of an `allOf`: the component it refers to, with its name, or itself.
    fn part(&mut self, part: &At<'d>) -> Option<(At<'d>, Option<String>)> {
        if part.reference().is_none() {
            return Some((part.clone(), None));
        }
        match self.reference(part) {
            Kind::Ref(name) => {
                let pointer = format!("/components/schemas/{name}");
                let value = self.document.pointer(&pointer)?;
                Some((At { value, pointer }, Some(name)))
            }
            _ => None,
        }
    }

    fn merge(&mut self, part: &At<'d>, whole: &mut Object, object: Object) {
        match object.additional {
            Additional::Ignored => {}
            Additional::Forbidden => {
                let what = "`additionalProperties: false` in `allOf` refuses the fields of the other parts";
                self.reader.fault(part, what, "write the fields out in one object");
            }
            more => whole.additional = more,
        }
        for field in object.fields {
            if let Some(other) = whole.fields.iter_mut().find(|other| other.name == field.name) {
                other.required |= field.required;
                if other.schema.pointer != field.schema.pointer {
                    let what = format!("field `{}` stands in two parts of `allOf`", field.name);
                    self.reader.fault(part, what, "keep it in one part");
                }
            } else {
                whole.fields.push(field);
            }
        }
        let fields = std::mem::take(&mut whole.fields);
        self.unique_fields(&fields);
        whole.fields = fields;
    }

    fn one_of(&mut self, at: &At<'d>) -> OneOf {
        self.known(at, "a `oneOf` schema", &["oneOf"]);
        let mut variants = Vec::new();
        for item in self.reader.array(at, "oneOf") {
            if item.reference().is_none() {
                let mend = "move it to components.schemas and refer to it";
                self.reader.fault(&item, "an alternative of `oneOf` is written inline", mend);
                continue;
            }
            variants.push(self.inline_schema(&item, ""));
        }
        if variants.is_empty() {
            self.reader.fault(at, "`oneOf` has no alternatives", "add references to components");
        }
        OneOf { variants }
    }

    fn list(&mut self, at: &At<'d>, hint: &str) -> Kind {
        let known = ["type", "items", "minItems", "maxItems", "x-comma-list"];
        self.known(at, "an array schema", &known);
        let items = if let Some(items) = at.key("items") {
            self.inline_schema(&items, &format!("{hint}Item"))
        } else {
            self.reader.fault(at, "an array has no `items`", "add `items` with the schema of its elements");
            bare(at)
        };
        Kind::Array(Array {
            items: Box::new(items),
            min_items: self.reader.count(at, "minItems"),
            max_items: self.reader.count(at, "maxItems"),
            comma_list: self.reader.flag(at, "x-comma-list"),
        })
    }

    fn values(&mut self, at: &At<'d>) -> Vec<EnumValue> {
        self.known(at, "an enum schema", &["type", "enum"]);
        let mut values: Vec<EnumValue> = Vec::new();
        for item in self.reader.array(at, "enum") {
            if item.value.is_null() && at.value.get("nullable") == Some(&Value::Bool(true)) {
                continue;
            }
            let Some(value) = item.value.as_str() else {
                self.reader.fault(&item, "an enum value must be text", "put it in quotes");
                continue;
            };
            // The arm for values that nobody documented has this name.
            let ident = match names::pascal(value) {
                taken if taken == "Unknown" => "UnknownValue".to_owned(),
                ident => ident,
            };
            if let Some(other) = values.iter().find(|other| other.ident == ident) {
                let what = format!("`{value}` and `{}` both become `{ident}` in Rust", other.value);
                self.reader.fault(&item, what, "drop one of them, or use plain text with a pattern");
            }
            values.push(EnumValue { value: value.to_owned(), ident });
        }
        values
    }

    fn string(&mut self, at: &At<'d>) -> Text {
        self.known(at, "a string schema", &["type", "format", "minLength", "maxLength", "pattern"]);
        let format = match self.reader.text(at, "format").as_deref() {
            None => None,
            Some("date") => Some(TextFormat::Date),
            Some("date-time") => Some(TextFormat::DateTime),
            Some("zuora-date-time") => Some(TextFormat::ZuoraDateTime),
            Some("binary") => Some(TextFormat::Binary),
            Some(other) => {
                let mend = "use date, date-time, zuora-date-time or binary, or drop it";
                self.unknown_format(at, other, "a string", mend);
                None
            }
        };
        let pattern = self.reader.text(at, "pattern");
        if let (Some(there), Some(pattern)) = (at.key("pattern"), &pattern) {
            self.check_pattern(&there, pattern);
        }
        let min_length = self.reader.count(at, "minLength");
        let max_length = self.reader.count(at, "maxLength");
        if format.is_some() && (min_length.is_some() || max_length.is_some() || pattern.is_some()) {
            let mend = "drop minLength, maxLength and pattern: the format says all";
            self.reader.fault(at, "a formatted string carries other constraints", mend);
        }
        Text { format, min_length, max_length, pattern }
    }

    fn check_pattern(&mut self, at: &At<'d>, pattern: &str) {
        if let Err(error) = regex::Regex::new(pattern) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let what = format!("the pattern is no regular expression that Rust reads: {reason}");
            self.reader.fault(at, what, "write it without look-around and back-references");
        }
    }

    fn unknown_format(&mut self, at: &At<'d>, format: &str, kind: &str, mend: &str) {
        let there = at.key("format").unwrap_or_else(|| at.clone());
        self.reader.fault(&there, format!("unknown format `{format}` of {kind}"), mend);
    }

    fn integer(&mut self, at: &At<'d>) -> Integer {
        self.known(at, "an integer schema", &NUMERIC);
        let format = match self.reader.text(at, "format").as_deref() {
            None => None,
            Some("int32") => Some(IntegerFormat::Int32),
            Some("int64") => Some(IntegerFormat::Int64),
            Some(other) => {
                self.unknown_format(at, other, "an integer", "use int32 or int64");
                None
            }
        };
        let min = self.whole_bound(at, "minimum", "exclusiveMinimum", 1);
        let max = self.whole_bound(at, "maximum", "exclusiveMaximum", -1);
        Integer { format, min, max }
    }

    fn whole_bound(&mut self, at: &At<'d>, key: &str, exclusive: &str, step: i64) -> Option<i64> {
        let bound = self.bound(at, key, exclusive)?;
        let whole = bound.value.as_i64();
        if whole.is_none() {
            let there = at.key(key).unwrap_or_else(|| at.clone());
            self.reader.fault(&there, format!("`{key}` of an integer must be whole"), "write a whole number");
        }
        if bound.exclusive { whole?.checked_add(step) } else { whole }
    }

    fn bound(&mut self, at: &At<'d>, key: &str, exclusive: &str) -> Option<Bound> {
        let exclusive = self.reader.flag(at, exclusive);
        let value: Number = self.reader.number(at, key)?;
        Some(Bound { value, exclusive })
    }

    fn decimal(&mut self, at: &At<'d>) -> Decimal {
        self.known(at, "a number schema", &NUMERIC);
        match self.reader.text(at, "format").as_deref() {
            Some("decimal") => {}
            Some(other) => {
                let mend = "use decimal: numbers are read exactly, never as floats";
                self.unknown_format(at, other, "a number", mend);
            }
            None => {
                let mend = "add `format: decimal`: numbers are read exactly, never as floats";
                self.reader.fault(at, "a number has no format", mend);
            }
        }
        let min = self.bound(at, "minimum", "exclusiveMinimum");
        let max = self.bound(at, "maximum", "exclusiveMaximum");
        Decimal { min, max }
    }
}

/// Anything, without annotations.
pub(super) fn bare(at: &At<'_>) -> Schema {
    Schema {
        kind: Kind::Any,
        nullable: false,
        title: None,
        description: None,
        default: None,
        example: None,
        deprecated: false,
        read_only: false,
        write_only: false,
        pointer: at.pointer.clone(),
    }
}

fn is_object(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("object") || value.get("properties").is_some()
}
