//! Doc comments out of the contract's descriptions.

use proc_macro2::TokenStream;
use quote::quote;

use crate::spec::ir::Schema;

/// Doc lines are wrapped to this many characters.
const WIDTH: usize = 100;

/// `///` lines.
pub fn outer(text: &str) -> TokenStream {
    let lines = lines(text);
    quote!(#(#[doc = #lines])*)
}

/// `//!` lines.
pub fn inner(text: &str) -> TokenStream {
    let lines = lines(text);
    quote!(#(#![doc = #lines])*)
}

/// What a schema is, and its default; the fallback speaks where the contract is silent.
pub fn of(schema: &Schema, fallback: &str) -> TokenStream {
    let mut text = schema.description.clone().unwrap_or_else(|| fallback.to_owned());
    if let Some(default) = &schema.default {
        text = format!("{text}\n\nDefault: `{default}`.");
    }
    outer(&text)
}

/// Splits text into wrapped lines, each led by a blank as doc comments have it. List items stay list items.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim().lines() {
        let indent = line.len() - line.trim_start().len();
        let hang = if line.trim_start().starts_with("- ") { indent + 2 } else { indent };
        let mut current = " ".repeat(indent);
        let mut is_fresh = true;
        for word in line.split_whitespace() {
            if !is_fresh && current.len() + 1 + word.len() > WIDTH {
                lines.push(format!(" {}", current.trim_end()));
                current = " ".repeat(hang);
                is_fresh = true;
            }
            if !is_fresh {
                current.push(' ');
            }
            current.push_str(word);
            is_fresh = false;
        }
        lines.push(if current.trim().is_empty() { String::new() } else { format!(" {current}") });
    }
    lines
}
