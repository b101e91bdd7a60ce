//! What happens to every call between the generated code and the wire.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::{Request, Response};

use crate::operation::Operation;
use crate::retry::{Outcome, RetryPolicy, Safety, retry_after};
use crate::token::{TokenError, Tokens};
use crate::{compress, logical, system};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// progenitor sends the contract's version under this name, which no server of this API knows.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// Why a call was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error("the operation `{0}` is not in the contract")]
    Unknown(String),
    #[error("no bearer token: {}", chain(.0))]
    Token(Arc<TokenError>),
    #[error("the body could not be compressed: {0}")]
    Compress(std::io::Error),
}

/// What the clients of one connection share.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    /// `None`: calls go without a token.
    pub(crate) tokens: Option<Tokens>,
    pub(crate) retry: RetryPolicy,
    /// Headers of every call that does not set them itself.
    pub(crate) headers: HeaderMap,
    pub(crate) idempotency_keys: bool,
    pub(crate) compress_requests: bool,
}

/// The shared part, as one API's client sees it.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    operations: &'static [Operation],
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest are credentials, or tables of the generated code.
        f.debug_struct("Transport").field("retry", &self.shared.retry).finish_non_exhaustive()
    }
}

impl Transport {
    pub(crate) fn new(shared: Arc<Shared>, operations: &'static [Operation]) -> Self {
        Self { shared, operations }
    }

    /// Completes a request before its first attempt: what is set here is the same in every attempt.
    pub(crate) async fn prepare(&self, request: &mut Request, id: &str) -> Result<(), PrepareError> {
        let operation = self.operation(id).ok_or_else(|| PrepareError::Unknown(id.to_owned()))?;
        let headers = request.headers_mut();
        headers.remove(API_VERSION);
        for (name, value) in operation.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in &self.shared.headers {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        let keyless = operation.idempotent_by_key && !headers.contains_key(IDEMPOTENCY_KEY);
        if keyless
            && self.shared.idempotency_keys
            && let Ok(key) = HeaderValue::try_from(system::idempotency_key())
        {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        if let Some(tokens) = self.shared.tokens.as_ref().filter(|_| operation.authenticated) {
            let token = tokens.header(&self.shared.http).await.map_err(PrepareError::Token)?;
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        if self.shared.compress_requests {
            compress::compress(request).await.map_err(PrepareError::Compress)?;
        }
        Ok(())
    }

    /// Sends a request until it is answered for good: again with a new token after one 401, again after failures that
    /// pass. A streamed body can be sent only once.
    pub(crate) async fn execute(&self, mut request: Request) -> reqwest::Result<Response> {
        let safety = Safety::of(request.method(), request.headers());
        let mut attempt = 1;
        let mut renewed = false;
        loop {
            let spare = request.try_clone();
            let sent = self.send(request).await;
            let Some(mut again) = spare else { return sent };
            if !renewed && status(&sent) == Some(StatusCode::UNAUTHORIZED) {
                renewed = true;
                let Some(token) = self.another_token(&again).await else { return sent };
                again.headers_mut().insert(AUTHORIZATION, token);
            } else {
                let wait = self.shared.retry.wait(outcome(&sent), safety, attempt, system::entropy());
                let Some(wait) = wait else { return sent };
                system::sleep(wait).await;
                attempt += 1;
            }
            request = again;
        }
    }

    async fn send(&self, request: Request) -> reqwest::Result<Response> {
        logical::settle(self.shared.http.execute(request).await?).await
    }

    async fn another_token(&self, refused: &Request) -> Option<HeaderValue> {
        let tokens = self.shared.tokens.as_ref()?;
        tokens.after(&self.shared.http, refused.headers().get(AUTHORIZATION)?).await
    }

    fn operation(&self, id: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }
}

fn status(sent: &reqwest::Result<Response>) -> Option<StatusCode> {
    sent.as_ref().ok().map(Response::status)
}

fn outcome(sent: &reqwest::Result<Response>) -> Outcome {
    match sent {
        Ok(response) => Outcome::Answered {
            status: response.status(),
            retry_after: retry_after(response.headers(), system::calendar()),
        },
        Err(_) => Outcome::Lost,
    }
}

/// An error and its causes in one line, for places that carry text only.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
