//! What the generated code tells utoipa where its macros cannot.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{Content, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Documented answers by status, as `utoipa::IntoResponses` gives them.
pub type Answers = BTreeMap<String, RefOr<Response>>;

/// One documented answer: its status, `200` or `4XX`, and what it holds.
pub type Answer = (String, RefOr<Response>);

/// A documented header of an answer. Layers around the router write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerHeader {
    /// Wire name: `Zuora-Request-Id`.
    pub name: &'static str,
    /// Every answer has it.
    pub required: bool,
    /// Its schema as JSON.
    pub schema: &'static str,
}

/// A reference to a component.
pub fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// The schema of a scalar.
pub fn inline<T: PartialSchema>() -> RefOr<Schema> {
    T::schema()
}

/// A list of something.
pub fn list(items: RefOr<Schema>) -> RefOr<Schema> {
    ArrayBuilder::new().items(items).into()
}

/// One documented answer; its contents are media types with schemas.
pub fn answer(
    status: &str,
    description: &str,
    headers: &[AnswerHeader],
    contents: Vec<(&str, RefOr<Schema>)>,
) -> Answer {
    let mut response = ResponseBuilder::new().description(description);
    for (content_type, schema) in contents {
        response = response.content(content_type, Content::new(Some(schema)));
    }
    for known in headers {
        response = response.header(known.name, header(known));
    }
    (status.to_owned(), response.build().into())
}

fn header(known: &AnswerHeader) -> Header {
    let schema: Option<RefOr<Schema>> = serde_json::from_str(known.schema).ok();
    // utoipa's header has no `required`, so an extension carries it.
    let required = Extensions::builder().add("x-required", Value::Bool(known.required)).build();
    HeaderBuilder::new().schema(schema).extensions(Some(required)).build()
}
