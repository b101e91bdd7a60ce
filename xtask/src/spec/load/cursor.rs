//! A place in a document, and typed reading that records a fault instead of stopping.

use serde_json::{Map, Number, Value};

use crate::spec::Fault;

/// A value together with its JSON pointer.
#[derive(Clone, Debug)]
pub(super) struct At<'d> {
    pub(super) value: &'d Value,
    pub(super) pointer: String,
}

impl<'d> At<'d> {
    /// The value under a key, if this is an object that has it.
    pub(super) fn key(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        Some(Self { value, pointer: join(&self.pointer, key) })
    }

    /// Keys and values of an object; nothing for anything else.
    pub(super) fn entries(&self) -> Vec<(&'d str, Self)> {
        let Some(map) = self.value.as_object() else { return Vec::new() };
        map.iter()
            .map(|(key, value)| (key.as_str(), Self { value, pointer: join(&self.pointer, key) }))
            .collect()
    }

    /// Elements of an array; nothing for anything else.
    pub(super) fn items(&self) -> Vec<Self> {
        let Some(items) = self.value.as_array() else { return Vec::new() };
        let numbered = items.iter().enumerate();
        numbered.map(|(at, value)| Self { value, pointer: join(&self.pointer, &at.to_string()) }).collect()
    }

    /// The text of a `$ref`.
    pub(super) fn reference(&self) -> Option<&'d str> {
        self.value.get("$ref")?.as_str()
    }
}

/// Appends one escaped segment to a JSON pointer.
pub(super) fn join(pointer: &str, segment: &str) -> String {
    format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

/// Collects faults while values are read.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) file: String,
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    /// Records a fault. The same place is not blamed twice for the same thing.
    pub(super) fn fault(&mut self, at: &At<'_>, what: impl Into<String>, mend: impl Into<String>) {
        let fault = Fault {
            file: self.file.clone(),
            pointer: at.pointer.clone(),
            what: what.into(),
            mend: mend.into(),
        };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Blames every key that is not in the list.
    pub(super) fn known(&mut self, at: &At<'_>, place: &str, known: &[&str]) {
        let Some(map) = at.value.as_object() else {
            self.fault(at, format!("{place} must be an object"), "write a mapping here");
            return;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let there = At { value: at.value, pointer: join(&at.pointer, key) };
            let mend = match key.as_str() {
                _ if known == ["$ref"] => {
                    "siblings of `$ref` are ignored in OpenAPI 3.0; wrap it: `allOf: [{$ref: …}]`".to_owned()
                }
                "anyOf" => "use `oneOf` over components".to_owned(),
                _ => format!("remove it; known here: {}", known.join(", ")),
            };
            self.fault(&there, format!("unknown keyword `{key}` in {place}"), mend);
        }
    }

    /// An optional text.
    pub(super) fn text(&mut self, at: &At<'_>, key: &str) -> Option<String> {
        let there = at.key(key)?;
        let text = there.value.as_str().map(|text| text.trim_end().to_owned());
        if text.is_none() {
            self.fault(&there, format!("`{key}` must be text"), "put it in quotes");
        }
        text
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, at: &At<'_>, key: &str, place: &str) -> String {
        if at.key(key).is_none() {
            self.fault(at, format!("{place} has no `{key}`"), format!("add `{key}`"));
        }
        self.text(at, key).unwrap_or_default()
    }

    /// An optional flag, false when absent.
    pub(super) fn flag(&mut self, at: &At<'_>, key: &str) -> bool {
        let Some(there) = at.key(key) else { return false };
        let flag = there.value.as_bool();
        if flag.is_none() {
            self.fault(
                &there,
                format!("`{key}` must be true or false"),
                "write true or false without quotes",
            );
        }
        flag.unwrap_or_default()
    }

    /// An optional count.
    pub(super) fn count(&mut self, at: &At<'_>, key: &str) -> Option<u64> {
        let there = at.key(key)?;
        let count = there.value.as_u64();
        if count.is_none() {
            self.fault(
                &there,
                format!("`{key}` must be a whole number, zero or more"),
                "write such a number",
            );
        }
        count
    }

    /// An optional number.
    pub(super) fn number(&mut self, at: &At<'_>, key: &str) -> Option<Number> {
        let there = at.key(key)?;
        if let Value::Number(number) = there.value {
            return Some(number.clone());
        }
        self.fault(&there, format!("`{key}` must be a number"), "write a number without quotes");
        None
    }

    /// An object that may be absent.
    pub(super) fn object<'d>(&mut self, at: &At<'d>, key: &str) -> Option<At<'d>> {
        let there = at.key(key)?;
        if there.value.is_object() {
            return Some(there);
        }
        self.fault(&there, format!("`{key}` must be an object"), "write a mapping here");
        None
    }

    /// An array that may be absent.
    pub(super) fn array<'d>(&mut self, at: &At<'d>, key: &str) -> Vec<At<'d>> {
        let Some(there) = at.key(key) else { return Vec::new() };
        if !there.value.is_array() {
            self.fault(&there, format!("`{key}` must be a list"), "write a sequence here");
        }
        there.items()
    }

    /// A list of texts that may be absent.
    pub(super) fn texts(&mut self, at: &At<'_>, key: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for item in self.array(at, key) {
            match item.value.as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.fault(&item, "must be text", "put it in quotes"),
            }
        }
        texts
    }
}

/// The keys of an object, for messages and checks.
pub(super) fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(Map::keys)
}
