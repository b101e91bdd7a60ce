//! Whatever arrives from the outside, nothing panics and nothing is guessed.

use bytes::Bytes;
use payment_runs_engine::ports::{LookUp, Outcome};
use payment_runs_gateway::simulator::Faults;
use payment_runs_gateway::simulator::request::{parse_charge, parse_method};
use payment_runs_gateway::simulator::token::Token;
use payment_runs_gateway::stripe::retry::{Attempts, Bounds, Next};
use payment_runs_gateway::stripe::{Classified, ExchangeAnswer, classify, look_up};
use proptest::prelude::*;
use std::time::Duration;

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

fn deliveries() -> impl Strategy<Value = Vec<Classified>> {
    let why = String::from("w");
    let one = prop_oneof![
        Just(Classified::Settled(Outcome::Approved { reference: "pi".into() })),
        Just(Classified::Refused { code: "c".into(), message: "m".into() }),
        any::<bool>().prop_map({
            let why = why.clone();
            move |passing| Classified::NotSent { why: why.clone(), retry_after: None, passing }
        }),
        Just(Classified::InFlight { why: why.clone() }),
        any::<bool>().prop_map(move |passing| Classified::Unknown { why: why.clone(), passing }),
    ];
    prop::collection::vec(one, 6)
}

proptest! {
    #[test]
    fn a_body_that_says_nothing_settles_nothing(status in 100_u16..600, body: Vec<u8>) {
        prop_assume!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
        let classified = classify(&answer(status, body), "R");
        let settled = matches!(classified, Classified::Settled(_) | Classified::Refused { .. });
        prop_assert!(!settled, "{classified:?}");
    }

    #[test]
    fn money_is_only_believed_to_have_moved_on_a_success(status in 100_u16..600, body in near_answers()) {
        let text = String::from_utf8_lossy(&body).into_owned();
        match classify(&answer(status, body), "R") {
            Classified::Settled(Outcome::Approved { .. }) => {
                prop_assert!((200..300).contains(&status) && text.contains("succeeded"));
            }
            Classified::Settled(Outcome::Pending { .. }) => {
                prop_assert!((200..300).contains(&status) && text.contains("processing"));
            }
            Classified::Settled(Outcome::Declined { .. }) => prop_assert!((200..=402).contains(&status)),
            Classified::Settled(other) => prop_assert!(false, "{other:?} is not settled"),
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

    /// After a delivery in doubt a call ends with the key's own answer or with doubt.
    #[test]
    fn doubt_is_never_forgotten(deliveries in deliveries(), key_life_s in 0_u64..2) {
        let bounds = Bounds { timeout: Duration::from_secs(9), key_life: Duration::from_secs(key_life_s * 9_999) };
        let mut attempts = Attempts::default();
        let mut in_doubt = false;
        for delivery in deliveries {
            prop_assert!(!(in_doubt && key_life_s == 0), "a doubtful charge was sent again without a key");
            in_doubt |= matches!(delivery, Classified::Unknown { .. } | Classified::InFlight { .. });
            if let Next::Done(outcome) = attempts.next(delivery.clone(), Duration::ZERO, bounds, "k") {
                let settled = matches!(delivery, Classified::Settled(_));
                prop_assert!(settled || !in_doubt || matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
                return Ok(());
            }
        }
        prop_assert!(false, "the call never ended");
    }

    #[test]
    fn no_text_breaks_a_parser(bytes: Vec<u8>, text in "[a-z0-9_=.,:%&\\[\\]é -]{0,80}") {
        let _ = (parse_charge(&bytes), parse_method(&bytes));
        let _ = (parse_charge(text.as_bytes()), parse_method(text.as_bytes()));
        let _ = (text.parse::<Faults>(), Token::parse(&text), Token::parse(&format!("pm_card_{text}")));
    }
}
