//! Whatever arrives from the outside, nothing panics and nothing is guessed.

use bytes::Bytes;
use payment_runs_engine::ports::{Delivery, LookUp};
use payment_runs_gateway::simulator::Faults;
use payment_runs_gateway::simulator::request::{parse_charge, parse_method};
use payment_runs_gateway::simulator::token::Token;
use payment_runs_gateway::stripe::{ExchangeAnswer, classify, look_up};
use proptest::prelude::*;

fn answer(status: u16, body: Vec<u8>) -> ExchangeAnswer {
    ExchangeAnswer { status, retry_after: None, body: Bytes::from(body) }
}

/// JSON that is nearly what the gateway answers.
fn near_answers() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("succeeded"),
        Just("processing"),
        Just("requires_payment_method"),
        Just("card_error"),
        Just("idempotency_error"),
        Just("R"),
        Just("")
    ];
    let name = prop_oneof![
        Just("id"),
        Just("status"),
        Just("error"),
        Just("type"),
        Just("code"),
        Just("metadata"),
        Just("reference"),
        Just("data"),
        Just("payment_intent")
    ];
    let leaf = prop_oneof![word.prop_map(serde_json::Value::from), any::<i64>().prop_map(Into::into)];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec((name.clone(), inner.clone()), 0..4)
                .prop_map(|fields| fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()),
            prop::collection::vec(inner, 0..3).prop_map(serde_json::Value::from),
        ]
    })
    .prop_map(|value| value.to_string().into_bytes())
}

proptest! {
    #[test]
    fn a_body_that_says_nothing_settles_nothing(status in 100_u16..600, body: Vec<u8>) {
        prop_assume!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
        let delivery = classify(&answer(status, body), "R");
        let settled = !matches!(delivery, Delivery::Unknown { .. } | Delivery::NotSent { .. });
        prop_assert!(!settled, "{delivery:?}");
    }

    #[test]
    fn money_is_only_believed_to_have_moved_on_a_success(status in 100_u16..600, body in near_answers()) {
        let text = String::from_utf8_lossy(&body).into_owned();
        match classify(&answer(status, body), "R") {
            Delivery::Approved(_) => {
                prop_assert!((200..300).contains(&status) && text.contains("succeeded"));
            }
            Delivery::Pending(_) => {
                prop_assert!((200..300).contains(&status) && text.contains("processing"));
            }
            Delivery::Declined { .. } => prop_assert!((200..=402).contains(&status)),
            _ => {}
        }
    }

    #[test]
    fn a_look_up_believes_only_what_it_can_read(status in 100_u16..600, body in near_answers()) {
        match look_up::read(&answer(status, body.clone()), "R", true) {
            LookUp::CannotTell { .. } => {}
            LookUp::NeverSeen | LookUp::Found(_) => {
                prop_assert_eq!(status, 200);
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                prop_assert!(body["data"].is_array());
            }
        }
    }

    #[test]
    fn no_text_breaks_a_parser(bytes: Vec<u8>, text in "[a-z0-9_=.,:%&\\[\\]é -]{0,80}") {
        let _ = (parse_charge(&bytes), parse_method(&bytes));
        let _ = (parse_charge(text.as_bytes()), parse_method(text.as_bytes()));
        let _ = (text.parse::<Faults>(), Token::parse(&text), Token::parse(&format!("pm_card_{text}")));
    }
}
