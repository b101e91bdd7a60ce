//! Rules for schemas: which way a constraint moved, and whether that direction may use it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Which way a schema moved: towards accepting more, or less.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Move {
    Laxer(String),
    Stricter(String),
    /// Neither way is safe.
    Other(String),
}

/// Keywords that say nothing about values, and those that drift compares itself.
const SKIPPED: [&str; 14] = [
    "title",
    "description",
    "default",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
    "items",
    "allOf",
    "oneOf",
    "$ref",
    "x-comma-list",
    "xml",
];

/// Why a schema of a request breaks callers: it accepts less than before.
pub(super) fn request(old: &Value, new: &Value) -> Vec<String> {
    let broken = |moved| match moved {
        Move::Laxer(_) => None,
        Move::Stricter(what) | Move::Other(what) => Some(what),
    };
    moves(old, new, true).into_iter().filter_map(broken).collect()
}

/// Why a schema of an answer breaks callers: it gives more than before, or less than it promised.
pub(super) fn answer(old: &Value, new: &Value) -> Vec<String> {
    let broken = |moved| match moved {
        Move::Stricter(_) => None,
        Move::Laxer(what) | Move::Other(what) => Some(what),
    };
    moves(old, new, false).into_iter().filter_map(broken).collect()
}

fn moves(old: &Value, new: &Value, request: bool) -> Vec<Move> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return vec![Move::Other("changed".to_owned())];
    };
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed =
        keys.into_iter().filter(|key| !SKIPPED.contains(&key.as_str()) && old.get(*key) != new.get(*key));
    changed.flat_map(|key| keyword(key, old, new, request)).collect()
}

fn keyword(key: &str, old: &Map<String, Value>, new: &Map<String, Value>, request: bool) -> Vec<Move> {
    let (before, after) = (old.get(key), new.get(key));
    match key {
        "maxLength" | "maxItems" | "maximum" | "maxProperties" => vec![bound(key, before, after, true)],
        "minLength" | "minItems" | "minimum" | "minProperties" => vec![bound(key, before, after, false)],
        "pattern" | "format" | "x-key-pattern" => vec![text(key, before, after)],
        "enum" => values(before, after, request),
        "required" => required(before, after),
        "properties" => properties(old, new, request),
        "additionalProperties" => vec![additional(before, after)],
        _ => vec![Move::Other(format!("`{key}` changed"))],
    }
}

fn bound(key: &str, before: Option<&Value>, after: Option<&Value>, upper: bool) -> Move {
    let told = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    let what = format!("`{key}` went from {} to {}", told(before), told(after));
    // No bound at all is the laxest one.
    let laxer = match (before, after) {
        (None, _) => false,
        (_, None) => true,
        (Some(before), Some(after)) => (after.as_f64() > before.as_f64()) == upper,
    };
    if laxer { Move::Laxer(what) } else { Move::Stricter(what) }
}

fn text(key: &str, before: Option<&Value>, after: Option<&Value>) -> Move {
    match (before, after) {
        (None, _) => Move::Stricter(format!("`{key}` was added")),
        (_, None) => Move::Laxer(format!("`{key}` was removed")),
        _ => Move::Other(format!("`{key}` changed")),
    }
}

/// Callers keep values they do not know, so an answer may gain some.
fn values(before: Option<&Value>, after: Option<&Value>, request: bool) -> Vec<Move> {
    let (before, after) = (list(before), list(after));
    let mut moves = Vec::new();
    for gone in before.difference(&after) {
        moves.push(Move::Stricter(format!("the value {gone} is gone")));
    }
    for added in after.difference(&before).filter(|_| request) {
        moves.push(Move::Laxer(format!("the value {added} is new")));
    }
    moves
}

fn required(before: Option<&Value>, after: Option<&Value>) -> Vec<Move> {
    let (before, after) = (list(before), list(after));
    let gone = before.difference(&after).map(|name| Move::Laxer(format!("{name} is no longer required")));
    let added = after.difference(&before).map(|name| Move::Stricter(format!("{name} became required")));
    gone.chain(added).collect()
}

