use super::*;

fn answer(status: u16, body: &str) -> ExchangeAnswer {
    ExchangeAnswer { status, retry_after: None, body: bytes::Bytes::copy_from_slice(body.as_bytes()) }
}

fn named(classified: &Classified) -> &'static str {
    match classified {
        Classified::Settled(Outcome::Approved { .. }) => "approved",
        Classified::Settled(Outcome::Declined { .. }) => "declined",
        Classified::Settled(Outcome::Pending { .. }) => "pending",
        Classified::Settled(_) => "settled wrongly",
        Classified::Refused { .. } => "refused",
        Classified::NotSent { passing: true, .. } => "not sent",
        Classified::NotSent { passing: false, .. } => "not sent for long",
        Classified::InFlight { .. } => "in flight",
        Classified::Unknown { passing: true, .. } => "unknown, ask again",
        Classified::Unknown { passing: false, .. } => "unknown",
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
        (200, intent("requires_capture"), "unknown"),
        (200, intent("requires_confirmation"), "unknown"),
        (200, intent("on_fire"), "unknown"),
        (200, r#"{"id":"pi_1","status":"succeeded","metadata":{"reference":"S"}}"#.into(), "unknown"),
        (200, r#"{"id":"pi_1","status":"succeeded"}"#.into(), "approved"),
        (200, r#"{"status":"succeeded"}"#.into(), "unknown, ask again"),
        (200, "<html>".into(), "unknown, ask again"),
        (200, String::new(), "unknown, ask again"),
        (302, intent("succeeded"), "unknown"),
        (400, error("invalid_request_error"), "refused"),
        (400, error("idempotency_error"), "unknown"),
        (400, error("api_error"), "unknown"),
        (400, "<html>".into(), "unknown"),
        (401, error("invalid_request_error"), "not sent for long"),
        (401, String::new(), "unknown"),
        (402, error("card_error"), "declined"),
        (402, error("idempotency_error"), "unknown"),
        (402, "<html>".into(), "unknown"),
        (403, error("invalid_request_error"), "not sent for long"),
        (404, error("invalid_request_error"), "not sent for long"),
        (404, "not found".into(), "unknown"),
        (408, String::new(), "unknown"),
        (409, error("idempotency_error"), "in flight"),
        (409, String::new(), "in flight"),
        (429, error("invalid_request_error"), "not sent"),
        (429, String::new(), "not sent"),
        (500, error("api_error"), "unknown, ask again"),
        (502, "<html>".into(), "unknown, ask again"),
        (504, intent("succeeded"), "unknown, ask again"),
    ] {
        assert_eq!(named(&classify(&answer(status, &body), "R")), meaning, "{status} {body}");
    }
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
        let Classified::Settled(Outcome::Declined { code: read, reference, .. }) =
            classify(&answer(402, &body), "R")
        else {
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
    assert!(
        matches!(classify(&limited, "R"), Classified::NotSent { retry_after, .. } if retry_after == wait)
    );
}

#[test]
fn only_a_call_that_never_left_is_not_sent() {
    let cause = || "cause".into();
    for (error, meaning) in [
        (ExchangeError::NotConnected(cause()), "not sent"),
        (ExchangeError::Broken(cause()), "unknown, ask again"),
        (ExchangeError::TimedOut(Duration::from_millis(5)), "unknown, ask again"),
    ] {
        assert_eq!(named(&classify_absence(&error)), meaning, "{error}");
    }
}
