//! The types emitter: a Rust type for each component, in the file of the tag that alone uses it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Contents, OutputFile};
use crate::spec::ir::{Api, Component, Kind, Schema};
use crate::spec::json_schema;

mod component;
pub mod docs;
pub mod field;
pub mod rules;
mod witness;

/// File of the components that several tags, or none, use.
const SHARED: &str = "shared";

/// Emits `mod.rs`, a file for each tag, and `schemas.json` with every component as JSON Schema 2020-12.
pub fn emit(api: &Api) -> Result<Vec<OutputFile>> {
    let folder = super::EMITTERS[0].folder(&api.name);
    let mut by_module: BTreeMap<&str, Vec<&Component>> = BTreeMap::new();
    let modules = modules(api);
    for component in api.schemas.values() {
        by_module.entry(modules[component.name.as_str()]).or_default().push(component);
    }
    let mut files = vec![OutputFile {
        path: folder.join("mod.rs"),
        contents: Contents::Rust(root(api, by_module.keys().copied())),
    }];
    for (module, components) in &by_module {
        let tokens = module_file(api, module, components, &modules)?;
        files
            .push(OutputFile { path: folder.join(format!("{module}.rs")), contents: Contents::Rust(tokens) });
    }
    let schemas = json_schema::one_per_line(api);
    files.push(OutputFile { path: folder.join("schemas.json"), contents: Contents::Text(schemas) });
    Ok(files)
}

fn root<'a>(api: &Api, modules: impl Iterator<Item = &'a str>) -> TokenStream {
    let about = docs::inner(&format!("Models of {}.", api.title));
    let modules: Vec<_> = modules.map(|module| format_ident!("{module}")).collect();
    let names = api.schemas.keys().map(|name| format_ident!("{name}"));
    quote! {
        #about
        #![allow(
            clippy::pedantic,
            rustdoc::bare_urls,
            rustdoc::broken_intra_doc_links,
            rustdoc::invalid_html_tags,
            reason = "generated; the prose is the contract's"
        )]
        #(mod #modules;)*
        #(pub use #modules::*;)*
        /// Every model as JSON Schema 2020-12, under its name in `$defs`.
        pub const SCHEMAS: &str = include_str!("schemas.json");

        /// Every model as its Rust declaration describes it.
        #[cfg(feature = "utoipa")]
        pub fn components() -> utoipa::openapi::Components {
            utoipa::openapi::ComponentsBuilder::new()#(.schema_from::<#names>())*.build()
        }
    }
}

fn module_file(
    api: &Api,
    module: &str,
    components: &[&Component],
    modules: &BTreeMap<&str, &str>,
) -> Result<TokenStream> {
    let tag = api.tags.iter().find(|tag| tag.module == module);
    let about = match tag {
        Some(tag) => format!("{}: {}.", api.title, tag.name),
        None => format!("{}: what several groups of operations share.", api.title),
    };
    let about = docs::inner(&about);
    let mut foreign = BTreeSet::new();
    let mut items = TokenStream::new();
    for component in components {
        items.extend(component::emit(api, component)?);
        let referred = references(&component.schema);
        foreign.extend(referred.into_iter().filter(|name| modules[name.as_str()] != module));
    }
    let imports = (!foreign.is_empty()).then(|| {
        let names = foreign.iter().map(|name| format_ident!("{name}"));
        quote!(use super::{#(#names),*};)
    });
    Ok(quote! { #about #imports #items })
}

/// The file of each component: that of the one tag whose operations reach it, else [`SHARED`].
fn modules(api: &Api) -> BTreeMap<&str, &str> {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in &api.operations {
        let mut pending: Vec<String> = Vec::new();
        let bodies = operation.body.iter().map(|body| &body.content.schema);
        let answers = operation.responses.iter().filter_map(|response| response.content.as_ref());
        let headers = operation.responses.iter().flat_map(|response| &response.headers);
        let schemas = bodies
            .chain(answers.map(|content| &content.schema))
            .chain(headers.map(|header| &header.schema))
            .chain(operation.params.iter().map(|param| &param.schema));
        for schema in schemas {
            pending.extend(references(schema));
        }
        while let Some(name) = pending.pop() {
            let Some(component) = api.schemas.get(&name) else { continue };
            if users.entry(&component.name).or_default().insert(&operation.module) {
                pending.extend(references(&component.schema));
            }
        }
    }
    let module = |component: &Component| match users.get(component.name.as_str()) {
        Some(only) if only.len() == 1 => only.first().copied().unwrap_or(SHARED),
        _ => SHARED,
    };
    api.schemas.values().map(|component| (component.name.as_str(), module(component))).collect()
}

/// The components that a schema names directly, in order, each once.
pub fn references(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, &mut found);
    found
}

fn collect(schema: &Schema, found: &mut Vec<String>) {
    use crate::spec::ir::Additional;
    match &schema.kind {
        Kind::Ref(name) if !found.contains(name) => found.push(name.clone()),
        Kind::Object(object) => {
            object.fields.iter().for_each(|field| collect(&field.schema, found));
            if let Additional::Map(values) | Additional::Custom { schema: values, .. } = &object.additional {
                collect(values, found);
            }
        }
        Kind::Map(values) => collect(values, found),
        Kind::Array(array) => collect(&array.items, found),
        Kind::OneOf(one_of) => one_of.variants.iter().for_each(|variant| collect(variant, found)),
        _ => {}
    }
}
