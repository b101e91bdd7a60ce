//! What the operations of an API share.

use anyhow::Result;
use proc_macro2::TokenStream;
use quote::quote;

use super::super::types::docs;
use super::answers::{self, HeaderSets};
use super::ident;
use super::params::{self, PLACES};
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
    let models = registry(&quote!(component), &quote!(json), &arms.collect::<Vec<_>>());
    let parameters = parameters(api);
    Ok(quote! {
        #about

        /// The schemas that list the faults of a refused request.
        pub static SCHEMAS: crate::extract::Document =
            crate::extract::Document::new(include_str!("schemas.json"));

        #constants
        #answers

        /// Whether the model of a component accepts a value as a request would bring it; `None` for an unknown name.
        pub fn accepts(component: &str, json: &serde_json::Value) -> Option<Result<(), String>> {
            #models
        }

        #parameters
    })
}

/// The parameters of every operation, for the test that compares them with the contract.
fn parameters(api: &Api) -> TokenStream {
    let arms = api.operations.iter().flat_map(|operation| {
        let (id, module) = (&operation.id, ident(&operation.ident));
        let places = PLACES.iter().filter(|(place, ..)| params::has(operation, *place));
        places.map(move |(_, name, ..)| {
            let name = ident(name);
            quote!((#id, crate::extract::Part::#name) => crate::accept::check_texts::<super::#module::#name>(texts),)
        })
    });
    let known = registry(&quote!((operation, part)), &quote!(texts), &arms.collect::<Vec<_>>());
    quote! {
        /// Whether an operation accepts parameters of one place, each a name and a text; `None` where it has none there.
        pub fn accepts_parameters(
            operation: &str,
            part: crate::extract::Part,
            texts: &[(String, String)],
        ) -> Option<Result<(), String>> {
            #known
        }
    }
}

/// The body of a function that judges a value by what a key names.
fn registry(key: &TokenStream, value: &TokenStream, arms: &[TokenStream]) -> TokenStream {
    if arms.is_empty() {
        return quote! {
            let _ = (#key, #value);
            None
        };
    }
    quote! {
        Some(match #key {
            #(#arms)*
            _ => return None,
        })
    }
}
