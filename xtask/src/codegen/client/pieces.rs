//! What progenitor wrote, cut into the client and one builder per operation.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use proc_macro2::TokenStream;
use syn::visit_mut::VisitMut as _;
use syn::{ImplItem, Item, ItemImpl, parse_quote};

use super::polish::{Shorten, doc};
use crate::codegen::lower::ClientOperation;

/// The pieces of all lowered documents of one API.
#[derive(Default)]
pub(super) struct Pieces {
    /// The client's struct and its implementations, without the operations.
    pub(super) client: Vec<Item>,
    /// By the operation's Rust name.
    builders: BTreeMap<String, Builder>,
}

/// The builder of one operation.
pub(super) struct Builder {
    /// Its type: `CreatePaymentRun`.
    pub(super) name: syn::Ident,
    /// The struct and its implementation.
    pub(super) items: Vec<Item>,
}

impl Pieces {
    /// The builder of an operation.
    pub(super) fn builder(&self, operation: &ClientOperation) -> Result<&Builder> {
        self.builders
            .get(&operation.ident)
            .with_context(|| format!("progenitor wrote no `{}`", operation.ident))
    }

    /// Takes in what progenitor wrote for one document. The client is the same in all; the first is kept.
    pub(super) fn take(
        &mut self,
        api: &str,
        tokens: TokenStream,
        operations: &[ClientOperation],
    ) -> Result<()> {
        let file: syn::File = syn::parse2(tokens).context("parse what progenitor wrote")?;
        let mut client = Vec::new();
        let mut names = BTreeMap::new();
        for mut item in file.items {
            Shorten { api }.visit_item_mut(&mut item);
            match item {
                Item::Use(_) => {}
                Item::Mod(module) if module.ident == "types" => no_types(&module)?,
                Item::Mod(module) if module.ident == "prelude" => {}
                Item::Mod(module) if module.ident == "builder" => {
                    let items = module.content.map(|(_, items)| items).unwrap_or_default();
                    self.take_builders(items, &names, operations)?;
                }
                Item::Impl(block) if operations_block(&block) => names = builder_names(&block)?,
                other => client.push(tidy(other)),
            }
        }
        if self.client.is_empty() {
            self.client = client;
        }
        Ok(())
    }

    fn take_builders(
        &mut self,
        items: Vec<Item>,
        names: &BTreeMap<String, syn::Ident>,
        operations: &[ClientOperation],
    ) -> Result<()> {
        let mut by_type: BTreeMap<String, Vec<Item>> = BTreeMap::new();
        for item in items {
            match &item {
                Item::Use(_) => {}
                Item::Struct(of) => by_type.entry(of.ident.to_string()).or_default().push(item),
                Item::Impl(of) => by_type.entry(type_name(&of.self_ty)?).or_default().push(item),
                _ => bail!("progenitor wrote something new among the builders"),
            }
        }
        for (ident, name) in names {
            let operation = operations
                .iter()
                .find(|operation| operation.ident == *ident)
                .with_context(|| format!("progenitor renamed an operation to `{ident}`"))?;
            let items = by_type.remove(&name.to_string()).context("an operation has a builder")?;
            let items = items.into_iter().map(|item| document(item, operation)).collect();
            self.builders.insert(ident.clone(), Builder { name: name.clone(), items });
        }
        Ok(())
    }
}

/// All types exist already, so progenitor has none to write but its conversion error.
fn no_types(module: &syn::ItemMod) -> Result<()> {
    for item in module.content.iter().flat_map(|(_, items)| items) {
        let name = match item {
            Item::Mod(inner) if inner.ident == "error" => continue,
            Item::Struct(of) => of.ident.to_string(),
            Item::Enum(of) => of.ident.to_string(),
            Item::Type(of) => of.ident.to_string(),
            Item::Mod(of) => of.ident.to_string(),
            _ => continue,
        };
        bail!("progenitor wrote the type `{name}` of its own: lower the schema that leads to it");
    }
    Ok(())
}

/// `impl Client` with the operations, told from the one with the constructors.
fn operations_block(block: &ItemImpl) -> bool {
    let constructors =
        block.items.iter().any(|item| matches!(item, ImplItem::Fn(function) if function.sig.ident == "new"));
    block.trait_.is_none() && !constructors
}

/// From an operation's Rust name to its builder's type, read off the methods' return types.
fn builder_names(block: &ItemImpl) -> Result<BTreeMap<String, syn::Ident>> {
    let mut names = BTreeMap::new();
    for item in &block.items {
        let ImplItem::Fn(function) = item else { continue };
        let syn::ReturnType::Type(_, ty) = &function.sig.output else {
            bail!("an operation returns a builder")
        };
        let syn::Type::Path(path) = &**ty else { bail!("an operation returns a builder by path") };
        let last = path.path.segments.last().context("a path has a segment")?;
        ensure!(names.insert(function.sig.ident.to_string(), last.ident.clone()).is_none());
    }
    Ok(names)
}

fn type_name(ty: &syn::Type) -> Result<String> {
    let syn::Type::Path(path) = ty else { bail!("a builder is a plain type") };
    Ok(path.path.segments.last().context("a path has a segment")?.ident.to_string())
}

/// The client is built by the connection alone, which gives it a transport.
fn tidy(item: Item) -> Item {
    match item {
        Item::Struct(mut client) => {
            client.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
            let about = "Calls the operations of this API. A [`Connection`](crate::Connection) hands it out.";
            client.attrs.splice(0..0, doc(about));
            Item::Struct(client)
        }
        Item::Impl(mut block) if block.trait_.is_none() => {
            block.items.retain(|item| !matches!(item, ImplItem::Fn(function) if function.sig.ident == "new"));
            for item in &mut block.items {
                if let ImplItem::Fn(function) = item {
                    function.attrs.clear();
                    function.vis = parse_quote!(pub(crate));
                }
            }
            Item::Impl(block)
        }
        other => other,
    }
}

/// Documents the builder and its setters, and leaves construction to the client's method.
fn document(item: Item, operation: &ClientOperation) -> Item {
    match item {
        Item::Struct(mut builder) => {
            // The page streams read what the caller set.
            for field in &mut builder.fields {
                field.vis = parse_quote!(pub(crate));
            }
            builder.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
            let method = format!("Client::{}", operation.ident);
            builder.attrs.splice(0..0, doc(&format!("A call of [`{method}`], before it is sent.")));
            Item::Struct(builder)
        }
        Item::Impl(mut block) => {
            for item in &mut block.items {
                let ImplItem::Fn(function) = item else { continue };
                let name = function.sig.ident.to_string();
                if name == "new" {
                    function.vis = parse_quote!(pub(super));
                }
                if let Some(text) = operation.setters.get(&name) {
                    function.attrs.splice(0..0, doc(text));
                }
                if name == "send" {
                    function.attrs = doc("Sends the request.");
                }
            }
            Item::Impl(block)
        }
        other => other,
    }
}
