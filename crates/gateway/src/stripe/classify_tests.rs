use std::time::Duration;

use super::*;

fn answer(status: u16, body: &str) -> ExchangeAnswer {
    ExchangeAnswer { status, retry_after: None, body: bytes::Bytes::copy_from_slice(body.as_bytes()) }
}

fn named(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Approved(_) => "approved",
        Delivery::Declined { .. } => "declined",
        Delivery::Pending(_) => "pending",
        Delivery::Refused { .. } => "refused",
        Delivery::NotSent { cause, .. } if cause.is_passing() => "not sent",
        Delivery::NotSent { .. } => "not sent for long",
        Delivery::Unknown { doubt: Doubt::Unanswered, .. } => "unanswered",
        Delivery::Unknown { doubt: Doubt::Unclear, .. } => "unclear",
        Delivery::Unknown { doubt: Doubt::Conflict, .. } => "conflict",
        Delivery::Unknown { doubt: Doubt::WrongCharge, .. } => "wrong charge",
    }
}

#[test]
fn every_answer_has_one_meaning() {
    let intent =
        |status: &str| format!(r#"{{"id":"pi_1","status":"{status}","metadata":{{"reference":"R"}}}}"#);
    let error = |kind: &str| format!(r#"{{"error":{{"type":"{kind}","code":"c","message":"m"}}}}"#);
    for (status, body, meaning) in [
        (200, intent("succeeded"), "approved"),
        (201, intent("succeeded"), "approved"),
        (200, intent("processing"), "pending"),
        (200, intent("requires_action"), "declined"),
        (200, intent("requires_payment_method"), "declined"),
        (200, intent("canceled"), "declined"),
        (200, intent("requires_capture"), "unclear"),
        (200, intent("requires_confirmation"), "unclear"),
        (200, intent("on_fire"), "unclear"),
        (200, r#"{"id":"pi_1","status":"succeeded","metadata":{"reference":"S"}}"#.into(), "wrong charge"),
        (200, r#"{"id":"pi_1","status":"succeeded"}"#.into(), "approved"),
        (200, r#"{"status":"succeeded"}"#.into(), "unanswered"),
        (200, "<html>".into(), "unanswered"),
        (200, String::new(), "unanswered"),
        (302, intent("succeeded"), "unclear"),
        (400, error("invalid_request_error"), "refused"),
        (400, error("idempotency_error"), "conflict"),
        (400, error("api_error"), "unclear"),
        (400, "<html>".into(), "unclear"),
        (401, error("invalid_request_error"), "not sent for long"),
        (401, String::new(), "unclear"),
        (402, error("card_error"), "declined"),
        (402, error("idempotency_error"), "conflict"),
        (402, "<html>".into(), "unclear"),
        (403, error("invalid_request_error"), "not sent for long"),
        (404, error("invalid_request_error"), "not sent for long"),
        (404, "not found".into(), "unclear"),
        (408, String::new(), "unclear"),
        (409, error("idempotency_error"), "unanswered"),
        (409, String::new(), "unanswered"),
        (429, error("invalid_request_error"), "not sent"),
        (429, String::new(), "not sent"),
        (500, error("api_error"), "unanswered"),
        (502, "<html>".into(), "unanswered"),
        (504, intent("succeeded"), "unanswered"),
    ] {
        assert_eq!(named(&classify(&answer(status, &body), "R")), meaning, "{status} {body}");
    }
}

/// What an approved charge received is told as the gateway tells it; one that tells only what was asked for received that.
#[test]
fn a_charge_is_reported_with_its_key_and_what_it_received() {
    let report = |status: &str, fields: &str| {
        let body = format!(r#"{{"id":"pi_1","status":"{status}"{fields}}}"#);
        match classify(&answer(200, &body), "R") {
            Delivery::Approved(charge) | Delivery::Pending(charge) => {
                (charge.key, charge.money.map(|money| (money.minor, money.currency.code().to_owned())))
            }
            other => unreachable!("{body}: {other:?}"),
        }
    };
    let usd = |minor: i64| Some((minor, "USD".to_owned()));
    let key = Some("R".to_owned());
    let all = r#","amount":500,"amount_received":300,"currency":"usd","metadata":{"reference":"R"}"#;
    assert_eq!(report("succeeded", all), (key.clone(), usd(300)));
    assert_eq!(report("processing", all), (key, usd(500)));
    assert_eq!(report("succeeded", r#","amount":500,"currency":"usd""#), (None, usd(500)));
    assert_eq!(report("succeeded", r#","amount":500"#), (None, None));
    assert_eq!(report("succeeded", r#","amount":500,"currency":"gold""#), (None, None));
}

#[test]
fn a_decline_keeps_the_most_telling_code() {
    for (fields, code) in [
        (r#""code":"card_declined","decline_code":"insufficient_funds""#, "insufficient_funds"),
        (r#""code":"expired_card","decline_code":"expired_card""#, "expired_card"),
        (r#""code":"incorrect_cvc","decline_code":"other""#, "incorrect_cvc"),
        (r#""code":"card_declined""#, "card_declined"),
        (r#""decline_code":"lost_card""#, "lost_card"),
        (r#""type":"card_error""#, "card_error"),
        (r#""message":"m""#, "declined"),
    ] {
        let body = format!(r#"{{"error":{{{fields},"payment_intent":{{"id":"pi_9"}}}}}}"#);
        let Delivery::Declined { code: read, reference, .. } = classify(&answer(402, &body), "R") else {
            unreachable!("402 with an error is a decline: {body}")
        };
        assert_eq!((read.as_str(), reference.as_deref()), (code, Some("pi_9")), "{body}");
    }
}

#[test]
fn texts_are_bounded_and_without_control_characters() {
    let body =
        format!(r#"{{"error":{{"code":"{}","message":"a\u0000b\n{}"}}}}"#, "c".repeat(99), "m".repeat(999));
    let error = error_of(&answer(402, &body));
    let error = error.as_ref();
    assert_eq!(error.map(|error| error.telling_code().len()), Some(CODE_MAX));
    assert_eq!(error.map(|error| error.words().len()), Some(MESSAGE_MAX));
    assert_eq!(error.map(|error| error.words().starts_with("abm")), Some(true));
}

#[test]
fn a_wait_that_is_asked_for_is_passed_on() {
    let wait = Some(Duration::from_secs(3));
    let limited = ExchangeAnswer { retry_after: wait, ..answer(429, "") };
    assert!(matches!(classify(&limited, "R"), Delivery::NotSent { retry_after, .. } if retry_after == wait));
}

#[test]
fn only_a_call_that_never_left_is_not_sent() {
    let cause = || "cause".into();
    for (error, meaning) in [
        (ExchangeError::NotConnected(cause()), "not sent"),
        (ExchangeError::Broken(cause()), "unanswered"),
        (ExchangeError::TimedOut(Duration::from_millis(5)), "unanswered"),
    ] {
        assert_eq!(named(&classify_absence(&error)), meaning, "{error}");
    }
}
