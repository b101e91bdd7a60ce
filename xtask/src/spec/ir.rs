//! The intermediate representation: what every emitter reads instead of the document.
//!
//! It is explicit and total. Whatever the loader does not know is refused with a [`Fault`](super::Fault), so an emitter
//! never meets a keyword it could silently drop. References to shared parameters, responses, headers and request
//! bodies are resolved; references to component schemas stay [`Kind::Ref`]. Inline objects and enums are hoisted into
//! [`Api::schemas`] under a derived name and marked [`Component::hoisted`], so a field's kind is never an inline object
//! or enum. Order is the document's order throughout.

use indexmap::IndexMap;
use serde_json::{Number, Value};

mod operation;

pub use operation::{Body, Content, Header, Media, Method, Operation, Param, Place, Response, Status, Style};

/// One document, for example `openapi/v1.yaml`.
#[derive(Clone, Debug)]
pub struct Api {
    /// Short name, the file's stem: `v1`. It names the generated module.
    pub name: String,
    /// Path as faults and file headers show it: `openapi/v1.yaml`.
    pub file: String,
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// `info.description`.
    pub description: Option<String>,
    /// `servers`.
    pub servers: Vec<Server>,
    /// The declared tags, then those only operations name.
    pub tags: Vec<Tag>,
    /// Component schemas in document order, then the hoisted ones.
    pub schemas: IndexMap<String, Component>,
    /// Operations in document order (paths, then methods as written).
    pub operations: Vec<Operation>,
    /// `components.securitySchemes`.
    pub security_schemes: IndexMap<String, SecurityScheme>,
    /// The document's default requirement. [`Operation::security`] already has it applied.
    pub security: Vec<SecurityRequirement>,
    /// The whole document as JSON, order kept, for emitters that lower or embed it.
    pub document: Value,
}

/// One entry of `servers`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Absolute or relative URL; a path such as `/v2` prefixes every route.
    pub url: String,
    /// What it is.
    pub description: Option<String>,
}

/// A group of operations; generated files are split by it.
#[derive(Clone, Debug)]
pub struct Tag {
    /// As written: `Payment runs`.
    pub name: String,
    /// Rust module name: `payment_runs`.
    pub module: String,
    /// What it holds.
    pub description: Option<String>,
}

/// A named schema, written under `components.schemas` or hoisted from an inline place.
#[derive(Clone, Debug)]
pub struct Component {
    /// Rust type name, which is also the component's name: `PaymentRun`.
    pub name: String,
    /// What it is. Its kind is never [`Kind::Ref`].
    pub schema: Schema,
    /// The schema as written, in OpenAPI 3.0 form, with `#/components/schemas/…` references.
    pub raw: Value,
    /// The document has no component of this name: the schema stands inline at [`Schema::pointer`].
    pub hoisted: bool,
}

/// A schema with the annotations that every kind may carry.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "OpenAPI has these flags, each on its own")]
pub struct Schema {
    /// The shape and its constraints.
    pub kind: Kind,
    /// `null` is a value too.
    pub nullable: bool,
    /// `title`.
    pub title: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `default`, as written.
    pub default: Option<Value>,
    /// `example`, as written.
    pub example: Option<Value>,
    /// `deprecated`.
    pub deprecated: bool,
    /// `readOnly`.
    pub read_only: bool,
    /// `writeOnly`.
    pub write_only: bool,
    /// JSON pointer of the schema in the document.
    pub pointer: String,
}

/// The shape of a schema.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Named fields. Only a [`Component`] has this kind.
    Object(Object),
    /// An object without named fields whose values all have one schema.
    Map(Box<Schema>),
    /// A list.
    Array(Array),
    /// Text.
    String(Text),
    /// Text out of a list. Only a [`Component`] has this kind.
    Enum(Vec<EnumValue>),
    /// A whole number.
    Integer(Integer),
    /// An exact decimal number (`type: number, format: decimal`).
    Decimal(Decimal),
    /// `true` or `false`.
    Bool,
    /// Any JSON value (a schema without `type`).
    Any,
    /// A component, by its key in [`Api::schemas`].
    Ref(String),
    /// One of several components. Only a [`Component`] has this kind.
    OneOf(OneOf),
}

/// An object with named fields.
#[derive(Clone, Debug)]
pub struct Object {
    /// In document order; those of an `allOf` in the order of its parts.
    pub fields: Vec<Field>,
    /// What happens to other names.
    pub additional: Additional,
}

