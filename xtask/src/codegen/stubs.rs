//! The stubs emitter: per API a trait, a module per operation, a router, and the document that utoipa derives.
//!
//! Files of one API, below `crates/stubs/src/generated/<api>/`: `mod.rs` (router, list of operations, utoipa document),
//! `api.rs` (the trait), `<tag>.rs` (operations), `shared.rs` (what they share), `schemas.json` (the schemas that list
//! the faults of a refused request).

use anyhow::Result;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use super::types::docs;
use super::types::field::{Presence, Scope, rust_type};
use super::{Contents, OutputFile};
use crate::spec::ir::{Api, Operation, Schema};

mod answers;
mod api;
mod operation;
mod params;
mod schemas;
mod shared;

/// Emits the files of one document.
pub fn emit(api: &Api) -> Result<Vec<OutputFile>> {
    let folder = std::path::Path::new("crates/stubs/src/generated").join(&api.name);
    let file = |name: String, contents: Contents| OutputFile { path: folder.join(name), contents };
    let headers = answers::HeaderSets::of(api);
    let mut files = vec![
        file("mod.rs".to_owned(), Contents::Rust(api::root(api)?)),
        file("api.rs".to_owned(), Contents::Rust(api::definition(api)?)),
        file("shared.rs".to_owned(), Contents::Rust(shared::module(api, &headers)?)),
        file("schemas.json".to_owned(), Contents::Text(schemas::document(api)?)),
    ];
    for tag in &api.tags {
        let operations: Vec<&Operation> =
            api.operations.iter().filter(|operation| operation.tag == tag.name).collect();
        if operations.is_empty() {
            continue;
        }
        let modules = operations
            .iter()
            .map(|operation| operation::module(api, operation, &headers))
            .collect::<Result<Vec<_>>>()?;
        let docs = docs::inner(&match &tag.description {
            Some(description) => format!("{}: {description}", tag.name),
            None => format!("{}.", tag.name),
        });
        let tokens = quote! { #docs #(#modules)* };
        files.push(file(format!("{}.rs", tag.module), Contents::Rust(tokens)));
    }
    Ok(files)
}

/// Tags that have operations, in order, each with its operations.
fn tags_in_use(api: &Api) -> impl Iterator<Item = (&str, Vec<&Operation>)> {
    api.tags.iter().filter_map(|tag| {
        let operations: Vec<_> =
            api.operations.iter().filter(|operation| operation.tag == tag.name).collect();
        (!operations.is_empty()).then_some((tag.module.as_str(), operations))
    })
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

/// The Rust type of a body.
fn body_type(api: &Api, schema: &Schema) -> Result<TokenStream> {
    Ok(Presence::of(true, schema).wrap(rust_type(schema, &Scope::other(&api.name))?))
}

/// A path to a generated item of the same API.
fn shared_item(api: &Api, name: &str) -> TokenStream {
    let (module, name) = (ident(&api.name), format_ident!("{name}"));
    quote!(crate::#module::shared::#name)
}

fn text(value: &str) -> Literal {
    Literal::string(value)
}
