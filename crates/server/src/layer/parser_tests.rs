//! The readers of headers and of compressed bodies against whatever may arrive.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method};
use jiff::civil::{Date, date};

use super::{acceptable, body, identify, once, version};
use crate::corpus;

/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;

/// The header with this value, where HTTP can carry it.
fn headers(name: &'static str, input: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(input).ok()?;
    Some(HeaderMap::from_iter([(name.parse().unwrap(), value)]))
}

#[test]
fn track_ids() {
    corpus::throw_at("track-id", EFFORT, &[":", ";", "\"", "'", "\t", "\u{7f}", "é", " "], |input| {
        let Some(headers) = headers("zuora-track-id", input) else { return };
        if let Ok(read) = identify::track_id(&headers) {
            assert_eq!(read.as_deref().map(str::as_bytes), Some(input), "it comes back as it came");
            assert!(HeaderValue::from_str(&read.unwrap()).is_ok());
        }
    });
}

#[test]
fn idempotency_keys() {
    corpus::throw_at("idempotency-key", EFFORT, &["\t", "é", "\u{7f}", " ", "k"], |input| {
        let Some(headers) = headers("idempotency-key", input) else { return };
        for method in [Method::POST, Method::PATCH, Method::PUT, Method::GET] {
            if let Ok(Some(key)) = once::key_of(&method, &headers) {
                assert!((1..=255).contains(&key.len()) && key.as_bytes() == input);
                assert_eq!(once::stored_form(&key).len(), 64);
            }
        }
    });
}

#[test]
fn versions() {
    corpus::throw_at(
        "version",
        EFFORT,
        &["2024-05-20", "2024-05-19", "211.0", ".", "0", "-", "９"],
        |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let is_old = version::is_old(text);
            match text.parse::<Date>() {
                Ok(day) => assert_eq!(is_old, day < date(2024, 5, 20), "{text:?}"),
                Err(_) => {
                    assert!(
                        !is_old || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
                        "{text:?}"
                    );
                }
            }
        },
    );
}

#[test]
fn accepted_types() {
    const WORDS: &[&str] = &[
        "*/*",
        "application/json",
        "application/*",
        ";q=0",
        ";q=1",
        ";q=NaN",
        ";q=-0",
        ";q=1e-400",
        ",",
        ";",
        "text/html",
    ];
    corpus::throw_at("accept", EFFORT, WORDS, |input| {
        let Some(mut headers) = headers(ACCEPT.as_str(), input) else { return };
        let alone = acceptable::takes(&headers, "application/json");
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        // Another type beside it takes nothing away from one who takes JSON, and gives nothing to one who does not.
        if !input.trim_ascii().is_empty() {
            assert_eq!(acceptable::takes(&headers, "application/json"), alone);
        }
    });
}

/// Small, so that bombs are cheap to make.
const BYTES_MAX: usize = 10_000;

#[test]
fn compressed_bodies() {
    corpus::throw_at("gzip", 2, &["\u{1f}", "{}", "\u{0}\u{0}\u{0}\u{0}"], |input| {
        if let Ok(plain) = body::inflate(input, BYTES_MAX, |_| Ok(())) {
            assert!(plain.len() <= BYTES_MAX);
        }
        // The same bytes as a body, and as two in a row.
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(input).unwrap();
        let packed = packed.finish().unwrap();
        let fits = input.len() <= BYTES_MAX;
        assert_eq!(body::inflate(&packed, BYTES_MAX, |_| Ok(())).ok().as_deref(), fits.then_some(input));
        if 2 * input.len() <= BYTES_MAX {
            let both = body::inflate(&packed.repeat(2), BYTES_MAX, |_| Ok(())).unwrap();
            assert_eq!(both, input.repeat(2));
        }
    });
}
