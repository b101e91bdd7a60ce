//! Calls over HTTP/1.1 with pooled connections, plain or by TLS.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::config::{ConfigError, StripeConfig, parse_base_url};
use super::connector::Connector;
use super::exchange::{Exchange, ExchangeAnswer, ExchangeError, ExchangeRequest, Target};
use super::form::{list_query, search_query};

/// An answer is a few kilobytes; a page of a hundred found charges stays below this.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an unused connection is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// A connection is made within this, with its TLS handshake, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const VERSION: HeaderName = HeaderName::from_static("stripe-version");
/// The version of the dialect whose fields are sent and read here. Without it an answer has the shape of the account's own version.
const DIALECT_VERSION: HeaderValue = HeaderValue::from_static("2024-06-20");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A gateway over HTTP.
#[derive(Debug)]
pub struct HyperExchange {
    client: Client<Connector, Full<Bytes>>,
    base_url: String,
    payment_intents: Uri,
    payment_methods: Uri,
    account: Uri,
    /// Marked as sensitive, so that nothing prints it.
    authorization: HeaderValue,
}

impl HyperExchange {
    /// Prepares calls; connects to nothing yet.
    pub fn new(config: &StripeConfig) -> Result<Self, ConfigError> {
        let base_url = parse_base_url(&config.base_url)?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", config.secret_key.reveal()))
            .map_err(|_| ConfigError::SecretKey)?;
        authorization.set_sensitive(true);
        let uri = |path: &str| {
            let url = format!("{base_url}{path}");
            url.parse().map_err(|source| ConfigError::Address { url, source })
        };
        let connect_timeout = connect_timeout(config.settings.timeout);
        let connector = Connector::new(&uri("")?, config.ca_file.as_deref(), connect_timeout)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(config.settings.concurrency)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self {
            client,
            payment_intents: uri("/v1/payment_intents")?,
            payment_methods: uri("/v1/payment_methods")?,
            account: uri("/v1/account")?,
            authorization,
            base_url,
        })
    }

    fn with_query(&self, path: &str, query: &str) -> Result<Uri, ExchangeError> {
        format!("{}{path}?{query}", self.base_url).parse().map_err(not_sent)
    }

    fn request(&self, request: &ExchangeRequest) -> Result<Request<Full<Bytes>>, ExchangeError> {
        let (method, uri) = match &request.target {
            Target::CreatePaymentIntent => (Method::POST, self.payment_intents.clone()),
            Target::CreatePaymentMethod => (Method::POST, self.payment_methods.clone()),
            Target::GetAccount => (Method::GET, self.account.clone()),
            Target::SearchPaymentIntents { reference } => {
                (Method::GET, self.with_query("/v1/payment_intents/search", &search_query(reference))?)
            }
            Target::ListPaymentIntents { since_s, after } => {
                let query = list_query(*since_s, after.as_deref());
                (Method::GET, self.with_query("/v1/payment_intents", &query)?)
            }
        };
        let mut wire = Request::new(Full::new(request.body.clone()));
        if method == Method::POST {
            wire.headers_mut().insert(header::CONTENT_TYPE, FORM);
        }
        *wire.method_mut() = method;
        *wire.uri_mut() = uri;
        wire.headers_mut().insert(header::AUTHORIZATION, self.authorization.clone());
        wire.headers_mut().insert(VERSION, DIALECT_VERSION);
        if let Some(key) = &request.idempotency_key {
            let key = HeaderValue::try_from(key.as_str()).map_err(not_sent)?;
            wire.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        Ok(wire)
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<ExchangeAnswer, ExchangeError> {
        let response = self.client.request(request).await.map_err(|error| {
            let connected = !error.is_connect();
            if connected { ExchangeError::Broken(error.into()) } else { not_sent(error) }
        })?;
        read(response).await
    }
}

/// How long a connection may take where a call may take so long: less, so that a call that ends before there is a connection is
/// known not to have been sent, and is not taken for one whose answer is missing.
fn connect_timeout(timeout: Duration) -> Duration {
    CONNECT_TIMEOUT.min(timeout / 2)
}

fn not_sent(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ExchangeError {
    ExchangeError::NotConnected(error.into())
}

async fn read(response: Response<Incoming>) -> Result<ExchangeAnswer, ExchangeError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(ExchangeError::Broken)?;
    let retry_after = retry_after(&head.headers);
    Ok(ExchangeAnswer { status: head.status.as_u16(), retry_after, body: body.to_bytes() })
}

/// How long the gateway wants to be left alone. A time is counted from the gateway's own `Date`, so that it does not matter how far
/// the clocks are apart.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let wanted = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text| httpdate::parse_http_date(text).ok();
    Some(time(wanted)?.duration_since(time(text(header::DATE)?)?).unwrap_or_default())
}

#[async_trait]
impl Exchange for HyperExchange {
    async fn exchange(
        &self,
        request: &ExchangeRequest,
        timeout: Duration,
    ) -> Result<ExchangeAnswer, ExchangeError> {
        let wire = self.request(request)?;
        // The real timer, whatever clock the business runs by: a peer's silence is measured in its time.
        tokio::time::timeout(timeout, self.call(wire)).await.unwrap_or(Err(ExchangeError::TimedOut(timeout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_time() {
        let wait = |fields: &[(HeaderName, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            retry_after(&fields.collect()).map(|wait| wait.as_secs())
        };
        let (after, date) = (header::RETRY_AFTER, header::DATE);
        let now = (date, "Tue, 01 Dec 2026 10:00:00 GMT");
        assert_eq!(wait(&[(after.clone(), "7")]), Some(7));
        assert_eq!(wait(&[now.clone(), (after.clone(), "Tue, 01 Dec 2026 10:01:30 GMT")]), Some(90));
        assert_eq!(
            wait(&[now.clone(), (after.clone(), "Tue, 01 Dec 2026 09:00:00 GMT")]),
            Some(0),
            "it is over"
        );
        assert_eq!(wait(&[(after.clone(), "Tue, 01 Dec 2026 10:01:30 GMT")]), None, "nothing to count from");
        assert_eq!(wait(&[now, (after, "soon")]), None);
        assert_eq!(wait(&[]), None);
    }
}
