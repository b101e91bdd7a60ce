//! The enum of an operation's documented answers.

use anyhow::{Result, bail};
use indexmap::IndexSet;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Map, Value};

use super::super::types::docs;
use super::{body_type, shared_item, text};
use crate::spec::ir::{Api, Header, Kind, Media, Operation, Response, Schema, Status, TextFormat};
use crate::spec::{json_schema, names};

/// The sets of headers that an API's answers carry; most answers carry the same.
pub(super) struct HeaderSets(IndexSet<Vec<(String, bool, String)>>);

impl HeaderSets {
    /// Every set of an API, in the order of its operations.
    pub(super) fn of(api: &Api) -> Self {
        let responses = api.operations.iter().flat_map(|operation| &operation.responses);
        Self(responses.map(|response| signature(&response.headers)).filter(|set| !set.is_empty()).collect())
    }

    /// The constant that holds an answer's headers.
    fn constant(&self, api: &Api, headers: &[Header]) -> TokenStream {
        if let Some(at) = self.0.get_index_of(&signature(headers)) {
            shared_item(api, &format!("ANSWER_HEADERS_{}", at + 1))
        } else {
            quote!(&[])
        }
    }

    /// The constants.
    pub(super) fn tokens(&self) -> TokenStream {
        let constants = self.0.iter().enumerate().map(|(at, set)| {
            let name = format_ident!("ANSWER_HEADERS_{}", at + 1);
            let headers = set.iter().map(|(name, required, schema)| {
                quote!(crate::witness::AnswerHeader { name: #name, required: #required, schema: #schema })
            });
            quote! {
                /// Headers of answers, as layers around the router write them.
                pub(crate) const #name: &[crate::witness::AnswerHeader] = &[#(#headers),*];
            }
        });
        quote! { #(#constants)* }
    }
}

fn signature(headers: &[Header]) -> Vec<(String, bool, String)> {
    let schema = |schema: &Schema| {
        let bare = Schema { description: None, example: None, title: None, ..schema.clone() };
        declared(&bare, json_schema::of(&bare)).to_string()
    };
    headers.iter().map(|header| (header.name.clone(), header.required, schema(&header.schema))).collect()
}

/// A header's schema as the document declares it: without the bounds that an integer's width implies.
fn declared(schema: &Schema, mut json: Value) -> Value {
    if let (Kind::Integer(integer), Some(map)) = (&schema.kind, json.as_object_mut()) {
        for (key, bound) in [("minimum", integer.min), ("maximum", integer.max)] {
            if bound.is_none() {
                map.shift_remove(key);
            }
        }
    }
    if let Some(reference) = json.get("$ref").and_then(Value::as_str) {
        let reference = reference.replace("#/$defs/", "#/components/schemas/");
        json = Value::Object(Map::from_iter([("$ref".to_owned(), Value::String(reference))]));
    }
    json
}

/// The wire name of a format.
pub(super) const fn format_name(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Date => "date",
        TextFormat::DateTime => "date-time",
        TextFormat::ZuoraDateTime => "zuora-date-time",
        TextFormat::Binary => "binary",
    }
}

/// The enum, how it is written, and how utoipa sees it.
pub(super) fn enumeration(api: &Api, operation: &Operation, headers: &HeaderSets) -> Result<TokenStream> {
    let streams = operation
        .responses
        .iter()
        .filter_map(|response| response.content.as_ref())
        .any(|content| matches!(content.media, Media::Stream | Media::Events));
    let derives = if streams { quote!(Debug) } else { quote!(Clone, Debug, PartialEq) };
    let variants =
        operation.responses.iter().map(|response| variant(api, response)).collect::<Result<Vec<_>>>()?;
    let arms = operation.responses.iter().map(arm).collect::<Result<Vec<_>>>()?;
    let answers = operation
        .responses
        .iter()
        .map(|response| answer(api, response, headers))
        .collect::<Result<Vec<_>>>()?;
    let about = docs::outer(&format!("Documented answers of `{}`.", operation.id));
    Ok(quote! {
        #about
        #[derive(#derives)]
        pub enum Response { #(#variants)* }

        impl axum::response::IntoResponse for Response {
            fn into_response(self) -> axum::response::Response {
                match self { #(#arms)* }
            }
        }

        impl utoipa::IntoResponses for Response {
            fn responses() -> crate::witness::Answers {
                [#(#answers),*].into_iter().collect()
            }
        }
    })
}

fn name(status: Status) -> proc_macro2::Ident {
    format_ident!("Status{}", status.to_string())
}

fn range(status: Status) -> Result<Option<TokenStream>> {
    Ok(match status {
        Status::Code(_) => None,
        Status::Range(4) => Some(quote!(crate::ClientErrorStatus)),
        Status::Range(5) => Some(quote!(crate::ServerErrorStatus)),
        Status::Range(class) => {
            bail!("answers {class}XX are not generated; document the statuses one by one")
        }
    })
}

fn variant(api: &Api, response: &Response) -> Result<TokenStream> {
    let (name, docs) = (name(response.status), docs::outer(&response.description));
    let status = range(response.status)?;
    let body = match &response.content {
        None => None,
        Some(content) => Some(match content.media {
            Media::Json => body_type(api, &content.schema)?,
            Media::Stream | Media::Events if content.content_types.len() == 1 => quote!(axum::body::Body),
            // The implementation says which of the documented media types it wrote.
            Media::Stream => quote!(crate::Stream),
            Media::Events | Media::Form => bail!("{}: an answer cannot be a form", response.description),
        }),
    };
    let parts: Vec<TokenStream> = status.into_iter().chain(body).collect();
    let parts = (!parts.is_empty()).then(|| quote!((#(#parts),*)));
    Ok(quote! { #docs #name #parts, })
}

/// Names of the constants of `http::StatusCode`.
const STATUSES: [(u16, &str); 31] = [
    (200, "OK"),
    (201, "CREATED"),
    (202, "ACCEPTED"),
    (203, "NON_AUTHORITATIVE_INFORMATION"),
    (204, "NO_CONTENT"),
    (206, "PARTIAL_CONTENT"),
    (301, "MOVED_PERMANENTLY"),
    (302, "FOUND"),
    (303, "SEE_OTHER"),
    (304, "NOT_MODIFIED"),
    (307, "TEMPORARY_REDIRECT"),
    (308, "PERMANENT_REDIRECT"),
    (400, "BAD_REQUEST"),
    (401, "UNAUTHORIZED"),
    (402, "PAYMENT_REQUIRED"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (406, "NOT_ACCEPTABLE"),
    (409, "CONFLICT"),
    (410, "GONE"),
    (412, "PRECONDITION_FAILED"),
    (413, "PAYLOAD_TOO_LARGE"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (422, "UNPROCESSABLE_ENTITY"),
    (429, "TOO_MANY_REQUESTS"),
    (500, "INTERNAL_SERVER_ERROR"),
    (501, "NOT_IMPLEMENTED"),
    (502, "BAD_GATEWAY"),
    (503, "SERVICE_UNAVAILABLE"),
    (504, "GATEWAY_TIMEOUT"),
];

fn constant(code: u16) -> Result<TokenStream> {
    let known = STATUSES.iter().find(|(known, _)| *known == code);
    let Some((_, name)) = known else {
        bail!("status {code} is not generated; add it to `STATUSES` of the stubs emitter")
    };
    let name = format_ident!("{name}");
    Ok(quote!(http::StatusCode::#name))
}

fn arm(response: &Response) -> Result<TokenStream> {
    let name = name(response.status);
    let (status, binding) = match response.status {
        Status::Code(code) => (constant(code)?, None),
        Status::Range(_) => (quote!(status.into()), Some(quote!(status))),
    };
    let Some(content) = &response.content else {
        let pattern = binding.map(|binding| quote!((#binding)));
        return Ok(quote! { Self::#name #pattern => crate::answer::empty(#status), });
    };
    let bindings = binding.into_iter().chain([quote!(body)]);
    let pattern = quote!(Self::#name(#(#bindings),*));
    let content_type = text(content.content_types.first().map_or("", String::as_str));
    Ok(match content.media {
        Media::Json => quote! { #pattern => crate::answer::json(#status, #content_type, &body), },
        _ if content.content_types.len() == 1 => {
            quote! { #pattern => crate::answer::stream(#status, #content_type, body), }
        }
        _ => quote! { #pattern => crate::answer::stream(#status, body.content_type, body.body), },
    })
}

fn answer(api: &Api, response: &Response, headers: &HeaderSets) -> Result<TokenStream> {
    let status = response.status.to_string();
    if let Some(shared) = &response.shared {
        let function = shared_item(api, &shared_answer(shared));
        return Ok(quote!(#function(#status)));
    }
    let body = answer_body(api, response, headers)?;
    Ok(quote!(crate::witness::answer(#status, #body)))
}

fn shared_answer(name: &str) -> String {
    format!("answer_{}", names::snake(name).trim_end_matches('_'))
}

/// The answers that several operations refer to, as functions of their status.
pub(super) fn shared_answers(api: &Api, headers: &HeaderSets) -> Result<TokenStream> {
    let mut functions = TokenStream::new();
    let mut seen = IndexSet::new();
    for response in api.operations.iter().flat_map(|operation| &operation.responses) {
        let Some(shared) = &response.shared else { continue };
        if !seen.insert(shared) {
            continue;
        }
        let name = format_ident!("{}", shared_answer(shared));
        let docs = docs::outer(&format!("`{shared}`."));
        let body = answer_body(api, response, headers)?;
        functions.extend(quote! {
            #docs
            pub(crate) fn #name(status: &str) -> crate::witness::Answer {
                crate::witness::answer(status, #body)
            }
        });
    }
    Ok(functions)
}

/// Description, headers and contents.
fn answer_body(api: &Api, response: &Response, headers: &HeaderSets) -> Result<TokenStream> {
    let description = &response.description;
    let headers = headers.constant(api, &response.headers);
    let contents = match &response.content {
        None => Vec::new(),
        Some(content) => content
            .content_types
            .iter()
            .map(|content_type| {
                let schema = match (content.media, &content.schema.kind) {
                    // Bytes without a shape are no Rust type.
                    (Media::Stream | Media::Events, Kind::String(_)) => {
                        quote!(crate::witness::inline::<String>())
                    }
                    _ => schema_tokens(api, &content.schema)?,
                };
                Ok(quote!((#content_type, #schema)))
            })
            .collect::<Result<Vec<_>>>()?,
    };
    Ok(quote!(#description, #headers, vec![#(#contents),*]))
}

fn schema_tokens(api: &Api, schema: &Schema) -> Result<TokenStream> {
    match &schema.kind {
        Kind::Ref(_) => {
            let kind = body_type(api, schema)?;
            Ok(quote!(crate::witness::reference::<#kind>()))
        }
        Kind::Array(array) => {
            let items = schema_tokens(api, &array.items)?;
            Ok(quote!(crate::witness::list(#items)))
        }
        _ => {
            let kind = body_type(api, schema)?;
            Ok(quote!(crate::witness::inline::<#kind>()))
        }
    }
}
