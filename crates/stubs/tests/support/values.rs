//! JSON values out of a schema: valid ones, and ones that stand on or just beyond each of its bounds.
//!
//! Nothing here knows whether a value is valid. That is for the two judges to say, the schema's validator and the model.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::{BoxedStrategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Objects inside objects beyond this depth keep their required fields only, since some refer to themselves.
const DEPTH_MAX: usize = 4;

/// Lists as long as this are built to stand beyond a bound; longer bounds are not reached.
const ITEMS_MAX: u64 = 60_000;

/// The schemas that references lead to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schemas<'d> {
    pub(crate) definitions: &'d Map<String, Value>,
}

impl<'d> Schemas<'d> {
    /// What a reference leads to, or the first of several parts; anything else as it is.
    pub(crate) fn resolve(self, schema: &'d Value) -> &'d Value {
        let mut schema = schema;
        loop {
            let target = schema.get("$ref").and_then(Value::as_str);
            let name = target.and_then(|text| text.rsplit('/').next());
            let branches = schema.get("oneOf").or(schema.get("anyOf")).or(schema.get("allOf"));
            let first = branches.and_then(|parts| parts.get(0));
            let is_object = schema.get("properties").is_some();
            schema = match (name, first) {
                (Some(name), _) => &self.definitions[name],
                (None, Some(first)) if !is_object => first,
                _ => return schema,
            };
        }
    }

    /// A valid value with every field.
    pub(crate) fn full(self, schema: &'d Value) -> Value {
        self.sample(schema, 0)
    }

    fn sample(self, schema: &'d Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        match kind(schema) {
            "object" => self.sample_object(schema, depth),
            "array" => {
                let least = schema["minItems"].as_u64().unwrap_or(0).max(u64::from(depth < DEPTH_MAX));
                let item = || self.sample(&schema["items"], depth + 1);
                (0..least).map(|_| item()).collect()
            }
            "string" => json!(sample_text(schema)),
            "integer" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "number" => sample_number(schema),
            "boolean" => json!(true),
            _ => json!({"any": ["thing", 1, null]}),
        }
    }

    fn sample_object(self, schema: &'d Value, depth: usize) -> Value {
        let required = required(schema);
        let mut object = Map::new();
        for (name, property) in entries(&schema["properties"]) {
            if depth < DEPTH_MAX || required.contains(name.as_str()) {
                object.insert(name.clone(), self.sample(property, depth + 1));
            }
        }
        if let Some(more) =
            schema.get("additionalProperties").filter(|more| more.is_object() && depth < DEPTH_MAX)
        {
            object.insert("another".to_owned(), self.sample(more, depth + 1));
        }
        for (pattern, more) in entries(&schema["patternProperties"]) {
            object.insert(sample_pattern(pattern), self.sample(more, depth + 1));
        }
        Value::Object(object)
    }

    /// Every value that differs from a base in one place only, where it stands on or beyond a bound.
    pub(crate) fn neighbours(self, schema: &'d Value, base: &Value) -> Vec<Value> {
        let mut found = self.variants(schema);
        let schema = self.resolve(schema);
        match base {
            Value::Object(map) => self.object_neighbours(schema, map, &mut found),
            Value::Array(items) => {
                if let (Some(first), Some(item)) = (items.first(), schema.get("items")) {
                    for neighbour in self.neighbours(item, first) {
                        let mut items = items.clone();
                        items[0] = neighbour;
                        found.push(Value::Array(items));
                    }
                }
            }
            _ => {}
        }
        found
    }

    fn object_neighbours(self, schema: &'d Value, map: &Map<String, Value>, found: &mut Vec<Value>) {
        for (name, value) in map {
            let mut without = map.clone();
            without.shift_remove(name);
            found.push(Value::Object(without));
            let property = schema["properties"].get(name).or(schema.get("additionalProperties"));
            let property = property.filter(|property| property.is_object());
            let property =
                property.or_else(|| entries(&schema["patternProperties"]).next().map(|(_, more)| more));
            let Some(property) = property else { continue };
            for neighbour in self.neighbours(property, value) {
                let mut changed = map.clone();
                changed.insert(name.clone(), neighbour);
                found.push(Value::Object(changed));
            }
        }
        for (name, value) in [("neverHeardOf", json!(1)), ("Custom__c", json!("x")), ("", json!(null))] {
            let mut more = map.clone();
            more.insert(name.to_owned(), value);
            found.push(Value::Object(more));
        }
    }

