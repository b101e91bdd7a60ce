//! Lines of a stream, each of which is a component of the contract.

use std::marker::PhantomData;

use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Fault;
use crate::extract::{Contract, Document, Part, kind, parse_json, resolve};

/// What a column holds, for lines whose values all arrive as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
}

/// Reads lines that are a component of the contract, and judges them as bodies are judged: serde, then garde, and only
/// when one of them refuses the component's schema, which lists every fault.
#[derive(Debug)]
pub struct Lines<T> {
    contract: Contract,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Validate<Context = ()>> Lines<T> {
    /// Lines that are a component of a document.
    pub const fn new(document: &'static Document, component: &'static str) -> Self {
        Self { contract: Contract::of_component(document, component), of: PhantomData }
    }

    /// Reads one line from JSON; at least one fault where it is refused.
    pub fn read(&self, json: &[u8]) -> Result<T, Vec<Fault>> {
        parse_json(&self.contract, None, json)
    }

    /// What the column of a field holds; `None` for a name that no field has.
    pub fn column(&self, name: &str) -> Option<ColumnKind> {
        let definitions = self.contract.definitions();
        let schema = resolve(self.contract.schema(Part::Body)?, definitions);
        let field = resolve(schema.get("properties").and_then(Value::as_object)?.get(name)?, definitions);
        Some(match kind(field) {
            "integer" | "number" => ColumnKind::Number,
            "boolean" => ColumnKind::Bool,
            _ => ColumnKind::Text,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_types::ops::ImportDocument;

    use super::*;
    use crate::Category;

    static LINES: Lines<ImportDocument> = Lines::new(&crate::ops::SCHEMAS, "ImportDocument");

    #[test]
    fn a_line_is_judged_as_a_body_is() {
        let good =
            br#"{"type":"Invoice","number":"I1","account":"A1","amount":12.5,"document_date":"2026-01-31"}"#;
        let line = LINES.read(good).unwrap();
        assert_eq!((line.number.as_str(), line.amount.to_string().as_str()), ("I1", "12.5"));
        let bad = br#"{"type":"Invoice","number":"","account":"A1","amount":"12.5","document_date":"2026-02-31","x":1}"#;
        let faults = LINES.read(bad).unwrap_err();
        let mut found: Vec<_> = faults.iter().map(|fault| (fault.field.as_str(), fault.category)).collect();
        found.sort_unstable();
        let wrong = Category::InvalidValue;
        assert_eq!(
            found,
            [("amount", wrong), ("document_date", wrong), ("number", wrong), ("x", Category::UnknownField)]
        );
        assert_eq!(LINES.read(b"{").unwrap_err()[0].category, Category::MalformedJson);
    }

    #[test]
    fn columns_are_those_of_the_component() {
        assert_eq!(LINES.column("amount"), Some(ColumnKind::Number));
        assert_eq!(LINES.column("auto_pay"), Some(ColumnKind::Bool));
        assert_eq!(LINES.column("type"), Some(ColumnKind::Text));
        assert_eq!(LINES.column("colour"), None);
    }
}
