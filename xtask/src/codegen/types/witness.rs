//! utoipa's attributes: what its derive cannot see in a Rust declaration.

use anyhow::{Result, bail};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use super::field::{Presence, Scope, rust_type};
use crate::spec::ir::{Bound, IntegerFormat, Kind, Schema, TextFormat};

/// The `schema(…)` arguments of a field.
pub(super) fn attributes(schema: &Schema, presence: Presence, in_cycle: bool) -> Result<Vec<TokenStream>> {
    let mut parts = Vec::new();
    let declared = presence.wrap(rust_type(schema, &Scope::types())?);
    let described = described_type(schema)?;
    let described = if presence == Presence::Required { described } else { quote!(Option<#described>) };
    if described.to_string() != declared.to_string() {
        parts.push(quote!(value_type = #described));
    }
    match presence {
        Presence::Optional => parts.push(quote!(nullable = false)),
        Presence::RequiredNullable => parts.push(quote!(required = true)),
        Presence::Required | Presence::OptionalNullable => {}
    }
    parts.extend(constraints(schema)?);
    if let Some(default) = &schema.default {
        parts.push(default_value(default));
    }
    if schema.read_only {
        parts.push(quote!(read_only));
    }
    if schema.write_only {
        parts.push(quote!(write_only));
    }
    if schema.deprecated {
        parts.push(quote!(deprecated));
    }
    if in_cycle {
        parts.push(quote!(no_recursion));
    }
    Ok(parts)
}

/// The type that the derive should see: scalars as what they are on the wire.
fn described_type(schema: &Schema) -> Result<TokenStream> {
    Ok(match &schema.kind {
        Kind::Map(values) => {
            let values = described_element(values)?;
            quote!(std::collections::BTreeMap<String, #values>)
        }
        Kind::Array(array) => {
            let items = described_element(&array.items)?;
            quote!(Vec<#items>)
        }
        Kind::String(_) => quote!(String),
        Kind::Decimal(_) => quote!(f64),
        _ => rust_type(schema, &Scope::types())?,
    })
}

fn described_element(schema: &Schema) -> Result<TokenStream> {
    let inner = described_type(schema)?;
    Ok(Presence::of(true, schema).wrap(inner))
}

/// Formats and bounds; the derive passes those of scalars on to the elements of an array.
fn constraints(schema: &Schema) -> Result<Vec<TokenStream>> {
    let mut parts = Vec::new();
    match &schema.kind {
        Kind::String(text) => {
            parts.extend(text.format.map(format_name).map(|format| quote!(format = #format)));
            parts.extend(count("min_length", text.min_length));
            parts.extend(count("max_length", text.max_length));
            parts.extend(text.pattern.as_ref().map(|pattern| quote!(pattern = #pattern)));
        }
        Kind::Integer(integer) => {
            parts.extend(integer.min.map(Literal::i64_unsuffixed).map(|min| quote!(minimum = #min)));
            parts.extend(integer.max.map(Literal::i64_unsuffixed).map(|max| quote!(maximum = #max)));
        }
        Kind::Decimal(decimal) => {
            parts.push(quote!(format = "decimal"));
            parts.extend(decimal.min.as_ref().map(|bound| end("minimum", bound)).transpose()?);
            parts.extend(decimal.max.as_ref().map(|bound| end("maximum", bound)).transpose()?);
        }
        Kind::Array(array) => {
            parts.extend(count("min_items", array.min_items));
            parts.extend(count("max_items", array.max_items));
            parts.extend(constraints(&array.items)?);
        }
        _ => {}
    }
    Ok(parts)
}

fn count(name: &str, count: Option<u64>) -> Option<TokenStream> {
    let (name, count) = (format_ident!("{name}"), Literal::u64_unsuffixed(count?));
    Some(quote!(#name = #count))
}

fn end(name: &str, bound: &Bound) -> Result<TokenStream> {
    let name = if bound.exclusive { format_ident!("exclusive_{name}") } else { format_ident!("{name}") };
    let Ok(value) = bound.value.to_string().parse::<TokenStream>() else {
        bail!("the bound {} is no number that Rust reads", bound.value);
    };
    Ok(quote!(#name = #value))
}

const fn format_name(format: TextFormat) -> &'static str {
    match format {
        TextFormat::Date => "date",
        TextFormat::DateTime => "date-time",
        TextFormat::ZuoraDateTime => "zuora-date-time",
        TextFormat::Binary => "binary",
    }
}

fn default_value(value: &Value) -> TokenStream {
    match value {
        Value::Bool(flag) => quote!(default = #flag),
        Value::String(text) => quote!(default = #text),
        other => match other.to_string().parse::<TokenStream>() {
            Ok(tokens) => quote!(default = json!(#tokens)),
            Err(_) => quote!(),
        },
    }
}

/// utoipa's own builders for a whole schema: for the shapes that its derive cannot say.
pub(super) fn builder(schema: &Schema) -> Result<TokenStream> {
    let inner = match &schema.kind {
        Kind::Ref(name) => quote!(utoipa::openapi::Ref::from_schema_name(#name)),
        Kind::Any => object(&quote!(SchemaType::AnyValue), &[]),
        Kind::Map(values) => {
            let values = builder(values)?;
            object(&quote!(Type::Object), &[quote!(.additional_properties(Some(#values)))])
        }
        Kind::Array(array) => {
            let items = builder(&array.items)?;
            let calls = [call("min_items", array.min_items)?, call("max_items", array.max_items)?];
            let calls = calls.into_iter().flatten();
            quote!(utoipa::openapi::ArrayBuilder::new().items(#items)#(#calls)*)
        }
        _ => scalar(schema)?,
    };
    let whole = if schema.nullable && !matches!(schema.kind, Kind::Any) {
        let null = object(&quote!(Type::Null), &[]);
        quote!(utoipa::openapi::OneOfBuilder::new().item(#null).item(#inner))
    } else {
        inner
    };
    Ok(quote!(utoipa::openapi::RefOr::<utoipa::openapi::Schema>::from(#whole)))
}

fn scalar(schema: &Schema) -> Result<TokenStream> {
    let (kind, calls) = match &schema.kind {
        Kind::Bool => (quote!(Boolean), Vec::new()),
        Kind::String(text) => {
            let pattern = text.pattern.as_ref().map(|pattern| quote!(.pattern(Some(#pattern))));
            let calls = [
                text.format.map(format_name).map(format_call),
                call("min_length", text.min_length)?,
                call("max_length", text.max_length)?,
                pattern,
            ];
            (quote!(String), calls.into_iter().flatten().collect())
        }
        Kind::Integer(integer) => {
            let format = match integer.format {
                Some(IntegerFormat::Int32) => "int32",
                Some(IntegerFormat::Int64) | None => "int64",
            };
            let min = integer.min.map(|min| quote!(.minimum(Some(#min))));
            let max = integer.max.map(|max| quote!(.maximum(Some(#max))));
            (quote!(Integer), [Some(format_call(format)), min, max].into_iter().flatten().collect())
        }
        Kind::Decimal(decimal) => {
            let mut calls = vec![format_call("decimal")];
            for (name, bound) in [("minimum", &decimal.min), ("maximum", &decimal.max)] {
                let Some(bound) = bound else { continue };
                let name =
                    if bound.exclusive { format_ident!("exclusive_{name}") } else { format_ident!("{name}") };
                calls.extend(bound.value.as_f64().map(|value| quote!(.#name(Some(#value)))));
            }
            (quote!(Number), calls)
        }
        _ => bail!("{}: not hoisted", schema.pointer),
    };
    Ok(object(&quote!(Type::#kind), &calls))
}

fn call(name: &str, count: Option<u64>) -> Result<Option<TokenStream>> {
    let Some(count) = count else { return Ok(None) };
    let (name, count) = (format_ident!("{name}"), usize::try_from(count)?);
    Ok(Some(quote!(.#name(Some(#count)))))
}

fn object(kind: &TokenStream, calls: &[TokenStream]) -> TokenStream {
    quote!(utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::schema::#kind)#(#calls)*)
}

fn format_call(format: &str) -> TokenStream {
    quote!(.format(Some(utoipa::openapi::SchemaFormat::Custom(#format.to_owned()))))
}
