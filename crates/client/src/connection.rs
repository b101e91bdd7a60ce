//! A connection to one server: how it is built, and the clients it hands out.

use std::sync::Arc;
use std::time::Duration;

use http::header::{InvalidHeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::RootCertStore;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::retry::RetryPolicy;
use crate::token::{Cache, Credentials, Tokens, bearer};
use crate::transport::{Shared, Transport};
use crate::{ops, v1, v2};

/// How long a connection may take to come up, unless the builder says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one attempt may take from the connection to the answer's last byte, unless the builder says otherwise. Servers
/// of this API give up after as long.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(2);

/// A server, its credentials and how to call it.
///
/// Cheap to clone; the clones and all clients share connections, token and settings.
#[derive(Clone, Debug)]
pub struct Connection {
    v1: v1::Client,
    v2: v2::Client,
    ops: ops::Client,
}

impl Connection {
    /// Starts a connection to a server, named by scheme and host and, behind a proxy, a path: `https://rest.example.com`.
    pub fn builder(base_url: impl Into<String>) -> ConnectionBuilder {
        ConnectionBuilder {
            base_url: base_url.into(),
            credentials: None,
            token: None,
            retry: RetryPolicy::default(),
            headers: Vec::new(),
            idempotency_keys: true,
            compress_requests: true,
            connect_timeout: CONNECT_TIMEOUT,
            attempt_timeout: ATTEMPT_TIMEOUT,
            http: None,
        }
    }

    /// The v1 API, with object query, OAuth and the billing objects.
    pub fn v1(&self) -> &v1::Client {
        &self.v1
    }

    /// The v2 (quickstart) API.
    pub fn v2(&self) -> &v2::Client {
        &self.v2
    }

    /// The API for operators, which this project's own server has.
    pub fn ops(&self) -> &ops::Client {
        &self.ops
    }
}

/// Why a connection could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is not absolute, or not http or https, or carries a query or a fragment.
    #[error("`{base_url}` is not the base URL of a server: such as https://rest.example.com")]
    BaseUrl {
        /// As given.
        base_url: String,
    },
    /// A header's name is not allowed in HTTP.
    #[error("`{name}` is not the name of a header")]
    HeaderName {
        /// As given.
        name: String,
        /// What is wrong with it.
        source: InvalidHeaderName,
    },
    /// A header's value holds bytes that are not allowed in HTTP.
    #[error("the value of the header `{name}` cannot be sent")]
    HeaderValue {
        /// The header.
        name: String,
        /// What is wrong with it.
        source: InvalidHeaderValue,
    },
    /// The machine's certificates could not be used.
    #[error("TLS could not be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

/// The settings of a [`Connection`].
#[must_use = "nothing is connected before `build`"]
pub struct ConnectionBuilder {
    base_url: String,
    credentials: Option<Credentials>,
    token: Option<String>,
    retry: RetryPolicy,
    headers: Vec<(String, String)>,
    idempotency_keys: bool,
    compress_requests: bool,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    http: Option<reqwest::Client>,
}

impl ConnectionBuilder {
    /// The client's id and secret. The first call exchanges them for a bearer token, which is renewed when its time
    /// comes and when the server refuses it.
    pub fn credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some(Credentials { id: id.into(), secret: secret.into() });
        self
    }

    /// A bearer token had elsewhere, instead of credentials. It is sent as it is and never renewed.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How often and how long calls are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// A header of every call that does not set it itself, such as `Zuora-Entity-Ids` or `Zuora-Version`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The `Zuora-Track-Id` of every call that does not set its own: at most 64 printable US-ASCII characters without
    /// colon, semicolon and quotes, which the server repeats in its answers.
    pub fn track_id(self, track_id: impl Into<String>) -> Self {
        self.header("zuora-track-id", track_id)
    }

    /// Whether a POST or PATCH without an `Idempotency-Key` gets one, which makes it safe to repeat. On by default.
    pub fn idempotency_keys(mut self, generate: bool) -> Self {
        self.idempotency_keys = generate;
        self
    }

    /// Whether request bodies above 1000 bytes are sent with gzip. On by default.
    pub fn compress_requests(mut self, compress: bool) -> Self {
        self.compress_requests = compress;
        self
    }

    /// How long a connection may take to come up. 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, up to the answer's last byte. 120 s by default.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// An HTTP client of the caller's, for proxies or certificates of one's own. Its timeouts hold instead of the ones set
    /// here. It should not follow redirects, which would carry the token elsewhere.
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Builds the connection. Nothing is sent yet.
    pub fn build(self) -> Result<Connection, BuildError> {
        let base_url = base_url(&self.base_url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        let http = match &self.http {
            Some(http) => http.clone(),
            None => self.default_http(base_url.starts_with("https:"))?,
        };
        let tokens = match (self.token, self.credentials) {
            (Some(token), _) => {
                let name = "authorization".to_owned();
                let token = bearer(&token).map_err(|source| BuildError::HeaderValue { name, source })?;
                Some(Tokens::Given(token))
            }
            (None, Some(credentials)) => {
                let cache = Cache::new(&base_url, credentials, headers.clone(), self.retry.clone());
                Some(Tokens::Fetched(Box::new(cache)))
            }
            (None, None) => None,
        };
        let shared = Arc::new(Shared {
            http: http.clone(),
            tokens,
            retry: self.retry,
            headers,
            idempotency_keys: self.idempotency_keys,
            compress_requests: self.compress_requests,
        });
        let transport = |operations| Transport::new(Arc::clone(&shared), operations);
        let below = |path: &str| format!("{base_url}{path}");
        Ok(Connection {
            v1: v1::Client::new_with_client(&below(v1::BASE_PATH), http.clone(), transport(v1::OPERATIONS)),
            v2: v2::Client::new_with_client(&below(v2::BASE_PATH), http.clone(), transport(v2::OPERATIONS)),
            ops: ops::Client::new_with_client(&below(ops::BASE_PATH), http, transport(ops::OPERATIONS)),
        })
    }

    fn default_http(&self, secure: bool) -> Result<reqwest::Client, BuildError> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls(secure).map_err(BuildError::Tls)?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .timeout(self.attempt_timeout)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(BuildError::Http)
    }
}

