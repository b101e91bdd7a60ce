//! What a gateway answers, and what a journal holds, against whatever may arrive: nothing panics, and money is never taken
//! for moved unless the answer says so.

#[path = "../../../../tests/corpus/mod.rs"]
mod corpus;

use bytes::Bytes;
use payment_runs_engine::ports::{Delivery, LookUp};
use payment_runs_gateway::simulator::read_journal;
use payment_runs_gateway::stripe::{ExchangeAnswer, classify, look_up};
use serde_json::Value;

/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;
const REFERENCE: &str = "reference-1";

const WORDS: &[&str] = &[
    "200",
    "402",
    "409",
    "429",
    "500",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "null",
    "\"id\":\"pi_1\"",
    "\"status\":\"succeeded\"",
    "\"status\":\"processing\"",
    "\"status\":\"requires_action\"",
    "\"metadata\":{\"reference\":\"reference-1\"}",
    "\"error\":{",
    "\"type\":\"card_error\"",
    "\"idempotency_error\"",
    "\"decline_code\":",
    "\"message\":",
    "\"data\":[",
    "\"has_more\":true",
    "\u{0}",
    "\\ud800",
];

/// The first line is the status, the rest the body.
fn answer(input: &[u8]) -> Option<ExchangeAnswer> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    let status = std::str::from_utf8(&input[..end]).ok()?.trim().parse().ok()?;
    Some(ExchangeAnswer { status, retry_after: None, body: Bytes::copy_from_slice(&input[end + 1..]) })
}

fn assert_short(words: &str) {
    assert!(words.chars().count() <= 400 && !words.chars().any(char::is_control), "{words:?}");
}

/// What is kept of an answer is bounded and plain.
fn assert_storable(delivery: &Delivery) {
    match delivery {
        Delivery::Declined { code, message, reference } => {
            for words in [Some(code), Some(message), reference.as_ref()].into_iter().flatten() {
                assert_short(words);
            }
        }
        Delivery::Refused { code, message } => {
            assert_short(code);
            assert_short(message);
        }
        Delivery::Unknown { why, .. } | Delivery::NotSent { why, .. } => assert_short(why),
        Delivery::Approved(charge) | Delivery::Pending(charge) => assert_short(&charge.reference),
    }
}

#[test]
fn answers_to_charges() {
    corpus::throw_at("gateway-answer", EFFORT, WORDS, |input| {
        let Some(answer) = answer(input) else { return };
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let delivery = classify(&answer, REFERENCE);
        assert_storable(&delivery);
        match delivery {
            Delivery::Approved(_) => {
                assert!((200..300).contains(&answer.status));
                // The reader passes over what it does not need, such as an escape that is no character, and the judge
                // cannot.
                let Some(body) = body else { return };
                assert_eq!(body["status"], "succeeded");
                assert!(
                    body["metadata"]["reference"].is_null() || body["metadata"]["reference"] == REFERENCE
                );
            }
            Delivery::Refused { .. } => assert!(matches!(answer.status, 400 | 422)),
            // Only what was certainly not looked at is sent again under any circumstances.
            Delivery::NotSent { .. } => {
                assert!(matches!(answer.status, 401 | 403 | 404 | 429), "{}", answer.status);
            }
            Delivery::Declined { .. } | Delivery::Pending(_) | Delivery::Unknown { .. } => {}
        }
    });
}

#[test]
fn answers_to_look_ups() {
    corpus::throw_at("gateway-search", EFFORT, WORDS, |input| {
        let Some(answer) = answer(input) else { return };
        for authoritative in [false, true] {
            match look_up::read(&answer, REFERENCE, authoritative) {
                LookUp::Found(delivery) => {
                    assert_eq!(answer.status, 200);
                    assert_storable(&delivery);
                }
                LookUp::NeverSeen => {
                    // The reader passes over what it does not need, such as an escape that is no character, and the judge cannot.
                    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
                    assert!(authoritative && answer.status == 200 && body["has_more"] != true);
                    let found = body["data"].as_array().unwrap().iter();
                    assert_eq!(
                        found.filter(|intent| intent["metadata"]["reference"] == REFERENCE).count(),
                        0
                    );
                }
                LookUp::CannotTell { why } => assert_short(&why),
            }
        }
    });
}

#[test]
fn journals() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("journal"), folder.path().join("copy"));
    let words = &[
        "\n",
        "{",
        "}",
        "null",
        "\"sequence\":",
        "18446744073709551616",
        "\"outcome\":\"succeeded\"",
        "\\u0000",
    ];
    corpus::throw_at("journal", 2, words, |input| {
        std::fs::write(&path, input).unwrap();
        let Ok(entries) = read_journal(&path) else { return };
        let lines =
            entries.iter().flat_map(|entry| [serde_json::to_vec(entry).unwrap(), b"\n".to_vec()].concat());
        std::fs::write(&copy, lines.collect::<Vec<u8>>()).unwrap();
        assert_eq!(read_journal(&copy).unwrap(), entries);
    });
}
