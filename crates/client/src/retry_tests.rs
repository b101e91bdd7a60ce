#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    delay_base: Duration::from_millis(100),
    delay_max: Duration::from_millis(150),
    retry_after_max: Duration::from_secs(5),
};

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None }
}

fn asking(seconds: u64) -> Outcome {
    let retry_after = Some(Duration::from_secs(seconds));
    Outcome::Answered { status: StatusCode::TOO_MANY_REQUESTS, retry_after }
}

#[test]
fn what_is_repeated() {
    use Safety::{ByKey, ByMethod, Unsafe};
    for (outcome, safety, attempt, repeated) in [
        (Outcome::Lost, ByMethod, 1, true),
        (Outcome::Lost, ByKey, 1, true),
        (Outcome::Lost, Unsafe, 1, false),
        (answered(429), ByKey, 1, true),
        (answered(429), Unsafe, 1, false),
        (answered(503), ByMethod, 2, true),
        (answered(503), ByMethod, 3, false),
        (answered(500), ByMethod, 1, true),
        (answered(500), ByKey, 1, false),
        (answered(409), ByKey, 1, false),
        (answered(409), ByKey, 2, true),
        (answered(409), ByMethod, 2, false),
        (answered(400), ByMethod, 1, false),
        (answered(200), ByMethod, 1, false),
    ] {
        let wait = POLICY.wait(outcome, safety, attempt, 0);
        assert_eq!(wait.is_some(), repeated, "{outcome:?} {safety:?} attempt {attempt}");
    }
}

#[test]
fn waits_double_up_to_the_bound() {
    let longest = |attempt| POLICY.wait(Outcome::Lost, Safety::ByMethod, attempt, u64::MAX).unwrap();
    assert_eq!(longest(1).as_millis(), 99);
    assert_eq!(longest(2).as_millis(), 149, "200 ms are cut to the bound");
    assert_eq!(POLICY.wait(Outcome::Lost, Safety::ByMethod, 1, 0), Some(Duration::ZERO));
    let many = RetryPolicy { attempts_max: u32::MAX, ..POLICY };
    assert_eq!(many.wait(Outcome::Lost, Safety::ByMethod, 4_000, u64::MAX).unwrap().as_millis(), 149);
}

#[test]
fn the_servers_wait_is_kept_unless_it_is_too_long() {
    let wait = POLICY.wait(asking(2), Safety::ByMethod, 1, u64::MAX).unwrap();
    assert!(wait >= Duration::from_secs(2) && wait < Duration::from_millis(2_100), "{wait:?}");
    assert_eq!(POLICY.wait(asking(6), Safety::ByMethod, 1, 0), None);
}

#[test]
fn retry_after_in_both_forms() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").unwrap();
    for (text, seconds) in [
        ("7", Some(7)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}