/// A new field breaks nobody: a request may leave it out (`required` says so otherwise), and callers ignore fields they
/// do not know. A field that is gone breaks both: a closed request refuses it, an answer lacks it.
fn properties(old: &Map<String, Value>, new: &Map<String, Value>, request: bool) -> Vec<Move> {
    let names = |schema: &Map<String, Value>| -> BTreeSet<String> {
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let open = request && new.get("additionalProperties") != Some(&Value::Bool(false));
    let gone: Vec<String> = names(old).difference(&names(new)).cloned().collect();
    let told = |name: String| format!("the field `{name}` is gone");
    gone.into_iter().filter(|_| !open).map(|name| Move::Other(told(name))).collect()
}

fn additional(before: Option<&Value>, after: Option<&Value>) -> Move {
    let closed = |value: Option<&Value>| value == Some(&Value::Bool(false));
    match (closed(before), closed(after)) {
        (false, true) => Move::Stricter("unknown fields are refused now".to_owned()),
        (true, false) => Move::Laxer("unknown fields are accepted now".to_owned()),
        _ => Move::Other("the schema of unknown fields changed".to_owned()),
    }
}

fn list(value: Option<&Value>) -> BTreeSet<String> {
    value.and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

/// `nullable`, which drift does not report: a request may gain it, an answer may lose it.
pub(super) fn nullability(old: &Value, new: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (base, direction) in directions(old) {
        let (Some(before), Some(after)) = (old.pointer(&base), new.pointer(&base)) else { continue };
        walk(before, after, &base, &mut |place, was, is| {
            if direction.request && was && !is {
                found.push((format!("#{place}"), "null is refused now".to_owned()));
            }
            if direction.answer && !was && is {
                found.push((format!("#{place}"), "may be null now".to_owned()));
            }
        });
    }
    found
}

fn walk(old: &Value, new: &Value, place: &str, changed: &mut impl FnMut(&str, bool, bool)) {
    let nullable = |schema: &Value| schema.get("nullable") == Some(&Value::Bool(true));
    if nullable(old) != nullable(new) {
        changed(place, nullable(old), nullable(new));
    }
    for key in ["properties", "items", "additionalProperties", "schema"] {
        let (Some(before), Some(after)) = (old.get(key), new.get(key)) else { continue };
        let below = format!("{place}/{key}");
        if key != "properties" {
            walk(before, after, &below, changed);
            continue;
        }
        for (name, before) in before.as_object().into_iter().flatten() {
            if let Some(after) = after.get(name) {
                walk(before, after, &format!("{below}/{}", escape(name)), changed);
            }
        }
    }
}

/// Which way a component's values travel.
#[derive(Clone, Copy, Default)]
struct Direction {
    request: bool,
    answer: bool,
}

/// The direction of every component that an operation leads to, by its pointer.
fn directions(document: &Value) -> BTreeMap<String, Direction> {
    let mut found: BTreeMap<String, Direction> = BTreeMap::new();
    for item in document.get("paths").and_then(Value::as_object).into_iter().flatten().map(|(_, item)| item) {
        for (key, part) in item.as_object().into_iter().flatten() {
            if key == "parameters" {
                follow(document, part, true, &mut found);
            }
            for (key, part) in part.as_object().into_iter().flatten() {
                if ["parameters", "requestBody", "responses"].contains(&key.as_str()) {
                    follow(document, part, key != "responses", &mut found);
                }
            }
        }
    }
    found
}

fn follow(document: &Value, part: &Value, request: bool, found: &mut BTreeMap<String, Direction>) {
    match part {
        Value::Array(items) => items.iter().for_each(|item| follow(document, item, request, found)),
        Value::Object(map) => {
            if let Some(pointer) =
                map.get("$ref").and_then(Value::as_str).map(|to| to.trim_start_matches('#'))
            {
                let direction = found.entry(pointer.to_owned()).or_default();
                let known = if request { &mut direction.request } else { &mut direction.answer };
                if !std::mem::replace(known, true)
                    && let Some(target) = document.pointer(pointer)
                {
                    follow(document, target, request, found);
                }
            }
            map.values().for_each(|value| follow(document, value, request, found));
        }
        _ => {}
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
