//! The structs that hold an operation's parameters.

use anyhow::{Result, bail};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

use serde_json::Value;

use super::super::types::field::{Scope, rust_type};
use super::super::types::{docs, rules};
use super::{ident, text};
use crate::spec::ir::{Api, Kind, Operation, Param, Place, Schema};

/// The structs of an operation, in the order of its arguments.
pub(super) const PLACES: [(Place, &str, &str, &str); 3] = [
    (Place::Path, "Path", "path", "Parameters of the path."),
    (Place::Query, "Query", "query", "Parameters of the query."),
    (Place::Header, "Headers", "headers", "Documented headers of the request."),
];

/// Whether the operation has parameters of a place.
pub(super) fn has(operation: &Operation, place: Place) -> bool {
    operation.params_in(place).next().is_some()
}

/// One struct, or nothing where the operation has no such parameters.
pub(super) fn structure(api: &Api, operation: &Operation, place: Place) -> Result<TokenStream> {
    if !has(operation, place) {
        return Ok(TokenStream::new());
    }
    let Some((_, name, _, about)) = PLACES.iter().find(|(known, ..)| *known == place) else {
        return Ok(TokenStream::new());
    };
    let name = ident(name);
    let fields = operation.params_in(place).map(|param| field(api, param)).collect::<Result<Vec<_>>>()?;
    let default = operation.params_in(place).all(|param| !param.required).then(|| quote!(Default,));
    let utoipa_place = match place {
        Place::Path => quote!(Path),
        Place::Query => quote!(Query),
        Place::Header => quote!(Header),
    };
    let docs = docs::outer(about);
    Ok(quote! {
        #docs
        #[derive(Clone, Debug, #default PartialEq, serde::Deserialize, garde::Validate, utoipa::IntoParams)]
        #[garde(allow_unvalidated)]
        #[into_params(parameter_in = #utoipa_place)]
        pub struct #name {
            #(#fields)*
        }
    })
}

