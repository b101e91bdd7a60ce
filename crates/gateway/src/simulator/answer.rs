//! The dialect's answers, written straight into text: they are the hot path of a load test.

use std::fmt::Write;

use super::behaviour::{Decline, Standing};
use super::intent::Intent;
use super::token::{Kind, Token};

/// Room for a whole answer, so that writing it does not grow the text.
const ANSWER_CAPACITY: usize = 1_536;

/// An answer before it is put on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: String,
    /// Whether it is the saved answer of an earlier request with the same key.
    pub replayed: bool,
    /// The `Retry-After` header, in seconds.
    pub retry_after_s: Option<u64>,
}

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: u16, body: String) -> Self {
        Self { status, body, replayed: false, retry_after_s: None }
    }
}

/// An error in the dialect's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.code`.
    pub code: Option<&'static str>,
    /// `error.param`.
    pub param: Option<Box<str>>,
    /// `error.message`.
    pub message: String,
}

impl ApiError {
    /// A parameter with a wrong value.
    pub fn invalid(code: &'static str, param: &str, message: String) -> Self {
        let kind = "invalid_request_error";
        Self { status: 400, kind, code: Some(code), param: Some(param.into()), message }
    }

    /// A parameter that is not there.
    pub fn missing(param: &str) -> Self {
        Self::invalid("parameter_missing", param, format!("Missing required param: {param}."))
    }

    /// A parameter nobody knows.
    pub fn unknown_parameter(param: &str) -> Self {
        Self::invalid("parameter_unknown", param, format!("Received unknown parameter: {param}"))
    }

    /// A reference to an object that does not exist.
    pub fn no_such(param: &str, object: &str, id: &str) -> Self {
        Self::invalid("resource_missing", param, format!("No such {object}: '{id}'"))
    }

    /// A card that cannot be stored.
    pub fn card(code: &'static str, param: &str, message: String) -> Self {
        Self { status: 402, kind: "card_error", code: Some(code), param: Some(param.into()), message }
    }

    /// No secret key, or a wrong one.
    pub fn unauthorized() -> Self {
        let message = "You did not provide a valid API key in the Authorization header.".into();
        Self { status: 401, kind: "invalid_request_error", code: None, param: None, message }
    }

    /// A key that was used with other parameters.
    pub fn key_reused() -> Self {
        let message = "Keys for idempotent requests can only be used with the same parameters they were \
                       first used with."
            .into();
        Self { status: 400, kind: "idempotency_error", code: None, param: None, message }
    }

    /// A key whose first request is not answered yet.
    pub fn key_in_use() -> Self {
        let message = "There is currently another in-progress request using this idempotency key.".into();
        Self {
            status: 409,
            kind: "idempotency_error",
            code: Some("idempotency_key_in_use"),
            param: None,
            message,
        }
    }

    /// Too many requests.
    pub fn rate_limited() -> Self {
        let message = "Too many requests. Requests in this time frame were limited.".into();
        let (kind, code) = ("invalid_request_error", Some("rate_limit"));
        Self { status: 429, kind, code, param: None, message }
    }

    /// An object another request holds.
    pub fn lock_timeout() -> Self {
        let message = "This object cannot be accessed right now because another request holds it.".into();
        let (kind, code) = ("invalid_request_error", Some("lock_timeout"));
        Self { status: 429, kind, code, param: None, message }
    }

    /// Something broke.
    pub fn internal() -> Self {
        let message = "An unknown error occurred.".into();
        Self { status: 500, kind: "api_error", code: None, param: None, message }
    }

    /// The answer of this error.
    pub fn answer(&self) -> Answer {
        let mut body = String::with_capacity(ANSWER_CAPACITY / 4);
        body.push_str("{\"error\":{");
        if let Some(code) = self.code {
            push_field(&mut body, "code", code);
            body.push(',');
        }
        push_field(&mut body, "message", &self.message);
        if let Some(param) = &self.param {
            body.push(',');
            push_field(&mut body, "param", param);
        }
        body.push(',');
        push_field(&mut body, "type", self.kind);
        body.push_str("}}");
        Answer::new(self.status, body)
    }
}

/// The answer to a charge: the intent, or for a decline the error that carries it.
pub fn charge_answer(intent: &Intent, now_ms: i64) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY);
    let standing = intent.standing(now_ms);
    let Standing::Declined(decline) = standing else {
        push_intent(&mut body, intent, standing);
        return Answer::new(200, body);
    };
    body.push_str("{\"error\":");
    push_decline(&mut body, &decline, Some((intent, standing)));
    body.push('}');
    Answer::new(402, body)
}

/// One intent as it stands now.
pub fn intent_answer(intent: &Intent, now_ms: i64) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY);
    push_intent(&mut body, intent, intent.standing(now_ms));
    Answer::new(200, body)
}

fn push_intents<'a>(body: &mut String, intents: impl IntoIterator<Item = &'a Intent>, now_ms: i64) {
    for (index, intent) in intents.into_iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        push_intent(body, intent, intent.standing(now_ms));
    }
}

