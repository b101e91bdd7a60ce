//! Bearer tokens: fetched once, shared by all calls, renewed before they expire and when the server refuses them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use payment_runs_types::v1::{CreateTokenRequest, GrantType, TokenErrorResponse, TokenResponse};

use crate::retry::{Outcome, RetryPolicy, Safety, retry_after};
use crate::system;

/// Where tokens are had, below the base URL.
const TOKEN_PATH: &str = "/oauth/token";

/// A token is renewed this long before it expires, or when a tenth of its life is left, whichever comes later.
const RENEW_BEFORE_MAX: Duration = Duration::from_mins(5);

/// A token that claims to live longer is renewed after this long all the same.
const LIFE_MAX: Duration = Duration::from_hours(24);

/// After an attempt to renew a token that is still good, the next one waits this long: often enough for tokens that live for
/// minutes, and seldom enough that calls hardly notice an endpoint that fails.
const RENEW_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Why no bearer token could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The request failed on the way.
    #[error("the token request failed")]
    Send(#[source] reqwest::Error),
    /// The server refused the credentials or the request.
    #[error("the server granted no token (status {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What the server says.
        message: String,
    },
    /// The answer broke off.
    #[error("the token answer could not be read")]
    Read(#[source] reqwest::Error),
    /// The answer is no token.
    #[error("the token answer does not fit the contract")]
    Payload(#[source] serde_json::Error),
    /// The token holds bytes that no header may.
    #[error("the token cannot stand in a header")]
    Header(#[source] http::header::InvalidHeaderValue),
}

/// A client's id and secret. The secret is never printed.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Where tokens come from.
pub(crate) enum Tokens {
    /// A token the caller brought. It is never renewed.
    Given(HeaderValue),
    /// Tokens fetched with the client's credentials.
    Fetched(Box<Cache>),
}

/// The current token and how to get the next one.
pub(crate) struct Cache {
    credentials: Credentials,
    url: String,
    headers: HeaderMap,
    retry: RetryPolicy,
    current: RwLock<Option<Token>>,
    /// Held while a token is fetched, so that many calls at once fetch one. It holds the last failure, for those who waited
    /// meanwhile.
    fetching: tokio::sync::Mutex<Option<Failure>>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    renew_at: Instant,
    expires_at: Instant,
}

impl Token {
    fn is_good(&self) -> bool {
        system::now() < self.expires_at
    }
}

/// A fetch that failed.
struct Failure {
    error: Arc<TokenError>,
    at: Instant,
}

impl Cache {
    pub(crate) fn new(
        base_url: &str,
        credentials: Credentials,
        headers: HeaderMap,
        retry: RetryPolicy,
    ) -> Self {
        let url = format!("{base_url}{TOKEN_PATH}");
        let (current, fetching) = (RwLock::new(None), tokio::sync::Mutex::new(None));
        Self { credentials, url, headers, retry, current, fetching }
    }

    fn current(&self) -> Option<Token> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, token: Token) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// A token that is good. One that is still good is used rather than waited for, whatever becomes of its renewal.
    async fn header(&self, http: &reqwest::Client) -> Result<HeaderValue, Arc<TokenError>> {
        match self.current() {
            Some(token) if system::now() < token.renew_at => Ok(token.header),
            Some(token) if token.is_good() => self.renew(http).await.unwrap_or(Ok(token.header)),
            _ => self.other_than(http, None).await,
        }
    }

    /// Renews a token that is still good. One call tries it, and none again for a while; `None` tells that the token in hand
    /// is to be used.
    async fn renew(&self, http: &reqwest::Client) -> Option<Result<HeaderValue, Arc<TokenError>>> {
        let mut last = self.fetching.try_lock().ok()?;
        let token = self.current().filter(|token| system::now() >= token.renew_at)?;
        // Before the fetch, since the call that does it may be given up meanwhile.
        let renew_at = token.expires_at.min(system::now() + RENEW_AGAIN_AFTER);
        self.set(Token { renew_at, ..token.clone() });
        let fetched = self.fetch(http, &mut last).await;
        (fetched.is_ok() || !token.is_good()).then_some(fetched)
    }

    /// A token that is good and not the one that the server refused. Whoever waited while a fetch failed gets its failure: if
    /// each fetched anew, the last one would wait for the fetches of all.
    async fn other_than(
        &self,
        http: &reqwest::Client,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Arc<TokenError>> {
        let began_at = system::now();
        let mut last = self.fetching.lock().await;
        let current = self.current().filter(Token::is_good);
        if let Some(token) = current.filter(|token| Some(&token.header) != refused) {
            return Ok(token.header);
        }
        if let Some(failure) = last.as_ref().filter(|failure| failure.at > began_at) {
            return Err(Arc::clone(&failure.error));
        }
        self.fetch(http, &mut last).await
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        last: &mut Option<Failure>,
    ) -> Result<HeaderValue, Arc<TokenError>> {
        let fetched = self.exchange(http).await.map_err(Arc::new);
        if let Err(error) = &fetched {
            *last = Some(Failure { error: Arc::clone(error), at: system::now() });
        }
        fetched
    }

    /// Exchanges the credentials for a token, which is the current one from then on.
    async fn exchange(&self, http: &reqwest::Client) -> Result<HeaderValue, TokenError> {
        let asked_at = system::now();
        let response = self.ask(http).await?;
        let status = response.status();
        let body = response.bytes().await.map_err(TokenError::Read)?;
        if !status.is_success() {
            let told: Option<TokenErrorResponse> = serde_json::from_slice(&body).ok();
            let message = told.map_or_else(|| "no reason given".to_owned(), |told| told.message);
            return Err(TokenError::Refused { status, message });
        }
        let answer: TokenResponse = serde_json::from_slice(&body).map_err(TokenError::Payload)?;
        let header = bearer(&answer.access_token).map_err(TokenError::Header)?;
        let life = Duration::from_secs(u64::try_from(answer.expires_in).unwrap_or(0)).min(LIFE_MAX);
        let expires_at = asked_at + life;
        let renew_at = asked_at + life.saturating_sub(RENEW_BEFORE_MAX.min(life / 10));
        self.set(Token { header: header.clone(), renew_at, expires_at });
        Ok(header)
    }

    /// Asking twice only makes two tokens, so the request is repeated like one with an idempotent method.
    async fn ask(&self, http: &reqwest::Client) -> Result<reqwest::Response, TokenError> {
        let form = CreateTokenRequest {
            client_id: self.credentials.id.clone(),
            client_secret: self.credentials.secret.clone(),
            grant_type: GrantType::ClientCredentials,
        };
        let mut attempt = 1;
        loop {
            let sent = http.post(&self.url).headers(self.headers.clone()).form(&form).send().await;
            let outcome = match &sent {
                Ok(response) => Outcome::Answered {
                    status: response.status(),
                    retry_after: retry_after(response.headers(), system::calendar()),
                },
                Err(_) => Outcome::Lost,
            };
            match self.retry.wait(outcome, Safety::ByMethod, attempt, system::entropy()) {
                Some(wait) => system::sleep(wait).await,
                None => return sent.map_err(TokenError::Send),
            }
            attempt += 1;
        }
    }
}

impl Tokens {
    /// The `Authorization` of a call.
    pub(crate) async fn header(&self, http: &reqwest::Client) -> Result<HeaderValue, Arc<TokenError>> {
        match self {
            Self::Given(header) => Ok(header.clone()),
            Self::Fetched(cache) => cache.header(http).await,
        }
    }

    /// The `Authorization` to try instead of a refused one; `None` when there is no other.
    pub(crate) async fn after(&self, http: &reqwest::Client, refused: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Given(_) => None,
            Self::Fetched(cache) => cache.other_than(http, Some(refused)).await.ok(),
        }
    }
}

/// `Bearer …`, marked so that it is not printed.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
