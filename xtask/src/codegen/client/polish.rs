//! Makes what progenitor wrote short and documented: plain names for types, one line per conversion, docs that wrap.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprLit, ExprMethodCall, Lit, Path, parse_quote};

use super::TYPES_CRATE;

/// Documentation is wrapped before this column, counted without the comment's own indentation.
const DOC_WIDTH: usize = 100;

/// `#[doc]` attributes, one a line, so that they print as `///`.
pub(super) fn doc(text: &str) -> Vec<Attribute> {
    wrap(text)
        .into_iter()
        .map(|line| {
            let line = if line.is_empty() { line } else { format!(" {line}") };
            parse_quote!(#[doc = #line])
        })
        .collect()
}

/// The same as inner attributes, for the head of a file.
pub(super) fn inner_doc(text: &str) -> TokenStream {
    let lines = wrap(text).into_iter().map(|line| if line.is_empty() { line } else { format!(" {line}") });
    quote! { #(#![doc = #lines])* }
}

/// Breaks long lines between words; what follows a list's bullet is indented under it.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let body = line.trim_start();
        let lead = line.len() - body.len();
        let bullet = if body.starts_with("- ") || body.starts_with("* ") { 2 } else { 0 };
        let mut current = " ".repeat(lead);
        for word in body.split(' ') {
            let fresh = current.trim().is_empty();
            if !fresh && current.chars().count() + 1 + word.chars().count() > DOC_WIDTH {
                lines.push(current.trim_end().to_owned());
                current = " ".repeat(lead + bullet);
            } else if !fresh {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current.trim_end().to_owned());
    }
    lines
}

/// Shortens paths and conversions in one item.
pub(super) struct Shorten<'a> {
    /// The API's short name, the module of its types.
    pub(super) api: &'a str,
}

impl VisitMut for Shorten<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let types_crate = TYPES_CRATE.trim_start_matches("::");
        let dropped = match names.as_slice() {
            ["std", "string", "String"] | ["std", "vec", "Vec"] | ["std", "convert", "TryInto"] => 2,
            [first, api, _] if *first == types_crate && *api == self.api => 2,
            _ => return,
        };
        let own = names[0] == types_crate;
        let kept = path.segments.iter().skip(dropped).cloned().collect();
        path.leading_colon = None;
        path.segments = kept;
        if own {
            let last = path.clone();
            *path = parse_quote!(types::#last);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let Expr::MethodCall(ExprMethodCall { receiver, method, .. }) = expr else { return };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &**receiver else { return };
        if method != "to_string" {
            return;
        }
        let text = text.value();
        if let Some(name) = text.strip_suffix(" was not initialized") {
            *expr = parse_quote!(missing(#name));
        } else if let Some((_, name)) = text
            .strip_suffix(" failed")
            .filter(|text| text.starts_with("conversion to "))
            .and_then(|text| text.rsplit_once(" for "))
        {
            *expr = parse_quote!(unfit(#name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_lines_break_between_words() {
        let text = format!("short\n\n- {}", "words ".repeat(30));
        let lines = wrap(&text);
        assert_eq!(&lines[..2], ["short", ""]);
        assert!(lines[2].starts_with("- words") && lines[3].starts_with("  words"), "{lines:?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:?}");
        assert_eq!(lines.join(" ").matches("words").count(), 30);
    }
}