/// A page of a search.
pub fn search_answer<'a>(
    intents: impl IntoIterator<Item = &'a Intent>,
    now_ms: i64,
    next_page: Option<usize>,
) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY);
    body.push_str("{\"object\":\"search_result\",\"data\":[");
    push_intents(&mut body, intents, now_ms);
    body.push_str("],\"has_more\":");
    match next_page {
        Some(page) => push(&mut body, format_args!("true,\"next_page\":\"{page}\"")),
        None => body.push_str("false,\"next_page\":null"),
    }
    body.push_str(",\"url\":\"/v1/payment_intents/search\"}");
    Answer::new(200, body)
}

/// A page of a list.
pub fn list_answer<'a>(intents: impl IntoIterator<Item = &'a Intent>, now_ms: i64, has_more: bool) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY);
    body.push_str("{\"object\":\"list\",\"data\":[");
    push_intents(&mut body, intents, now_ms);
    push(&mut body, format_args!("],\"has_more\":{has_more},\"url\":\"/v1/payment_intents\"}}"));
    Answer::new(200, body)
}

/// The account at which the bank charges.
pub fn account_answer(account: &str) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY / 4);
    body.push('{');
    push_field(&mut body, "id", account);
    body.push_str(",\"object\":\"account\"}");
    Answer::new(200, body)
}

/// A payment method.
pub fn method_answer(token: &Token, id: &str, created_ms: i64) -> Answer {
    let mut body = String::with_capacity(ANSWER_CAPACITY / 4);
    body.push('{');
    push_field(&mut body, "id", id);
    push(&mut body, format_args!(",\"object\":\"payment_method\",\"created\":{}", seconds(created_ms)));
    body.push_str(",\"customer\":null,\"livemode\":false,\"metadata\":{},");
    push_field(&mut body, "type", token.kind.wire_name());
    push(&mut body, format_args!(",\"{}\":{{", token.kind.wire_name()));
    push_field(&mut body, "last4", &token.last4);
    if token.kind == Kind::Card {
        body.push(',');
        push_field(&mut body, "brand", &token.brand);
        push(&mut body, format_args!(",\"exp_month\":{},\"exp_year\":{}", token.exp_month, token.exp_year));
    }
    body.push_str("}}");
    Answer::new(200, body)
}

fn push_intent(body: &mut String, intent: &Intent, standing: Standing) {
    let (status, received) = match standing {
        Standing::Succeeded => ("succeeded", intent.amount_minor),
        Standing::Processing => ("processing", 0),
        Standing::Declined(_) => ("requires_payment_method", 0),
    };
    let hex = intent.id.hex();
    push(
        body,
        format_args!(
            "{{\"id\":\"pi_{hex}\",\"object\":\"payment_intent\",\"amount\":{},\"amount_capturable\":0,\
             \"amount_received\":{received},\"capture_method\":\"automatic\",\
             \"confirmation_method\":\"automatic\",\"created\":{},\"currency\":\"{}\",\"customer\":null,",
            intent.amount_minor,
            seconds(intent.at_ms),
            intent.currency(),
        ),
    );
    match &intent.description {
        Some(description) => push_field(body, "description", description),
        None => body.push_str("\"description\":null"),
    }
    body.push_str(",\"last_payment_error\":");
    match &standing {
        Standing::Declined(decline) => push_decline(body, decline, None),
        _ => body.push_str("null"),
    }
    push(body, format_args!(",\"latest_charge\":\"ch_{hex}\",\"livemode\":false,\"metadata\":{{"));
    for (index, (name, value)) in intent.metadata.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        push_string(body, name);
        body.push(':');
        push_string(body, value);
    }
    body.push_str("},\"next_action\":null,");
    match standing {
        Standing::Declined(_) => body.push_str("\"payment_method\":null"),
        _ => push_field(body, "payment_method", &intent.payment_method),
    }
    push(body, format_args!(",\"status\":\"{status}\"}}"));
}

fn push_decline(body: &mut String, decline: &Decline, intent: Option<(&Intent, Standing)>) {
    body.push('{');
    push_field(body, "code", decline.code);
    if let Some(decline_code) = decline.decline_code {
        body.push(',');
        push_field(body, "decline_code", decline_code);
    }
    body.push(',');
    push_field(body, "message", decline.message);
    if let Some((intent, standing)) = intent {
        push(body, format_args!(",\"charge\":\"ch_{}\",\"payment_intent\":", intent.id.hex()));
        push_intent(body, intent, standing);
    }
    body.push_str(",\"type\":\"card_error\"}");
}

fn push_field(body: &mut String, name: &str, value: &str) {
    push(body, format_args!("\"{name}\":"));
    push_string(body, value);
}

fn push_string(body: &mut String, value: &str) {
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        body.push('"');
        body.push_str(value);
        body.push('"');
    } else {
        body.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn push(body: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = body.write_fmt(text);
}

const fn seconds(at_ms: i64) -> i64 {
    at_ms.div_euclid(1_000)
}
