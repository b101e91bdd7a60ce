//! What an answer says of the account at which the gateway charges. Pure.

use payment_runs_engine::ports::{AccountUnavailable, NotSentCause};
use serde_json::Value;

use super::classify::error_of;
use super::exchange::{ExchangeAnswer, ExchangeError, in_one_line};

/// The longest identifier that is believed; the dialect's have less than 30 characters.
const ACCOUNT_MAX: usize = 255;

/// Reads the answer. `None` where the gateway names no account: it knows no such question, keeps the answer from this
/// secret key, or gives no identifier that can be kept.
pub fn read(answer: &ExchangeAnswer) -> Result<Option<String>, AccountUnavailable> {
    let unavailable = |cause| {
        let words = error_of(answer).map(|error| format!(": {}", error.words())).unwrap_or_default();
        let why = format!("the gateway answered {}{words} when asked for its account", answer.status);
        Err(AccountUnavailable { cause, why, retry_after: answer.retry_after })
    };
    match answer.status {
        200..=299 => match serde_json::from_slice::<Value>(&answer.body) {
            Ok(body) => {
                Ok(body.get("id").and_then(Value::as_str).filter(|id| is_sound(id)).map(str::to_owned))
            }
            Err(_) => unavailable(NotSentCause::AccountUnconfirmed),
        },
        // A secret key of restricted rights may charge without a right to this.
        400 | 403 | 404 | 405 | 410 | 501 => Ok(None),
        401 => unavailable(NotSentCause::Credentials),
        429 => unavailable(NotSentCause::TooManyRequests),
        _ => unavailable(NotSentCause::AccountUnconfirmed),
    }
}

/// What it means that there is no answer; where one may have been under way, this is what keeps charges back.
pub(super) fn read_absence(error: &ExchangeError, unanswered: NotSentCause) -> AccountUnavailable {
    let cause = match error {
        ExchangeError::NotConnected(_) => NotSentCause::NoConnection,
        ExchangeError::Broken(_) | ExchangeError::TimedOut(_) => unanswered,
    };
    AccountUnavailable { cause, why: in_one_line(error), retry_after: None }
}

fn is_sound(id: &str) -> bool {
    (1..=ACCOUNT_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn said(status: u16, body: &str) -> Result<Option<String>, NotSentCause> {
        let body = Bytes::from(body.to_owned());
        let answer = ExchangeAnswer { status, retry_after: Some(Duration::from_secs(7)), body };
        read(&answer).map_err(|unavailable| unavailable.cause)
    }

    #[test]
    fn an_account_is_named_hidden_or_not_to_be_had() {
        assert_eq!(said(200, r#"{"id":"acct_1","object":"account"}"#), Ok(Some("acct_1".to_owned())));
        let longest = "a".repeat(ACCOUNT_MAX);
        assert_eq!(said(200, &format!(r#"{{"id":"{longest}"}}"#)), Ok(Some(longest.clone())));
        for body in ["{}", "[]", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"a b"}"#, r#"{"id":"\u00e9"}"#] {
            assert_eq!(said(200, body), Ok(None), "{body}");
        }
        assert_eq!(said(200, &format!(r#"{{"id":"{longest}a"}}"#)), Ok(None));
        for status in [400, 403, 404, 405, 410, 501] {
            assert_eq!(said(status, r#"{"id":"acct_1"}"#), Ok(None), "{status}");
        }
        assert_eq!(said(401, ""), Err(NotSentCause::Credentials));
        assert_eq!(said(429, ""), Err(NotSentCause::TooManyRequests));
        for (status, body) in [(200, "<html>"), (302, "{}"), (408, "{}"), (500, "{}"), (503, "")] {
            assert_eq!(said(status, body), Err(NotSentCause::AccountUnconfirmed), "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_gateway_says() {
        let body =
            Bytes::from_static(br#"{"error":{"type":"invalid_request_error","message":"Invalid key."}}"#);
        let retry_after = Some(Duration::from_secs(7));
        let unavailable = read(&ExchangeAnswer { status: 401, retry_after, body }).unwrap_err();
        let why = "the gateway answered 401: Invalid key. when asked for its account";
        assert_eq!((unavailable.why.as_str(), unavailable.retry_after), (why, retry_after));
    }
}