fn field(api: &Api, param: &Param) -> Result<TokenStream> {
    text_only(api, &param.schema)?;
    let name = ident(&param.ident);
    let inner = rust_type(&param.schema, &Scope::other(&api.name))?;
    let kind = if param.required { inner.clone() } else { quote!(Option<#inner>) };
    let docs = field_docs(param);
    let serde = serde_attribute(param);
    let checks = checks(api, param)?;
    let garde = (!checks.is_empty()).then(|| quote!(#[garde(#(#checks),*)]));
    let features = param_features(api, param)?;
    let features = (!features.is_empty()).then(|| quote!(#[param(#(#features),*)]));
    Ok(quote! {
        #docs
        #serde
        #garde
        #features
        pub #name: #kind,
    })
}

/// Parameters are read from text, which scalars in place and enums can be, and named scalars cannot.
fn text_only(api: &Api, schema: &Schema) -> Result<()> {
    match (&schema.kind, api.component(schema)) {
        (Kind::Array(array), _) => text_only(api, &array.items),
        (_, Some(component)) if !matches!(component.schema.kind, Kind::Enum(_)) => {
            bail!("{}: `{}` is no enum; write its schema in place", schema.pointer, component.name)
        }
        _ => Ok(()),
    }
}

fn field_docs(param: &Param) -> TokenStream {
    let about = param.description.as_deref().or(param.schema.description.as_deref());
    let about = about.map_or_else(|| format!("`{}`.", param.name), str::to_owned);
    let default = match &param.schema.default {
        Some(default) => format!(" Default: `{default}`."),
        None => String::new(),
    };
    let old = if param.deprecated { " Deprecated." } else { "" };
    docs::outer(&format!("{about}{default}{old}"))
}

fn serde_attribute(param: &Param) -> TokenStream {
    let name = text(&param.name);
    let prefix = if param.required { "required" } else { "optional" };
    let suffix = match &param.schema.kind {
        Kind::Array(array) if array.comma_list => "_commas",
        Kind::Array(_) => "_list",
        _ => "",
    };
    let with = text(&format!("crate::extract::text::{prefix}{suffix}"));
    let default = (!param.required).then(|| quote!(default,));
    quote!(#[serde(rename = #name, #default deserialize_with = #with)])
}

/// What garde checks of a parameter.
fn checks(api: &Api, param: &Param) -> Result<Vec<TokenStream>> {
    let (schema, depth) = (&param.schema, usize::from(!param.required));
    let scope = Scope::other(&api.name);
    let Kind::Array(array) = &schema.kind else { return rules::of(schema, depth, &scope) };
    if !array.comma_list {
        return rules::of(schema, depth, &scope);
    }
    if array.min_items.is_some() || array.max_items.is_some() {
        bail!("{}: bounds of a comma list are not generated; drop them", schema.pointer);
    }
    let items = rules::of(&array.items, 0, &scope)?;
    match (items.as_slice(), &array.items.kind) {
        ([], _) => Ok(items),
        (_, Kind::Ref(_)) => Ok(vec![quote!(custom(crate::extract::text::each))]),
        _ => {
            bail!("{}: the values of a comma list have constraints; move them to a component", schema.pointer)
        }
    }
}

/// What utoipa shall say of a parameter beside its type.
fn param_features(api: &Api, param: &Param) -> Result<Vec<TokenStream>> {
    let mut features = Vec::new();
    let value = witness_type(api, &param.schema)?;
    let declared = rust_type(&param.schema, &Scope::other(&api.name))?;
    if value.to_string() != declared.to_string() {
        let value = if param.required { value } else { quote!(Option<#value>) };
        features.push(quote!(value_type = #value));
    }
    if !param.required {
        features.push(quote!(nullable = false));
    }
    match &param.schema.kind {
        Kind::Array(array) => {
            if param.place == Place::Query {
                features.push(quote!(style = Form));
            }
            if param.explode {
                features.push(quote!(explode));
            }
            let min = array.min_items.map(|min| usize_feature("min_items", min));
            let max = array.max_items.map(|max| usize_feature("max_items", max));
            features.extend(min.into_iter().chain(max));
        }
        _ => features.extend(schema_features(&param.schema)),
    }
    Ok(features)
}

/// The type that utoipa reads: scalars of ours stand as the JSON type they are written as.
fn witness_type(api: &Api, schema: &Schema) -> Result<TokenStream> {
    Ok(match &schema.kind {
        Kind::Array(array) => {
            let item = witness_type(api, &array.items)?;
            quote!(Vec<#item>)
        }
        Kind::String(_) => quote!(String),
        Kind::Decimal(_) => quote!(f64),
        _ => rust_type(schema, &Scope::other(&api.name))?,
    })
}

fn schema_features(schema: &Schema) -> Vec<TokenStream> {
    let mut features = Vec::new();
    match &schema.kind {
        Kind::String(constraints) => {
            if let Some(format) = constraints.format {
                let format = text(super::answers::format_name(format));
                features.push(quote!(format = #format));
            }
            features.extend(constraints.min_length.map(|min| usize_feature("min_length", min)));
            features.extend(constraints.max_length.map(|max| usize_feature("max_length", max)));
            if let Some(pattern) = &constraints.pattern {
                let pattern = text(pattern);
                features.push(quote!(pattern = #pattern));
            }
        }
        Kind::Integer(integer) => {
            features.extend(integer.min.map(|min| number_feature("minimum", &min.to_string())));
            features.extend(integer.max.map(|max| number_feature("maximum", &max.to_string())));
        }
        Kind::Decimal(decimal) => {
            features.push(quote!(format = "decimal"));
            for (bound, plain, exclusive) in [
                (&decimal.min, "minimum", "exclusive_minimum"),
                (&decimal.max, "maximum", "exclusive_maximum"),
            ] {
                if let Some(bound) = bound {
                    let name = if bound.exclusive { exclusive } else { plain };
                    features.push(number_feature(name, &bound.value.to_string()));
                }
            }
        }
        _ => {}
    }
    if let Some(default) = &schema.default {
        features.push(default_feature(default));
    }
    features
}

fn default_feature(default: &Value) -> TokenStream {
    match default {
        Value::Bool(flag) => quote!(default = #flag),
        Value::String(text) => quote!(default = #text),
        other => {
            let tokens: TokenStream = other.to_string().parse().unwrap_or_default();
            quote!(default = json!(#tokens))
        }
    }
}

fn usize_feature(name: &str, value: u64) -> TokenStream {
    let (name, value) = (ident(name), Literal::u64_unsuffixed(value));
    quote!(#name = #value)
}

fn number_feature(name: &str, value: &str) -> TokenStream {
    let name = ident(name);
    let value: TokenStream = value.parse().unwrap_or_default();
    quote!(#name = #value)
}
