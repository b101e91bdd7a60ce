//! What an answer means. Pure. The rule behind every line: what is not certain is unknown.

use payment_runs_engine::money::Currency;
use payment_runs_engine::ports::{Delivery, Doubt, NotSentCause, ReportedCharge};
use serde::Deserialize;

use super::exchange::{ExchangeAnswer, ExchangeError, in_one_line};
use super::units::from_dialect;

/// The longest code and message kept of an answer, in characters: they are stored with the payment.
const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 255;

/// The longest name of a charge that is kept; the dialect's have less than 30 characters.
const REFERENCE_MAX: usize = 255;

fn unknown(doubt: Doubt, why: impl Into<String>) -> Delivery {
    Delivery::Unknown { doubt, why: why.into() }
}

/// A payment intent, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct IntentBody {
    pub(super) id: String,
    pub(super) status: String,
    /// When it was made, in seconds since 1970 (UTC).
    #[serde(default)]
    pub(super) created: Option<i64>,
    #[serde(default)]
    pub(super) metadata: MetadataBody,
    /// What was asked for, in the dialect's units.
    #[serde(default)]
    amount: Option<i64>,
    /// What was received; a gateway may leave it out.
    #[serde(default)]
    amount_received: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    pub(super) last_payment_error: Option<ErrorBody>,
}

impl IntentBody {
    /// The charge with what was asked for, whatever came of it.
    pub(super) fn report_asked(&self) -> ReportedCharge {
        self.report(self.amount)
    }

    /// The charge as the gateway reports it. `amount` is what was received, or is to be, in the dialect's units.
    fn report(&self, amount: Option<i64>) -> ReportedCharge {
        let code = self.currency.as_deref().map(str::to_ascii_uppercase);
        let currency = code.and_then(|code| Currency::from_code(&code).ok());
        ReportedCharge {
            reference: bounded(&self.id, REFERENCE_MAX),
            key: self.metadata.reference.clone(),
            money: amount.zip(currency).and_then(|(amount, currency)| from_dialect(amount, currency)),
        }
    }
}

/// The metadata we wrote.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MetadataBody {
    #[serde(default)]
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) ledger: Option<String>,
    #[serde(default)]
    pub(super) entity: Option<String>,
    #[serde(default)]
    pub(super) account: Option<String>,
    #[serde(default)]
    pub(super) document: Option<String>,
    #[serde(default)]
    pub(super) documents: Option<String>,
    #[serde(default)]
    pub(super) documents_digest: Option<String>,
}

/// An error, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    payment_intent: Option<IntentName>,
}

#[derive(Debug, Deserialize)]
struct IntentName {
    id: String,
}

#[derive(Debug, Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

impl ErrorBody {
    /// The most telling code: the network's reason where the code only says that it declined.
    pub(super) fn telling_code(&self) -> String {
        let code = match (self.code.as_deref(), self.decline_code.as_deref()) {
            (Some("card_declined") | None, Some(decline_code)) => decline_code,
            (Some(code), _) => code,
            (None, None) => self.kind.as_deref().unwrap_or("declined"),
        };
        bounded(code, CODE_MAX)
    }

    pub(super) fn words(&self) -> String {
        bounded(self.message.as_deref().unwrap_or("The gateway gave no reason."), MESSAGE_MAX)
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

fn bounded(text: &str, characters: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(characters).collect()
}

/// Reads the error of an answer, if it holds one.
pub(super) fn error_of(answer: &ExchangeAnswer) -> Option<ErrorBody> {
    serde_json::from_slice::<ErrorAnswer>(&answer.body).ok().map(|body| body.error)
}

/// What an answer to a charge means. `key` is the one the charge was sent with.
pub fn classify(answer: &ExchangeAnswer, key: &str) -> Delivery {
    match answer.status {
        200..=299 => classify_intent(answer, key),
        // An earlier delivery under the same key is still being worked on.
        409 => unknown(Doubt::Unanswered, "the gateway is still working on this key"),
        429 => Delivery::NotSent {
            cause: NotSentCause::TooManyRequests,
            why: error_of(answer).map_or_else(|| "too many requests".into(), |error| error.words()),
            retry_after: answer.retry_after,
        },
        400..=499 => classify_refusal(answer),
        500..=599 => unknown(Doubt::Unanswered, format!("the gateway answered {}", answer.status)),
        other => unknown(Doubt::Unclear, format!("the gateway answered {other}")),
    }
}

fn classify_intent(answer: &ExchangeAnswer, key: &str) -> Delivery {
    let Ok(intent) = serde_json::from_slice::<IntentBody>(&answer.body) else {
        return unknown(Doubt::Unanswered, "the gateway's answer cannot be read");
    };
    if intent.metadata.reference.as_deref().is_some_and(|theirs| theirs != key) {
        let why = format!("{} is about another payment", bounded(&intent.id, CODE_MAX));
        return unknown(Doubt::WrongCharge, why);
    }
    delivery_of(&intent)
}

fn classify_refusal(answer: &ExchangeAnswer) -> Delivery {
    let Some(error) = error_of(answer) else {
        return unknown(Doubt::Unclear, format!("the gateway answered {} without a reason", answer.status));
    };
    match answer.status {
        // The key was used for something else, or in another form. What became of it must be looked up.
        _ if error.is("idempotency_error") => unknown(Doubt::Conflict, error.words()),
        402 => Delivery::Declined {
            code: error.telling_code(),
            message: error.words(),
            reference: error.payment_intent.map(|intent| bounded(&intent.id, REFERENCE_MAX)),
        },
        // Credentials or address are wrong: the request was not looked at.
        401 | 403 | 404 => Delivery::NotSent {
            cause: if answer.status == 404 {
                NotSentCause::AddressNotFound
            } else {
                NotSentCause::Credentials
            },
            why: format!("the gateway answered {}: {}", answer.status, error.words()),
            retry_after: None,
        },
        400 | 422 if error.is("invalid_request_error") || error.is("card_error") => {
            Delivery::Refused { code: error.telling_code(), message: error.words() }
        }
        status => unknown(Doubt::Unclear, format!("the gateway answered {status}: {}", error.words())),
    }
}

/// How an intent stands. What is approved says what it received.
pub(super) fn delivery_of(intent: &IntentBody) -> Delivery {
    let reference = bounded(&intent.id, REFERENCE_MAX);
    match intent.status.as_str() {
        "succeeded" => Delivery::Approved(intent.report(intent.amount_received.or(intent.amount))),
        "processing" => Delivery::Pending(intent.report(intent.amount)),
        // Off session nobody is there to act, and no later confirmation is ever sent.
        "requires_action" | "requires_payment_method" | "canceled" => {
            let (code, message) = match &intent.last_payment_error {
                Some(error) => (error.telling_code(), error.words()),
                None if intent.status == "requires_action" => {
                    ("authentication_required".into(), "The cardholder would have to authenticate.".into())
                }
                None => (intent.status.clone(), "The gateway gave no reason.".into()),
            };
            Delivery::Declined { code, message, reference: Some(reference) }
        }
        other => unknown(
            Doubt::Unclear,
            format!("the payment intent stands at {}, which is not expected", bounded(other, CODE_MAX)),
        ),
    }
}

/// What the absence of an answer means.
pub fn classify_absence(error: &ExchangeError) -> Delivery {
    let why = in_one_line(error);
    match error {
        ExchangeError::NotConnected(_) => {
            Delivery::NotSent { cause: NotSentCause::NoConnection, why, retry_after: None }
        }
        ExchangeError::Broken(_) | ExchangeError::TimedOut(_) => unknown(Doubt::Unanswered, why),
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
