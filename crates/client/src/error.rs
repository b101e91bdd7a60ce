//! One error for all operations of all APIs.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use payment_runs_types::{ops, v1, v2};

use crate::ResponseValue;
use crate::events::EventError;
use crate::retry::retry_after;
use crate::system;

/// Why a call failed.
///
/// Each operation answers with the error type of its own API; `?` turns any of them into this one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is missing or does not convert. Nothing was sent.
    #[error("the call is incomplete: {0}")]
    Incomplete(String),
    /// The call could not be prepared, mostly for want of a bearer token. It was not sent.
    #[error("the call was not sent: {0}")]
    NotSent(String),
    /// No answer arrived. Whether the call took effect is not known.
    #[error("no answer arrived")]
    NoAnswer(#[source] reqwest::Error),
    /// The server refused the call or failed at it, and said why.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The answer broke off.
    #[error("the answer could not be read")]
    Read(#[source] reqwest::Error),
    /// The answer does not fit the contract.
    #[error("the answer does not fit the contract")]
    Payload {
        /// The answer's body.
        body: Bytes,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The answer has a status that the contract does not give for this operation.
    #[error("the answer has the status {}, which the contract does not know", .0.status())]
    Unexpected(Box<reqwest::Response>),
    /// A list names a page twice, or has more pages than can be true; following it would not end.
    #[error("the list leads in circles: {0}")]
    Pages(String),
    /// A stream of events cannot be followed.
    #[error("the events cannot be followed")]
    Events(#[source] EventError),
}

/// An answer that says why the call failed.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status. For a logical failure that an old version of the v1 API answers with 200, the status that the
    /// current version gives it.
    pub status: StatusCode,
    /// The server's identifier of the call.
    pub request_id: Option<String>,
    /// The caller's identifier of the call, as the server repeats it.
    pub track_id: Option<String>,
    /// How long the server asks to wait before the call is repeated.
    pub retry_after: Option<Duration>,
    /// What is wrong, each fault alone.
    pub faults: Vec<Fault>,
    /// The whole body.
    pub body: RefusalBody,
}

/// One thing that is wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, for programs: a number in v1, a word in v2 and the operations API.
    pub code: Option<String>,
    /// The parameter or field at fault, as the wire spells it, where the API names one.
    pub parameter: Option<String>,
    /// What is wrong, for people.
    pub message: String,
}

/// The body of a refusal, by API.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RefusalBody {
    /// v1.
    V1(v1::ErrorResponse),
    /// Object query.
    ObjectQuery(v1::ObjectQueryErrorResponse),
    /// The token endpoint.
    Token(v1::TokenErrorResponse),
    /// v2.
    V2(v2::ErrorResponse),
    /// The operations API.
    Ops(ops::ErrorResponse),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)?;
        for (at, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { ": " } else { "; " })?;
        }
        match &self.request_id {
            Some(request_id) => write!(f, " (request {request_id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages of v1 begin with the field, and those of the other APIs do not name it.
        match &self.parameter {
            Some(parameter) if named(&self.message) != Some(parameter) => write!(f, "{parameter}: ")?,
            _ => {}
        }
        f.write_str(&self.message)?;
        match &self.code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

/// The error body of an API. Implemented for those of the contract.
pub trait FailureBody {
    /// What it says is wrong.
    fn faults(&self) -> Vec<Fault>;
    /// The body itself.
    fn into_body(self) -> RefusalBody;
}

/// The field with which a message of v1 begins, in quotes.
fn named(message: &str) -> Option<&str> {
    let (field, rest) = message.strip_prefix('\'')?.split_once('\'')?;
    rest.starts_with([' ', ':']).then_some(field)
}

fn reasons(reasons: Option<&Vec<v1::Reason>>) -> Vec<Fault> {
    let fault = |reason: &v1::Reason| Fault {
        code: Some(reason.code.to_string()),
        parameter: named(&reason.message).map(str::to_owned),
        message: reason.message.clone(),
    };
    reasons.into_iter().flatten().map(fault).collect()
}

impl FailureBody for v1::ErrorResponse {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = reasons(self.reasons.as_ref());
        if let Some(message) = &self.message {
            let code = self.code.map(|code| code.to_string());
            faults.push(Fault { code, parameter: None, message: message.clone() });
        }
        faults
    }

    fn into_body(self) -> RefusalBody {
        RefusalBody::V1(self)
    }
}

impl FailureBody for v1::ObjectQueryErrorResponse {
    fn faults(&self) -> Vec<Fault> {
        reasons(self.reasons.as_ref())
    }

    fn into_body(self) -> RefusalBody {
        RefusalBody::ObjectQuery(self)
    }
}

impl FailureBody for v1::TokenErrorResponse {
    fn faults(&self) -> Vec<Fault> {
        let code = self.code.map(|code| code.to_string());
        vec![Fault { code, parameter: None, message: self.message.clone() }]
    }

    fn into_body(self) -> RefusalBody {
        RefusalBody::Token(self)
    }
}

impl FailureBody for v2::ErrorResponse {
    fn faults(&self) -> Vec<Fault> {
        let fault = |detail: &v2::ErrorDetail| Fault {
            code: Some(detail.code.clone()),
            parameter: detail.parameter.clone(),
            message: detail.message.clone(),
        };
        self.errors.iter().map(fault).collect()
    }

    fn into_body(self) -> RefusalBody {
        RefusalBody::V2(self)
    }
}

impl FailureBody for ops::ErrorResponse {
    fn faults(&self) -> Vec<Fault> {
        let fault = |detail: &ops::ErrorDetail| Fault {
            code: Some(detail.code.clone()),
            parameter: detail.parameter.clone(),
            message: detail.message.clone(),
        };
        self.errors.iter().map(fault).collect()
    }

    fn into_body(self) -> RefusalBody {
        RefusalBody::Ops(self)
    }
}

impl<E: FailureBody> From<progenitor_client::Error<E>> for Error {
    fn from(error: progenitor_client::Error<E>) -> Self {
        use progenitor_client::Error as Generated;
        match error {
            Generated::InvalidRequest(what) => Self::Incomplete(what),
            Generated::Custom(what) => Self::NotSent(what),
            // A request that could not even be put together is the only kind that never left.
            Generated::CommunicationError(source) if source.is_builder() => {
                Self::Incomplete(source.to_string())
            }
            Generated::CommunicationError(source) | Generated::InvalidUpgrade(source) => {
                Self::NoAnswer(source)
            }
            Generated::ErrorResponse(answer) => Self::Refused(Box::new(answer.into())),
            Generated::ResponseBodyError(source) => Self::Read(source),
            Generated::InvalidResponsePayload(body, source) => Self::Payload { body, source },
            Generated::UnexpectedResponse(response) => Self::Unexpected(Box::new(response)),
        }
    }
}

impl<E: FailureBody> From<ResponseValue<E>> for Refusal {
    fn from(answer: ResponseValue<E>) -> Self {
        let headers = answer.headers();
        let (status, wait) = (answer.status(), retry_after(headers, system::calendar()));
        let (request_id, track_id) = (text(headers, "zuora-request-id"), text(headers, "zuora-track-id"));
        let body = answer.into_inner();
        let faults = body.faults();
        Self { status, request_id, track_id, retry_after: wait, faults, body: body.into_body() }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl Error {
    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Unexpected(response) => Some(response.status()),
            _ => None,
        }
    }

    /// The refusal, if the server gave a reason.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &impl FailureBody) -> Vec<(Option<String>, String)> {
        body.faults().into_iter().map(|fault| (fault.parameter.clone(), fault.to_string())).collect()
    }

    #[test]
    fn every_fault_names_its_field_once() {
        let reason = |message: &str| v1::Reason { code: 53_200_020, message: message.to_owned() };
        let messages = [
            "'data[3].amount' must be greater than 0",
            "'filter[]': 'batch' cannot be filtered by",
            "there is no account",
            "it's late",
        ];
        let reasons = Some(messages.iter().map(|message| reason(message)).collect());
        let body = v1::ObjectQueryErrorResponse { reasons, request_id: None };
        let written = messages.map(|message| format!("{message} [53200020]"));
        let [amount, filter, account, late] = written;
        assert_eq!(
            told(&body),
            [
                (Some("data[3].amount".to_owned()), amount),
                (Some("filter[]".to_owned()), filter),
                (None, account),
                (None, late),
            ]
        );
        let detail = |parameter: Option<&str>, message: &str| ops::ErrorDetail {
            code: "invalid_parameter".to_owned(),
            parameter: parameter.map(str::to_owned),
            message: message.to_owned(),
        };
        let errors = vec![detail(Some("target_date"), "is required"), detail(None, "the server stops")];
        let body = ops::ErrorResponse { type_: ops::ErrorType::BadRequest, errors };
        assert_eq!(
            told(&body),
            [
                (Some("target_date".to_owned()), "target_date: is required [invalid_parameter]".to_owned()),
                (None, "the server stops [invalid_parameter]".to_owned()),
            ]
        );
    }
}
