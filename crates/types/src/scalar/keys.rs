//! Objects whose additional names must match a pattern, such as custom fields.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};

/// The pattern that additional names of an object must match somewhere.
#[derive(Debug)]
pub struct KeyPattern {
    pattern: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl KeyPattern {
    /// A pattern; it is compiled at its first use. One that does not compile matches nothing.
    pub const fn new(pattern: &'static str) -> Self {
        Self { pattern, compiled: OnceLock::new() }
    }

    /// The pattern as written.
    pub const fn as_str(&self) -> &'static str {
        self.pattern
    }

    /// Whether a name may be used.
    pub fn accepts(&self, name: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(self.pattern).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }

    /// Reads what is left of an object, refusing names that do not match.
    pub fn read<'de, D, T>(&self, deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        let fields = BTreeMap::<String, T>::deserialize(deserializer)?;
        match fields.keys().find(|name| !self.accepts(name)) {
            Some(name) => Err(serde::de::Error::custom(format_args!("unknown field `{name}`"))),
            None => Ok(fields),
        }
    }
}