    /// Values for one place: on its bounds, beyond them, and of every other type.
    fn variants(self, schema: &'d Value) -> Vec<Value> {
        let schema = self.resolve(schema);
        let mut found = vec![
            json!(null),
            json!(true),
            json!(0),
            json!(1.5),
            json!(""),
            json!("text"),
            json!([]),
            json!([null]),
            json!({}),
            json!({"a": 1}),
        ];
        for value in schema["enum"].as_array().into_iter().flatten() {
            found.push(value.clone());
            if let Some(text) = value.as_str() {
                found.push(json!(swapped_case(text)));
                found.push(json!(format!("{text} ")));
            }
        }
        match kind(schema) {
            "string" => found.extend(texts(schema).into_iter().map(Value::String)),
            "integer" => found.extend(integers(schema)),
            "number" => found.extend(numbers(schema)),
            "array" => found.extend(self.lengths(schema)),
            _ => {}
        }
        found
    }

    /// Texts for a parameter of a scalar schema: on its bounds, beyond them, and of other types.
    pub(crate) fn parameter_texts(self, schema: &'d Value) -> Vec<String> {
        let values =
            self.variants(schema).into_iter().filter(|value| !value.is_array() && !value.is_object());
        let texts = values.map(|value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
        texts.chain(["", " ", "x", "true", "TRUE", "1.0"].map(str::to_owned)).collect()
    }

    fn lengths(self, schema: &'d Value) -> Vec<Value> {
        let item = self.sample(&schema["items"], DEPTH_MAX);
        let bounds = [schema["minItems"].as_u64(), schema["maxItems"].as_u64()];
        let around =
            bounds.into_iter().flatten().flat_map(|bound| [bound.saturating_sub(1), bound, bound + 1]);
        let lengths: BTreeSet<u64> = around.filter(|length| *length <= ITEMS_MAX).collect();
        lengths.into_iter().map(|length| (0..length).map(|_| item.clone()).collect()).collect()
    }

    /// Random values: mostly valid, with a variant here and there, and fields that come and go.
    pub(crate) fn random(self, schema: &'d Value, depth: usize) -> BoxedStrategy<Value> {
        let variants = proptest::sample::select(self.variants(schema));
        let schema = self.resolve(schema);
        let usual = match kind(schema) {
            _ if schema.get("enum").is_some() => {
                proptest::sample::select(schema["enum"].as_array().cloned().unwrap_or_default()).boxed()
            }
            "object" => self.random_object(schema, depth),
            "array" => {
                let most = if depth < DEPTH_MAX { 3 } else { 1 };
                let items = proptest::collection::vec(self.random(&schema["items"], depth + 1), 0..=most);
                items.prop_map(Value::Array).boxed()
            }
            "string" => random_text(schema),
            "integer" => any::<i32>().prop_map(Value::from).boxed(),
            "number" => (-10_000_000..10_000_000_i64, 0..4_i32)
                .prop_map(|(units, places)| decimal(units, places))
                .boxed(),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            _ => Just(self.sample(schema, DEPTH_MAX)).boxed(),
        };
        prop_oneof![30 => usual, 1 => variants].boxed()
    }

    fn random_object(self, schema: &'d Value, depth: usize) -> BoxedStrategy<Value> {
        let required = required(schema);
        let mut fields: Vec<BoxedStrategy<Option<(String, Value)>>> = Vec::new();
        for (name, property) in entries(&schema["properties"]) {
            let is_required = required.contains(name.as_str());
            if depth >= DEPTH_MAX && !is_required {
                continue;
            }
            let name = name.clone();
            let field = self.random(property, depth + 1).prop_map(move |value| (name.clone(), value));
            let present = if is_required { 0.99 } else { 0.5 };
            fields.push(proptest::option::weighted(present, field).boxed());
        }
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        let more = more.or_else(|| entries(&schema["patternProperties"]).next().map(|(_, more)| more));
        let value = match more {
            Some(more) if depth < DEPTH_MAX => self.random(more, depth + 1),
            _ => Just(json!("x")).boxed(),
        };
        let names = proptest::sample::select(vec!["Region__c", "neverHeardOf"]);
        let extra = (names, value).prop_map(|(name, value)| (name.to_owned(), value));
        fields.push(proptest::option::weighted(if more.is_some() { 0.5 } else { 0.03 }, extra).boxed());
        fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).boxed()
    }
}

fn random_text(schema: &Value) -> BoxedStrategy<Value> {
    let least = length(schema, "minLength").unwrap_or(0);
    let most = length(schema, "maxLength").unwrap_or(least + 20);
    match (schema["pattern"].as_str(), schema.get("format")) {
        (Some(pattern), _) => {
            let regex = proptest::string::string_regex(pattern.trim_matches(['^', '$'])).expect("a pattern");
            regex.prop_map(Value::String).boxed()
        }
        (None, Some(_)) => proptest::sample::select(texts(schema)).prop_map(Value::String).boxed(),
        (None, None) => {
            let text = proptest::collection::vec(any::<char>(), least..=most);
            text.prop_map(|chars| Value::String(chars.into_iter().collect())).boxed()
        }
    }
}

