//! Schemas without constraints: enough to name a Rust type.

use serde_json::{Value, json};

use super::Lowering;
use crate::spec::ir::{Array, IntegerFormat, Kind, Param, Place, Schema, Text, TextFormat};

/// The crate of the hand-written scalars, which stands above the module of the API's types.
const SCALARS: &str = "::payment_runs_types";

impl Lowering<'_> {
    /// A parameter with its type; a list in a header becomes the text it is on the wire.
    pub(super) fn parameter(&mut self, param: &Param) -> Value {
        let place = match param.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let in_header = param.place == Place::Header;
        let schema = match &param.schema.kind {
            Kind::Array(_) if in_header => json!({ "type": "string" }),
            Kind::Array(array) if array.comma_list => self.comma_list(array, &param.pointer),
            _ => self.schema(&param.schema),
        };
        json!({ "name": param.name, "in": place, "required": param.required, "schema": schema })
    }

    /// A schema, lowered.
    pub(super) fn schema(&mut self, schema: &Schema) -> Value {
        match &schema.kind {
            Kind::Ref(name) => reference(name),
            Kind::Array(array) if array.comma_list => self.comma_list(array, &schema.pointer),
            Kind::Array(array) => json!({ "type": "array", "items": self.schema(&array.items) }),
            Kind::Map(values) => {
                json!({ "type": "object", "additionalProperties": self.schema(values) })
            }
            Kind::String(text) => self.text(text),
            Kind::Integer(integer) => {
                let format = if integer.format == Some(IntegerFormat::Int32) { "int32" } else { "int64" };
                json!({ "type": "integer", "format": format })
            }
            Kind::Decimal(_) => self.scalar("ScalarDecimal", "Decimal"),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Any => json!({}),
            Kind::Object(_) | Kind::Enum(_) | Kind::OneOf(_) => {
                let what = "an inline object, enum or `oneOf` reached the client";
                self.fault(&schema.pointer, what, "move it to components.schemas");
                json!({})
            }
        }
    }

    fn text(&mut self, text: &Text) -> Value {
        match text.format {
            None => json!({ "type": "string" }),
            Some(TextFormat::Date) => self.scalar("ScalarDate", "Date"),
            Some(TextFormat::ZuoraDateTime) => self.scalar("ScalarDateTime", "DateTime"),
            Some(TextFormat::DateTime) => self.scalar("ScalarOffsetDateTime", "OffsetDateTime"),
            Some(TextFormat::Binary) => json!({ "type": "string", "format": "binary" }),
        }
    }

    /// One text with commas between the elements.
    fn comma_list(&mut self, array: &Array, pointer: &str) -> Value {
        let element = match &array.items.kind {
            Kind::Ref(name) => {
                let rust = self.api.schemas.get(name).map_or(name, |component| &component.name);
                Some((name.clone(), format!("{{types}}::{rust}")))
            }
            Kind::String(Text { format: None, .. }) => Some(("String".to_owned(), "String".to_owned())),
            _ => None,
        };
        let Some((name, rust)) = element else {
            let mend = "use an array of text or of an enum under components.schemas";
            self.fault(pointer, "a comma-separated list holds neither text nor an enum", mend);
            return json!({});
        };
        self.placeholder(format!("CommaListOf{name}"), format!("{SCALARS}::CommaList<{rust}>"))
    }

    fn scalar(&mut self, placeholder: &str, rust: &str) -> Value {
        self.placeholder(placeholder.to_owned(), format!("{SCALARS}::{rust}"))
    }

    fn placeholder(&mut self, name: String, rust: String) -> Value {
        let schema = reference(&name);
        self.scalars.insert(name, rust);
        schema
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
