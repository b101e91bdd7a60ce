//! The garde rules of a schema; shared by all emitters.

use anyhow::{Result, bail};
use proc_macro2::TokenStream;
use quote::quote;

use super::field::{Presence, Scope};
use crate::spec::ir::{Bound, Kind, Schema};

/// The rules of a field or parameter with `depth` `Option`s around it. Empty when every value is fine.
pub fn of(schema: &Schema, depth: usize, scope: &Scope) -> Result<Vec<TokenStream>> {
    let types = &scope.types;
    Ok(match &schema.kind {
        Kind::Ref(_) => vec![quote!(dive)],
        Kind::Map(values) => match of(values, 0, scope)?.as_slice() {
            [] => Vec::new(),
            [dive] if dive.to_string() == "dive" => vec![quote!(dive)],
            _ => bail!("{}: constraints on a map's values; move the values to a component", schema.pointer),
        },
        Kind::Array(array) => {
            let mut rules = Vec::new();
            rules.extend(length(&quote!(length), array.min_items, array.max_items));
            rules.extend(elements(&array.items, depth, scope)?);
            rules
        }
        Kind::String(text) => {
            let mut rules = Vec::new();
            rules.extend(length(&quote!(length(chars)), text.min_length, text.max_length));
            rules.extend(text.pattern.as_ref().map(|pattern| quote!(pattern(#pattern))));
            rules
        }
        Kind::Integer(integer) => {
            let min = integer.min.map(proc_macro2::Literal::i64_unsuffixed);
            let max = integer.max.map(proc_macro2::Literal::i64_unsuffixed);
            match (min, max) {
                (None, None) => Vec::new(),
                (Some(min), None) => vec![quote!(range(min = #min))],
                (None, Some(max)) => vec![quote!(range(max = #max))],
                (Some(min), Some(max)) => vec![quote!(range(min = #min, max = #max))],
            }
        }
        Kind::Decimal(decimal) if decimal.min.is_some() || decimal.max.is_some() => {
            let min = bound(decimal.min.as_ref(), schema, scope)?;
            let max = bound(decimal.max.as_ref(), schema, scope)?;
            vec![quote!(custom(#types::rules::decimal(#min, #max)))]
        }
        _ => Vec::new(),
    })
}

fn length(rule: &TokenStream, min: Option<u64>, max: Option<u64>) -> Option<TokenStream> {
    let min =
        min.filter(|min| *min > 0).map(proc_macro2::Literal::u64_unsuffixed).map(|min| quote!(min = #min));
    let max = max.map(proc_macro2::Literal::u64_unsuffixed).map(|max| quote!(max = #max));
    let bounds: Vec<_> = min.into_iter().chain(max).collect();
    if bounds.is_empty() {
        return None;
    }
    let chars = (rule.to_string() != "length").then(|| quote!(chars,));
    Some(quote!(length(#chars #(#bounds),*)))
}

/// The rules of an array's elements: `dive` looks through every wrapper, `inner` through one at a time.
fn elements(items: &Schema, depth: usize, scope: &Scope) -> Result<Option<TokenStream>> {
    let rules = of(items, Presence::of(true, items).depth(), scope)?;
    if rules.is_empty() {
        return Ok(None);
    }
    if matches!(items.kind, Kind::Ref(_)) {
        return Ok(Some(quote!(dive)));
    }
    let mut rule = quote!(inner(#(#rules),*));
    for _ in 0..depth {
        rule = quote!(inner(#rule));
    }
    Ok(Some(rule))
}

fn bound(bound: Option<&Bound>, schema: &Schema, scope: &Scope) -> Result<TokenStream> {
    let Some(bound) = bound else { return Ok(quote!(None)) };
    let types = &scope.types;
    let text = bound.value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let Ok(units) = format!("{whole}{fraction}").parse::<i64>() else {
        bail!("{}: the bound {text} is no plain decimal", schema.pointer);
    };
    let units = proc_macro2::Literal::i64_unsuffixed(units);
    let places = proc_macro2::Literal::usize_unsuffixed(fraction.len());
    let function = if bound.exclusive { quote!(exclusive) } else { quote!(inclusive) };
    Ok(quote!(#types::rules::#function(#units, #places)))
}