/// The type that is not `null`.
pub(crate) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "",
    }
}

fn sample_text(schema: &Value) -> String {
    if let Some(pattern) = schema["pattern"].as_str() {
        return sample_pattern(pattern);
    }
    match schema["format"].as_str() {
        Some("date") => "2024-02-29".to_owned(),
        Some("date-time") => "2024-07-28T23:40:21Z".to_owned(),
        Some("zuora-date-time") => "2024-07-28 23:40:21".to_owned(),
        _ => "a".repeat(length(schema, "minLength").unwrap_or(1)),
    }
}

/// A text that a pattern matches, the same in every run.
fn sample_pattern(pattern: &str) -> String {
    let regex = proptest::string::string_regex(pattern.trim_matches(['^', '$'])).expect("a pattern");
    let tree = regex.new_tree(&mut TestRunner::deterministic()).expect("a text");
    tree.current()
}

fn sample_number(schema: &Value) -> Value {
    match (schema.get("minimum"), schema.get("exclusiveMinimum")) {
        (Some(least), _) => least.clone(),
        (None, Some(below)) => json!(below.as_i64().unwrap_or(0) + 1),
        (None, None) => json!(12.5),
    }
}

/// Texts on the bounds of a length, in one and in several bytes a character; of every format, right and wrong; and
/// those of the pattern, with a character more.
fn texts(schema: &Value) -> Vec<String> {
    let bounds = [length(schema, "minLength"), length(schema, "maxLength")];
    let lengths = bounds.into_iter().flatten().flat_map(|bound| [bound.saturating_sub(1), bound, bound + 1]);
    let mut found: Vec<String> =
        lengths.flat_map(|length| ["a".repeat(length), "é".repeat(length), "7".repeat(length)]).collect();
    if let Some(pattern) = schema["pattern"].as_str() {
        let fitting = sample_pattern(pattern);
        found.extend([format!("{fitting}\u{7f}"), format!("\n{fitting}"), format!("{fitting}9"), fitting]);
        found.extend((0..=40).map(|number: u32| number.to_string()));
        found.extend((b' '..=b'~').map(|byte| char::from(byte).to_string()));
    }
    if schema.get("format").is_some() {
        let texts = [
            "2024-02-29",
            "2023-02-29",
            "2024-13-01",
            "2024-1-01",
            "24-01-01",
            "2024-02-29 ",
            "2024-07-28 23:40:21",
            "2024-07-28T23:40:21",
            "2024-07-28 24:00:00",
            "2024-07-28 23:60:00",
            "2024-07-28  23:40:21",
            "2024-07-28 23:40",
            "2024-07-28 23:40:21Z",
            "2024-07-28T23:40:21Z",
            "2024-07-28T23:40:21.123Z",
            "2024-07-28T23:40:21+02:00",
            "2024-07-28T23:40:21+0200",
            "2024-07-28T23:40:21-25:00",
            "2024-02-30T23:40:21Z",
            "2024-07-28T25:40:21Z",
        ];
        found.extend(texts.map(str::to_owned));
    }
    found
}

fn integers(schema: &Value) -> Vec<Value> {
    let mut found = vec![
        json!(1),
        json!(-1),
        json!(1.0),
        json!("1"),
        json!(i32::MAX),
        json!(i64::from(i32::MAX) + 1),
        json!(i32::MIN),
        json!(i64::from(i32::MIN) - 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
    ];
    for key in ["minimum", "maximum"] {
        if let Some(bound) = schema[key].as_i64() {
            found.extend([bound.saturating_sub(1), bound, bound.saturating_add(1)].map(Value::from));
        }
    }
    found
}

fn numbers(schema: &Value) -> Vec<Value> {
    let mut found = vec![json!(1), json!(-1), json!(0.1), json!(-0.01), json!("1.5"), json!(99_999_999.99)];
    for key in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        if let Some(bound) = schema[key].as_i64() {
            found.extend([bound - 1, bound, bound + 1].map(Value::from));
            found.extend([decimal(bound * 100 - 1, 2), decimal(bound * 100 + 1, 2)]);
        }
    }
    found
}

/// A number out of its digits.
fn decimal(units: i64, places: i32) -> Value {
    let text = format!("{units}e-{places}");
    serde_json::from_str(&text).expect("a number")
}

fn swapped_case(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
        .collect()
}

fn length(schema: &Value, key: &str) -> Option<usize> {
    schema[key].as_u64().and_then(|length| usize::try_from(length).ok())
}

fn required(schema: &Value) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
