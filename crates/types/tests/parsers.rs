//! The scalars of the contract against whatever may arrive: nothing panics, and what is accepted is written as it is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

#[path = "../../../tests/corpus/mod.rs"]
mod corpus;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use payment_runs_types::{CommaList, Date, DateTime, Decimal, OffsetDateTime};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;

const TIMES: &[&str] = &[
    "2024-02-29",
    "0000-01-01",
    "9999-12-31",
    "T",
    " ",
    "Z",
    "24:00:00",
    "23:59:60",
    "+14:00",
    "-00:00",
    "+23:59",
    ".999999999",
    "[UTC]",
    "-262143-01-01",
    "１",
    "\u{0}",
    "-",
    ":",
    "+",
];

/// What holds for every scalar that is written as text.
fn check<T>(input: &[u8])
where
    T: FromStr + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let Ok(text) = std::str::from_utf8(input) else { return };
    let json = serde_json::to_string(text).unwrap();
    let by_serde = serde_json::from_str::<T>(&json).ok();
    let Ok(read) = text.parse::<T>() else {
        assert_eq!(by_serde, None, "serde reads what is no scalar: {text:?}");
        return;
    };
    let written = read.to_string();
    let again =
        written.parse::<T>().unwrap_or_else(|_| panic!("{text:?} is written as {written:?}: refused"));
    assert_eq!(again, read, "{text:?} is written as {written:?}");
    assert_eq!(by_serde, Some(again));
}

#[test]
fn dates() {
    corpus::throw_at("date", EFFORT, TIMES, check::<Date>);
}

#[test]
fn local_times() {
    corpus::throw_at("date-time", EFFORT, TIMES, check::<DateTime>);
}

#[test]
fn instants() {
    corpus::throw_at("offset-date-time", EFFORT, TIMES, check::<OffsetDateTime>);
}

#[test]
fn lists() {
    corpus::throw_at("comma-list", EFFORT, &[",", " ", ",,", "\t", "\u{a0}", "\u{3000}"], |input| {
        check::<CommaList<String>>(input);
        let Ok(text) = std::str::from_utf8(input) else { return };
        let list: CommaList<String> = text.parse().unwrap();
        assert!(list.iter().all(|value| !value.is_empty() && value.trim() == value && !value.contains(',')));
    });
}

#[test]
fn amounts() {
    const WORDS: &[&str] = &[
        "0",
        "-",
        ".",
        "e",
        "E+",
        "9",
        "00000000000000000000",
        "1e308",
        "1e-400",
        "NaN",
        "Infinity",
        "\"",
        " ",
        "_",
    ];
    corpus::throw_at("decimal", EFFORT, WORDS, |input| {
        if let Ok(text) = std::str::from_utf8(input)
            && let Ok(read) = text.parse::<Decimal>()
        {
            assert_eq!(read.to_string().parse::<Decimal>().ok(), Some(read), "{text}");
        }
        // As it stands in a body: bytes of JSON.
        let Ok(read) = serde_json::from_slice::<Decimal>(input) else { return };
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Decimal>(&written).ok(), Some(read), "{written}");
    });
}
