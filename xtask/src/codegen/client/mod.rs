//! The client emitter: progenitor on a [lowered](super::lower) document, then the result cut up by tag.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use proc_macro2::TokenStream;
use progenitor_impl::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle};
use quote::{format_ident, quote};
use serde_json::Value;

use self::pieces::Pieces;
use self::polish::{doc, inner_doc};
use super::lower::{ClientOperation, Lowered, lower};
use super::{Contents, OutputFile};
use crate::spec::ir::Api;

mod pieces;
mod polish;

/// A file of builders is cut before this many lines as prettyplease prints them, which is more than rustfmt leaves.
const FILE_LINES_MAX: usize = 1_900;

/// The crate with the types.
const TYPES_CRATE: &str = "::payment_runs_types";

/// Emits the operations of one API.
pub fn emit(api: &Api) -> Result<Vec<OutputFile>> {
    let lowered = lower(api, &format!("{TYPES_CRATE}::{}", api.name))?;
    let mut pieces = Pieces::default();
    for document in &lowered.documents {
        pieces.take(&api.name, generate(document, &lowered.replacements)?, &lowered.operations)?;
    }
    let folder = format!("crates/client/src/generated/{}", api.name);
    let mut files = Vec::new();
    let mut modules = Vec::new();
    for (module, operations) in by_module(&lowered.operations) {
        let parts = parts(&operations, &pieces)?;
        let names: Vec<String> = (2..=parts.len()).map(|part| format!("{module}_{part}")).collect();
        for (at, part) in parts.iter().enumerate() {
            let name = at.checked_sub(1).map_or(module, |after| &names[after]);
            // The tag's own module shows the builders of all its parts.
            let others = if at == 0 { names.as_slice() } else { &[] };
            let tokens = tag_file(api, module, part, others, &pieces)?;
            let path = format!("{folder}/{name}.rs").into();
            files.push(OutputFile { path, contents: Contents::Rust(tokens) });
            modules.push((name.to_owned(), at == 0));
        }
    }
    let path = format!("{folder}/mod.rs").into();
    files.push(OutputFile { path, contents: Contents::Rust(root_file(api, &lowered, &modules, &pieces)) });
    Ok(files)
}

/// Cuts a tag's operations into files that stay short; nearly every tag is one.
fn parts<'a>(operations: &[&'a ClientOperation], pieces: &Pieces) -> Result<Vec<Vec<&'a ClientOperation>>> {
    let mut parts: Vec<Vec<&ClientOperation>> = Vec::new();
    let mut lines = FILE_LINES_MAX;
    for operation in operations {
        let items = &pieces.builder(operation)?.items;
        let printed =
            prettyplease::unparse(&syn::parse2(quote! { #(#items)* }).context("a builder is a file")?);
        let own = printed.lines().count();
        if lines + own > FILE_LINES_MAX {
            parts.push(Vec::new());
            lines = 0;
        }
        lines += own;
        parts.last_mut().context("a part was opened")?.push(operation);
    }
    Ok(parts)
}

/// Runs progenitor on one lowered document.
fn generate(document: &Value, replacements: &BTreeMap<String, String>) -> Result<TokenStream> {
    let spec = serde_json::from_value(document.clone()).context("read the lowered document")?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote! { crate::transport::Transport })
        .with_map_type("::std::collections::BTreeMap");
    for (component, rust) in replacements {
        settings.with_replacement(component, rust, std::iter::empty());
    }
    Generator::new(&settings).generate_tokens(&spec).context("run progenitor on the lowered document")
}

fn by_module(operations: &[ClientOperation]) -> BTreeMap<&str, Vec<&ClientOperation>> {
    let mut modules: BTreeMap<&str, Vec<&ClientOperation>> = BTreeMap::new();
    for operation in operations {
        modules.entry(&operation.module).or_default().push(operation);
    }
    modules
}

/// One tag's operations: a method of the client and a builder for each.
fn tag_file(
    api: &Api,
    module: &str,
    operations: &[&ClientOperation],
    others: &[String],
    pieces: &Pieces,
) -> Result<TokenStream> {
    let mut methods = Vec::new();
    let mut builders = Vec::new();
    for operation in operations {
        let builder = pieces.builder(operation)?;
        let (doc, name, ty) = (doc(&operation.doc), format_ident!("{}", operation.ident), &builder.name);
        methods.push(quote! {
            #(#doc)*
            #[must_use = "nothing is sent before `send`"]
            pub fn #name(&self) -> #ty<'_> {
                #ty::new(self)
            }
        });
        builders.extend(builder.items.iter().cloned());
    }
    let tag = api.tags.iter().find(|tag| tag.module == module);
    let about = tag
        .and_then(|tag| tag.description.clone())
        .unwrap_or_else(|| format!("Operations of {}.", api.title));
    let (about, types) = (inner_doc(&about), types(api));
    let others = others.iter().map(|name| format_ident!("{name}"));
    Ok(quote! {
        #about
        #![allow(unused_imports, reason = "which of these are needed depends on the operations")]
        use #types as types;
        use super::{
            ByteStream, Client, ClientHooks, ClientInfo, Error, OperationInfo, RequestBuilderExt, ResponseValue,
            encode_path,
        };
        use crate::operation::{missing, unfit};
        #(pub use super::#others::*;)*
        impl Client {
            #(#methods)*
        }
        #(#builders)*
    })
}

fn types(api: &Api) -> syn::Path {
    let path = format!("{}::{}", TYPES_CRATE.trim_start_matches("::"), api.name);
    syn::parse_str(&path).expect("an API's short name is a Rust name")
}

/// The client itself and what the transport has to know of each operation.
fn root_file(api: &Api, lowered: &Lowered, modules: &[(String, bool)], pieces: &Pieces) -> TokenStream {
    let declarations = modules.iter().map(|(module, shown)| {
        let (module, visibility) = (format_ident!("{module}"), shown.then(|| quote! { pub }));
        quote! { #visibility mod #module; }
    });
    let facts = lowered.operations.iter().map(|operation| {
        let ClientOperation { ident, authenticated, idempotent_by_key, headers, .. } = operation;
        let headers = headers.iter().map(|(name, value)| quote! { (#name, #value) });
        quote! {
            Operation {
                id: #ident,
                authenticated: #authenticated,
                idempotent_by_key: #idempotent_by_key,
                headers: &[#(#headers),*],
            }
        }
    });
    let (about, base_path) = (inner_doc(&format!("The client of: {}.", api.title)), api.base_path());
    let client = &pieces.client;
    quote! {
        #about
        #![allow(clippy::all, clippy::pedantic, reason = "progenitor does not write for these lints")]
        pub use progenitor_client::{ByteStream, Error, ResponseValue};
        #[allow(unused_imports, reason = "which of these are needed depends on the operations")]
        use progenitor_client::{ClientHooks, ClientInfo, OperationInfo, RequestBuilderExt, encode_path};
        use crate::operation::Operation;
        #(#declarations)*
        /// The path of this API below the server's base URL.
        pub(crate) const BASE_PATH: &str = #base_path;
        /// What the transport knows of each operation.
        pub(crate) const OPERATIONS: &[Operation] = &[#(#facts),*];
        #(#client)*
    }
}
