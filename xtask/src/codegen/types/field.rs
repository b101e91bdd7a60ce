//! The Rust type of a schema and how serde reads it; shared by all emitters.

use anyhow::{Result, bail};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::spec::ir::{IntegerFormat, Kind, Schema, TextFormat};

/// Where generated code stands, which decides how it names things.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Path of the types crate: `crate` inside it, `payment_runs_types` elsewhere.
    pub types: TokenStream,
    /// Path of the API's components with its `::`: nothing inside the types crate, `payment_runs_types::v1::` elsewhere.
    pub components: TokenStream,
}

impl Scope {
    /// Inside the types crate.
    pub fn types() -> Self {
        Self { types: quote!(crate), components: TokenStream::new() }
    }

    /// In another crate that depends on the types crate.
    pub fn other(api: &str) -> Self {
        let api = format_ident!("{api}");
        Self { types: quote!(payment_runs_types), components: quote!(payment_runs_types::#api::) }
    }
}

/// Which of the four kinds a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Must be present: `T`.
    Required,
    /// Must be present, may be `null`: `Option<T>`.
    RequiredNullable,
    /// May be absent: `Option<T>`.
    Optional,
    /// May be absent or `null`: `Option<Option<T>>`.
    OptionalNullable,
}

impl Presence {
    /// The kind of a field or parameter. A schema that takes anything takes `null` as a value of its own.
    pub fn of(required: bool, schema: &Schema) -> Self {
        match (required, schema.nullable && !matches!(schema.kind, Kind::Any)) {
            (true, false) => Self::Required,
            (true, true) => Self::RequiredNullable,
            (false, false) => Self::Optional,
            (false, true) => Self::OptionalNullable,
        }
    }

    /// How many `Option`s it puts around the type.
    pub const fn depth(self) -> usize {
        match self {
            Self::Required => 0,
            Self::RequiredNullable | Self::Optional => 1,
            Self::OptionalNullable => 2,
        }
    }

    /// Puts the `Option`s around a type.
    pub fn wrap(self, mut inner: TokenStream) -> TokenStream {
        for _ in 0..self.depth() {
            inner = quote!(Option<#inner>);
        }
        inner
    }
}

/// The type of a schema's values, `null` left out.
pub fn rust_type(schema: &Schema, scope: &Scope) -> Result<TokenStream> {
    let types = &scope.types;
    Ok(match &schema.kind {
        Kind::Map(values) => {
            let values = element_type(values, scope)?;
            quote!(std::collections::BTreeMap<String, #values>)
        }
        Kind::Array(array) => {
            let items = element_type(&array.items, scope)?;
            if array.comma_list { quote!(#types::CommaList<#items>) } else { quote!(Vec<#items>) }
        }
        Kind::String(text) => match text.format {
            None => quote!(String),
            Some(TextFormat::Date) => quote!(#types::Date),
            Some(TextFormat::DateTime) => quote!(#types::OffsetDateTime),
            Some(TextFormat::ZuoraDateTime) => quote!(#types::DateTime),
            Some(TextFormat::Binary) => {
                bail!("{}: bytes stand only as a whole streamed body", schema.pointer)
            }
        },
        Kind::Integer(integer) => match integer.format {
            Some(IntegerFormat::Int32) => quote!(i32),
            Some(IntegerFormat::Int64) | None => quote!(i64),
        },
        Kind::Decimal(_) => quote!(#types::Decimal),
        Kind::Bool => quote!(bool),
        Kind::Any => quote!(serde_json::Value),
        Kind::Ref(name) => {
            let (path, name) = (&scope.components, format_ident!("{name}"));
            quote!(#path #name)
        }
        Kind::Object(_) | Kind::Enum(_) | Kind::OneOf(_) => bail!("{}: not hoisted", schema.pointer),
    })
}

/// The type of an element of an array or map.
fn element_type(schema: &Schema, scope: &Scope) -> Result<TokenStream> {
    Ok(Presence::of(true, schema).wrap(rust_type(schema, scope)?))
}

/// Whether a schema holds whole numbers that JSON may write with a fraction of zero.
pub fn holds_integers(schema: &Schema) -> bool {
    match &schema.kind {
        Kind::Integer(_) => true,
        Kind::Array(array) => !array.comma_list && holds_integers(&array.items),
        Kind::Map(values) => holds_integers(values),
        _ => false,
    }
}

/// The `#[serde(…)]` attributes of a field: its name, then how it is read.
pub fn serde_attribute(
    wire: &str,
    ident: &str,
    presence: Presence,
    schema: &Schema,
    scope: &Scope,
) -> TokenStream {
    let rename = (wire != ident).then(|| quote!(#[serde(rename = #wire)]));
    let mut parts = Vec::new();
    if matches!(presence, Presence::Optional | Presence::OptionalNullable) {
        parts.push(quote!(default));
        parts.push(quote!(skip_serializing_if = "Option::is_none"));
    }
    let integers = holds_integers(schema);
    let function = match presence {
        Presence::Required if !integers => None,
        Presence::Required => Some("present"),
        Presence::RequiredNullable => Some("required"),
        Presence::Optional => Some("absent"),
        Presence::OptionalNullable => Some("either"),
    };
    if let Some(function) = function {
        let module = if integers { "whole" } else { "nullable" };
        let path = format!("{}::{module}::{function}", scope.types);
        parts.push(quote!(deserialize_with = #path));
    }
    let reading = (!parts.is_empty()).then(|| quote!(#[serde(#(#parts),*)]));
    quote!(#rename #reading)
}
