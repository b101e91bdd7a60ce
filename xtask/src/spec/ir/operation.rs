//! Operations and what goes in and out of them.

use serde_json::Value;

use super::{Schema, SecurityRequirement};

/// One method on one path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `operationId`, camelCase: `createPaymentRun`.
    pub id: String,
    /// Rust name: `create_payment_run`.
    pub ident: String,
    /// The HTTP method.
    pub method: Method,
    /// Path template as written, without the server's prefix: `/v1/payment-runs/{key}`.
    pub path: String,
    /// Its first tag (key of [`Api::tags`](super::Api::tags)); `default` when it has none.
    pub tag: String,
    /// Rust module of the tag.
    pub module: String,
    /// One line.
    pub summary: Option<String>,
    /// Markdown.
    pub description: Option<String>,
    /// Path's own and the operation's parameters, merged, references resolved.
    pub params: Vec<Param>,
    /// The request body.
    pub body: Option<Body>,
    /// In document order.
    pub responses: Vec<Response>,
    /// `deprecated`.
    pub deprecated: bool,
    /// Alternatives, one of which must hold; empty means that anyone may call.
    pub security: Vec<SecurityRequirement>,
    /// JSON pointer of the operation.
    pub pointer: String,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`.
    Get,
    /// `PUT`.
    Put,
    /// `POST`.
    Post,
    /// `DELETE`.
    Delete,
    /// `PATCH`.
    Patch,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
}

/// A path, query or header parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Wire name: `Zuora-Track-Id`, `fields[]`.
    pub name: String,
    /// Rust name, unique among the operation's parameters of this place: `zuora_track_id`.
    pub ident: String,
    /// Where it stands.
    pub place: Place,
    /// Must be present.
    pub required: bool,
    /// What it is for.
    pub description: Option<String>,
    /// `deprecated`.
    pub deprecated: bool,
    /// `example`, the parameter's own or its schema's.
    pub example: Option<Value>,
    /// `style`, or the default of its place (`form` in queries, else `simple`); no other style is accepted.
    pub style: Style,
    /// Array values repeat the name (`a=1&a=2`) instead of one comma list.
    pub explode: bool,
    /// Its schema; arrays written as one text have [`Array::comma_list`](super::Array::comma_list).
    pub schema: Schema,
    /// Name under `components.parameters`, where it came by reference.
    pub shared: Option<String>,
    /// JSON pointer of the parameter.
    pub pointer: String,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the path template; always required.
    Path,
    /// In the query string.
    Query,
    /// A header, compared without case.
    Header,
}

/// How a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `form`.
    Form,
    /// `simple`.
    Simple,
}

/// A request body.
#[derive(Clone, Debug)]
pub struct Body {
    /// What it holds.
    pub content: Content,
    /// Must be present.
    pub required: bool,
    /// It is never compressed, and has so many bytes at most (`x-plain-bytes-max`).
    pub plain_bytes_max: Option<u64>,
    /// What it is for.
    pub description: Option<String>,
}

/// The content of a body.
#[derive(Clone, Debug)]
pub struct Content {
    /// How it is handled.
    pub media: Media,
    /// Content types as written; several only where all are streams.
    pub content_types: Vec<String>,
    /// A [`Kind::Ref`](super::Kind::Ref) or an array, map or scalar; for streams and events whatever the document says of one message.
    pub schema: Schema,
}

/// How a body is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// `application/json` and `application/*+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Bytes that are never held whole: `application/octet-stream`, `application/x-ndjson`, `text/csv`, `text/plain`.
    Stream,
    /// `text/event-stream`.
    Events,
}

/// One documented answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// A code or a range.
    pub status: Status,
    /// What it means.
    pub description: String,
    /// Headers it carries.
    pub headers: Vec<Header>,
    /// Its body, if it has one.
    pub content: Option<Content>,
    /// Name under `components.responses`, where it came by reference.
    pub shared: Option<String>,
}

/// The status of an answer. `default` is refused by the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// `200`.
    Code(u16),
    /// `4XX` is `Range(4)`.
    Range(u8),
}

/// A response header.
#[derive(Clone, Debug)]
pub struct Header {
    /// Wire name: `Zuora-Request-Id`.
    pub name: String,
    /// Rust name: `zuora_request_id`.
    pub ident: String,
    /// Always sent.
    pub required: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Its schema, a scalar or a reference to an enum.
    pub schema: Schema,
    /// Name under `components.headers`, where it came by reference.
    pub shared: Option<String>,
}

impl Operation {
    /// The parameters of one place.
    pub fn params_in(&self, place: Place) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(move |param| param.place == place)
    }

    /// The answers with a 2xx status.
    pub fn successes(&self) -> impl Iterator<Item = &Response> {
        self.responses.iter().filter(|response| response.status.class() == 2)
    }

    /// The answers with a 4xx or 5xx status.
    pub fn failures(&self) -> impl Iterator<Item = &Response> {
        self.responses.iter().filter(|response| response.status.class() >= 4)
    }
}

impl Status {
    /// First digit.
    pub const fn class(self) -> u8 {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "the loader reads 100 to 599")]
            Self::Code(code) => (code / 100) as u8,
            Self::Range(class) => class,
        }
    }
}

impl std::fmt::Display for Status {
    /// As the document writes it: `200`, `4XX`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Range(class) => write!(f, "{class}XX"),
        }
    }
}

impl Method {
    /// Every method with its key in a path item.
    pub const ALL: [(&'static str, Self); 7] = [
        ("get", Self::Get),
        ("put", Self::Put),
        ("post", Self::Post),
        ("delete", Self::Delete),
        ("patch", Self::Patch),
        ("head", Self::Head),
        ("options", Self::Options),
    ];

    /// The key in a path item: `get`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Post => "post",
            Self::Delete => "delete",
            Self::Patch => "patch",
            Self::Head => "head",
            Self::Options => "options",
        }
    }
}

impl std::fmt::Display for Method {
    /// As the wire writes it: `GET`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key().to_ascii_uppercase())
    }
}