/// TLS by ring, whatever the process's default provider is, against the machine's certificates.
pub(crate) fn tls(secure: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = if secure {
        config.with_platform_verifier()?
    } else {
        // Plain HTTP never asks for a certificate, and reading the machine's store takes longer than most calls.
        config.with_root_certificates(RootCertStore::empty())
    };
    Ok(config.with_no_client_auth())
}

/// The base URL without its last slash.
fn base_url(given: &str) -> Result<String, BuildError> {
    let refuse = || BuildError::BaseUrl { base_url: given.to_owned() };
    let url = reqwest::Url::parse(given).map_err(|_| refuse())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !plain || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), BuildError> {
    let parsed = HeaderName::try_from(name)
        .map_err(|source| BuildError::HeaderName { name: name.to_owned(), source })?;
    let value = HeaderValue::try_from(value)
        .map_err(|source| BuildError::HeaderValue { name: name.to_owned(), source })?;
    Ok((parsed, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn base_urls() {
        for (given, kept) in [
            ("https://rest.example.com", Some("https://rest.example.com")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("https://gate.example.com/billing/", Some("https://gate.example.com/billing")),
            ("rest.example.com", None),
            ("ftp://rest.example.com", None),
            ("https://rest.example.com/?a=1", None),
            ("https://id:secret@rest.example.com", None),
        ] {
            assert_eq!(base_url(given).ok().as_deref(), kept, "{given}");
        }
    }

    #[test]
    fn tls_comes_up_beside_any_default_provider() {
        Connection::builder("https://rest.example.com").credentials("id", "secret").build().unwrap();
        tls(true).unwrap();
        tls(false).unwrap();
    }

    #[test]
    fn a_bad_header_is_named() {
        let error = Connection::builder("http://localhost").header("not a name", "x").build().unwrap_err();
        assert_eq!(error.to_string(), "`not a name` is not the name of a header");
        let error = Connection::builder("http://localhost").track_id("line\nbreak").build().unwrap_err();
        assert_eq!(error.to_string(), "the value of the header `zuora-track-id` cannot be sent");
    }

    #[test]
    fn secrets_are_not_printed() {
        let connection =
            Connection::builder("http://localhost").credentials("id", "opensesame").build().unwrap();
        assert!(!format!("{connection:?}").contains("opensesame"));
    }
}
