//! What the operations of an API share.

use anyhow::Result;
use proc_macro2::TokenStream;
use quote::quote;

use super::super::types::docs;
use super::answers::{self, HeaderSets};
use super::ident;
use crate::spec::ir::Api;

pub(super) fn module(api: &Api, headers: &HeaderSets) -> Result<TokenStream> {
    let about = docs::inner("What several operations share.");
    let constants = headers.tokens();
    let answers = answers::shared_answers(api, headers)?;
    let types = ident(&api.name);
    let arms = api.schemas.values().map(|component| {
        let (name, wire) = (ident(&component.name), &component.name);
        quote!(#wire => crate::accept::check::<payment_runs_types::#types::#name>(json),)
    });
    Ok(quote! {
        #about

        /// The schemas that list the faults of a refused request.
        pub(crate) static SCHEMAS: crate::extract::Document =
            crate::extract::Document::new(include_str!("schemas.json"));

        #constants
        #answers

        /// Whether the model of a component accepts a value as a request would bring it; `None` for an unknown name.
        pub fn accepts(component: &str, json: &serde_json::Value) -> Option<Result<(), String>> {
            Some(match component {
                #(#arms)*
                _ => return None,
            })
        }
    })
}
