//! The module of one operation: its parameters, its answers, and the handler that the router calls.

use anyhow::{Result, ensure};
use indexmap::IndexSet;
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::super::types::docs;
use super::answers::{self, HeaderSets};
use super::params::{self, PLACES};
use super::{body_type, ident, shared_item, text};
use crate::spec::ir::{Additional, Api, Body, Kind, Media, Operation, Place, Schema};

/// A body whose lists have at most this many entries counts as short: with every field at its full length it fits into the
/// server's limit for short bodies several times.
const SHORT_LIST_MAX: u64 = 100;

pub(super) fn module(api: &Api, operation: &Operation, headers: &HeaderSets) -> Result<TokenStream> {
    let name = ident(&operation.ident);
    let about = docs::outer(&format!("`{}`: {} {}.", operation.id, operation.method, route(api, operation)));
    let info = info(api, operation)?;
    let structures = PLACES
        .iter()
        .map(|(place, ..)| params::structure(api, operation, *place))
        .collect::<Result<Vec<_>>>()?;
    let answers = answers::enumeration(api, operation, headers)?;
    let handler = handler(api, operation)?;
    Ok(quote! {
        #about
        pub mod #name {
            #info
            #(#structures)*
            #answers
            #handler
        }
    })
}

/// The path with the server's prefix.
pub(super) fn route(api: &Api, operation: &Operation) -> String {
    format!("{}{}", api.base_path(), operation.path)
}

