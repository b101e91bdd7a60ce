//! What reads the shape of bodies, against whatever may arrive.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use serde_json::Value;

use super::pieces::Pieces;
use super::scan::scan;
use crate::corpus;

/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;

const WORDS: &[&str] =
    &["[", "]", "{", "}", ",", ":", "\"", "\\", "\\u005b", "1e-400", "null", "{\"a\":[1,2]}", " "];

#[test]
fn shapes_of_bodies() {
    corpus::throw_at("json-shape", EFFORT, WORDS, |input| {
        let inexact = scan(input);
        let pieces = Pieces::of(input);
        let outline = pieces.outline();
        let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
        if let Ok(faults) = inexact {
            assert!(faults.iter().all(|fault| !fault.message.is_empty()));
        }
        let Some(fields) = value.as_object() else { return };
        // The rest is as it was, and every element stands in one window.
        let outline: Value = serde_json::from_slice(&outline).unwrap();
        assert!(outline.as_object().unwrap().keys().eq(fields.keys()));
        for list in pieces.lists() {
            let name = pieces.name(list);
            let mut all = Vec::new();
            for (first, window) in pieces.windows(list) {
                assert_eq!(first, all.len());
                let window: Value = serde_json::from_slice(&window).unwrap();
                all.extend(window[&name].as_array().unwrap().clone());
            }
            assert_eq!(all.len(), list.len());
            // Of a name that is given twice the last one counts.
            let is_last = pieces.lists().iter().filter(|other| pieces.name(other) == name).count() == 1;
            if is_last && let Some(array) = fields[&name].as_array() {
                assert_eq!(&all, array);
            }
        }
    });
}
