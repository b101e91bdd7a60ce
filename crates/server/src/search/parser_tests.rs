//! The readers of a query string against whatever may arrive.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::EntityKey;
use payment_runs_engine::search::{Operator, Position, Value};
use payment_runs_engine::settings::Settings;

use super::cursor::Place;
use super::filter::read_filters;
use super::sort::read_sorts;
use super::{Dialect, LIST_VALUES_MAX};
use crate::query::DIALECT as QUERY;
use crate::time::Zone;
use crate::v2::DIALECT as V2;
use crate::{corpus, cursor};

const KEY: [u8; 32] = [7; 32];
/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;
const DIALECTS: [&Dialect; 2] = [&V2, &QUERY];

const FILTER_WORDS: &[&str] = &[
    ".EQ:",
    ".NE:",
    ".LT:",
    ".GT:",
    ".GE:",
    ".LE:",
    ".SW:",
    ".IN:[",
    "]",
    ",",
    "[",
    ":",
    ".",
    "null",
    "NULL",
    "true",
    "state",
    "status",
    "target_date",
    "created_time",
    "createdDate",
    "id",
    "batch",
    "bill_cycle_day",
    "2024-02-29",
    "2024-07-31T11:00:00Z",
    "2024-07-31 11:00:00",
    "+00:00",
    "9223372036854775808",
    "-1",
    "'",
    "%",
    "_",
    "\\",
    "\u{0}",
    "İ",
    "ſ",
];

fn zone() -> Zone {
    Zone::of(&Settings { time_zone: "America/Los_Angeles".to_owned(), ..Settings::default() })
}

fn scope() -> Scope {
    Scope { entity: EntityKey(1), organizations: None }
}

/// A text is either a condition or one fault, never both or neither; a condition survives the journey in a cursor.
fn check_filter(dialect: &Dialect, text: &str) {
    let mut faults = Vec::new();
    let read = read_filters(dialect, &zone(), &[text.to_owned()], &mut faults);
    assert_eq!(read.len() + faults.len(), 1, "{text:?}: {read:?} {faults:?}");
    let Some(condition) = read.first() else {
        assert!(faults[0].message.chars().count() < 2_000, "{}", faults[0].message);
        return;
    };
    assert!((1..=LIST_VALUES_MAX).contains(&condition.values.len()));
    assert!(condition.operator == Operator::In || condition.values.len() == 1);
    assert!(dialect.operators.contains(&condition.operator), "{text:?}");
    let after = Position { values: vec![Value::Null], id: Value::Id(1) };
    let place = Place { conditions: read, sort: Vec::new(), after };
    let signed = place.sign(&KEY, dialect, &scope()).unwrap();
    assert_eq!(Place::read(&KEY, dialect, &scope(), &signed), Some(place), "{text:?}");
}

#[test]
fn filters_of_v2() {
    corpus::throw_at("filter-v2", EFFORT, FILTER_WORDS, |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            check_filter(&V2, text);
        }
    });
}

#[test]
fn filters_of_object_query() {
    corpus::throw_at("filter-object-query", EFFORT, FILTER_WORDS, |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            check_filter(&QUERY, text);
        }
    });
}

#[test]
fn sorts() {
    const WORDS: &[&str] =
        &[".asc", ".desc", ".ASC", ",", ".", " ", "id", "created_time", "createdDate", "state", "status"];
    corpus::throw_at("sort", EFFORT, WORDS, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        for dialect in DIALECTS {
            let mut faults = Vec::new();
            let read = read_sorts(dialect, &[text.to_owned()], &mut faults);
            assert!(read.len() <= dialect.sorts_max || !faults.is_empty(), "{text:?}");
            let twice = read
                .iter()
                .enumerate()
                .find(|(at, sort)| read[..*at].iter().any(|known| known.field == sort.field));
            assert_eq!(twice, None, "{text:?} sorts twice by a field");
        }
    });
}

#[test]
fn cursors() {
    const LIST: &[&[u8]] = &[b"list"];
    corpus::throw_at("cursor", EFFORT, &["=", "-", "_", "+", "/", "AAAA", "eyJ", "%3D"], |input| {
        // As a position it comes back; as a cursor it is refused, since nobody here signed it.
        assert_eq!(cursor::read(&KEY, LIST, &cursor::sign(&KEY, LIST, input)).as_deref(), Some(input));
        let Ok(text) = std::str::from_utf8(input) else { return };
        assert_eq!(cursor::read(&KEY, LIST, text), None);
        for dialect in DIALECTS {
            assert_eq!(Place::read(&KEY, dialect, &scope(), text), None);
            // Signed and yet no place: another version of the server may have made it.
            let signed =
                cursor::sign(&KEY, &[dialect.surface.as_bytes(), &1_i32.to_be_bytes(), b"all"], input);
            let _ = Place::read(&KEY, dialect, &scope(), &signed);
        }
    });
}
