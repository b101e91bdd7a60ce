//! The trait of an API, its router, and its utoipa document.

use anyhow::{Result, bail};
use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::quote;

use super::super::types::docs;
use super::params::{self, PLACES};
use super::{body_type, ident, operation, tags_in_use, text};
use crate::spec::ir::{Api, Body, Media, Operation, SecurityScheme};

/// `mod.rs`.
pub(super) fn root(api: &Api) -> Result<TokenStream> {
    let about = docs::inner(&format!("Server stubs of {}.", api.title));
    let modules = tags_in_use(api).map(|(module, _)| ident(module));
    let uses = tags_in_use(api).map(|(module, operations)| {
        let module = ident(module);
        let names = operations.iter().map(|operation| ident(&operation.ident));
        quote!(pub use #module::{#(#names),*};)
    });
    let operations = api.operations.iter().map(|operation| ident(&operation.ident));
    let router = router(api);
    let document = document(api)?;
    Ok(quote! {
        #about
        #![allow(
            clippy::large_enum_variant,
            clippy::pedantic,
            rustdoc::bare_urls,
            rustdoc::broken_intra_doc_links,
            rustdoc::invalid_html_tags,
            reason = "generated; the prose is the contract's"
        )]

        mod api;
        #(mod #modules;)*
        pub(crate) mod shared;

        pub use api::Api;
        #(#uses)*
        pub use shared::{SCHEMAS, accepts, accepts_parameters};

        /// Every operation, in the contract's order.
        pub const OPERATIONS: &[&crate::OperationInfo] = &[#(&#operations::OPERATION),*];

        #router
        #document
    })
}

