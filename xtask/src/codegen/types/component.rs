//! One component, one Rust type.

use std::collections::BTreeSet;

use anyhow::Result;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::field::{self, Presence, Scope, rust_type, serde_attribute};
use super::{docs, references, rules, witness};
use crate::spec::ir::{Additional, Api, Component, EnumValue, Field, Kind, Object, OneOf, Schema};

/// The type and what belongs to it.
pub(super) fn emit(api: &Api, component: &Component) -> Result<TokenStream> {
    let item = match &component.schema.kind {
        Kind::Object(object) => structure(api, component, object)?,
        Kind::Enum(values) => enumeration(component, values),
        Kind::OneOf(one_of) => alternatives(component, one_of),
        _ => newtype(component)?,
    };
    let name = format_ident!("{}", component.name);
    let refers = references(&component.schema).into_iter().map(|name| format_ident!("{name}"));
    Ok(quote! {
        #item
        crate::text_enum::json_schema!(#name #(, #refers)*);
    })
}

fn documentation(component: &Component) -> TokenStream {
    docs::of(&component.schema, &format!("`{}`.", component.name))
}

fn structure(api: &Api, component: &Component, object: &Object) -> Result<TokenStream> {
    let name = format_ident!("{}", component.name);
    let docs = documentation(component);
    let is_default = object.fields.iter().all(|field| presence(field).depth() > 0 && !field.required);
    let default = is_default.then(|| quote!(Default,));
    let strict =
        matches!(object.additional, Additional::Forbidden).then(|| quote!(#[serde(deny_unknown_fields)]));
    let fields =
        object.fields.iter().map(|field| field_tokens(api, component, field)).collect::<Result<Vec<_>>>()?;
    let (pattern, rest) = additional(component, object)?;
    let redacted = redacted_debug(&name, object);
    let debug = redacted.is_none().then(|| quote!(Debug,));
    Ok(quote! {
        #docs
        #[derive(Clone, #debug #default PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(remote = "Self")]
        #strict
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "garde", derive(garde::Validate), garde(allow_unvalidated))]
        pub struct #name {
            #(#fields)*
            #rest
        }
        crate::object::object!(#name);
        #redacted
        #pattern
    })
}

/// Fields that the contract marks `writeOnly` are secrets, which must not reach a log.
fn redacted_debug(name: &Ident, object: &Object) -> Option<TokenStream> {
    object.fields.iter().find(|field| field.schema.write_only)?;
    let text = name.to_string();
    let fields = object.fields.iter().map(|field| {
        let (ident, label) = (format_ident!("{}", field.ident), &field.ident);
        if field.schema.write_only {
            quote!(.field(#label, &format_args!("\"…\"")))
        } else {
            quote!(.field(#label, &self.#ident))
        }
    });
    Some(quote! {
        impl std::fmt::Debug for #name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(#text)#(#fields)*.finish()
            }
        }
    })
}

fn presence(field: &Field) -> Presence {
    Presence::of(field.required, &field.schema)
}

fn field_tokens(api: &Api, component: &Component, field: &Field) -> Result<TokenStream> {
    let scope = Scope::types();
    let presence = presence(field);
    let ident = format_ident!("{}", field.ident);
    let docs = docs::of(&field.schema, &fallback(api, field));
    let target = match &field.schema.kind {
        Kind::Ref(target) => Some(target.as_str()),
        _ => None,
    };
    let is_boxed = target.is_some_and(|target| contains(api, target, &component.name));
    let inner = rust_type(&field.schema, &scope)?;
    let inner = if is_boxed { quote!(Box<#inner>) } else { inner };
    let kind = presence.wrap(inner);
    let serde = serde_attribute(&field.name, &field.ident, presence, &field.schema, &scope);
    let in_cycle = references(&field.schema).iter().any(|target| reaches(api, target, &component.name));
    let schema = witness::attributes(&field.schema, presence, in_cycle)?;
    let schema = (!schema.is_empty()).then(|| quote!(#[cfg_attr(feature = "utoipa", schema(#(#schema),*))]));
    let rules = rules::of(&field.schema, presence.depth(), &scope)?;
    let rules = (!rules.is_empty()).then(|| quote!(#[cfg_attr(feature = "garde", garde(#(#rules),*))]));
    Ok(quote! { #docs #serde #schema #rules pub #ident: #kind, })
}

/// A field without a description says what its component is, in one sentence.
fn fallback(api: &Api, field: &Field) -> String {
    let described =
        api.component(&field.schema).and_then(|component| component.schema.description.as_deref());
    match described.map(|text| text.split_once(". ").map_or(text, |(first, _)| first)) {
        Some(first) => format!("{}.", first.trim_end_matches('.')),
        None => format!("`{}`.", field.name),
    }
}

/// The field that keeps names the contract does not list, and the pattern they must match.
fn additional(component: &Component, object: &Object) -> Result<(TokenStream, TokenStream)> {
    let (values, pattern) = match &object.additional {
        Additional::Forbidden | Additional::Ignored => return Ok((quote!(), quote!())),
        Additional::Map(values) => (values, None),
        Additional::Custom { pattern, schema } => (schema, Some(pattern)),
    };
    let inner = Presence::of(true, values).wrap(rust_type(values, &Scope::types())?);
    let rules = rules::of(values, 0, &Scope::types())?;
    let dive = rules.iter().any(|rule| rule.to_string() == "dive").then(|| quote!(dive,));
    let taken = |name: &str| object.fields.iter().any(|field| field.ident == name);
    let Some(pattern) = pattern else {
        let ident = format_ident!("{}", if taken("additional") { "additional_" } else { "additional" });
        let dive = dive.map(|_| quote!(#[cfg_attr(feature = "garde", garde(dive))]));
        let field = quote! {
            /// Every other field, by name.
            #[serde(flatten)]
            #dive
            pub #ident: std::collections::BTreeMap<String, #inner>,
        };
        return Ok((quote!(), field));
    };
    let upper = format_ident!("{}_KEYS", crate::spec::names::snake(&component.name).to_uppercase());
    let lower = format_ident!("{}_fields", crate::spec::names::snake(&component.name));
    let reader = lower.to_string();
    let ident = format_ident!("{}", if taken("custom_fields") { "custom_fields_" } else { "custom_fields" });
    let docs = docs::outer(&format!("Custom fields, by name; each name matches `{pattern}`."));
    let item = quote! {
        static #upper: crate::KeyPattern = crate::KeyPattern::new(#pattern);
        fn #lower<'de, D: serde::Deserializer<'de>>(
            deserializer: D,
        ) -> Result<std::collections::BTreeMap<String, #inner>, D::Error> {
            #upper.read(deserializer)
        }
    };
    let field = quote! {
        #docs
        #[serde(flatten, deserialize_with = #reader)]
        #[cfg_attr(feature = "garde", garde(#dive custom(crate::rules::keys(&#upper))))]
        pub #ident: std::collections::BTreeMap<String, #inner>,
    };
    Ok((item, field))
}

fn enumeration(component: &Component, values: &[EnumValue]) -> TokenStream {
    let name = format_ident!("{}", component.name);
    let docs = documentation(component);
    let arms: Vec<_> = values.iter().map(|value| format_ident!("{}", value.ident)).collect();
    let texts: Vec<_> = values.iter().map(|value| value.value.as_str()).collect();
    let arm_docs = texts.iter().map(|text| docs::outer(&format!("`{text}`.")));
    quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum #name {
            #(#arm_docs #arms,)*
            /// A value that the contract does not list; refused as input.
            Unknown(String),
        }
        crate::text_enum::text_enum!(#name, #(#arms = #texts),*);
    }
}

fn alternatives(component: &Component, one_of: &OneOf) -> TokenStream {
    let name = format_ident!("{}", component.name);
    let docs = documentation(component);
    let arms = one_of.variants.iter().flat_map(references).map(|target| {
        let docs = docs::outer(&format!("The contract's `{target}`."));
        let target = format_ident!("{target}");
        quote! { #docs #target(#[cfg_attr(feature = "garde", garde(dive))] #target), }
    });
    quote! {
        #docs
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(untagged)]
        #[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "garde", derive(garde::Validate))]
        pub enum #name { #(#arms)* }
    }
}

/// A component that is no object: a named list, map or scalar.
fn newtype(component: &Component) -> Result<TokenStream> {
    let scope = Scope::types();
    let schema = &component.schema;
    let (name, text) = (format_ident!("{}", component.name), &component.name);
    let docs = documentation(component);
    let inner = rust_type(schema, &scope)?;
    let default = matches!(schema.kind, Kind::Map(_) | Kind::Array(_)).then(|| quote!(Default,));
    let reader =
        field::holds_integers(schema).then(|| quote!(#[serde(deserialize_with = "crate::whole::present")]));
    let rules = rules::of(schema, 0, &scope)?;
    let transparent = if rules.is_empty() { quote!(allow_unvalidated) } else { quote!(transparent) };
    let rules = (!rules.is_empty()).then(|| quote!(#[cfg_attr(feature = "garde", garde(#(#rules),*))]));
    let built = witness::builder(&Schema { nullable: false, ..schema.clone() })?;
    Ok(quote! {
        #docs
        #[derive(Clone, Debug, #default PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "garde", derive(garde::Validate), garde(#transparent))]
        pub struct #name(#reader #rules pub #inner);

        impl From<#inner> for #name {
            fn from(value: #inner) -> Self {
                Self(value)
            }
        }

        #[cfg(feature = "utoipa")]
        impl utoipa::PartialSchema for #name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                #built
            }
        }

        #[cfg(feature = "utoipa")]
        impl utoipa::ToSchema for #name {
            fn name() -> std::borrow::Cow<'static, str> {
                #text.into()
            }
        }
    })
}

/// Whether a value of `from` holds a value of `to` without a list or map between, so that it would be infinitely large.
fn contains(api: &Api, from: &str, to: &str) -> bool {
    walk(api, from, to, &mut BTreeSet::new(), &|schema| match &schema.kind {
        Kind::Object(object) => {
            let direct = object.fields.iter().map(|field| &field.schema);
            direct.filter(|schema| matches!(schema.kind, Kind::Ref(_))).flat_map(references).collect()
        }
        Kind::OneOf(_) => references(schema),
        _ => Vec::new(),
    })
}

/// Whether `from` leads to `to` in any way.
fn reaches(api: &Api, from: &str, to: &str) -> bool {
    walk(api, from, to, &mut BTreeSet::new(), &references)
}

fn walk<'a>(
    api: &'a Api,
    from: &str,
    to: &str,
    seen: &mut BTreeSet<String>,
    next: &dyn Fn(&'a Schema) -> Vec<String>,
) -> bool {
    if from == to {
        return true;
    }
    if !seen.insert(from.to_owned()) {
        return false;
    }
    let Some(component) = api.schemas.get(from) else { return false };
    next(&component.schema).iter().any(|name| walk(api, name, to, seen, next))
}