fn info(api: &Api, operation: &Operation) -> Result<TokenStream> {
    let route = route(api, operation);
    for segment in route.split('/').filter(|segment| segment.contains('{')) {
        ensure!(
            segment.starts_with('{') && segment.find('}') == Some(segment.len() - 1),
            "{}: the segment `{segment}` of a path is not routed; let a parameter be a whole segment",
            operation.pointer
        );
    }
    let (id, path, tag) = (&operation.id, &operation.path, &operation.tag);
    let method = ident(&operation.method.to_string());
    let scopes = operation.security.iter().map(|requirement| {
        let scopes = requirement.values().flatten();
        quote!(&[#(#scopes),*])
    });
    let streamed = operation.body.as_ref().is_some_and(|body| matches!(body.content.media, Media::Stream));
    let plain_bytes_max = operation.body.as_ref().and_then(|body| body.plain_bytes_max);
    let plain_bytes_max = plain_bytes_max.map(Literal::u64_unsuffixed);
    let plain_bytes_max = plain_bytes_max.map_or_else(|| quote!(None), |bytes| quote!(Some(#bytes)));
    let mut seen = IndexSet::new();
    let has_long_body =
        operation.body.as_ref().is_some_and(|body| is_long(api, &body.content.schema, &mut seen));
    let answers: IndexSet<&String> = operation
        .successes()
        .filter_map(|response| response.content.as_ref())
        .flat_map(|content| &content.content_types)
        .collect();
    let answers = answers.into_iter();
    Ok(quote! {
        /// The operation as data.
        pub static OPERATION: crate::OperationInfo = crate::OperationInfo {
            id: #id,
            method: http::Method::#method,
            path: #path,
            route: #route,
            tag: #tag,
            scopes: &[#(#scopes),*],
            streamed: #streamed,
            plain_bytes_max: #plain_bytes_max,
            has_long_body: #has_long_body,
            answers: &[#(#answers),*],
        };
    })
}

/// Whether a value can hold a list of many entries, or anything, or itself. Custom fields are single values.
fn is_long<'a>(api: &'a Api, schema: &'a Schema, seen: &mut IndexSet<&'a str>) -> bool {
    let inside: Vec<&Schema> = match &schema.kind {
        Kind::Array(array) if array.max_items.is_none_or(|max| max > SHORT_LIST_MAX) => return true,
        Kind::Array(array) => vec![&array.items],
        Kind::Map(values) => vec![values],
        Kind::Object(object) => {
            let more = match &object.additional {
                Additional::Map(schema) => Some(&**schema),
                Additional::Custom { .. } | Additional::Forbidden | Additional::Ignored => None,
            };
            object.fields.iter().map(|field| &field.schema).chain(more).collect()
        }
        Kind::OneOf(one) => one.variants.iter().collect(),
        Kind::Ref(name) => {
            if !seen.insert(name) {
                return true;
            }
            let is_long = api.schemas.get(name).is_none_or(|one| is_long(api, &one.schema, seen));
            seen.pop();
            return is_long;
        }
        Kind::Any => return true,
        Kind::String(_) | Kind::Enum(_) | Kind::Integer(_) | Kind::Decimal(_) | Kind::Bool => Vec::new(),
    };
    inside.into_iter().any(|one| is_long(api, one, seen))
}

/// How an argument of the trait's method is read, in order: its name and the call that reads it.
fn reads(api: &Api, operation: &Operation) -> Result<Vec<(&'static str, TokenStream)>> {
    let mut reads = Vec::new();
    for (place, name, argument, _) in PLACES {
        if !params::has(operation, place) {
            continue;
        }
        let name = ident(name);
        let read = match place {
            Place::Path => quote!(incoming.path::<#name>().await),
            Place::Query => quote!(incoming.query::<#name>()),
            Place::Header => {
                let names = operation.params_in(Place::Header).map(|param| text(&param.name));
                quote!(incoming.headers::<#name>(&[#(#names),*]))
            }
        };
        reads.push((argument, read));
    }
    if let Some(body) = &operation.body {
        reads.push(("body", read_body(api, body)?));
    }
    Ok(reads)
}

fn read_body(api: &Api, body: &Body) -> Result<TokenStream> {
    let function = match (body.content.media, body.required) {
        (Media::Json, true) => "json",
        (Media::Json, false) => "optional_json",
        (Media::Form, true) => "form",
        (Media::Form, false) => "optional_form",
        (Media::Stream | Media::Events, _) => {
            let content_types = &body.content.content_types;
            let only = (content_types.len() == 1).then(|| quote!(.map(|stream| stream.body)));
            return Ok(quote!(incoming.stream(&[#(#content_types),*])#only));
        }
    };
    let (function, kind) = (ident(function), body_type(api, &body.content.schema)?);
    Ok(quote!(incoming.#function::<#kind>().await))
}

fn handler(api: &Api, operation: &Operation) -> Result<TokenStream> {
    let method = ident(&operation.ident);
    let witness = witness(api, operation)?;
    let document = shared_item(api, "SCHEMAS");
    let trait_module = ident(&api.name);
    let id = &operation.id;
    let (names, calls): (Vec<_>, Vec<_>) =
        reads(api, operation)?.into_iter().map(|(name, call)| (ident(name), call)).unzip();
    let mutable = (!names.is_empty()).then(|| quote!(mut));
    let permission = (!operation.security.is_empty()).then(|| {
        quote! {
            if let Err(rejection) = incoming.check_scopes(&OPERATION) {
                return api.refuse(&incoming.context(), &OPERATION, rejection);
            }
        }
    });
    let refused = (!names.is_empty()).then(|| {
        quote! {
            let (#(Some(#names),)*) = (#(#names,)*) else {
                return api.refuse(&context, &OPERATION, incoming.rejection());
            };
        }
    });
    Ok(quote! {
        pub(crate) static CONTRACT: crate::extract::Contract = crate::extract::Contract::new(&#document, #id);

        #witness
        pub(crate) async fn handle<A: crate::#trait_module::Api>(
            axum::extract::State(api): axum::extract::State<A>,
            request: axum::extract::Request,
        ) -> axum::response::Response {
            let #mutable incoming = crate::extract::Incoming::new(request, &CONTRACT);
            #permission
            #(let #names = #calls;)*
            let context = incoming.context();
            #refused
            match api.#method(context.clone(), #(#names),*).await {
                Ok(response) => axum::response::IntoResponse::into_response(response),
                Err(rejection) => api.refuse(&context, &OPERATION, rejection),
            }
        }
    })
}

/// The `#[utoipa::path]` attribute: the document that a test compares with the contract.
fn witness(api: &Api, operation: &Operation) -> Result<TokenStream> {
    let method = ident(operation.method.key());
    let (id, path, tag) = (&operation.id, &operation.path, &operation.tag);
    let places: Vec<_> = PLACES
        .iter()
        .filter(|(place, ..)| params::has(operation, *place))
        .map(|(_, name, ..)| ident(name))
        .collect();
    let params = (!places.is_empty()).then(|| quote!(params(#(#places),*),));
    let body = operation.body.as_ref().map(|body| witness_body(api, body)).transpose()?;
    let security = if operation.security.is_empty() {
        quote!(security(()))
    } else {
        let alternatives = operation.security.iter().map(|requirement| {
            let schemes = requirement.iter().map(|(name, scopes)| quote!(#name = [#(#scopes),*]));
            quote!((#(#schemes),*))
        });
        quote!(security(#(#alternatives),*))
    };
    Ok(quote! {
        #[utoipa::path(
            #method,
            path = #path,
            operation_id = #id,
            tag = #tag,
            #params
            #body
            responses(Response),
            #security
        )]
    })
}

fn witness_body(api: &Api, body: &Body) -> Result<TokenStream> {
    let kind = match (body.content.media, &body.content.schema.kind) {
        // Bytes without a shape are no Rust type.
        (Media::Stream | Media::Events, Kind::String(_)) => quote!(String),
        // For a stream it is the type of one message.
        _ => body_type(api, &body.content.schema)?,
    };
    let kind = if body.required { kind } else { quote!(Option<#kind>) };
    match body.content.content_types.as_slice() {
        [content_type] => {
            let content_type = text(content_type);
            Ok(quote!(request_body(content = #kind, content_type = #content_type),))
        }
        several => {
            let several = several.iter().map(|content_type| text(content_type));
            Ok(quote!(request_body(content(#((#kind = #several)),*)),))
        }
    }
}
