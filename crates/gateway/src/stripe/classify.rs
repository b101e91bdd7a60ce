//! What an answer means. Pure. The rule behind every line: what is not certain is unknown.

use std::time::Duration;

use payment_runs_engine::ports::Outcome;
use serde::Deserialize;

use super::exchange::{ExchangeAnswer, ExchangeError, in_one_line};

/// The longest code and message kept of an answer, in characters: they are stored with the payment.
const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 255;

/// The longest name of a charge that is kept; the dialect's have less than 30 characters.
const REFERENCE_MAX: usize = 255;

/// What one answer, or its absence, means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classified {
    /// Approved, declined or pending: the key's one true answer.
    Settled(Outcome),
    /// The request itself was refused, and nothing was charged for this delivery. Unlike a
    /// decline it is not the key's saved answer, so it says nothing about an earlier delivery.
    Refused {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        message: String,
    },
    /// It did not reach the gateway, or was turned away unread.
    NotSent {
        /// Why.
        why: String,
        /// How long the gateway asks to wait.
        retry_after: Option<Duration>,
        /// Whether another try soon may fare better.
        passing: bool,
    },
    /// An earlier delivery under the same key is still being worked on.
    InFlight {
        /// Why.
        why: String,
    },
    /// Nobody can tell.
    Unknown {
        /// Why.
        why: String,
        /// Whether the same key and body may bring the true answer.
        passing: bool,
    },
}

impl Classified {
    fn unknown(why: impl Into<String>, passing: bool) -> Self {
        Self::Unknown { why: why.into(), passing }
    }
}

/// A payment intent, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct IntentBody {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) metadata: MetadataBody,
    #[serde(default)]
    pub(super) last_payment_error: Option<ErrorBody>,
}

/// The metadata we wrote.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MetadataBody {
    #[serde(default)]
    pub(super) reference: Option<String>,
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

/// What an answer to a charge means. `reference` is the one the charge was sent with.
pub fn classify(answer: &ExchangeAnswer, reference: &str) -> Classified {
    match answer.status {
        200..=299 => classify_intent(answer, reference),
        409 => Classified::InFlight { why: "the gateway is still working on this key".into() },
        429 => Classified::NotSent {
            why: error_of(answer).map_or_else(|| "too many requests".into(), |error| error.words()),
            retry_after: answer.retry_after,
            passing: true,
        },
        400..=499 => classify_refusal(answer),
        500..=599 => Classified::unknown(format!("the gateway answered {}", answer.status), true),
        other => Classified::unknown(format!("the gateway answered {other}"), false),
    }
}

fn classify_intent(answer: &ExchangeAnswer, reference: &str) -> Classified {
    let Ok(intent) = serde_json::from_slice::<IntentBody>(&answer.body) else {
        return Classified::unknown("the gateway's answer cannot be read", true);
    };
    if intent.metadata.reference.as_deref().is_some_and(|theirs| theirs != reference) {
        return Classified::unknown(
            format!("{} is about another payment", bounded(&intent.id, CODE_MAX)),
            false,
        );
    }
    match outcome_of(&intent) {
        Outcome::Unknown { why } => Classified::unknown(why, false),
        outcome => Classified::Settled(outcome),
    }
}

fn classify_refusal(answer: &ExchangeAnswer) -> Classified {
    let Some(error) = error_of(answer) else {
        return Classified::unknown(
            format!("the gateway answered {} without a reason", answer.status),
            false,
        );
    };
    match answer.status {
        // The key was used for something else, or in another form. What became of it must be looked up.
        _ if error.is("idempotency_error") => Classified::unknown(error.words(), false),
        402 => Classified::Settled(Outcome::Declined {
            code: error.telling_code(),
            message: error.words(),
            reference: error.payment_intent.map(|intent| bounded(&intent.id, REFERENCE_MAX)),
        }),
        // Credentials or address are wrong: the request was not looked at.
        401 | 403 | 404 => Classified::NotSent {
            why: format!("the gateway answered {}: {}", answer.status, error.words()),
            retry_after: None,
            passing: false,
        },
        400 | 422 if error.is("invalid_request_error") || error.is("card_error") => {
            Classified::Refused { code: error.telling_code(), message: error.words() }
        }
        status => Classified::unknown(format!("the gateway answered {status}: {}", error.words()), false),
    }
}

/// How an intent stands.
pub(super) fn outcome_of(intent: &IntentBody) -> Outcome {
    let reference = bounded(&intent.id, REFERENCE_MAX);
    match intent.status.as_str() {
        "succeeded" => Outcome::Approved { reference },
        "processing" => Outcome::Pending { reference },
        // Off session nobody is there to act, and no later confirmation is ever sent.
        "requires_action" | "requires_payment_method" | "canceled" => {
            let (code, message) = match &intent.last_payment_error {
                Some(error) => (error.telling_code(), error.words()),
                None if intent.status == "requires_action" => {
                    ("authentication_required".into(), "The cardholder would have to authenticate.".into())
                }
                None => (intent.status.clone(), "The gateway gave no reason.".into()),
            };
            Outcome::Declined { code, message, reference: Some(reference) }
        }
        other => Outcome::Unknown {
            why: format!("the payment intent stands at {}, which is not expected", bounded(other, CODE_MAX)),
        },
    }
}

/// What the absence of an answer means.
pub fn classify_absence(error: &ExchangeError) -> Classified {
    let why = in_one_line(error);
    match error {
        ExchangeError::NotConnected(_) => Classified::NotSent { why, retry_after: None, passing: true },
        ExchangeError::Broken(_) | ExchangeError::TimedOut(_) => Classified::unknown(why, true),
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