/// What an object does with names it does not list.
#[derive(Clone, Debug)]
pub enum Additional {
    /// Refused (`additionalProperties: false`).
    Forbidden,
    /// Accepted and dropped (`additionalProperties` absent).
    Ignored,
    /// Kept under any name (`additionalProperties: true` or a schema).
    Map(Box<Schema>),
    /// Kept when the name matches, refused otherwise (`x-key-pattern` beside `additionalProperties`).
    Custom {
        /// Regular expression that a name must match somewhere: `__c$`.
        pattern: String,
        /// The schema of the values.
        schema: Box<Schema>,
    },
}

/// A field of an object.
#[derive(Clone, Debug)]
pub struct Field {
    /// Wire name: `processPaymentWithClosedPM`.
    pub name: String,
    /// Rust name: `process_payment_with_closed_pm`; reserved words get a trailing underscore.
    pub ident: String,
    /// Must be present. Beside [`Schema::nullable`] this makes the four kinds of field.
    pub required: bool,
    /// What it holds.
    pub schema: Schema,
}

/// A list.
#[derive(Clone, Debug)]
pub struct Array {
    /// Schema of each element.
    pub items: Box<Schema>,
    /// `minItems`.
    pub min_items: Option<u64>,
    /// `maxItems`.
    pub max_items: Option<u64>,
    /// Written as one comma-separated text: a parameter with `explode: false`, or `x-comma-list: true`.
    pub comma_list: bool,
}

/// Text and its constraints; lengths count characters.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// `format`.
    pub format: Option<TextFormat>,
    /// `minLength`.
    pub min_length: Option<u64>,
    /// `maxLength`.
    pub max_length: Option<u64>,
    /// `pattern`, which must compile as a Rust regular expression.
    pub pattern: Option<String>,
}

/// The known formats of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// `date`: `2024-07-28`.
    Date,
    /// `date-time`: RFC 3339 with an offset.
    DateTime,
    /// `zuora-date-time`: `yyyy-mm-dd hh:mm:ss` without a zone; `T` accepted on input.
    ZuoraDateTime,
    /// `binary`: raw bytes, only as a streamed body.
    Binary,
}

/// One value of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// Wire value: `Pending`.
    pub value: String,
    /// Rust variant: `Pending`.
    pub ident: String,
}

/// A whole number and its bounds, which are inclusive.
#[derive(Clone, Debug)]
pub struct Integer {
    /// `format`; `None` is read as 64 bits (the lint asks for one).
    pub format: Option<IntegerFormat>,
    /// `minimum`, one more where it was exclusive.
    pub min: Option<i64>,
    /// `maximum`, one less where it was exclusive.
    pub max: Option<i64>,
}

/// Width of a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerFormat {
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
}

/// An exact decimal number and its bounds.
#[derive(Clone, Debug, Default)]
pub struct Decimal {
    /// `minimum`.
    pub min: Option<Bound>,
    /// `maximum`.
    pub max: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, Debug)]
pub struct Bound {
    /// As written.
    pub value: Number,
    /// The value itself lies outside.
    pub exclusive: bool,
}

/// One of several shapes.
#[derive(Clone, Debug)]
pub struct OneOf {
    /// Each a [`Kind::Ref`] that is not nullable.
    pub variants: Vec<Schema>,
}

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub enum SecurityScheme {
    /// `type: http, scheme: bearer`.
    Bearer {
        /// What it is for.
        description: Option<String>,
    },
    /// `type: http, scheme: basic`.
    Basic {
        /// What it is for.
        description: Option<String>,
    },
    /// `type: oauth2` with the client-credentials flow.
    ClientCredentials {
        /// Where tokens are had.
        token_url: String,
        /// Name and meaning.
        scopes: IndexMap<String, String>,
        /// What it is for.
        description: Option<String>,
    },
    /// `type: apiKey` in a header.
    HeaderKey {
        /// The header.
        name: String,
        /// What it is for.
        description: Option<String>,
    },
}

/// Schemes that must all hold, each with its scopes.
pub type SecurityRequirement = IndexMap<String, Vec<String>>;

impl Api {
    /// The component behind a schema: itself for a reference, else `None`.
    pub fn component(&self, schema: &Schema) -> Option<&Component> {
        match &schema.kind {
            Kind::Ref(name) => self.schemas.get(name),
            _ => None,
        }
    }

    /// The path prefix of the first server: `/v2`, or empty when the server is a bare host or `/`.
    pub fn base_path(&self) -> &str {
        let Some(server) = self.servers.first() else { return "" };
        let path = match server.url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => server.url.as_str(),
        };
        path.trim_end_matches('/')
    }
}