fn router(api: &Api) -> TokenStream {
    let mut routes: IndexMap<String, Vec<&Operation>> = IndexMap::new();
    for op in &api.operations {
        routes.entry(operation::route(api, op)).or_default().push(op);
    }
    let routes = routes.iter().map(|(path, operations)| {
        let mut methods = TokenStream::new();
        for (at, operation) in operations.iter().enumerate() {
            let (method, name) = (ident(operation.method.key()), ident(&operation.ident));
            methods.extend(if at == 0 {
                quote!(axum::routing::#method(#name::handle::<A>))
            } else {
                quote!(.#method(#name::handle::<A>))
            });
        }
        quote!(.route(#path, #methods))
    });
    quote! {
        /// Routes of the documented operations and of nothing else. Other paths and methods get axum's plain answers,
        /// unless a fallback and a method fallback are added.
        pub fn router<A: Api>(api: A) -> axum::Router {
            axum::Router::new() #(#routes)* .with_state(api)
        }
    }
}

fn document(api: &Api) -> Result<TokenStream> {
    let (title, version) = (text(&api.title), text(&api.version));
    let servers = api.servers.iter().map(|server| {
        let url = &server.url;
        quote!((url = #url))
    });
    let servers = (!api.servers.is_empty()).then(|| quote!(servers(#(#servers),*),));
    let tags = api.tags.iter().map(|tag| {
        let name = &tag.name;
        quote!((name = #name))
    });
    let paths = api.operations.iter().map(|operation| {
        let name = ident(&operation.ident);
        quote!(#name::handle)
    });
    let types = ident(&api.name);
    let schemas = api.schemas.values().map(|component| {
        let name = ident(&component.name);
        quote!(payment_runs_types::#types::#name)
    });
    let security = security(api)?;
    Ok(quote! {
        /// The document as this code has it: the witness that a test compares with the contract.
        #[derive(utoipa::OpenApi)]
        #[openapi(
            info(title = #title, version = #version),
            #servers
            tags(#(#tags),*),
            paths(#(#paths),*),
            components(schemas(#(#schemas),*)),
            modifiers(&Security)
        )]
        pub struct Doc;
        #security
    })
}

fn security(api: &Api) -> Result<TokenStream> {
    let mut schemes = Vec::new();
    for (name, scheme) in &api.security_schemes {
        let value = match scheme {
            SecurityScheme::Bearer { .. } => quote!(SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))),
            SecurityScheme::Basic { .. } => quote!(SecurityScheme::Http(Http::new(HttpAuthScheme::Basic))),
            SecurityScheme::HeaderKey { name, .. } => {
                quote!(SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(#name))))
            }
            SecurityScheme::ClientCredentials { token_url, scopes, .. } => {
                let scopes = scopes.iter().map(|(scope, about)| quote!((#scope, #about)));
                quote! {
                    SecurityScheme::OAuth2(OAuth2::new([Flow::ClientCredentials(ClientCredentials::new(
                        #token_url,
                        Scopes::from_iter::<[(&str, &str); _]>([#(#scopes),*]),
                    ))]))
                }
            }
        };
        schemes.push(quote!(components.add_security_scheme(#name, #value);));
    }
    if schemes.len() != api.security_schemes.len() {
        bail!("{}: a security scheme was lost", api.file);
    }
    Ok(quote! {
        struct Security;

        impl utoipa::Modify for Security {
            fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
                #[allow(unused_imports, reason = "which of them are used depends on the contract")]
                use utoipa::openapi::security::{
                    ApiKey, ApiKeyValue, ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme,
                };
                let components = openapi.components.get_or_insert_default();
                #(#schemes)*
                let _ = components;
            }
        }
    })
}

/// `api.rs`.
pub(super) fn definition(api: &Api) -> Result<TokenStream> {
    let about = docs::inner(&format!("The trait of {}.", api.title));
    let overview = docs::outer(api.description.as_deref().unwrap_or(&api.title));
    let methods =
        api.operations.iter().map(|operation| method(api, operation)).collect::<Result<Vec<_>>>()?;
    let modules = api.operations.iter().map(|operation| ident(&operation.ident));
    Ok(quote! {
        #about

        use super::{#(#modules),*};
        use crate::{OperationInfo, Rejection, RequestContext};

        #overview
        ///
        /// Every method has a body that answers "not implemented", so that a server can grow operation by operation.
        pub trait Api: Clone + Send + Sync + 'static {
            /// Writes a refused request in this API's own error shape.
            fn refuse(
                &self,
                context: &RequestContext,
                operation: &'static OperationInfo,
                rejection: Rejection,
            ) -> axum::response::Response;

            #(#methods)*
        }
    })
}

fn method(api: &Api, operation: &Operation) -> Result<TokenStream> {
    let name = ident(&operation.ident);
    let docs = docs::outer(&method_docs(api, operation));
    let (names, types): (Vec<_>, Vec<_>) =
        arguments(api, operation)?.into_iter().map(|(name, kind)| (ident(name), kind)).unzip();
    Ok(quote! {
        #docs
        fn #name(
            &self,
            context: RequestContext,
            #(#names: #types,)*
        ) -> impl Future<Output = Result<#name::Response, Rejection>> + Send {
            let _ = (context, #(#names),*);
            async { Err(Rejection::not_implemented()) }
        }
    })
}

fn method_docs(api: &Api, operation: &Operation) -> String {
    let mut text = operation.summary.clone().unwrap_or_else(|| operation.id.clone());
    if !text.ends_with('.') {
        text.push('.');
    }
    if operation.deprecated {
        text.push_str(" Deprecated.");
    }
    if let Some(description) = &operation.description {
        text.push_str("\n\n");
        text.push_str(description);
    }
    format!("{text}\n\n`{} {}`", operation.method, operation::route(api, operation))
}

/// Names and types after the context.
fn arguments(api: &Api, op: &Operation) -> Result<Vec<(&'static str, TokenStream)>> {
    let module = ident(&op.ident);
    let mut arguments = Vec::new();
    for (place, name, argument, _) in PLACES {
        if params::has(op, place) {
            let name = ident(name);
            arguments.push((argument, quote!(#module::#name)));
        }
    }
    if let Some(body) = &op.body {
        arguments.push(("body", argument_type(api, body)?));
    }
    Ok(arguments)
}

fn argument_type(api: &Api, body: &Body) -> Result<TokenStream> {
    let kind = match body.content.media {
        Media::Json | Media::Form => body_type(api, &body.content.schema)?,
        Media::Stream | Media::Events if body.content.content_types.len() == 1 => {
            return Ok(quote!(axum::body::Body));
        }
        Media::Stream | Media::Events => return Ok(quote!(crate::Stream)),
    };
    Ok(if body.required { kind } else { quote!(Option<#kind>) })
}
