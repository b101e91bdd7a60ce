//! A large body in pieces that are judged one by one, so that the search for faults ends when enough were found, and takes no more
//! memory than a piece needs.

use std::ops::Range;

/// Elements of a piece at most, and bytes of their text; an element that is longer is a piece of its own.
const PIECE_ELEMENTS_MAX: usize = 100;
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// An array that is a field of the body itself.
pub(super) struct List {
    /// The name of the field, with its quotes.
    name: Range<usize>,
    /// The array, with its brackets.
    span: Range<usize>,
    /// The text of each element.
    elements: Vec<Range<usize>>,
}

impl List {
    /// How many elements it has.
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }
}

/// A well-formed JSON text and where its lists are.
pub(super) struct Pieces<'j> {
    json: &'j [u8],
    lists: Vec<List>,
}

impl<'j> Pieces<'j> {
    /// Finds the lists of an object.
    pub(super) fn of(json: &'j [u8]) -> Self {
        let mut lists: Vec<List> = Vec::new();
        let (mut depth, mut at, mut text) = (0_usize, 0, 0..0);
        // Where the element at hand begins, within a list.
        let mut begun: Option<usize> = None;
        while let Some(byte) = json.get(at) {
            match byte {
                b'"' => {
                    let end = super::scan::text_end(json, at);
                    if depth == 1 {
                        text = at..end;
                    }
                    at = end;
                    continue;
                }
                b'[' if depth == 1 => {
                    lists.push(List { name: text.clone(), span: at..json.len(), elements: Vec::new() });
                    begun = Some(at + 1);
                    depth += 1;
                }
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 2 && begun.is_some() => {
                    end_element(json, &mut lists, begun.take(), at);
                    if *byte == b',' {
                        begun = Some(at + 1);
                    } else {
                        depth -= 1;
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        Self { json, lists }
    }

    /// The lists, in the order of the text.
    pub(super) fn lists(&self) -> &[List] {
        &self.lists
    }

    /// The name of a list.
    pub(super) fn name(&self, list: &List) -> String {
        serde_json::from_slice(&self.json[list.name.clone()]).unwrap_or_default()
    }

    /// The text with no more than the first element of each list.
    pub(super) fn outline(&self) -> Vec<u8> {
        let mut outline = Vec::new();
        let mut from = 0;
        for list in &self.lists {
            outline.extend_from_slice(self.json.get(from..list.span.start).unwrap_or_default());
            outline.push(b'[');
            if let Some(first) = list.elements.first() {
                outline.extend_from_slice(&self.json[first.clone()]);
            }
            outline.push(b']');
            from = list.span.end;
        }
        outline.extend_from_slice(&self.json[from..]);
        outline
    }

    /// The elements of a list, some at a time: the index of the first, and an object with nothing but the field of the list.
    pub(super) fn windows<'p>(&'p self, list: &'p List) -> impl Iterator<Item = (usize, Vec<u8>)> + 'p {
        let mut first = 0;
        std::iter::from_fn(move || {
            let start = list.elements.get(first)?.start;
            let fits = |element: &&Range<usize>| element.end - start <= PIECE_BYTES_MAX;
            let rest = &list.elements[first..];
            let count = rest.iter().take(PIECE_ELEMENTS_MAX).take_while(fits).count().max(1);
            let end = rest[count - 1].end;
            let name = &self.json[list.name.clone()];
            let window = [b"{", name, b":[", &self.json[start..end], b"]}"].concat();
            first += count;
            Some((first - count, window))
        })
    }
}

fn end_element(json: &[u8], lists: &mut [List], begun: Option<usize>, end: usize) {
    let (Some(list), Some(start)) = (lists.last_mut(), begun) else { return };
    // Nothing between the brackets is no element.
    if !json[start..end].iter().all(u8::is_ascii_whitespace) {
        list.elements.push(start..end);
    }
    list.span.end = end + 1;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn value(json: &[u8]) -> Value {
        serde_json::from_slice(json).unwrap()
    }

    #[test]
    fn lists_are_cut_and_nothing_else() {
        let text = br#" {"a" : [ ], "b\u0063":[{"x":[1,2],"y":"],["}, [3,[4]] ,5], "c":{"d":[6,7]}, "e":"[,", "f":[8]} "#;
        let pieces = Pieces::of(text);
        let lists: Vec<_> = pieces.lists().iter().map(|list| (pieces.name(list), list.len())).collect();
        assert_eq!(lists, [("a".to_owned(), 0), ("bc".to_owned(), 3), ("f".to_owned(), 1)]);
        let outline = json!({"a":[],"bc":[{"x":[1,2],"y":"],["}],"c":{"d":[6,7]},"e":"[,","f":[8]});
        assert_eq!(value(&pieces.outline()), outline);
        let windows: Vec<_> = pieces.windows(&pieces.lists()[1]).collect();
        assert_eq!(windows.len(), 1);
        assert_eq!(
            (windows[0].0, value(&windows[0].1)),
            (0, json!({"bc": [{"x":[1,2],"y":"],["}, [3,[4]], 5]}))
        );
    }

    #[test]
    fn windows_have_bounds_and_hold_everything() {
        let long = "x".repeat(PIECE_BYTES_MAX);
        let elements: Vec<Value> =
            (0..1000).map(|at| if at % 300 == 0 { json!(long) } else { json!(at) }).collect();
        let text = json!({ "a": elements }).to_string();
        let pieces = Pieces::of(text.as_bytes());
        let mut all = Vec::new();
        for (first, window) in pieces.windows(&pieces.lists()[0]) {
            assert_eq!(first, all.len());
            assert!(window.len() <= PIECE_BYTES_MAX + 20);
            let found = value(&window)["a"].as_array().unwrap().clone();
            assert!(found.len() <= PIECE_ELEMENTS_MAX);
            all.extend(found);
        }
        assert_eq!(all, elements);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in ["[1,2]", "1", "\"a\"", "", "{", "]]", "{\"a\":[1"] {
            let pieces = Pieces::of(text.as_bytes());
            assert!(pieces.outline().len() <= text.len() + 2, "{text}");
        }
    }
}
