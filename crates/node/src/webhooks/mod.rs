//! The way to the endpoints of webhooks: over HTTP, signed, and to public addresses only unless told otherwise.
//!
//! An endpoint is somebody's text, and the server stands where that somebody does not. So the address is judged when it is
//! resolved, and the connection is made to what was judged, so that a name which answers differently the next time gains
//! nothing; no redirect is followed, no proxy is asked, and nothing of the answer is kept but its status.

mod signature;
mod target;

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use payment_runs_engine::ids::WebhookId;
use payment_runs_engine::notify::{Attempt, IN_FLIGHT_MAX, NotificationKind, WebhookRequest, is_public};
use payment_runs_engine::ports::{TargetFault, WebhookSender};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer's body that are read, so that the connection can be used again; one with more is given up.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Addresses of a name at most; one with more is not somebody's endpoint.
const ADDRESSES_MAX: usize = 64;

const SIGNATURE_HEADER: &str = "payment-runs-signature";
const DELIVERY_HEADER: &str = "payment-runs-delivery";
const EVENT_HEADER: &str = "payment-runs-event";

/// Sends notifications over HTTP.
pub struct HttpWebhookSender {
    key: [u8; 32],
    allows_private: bool,
    timeout: Duration,
    /// Made when first used, since reading the machine's certificates takes a while.
    secure: OnceLock<Client>,
    plain: OnceLock<Client>,
}

impl HttpWebhookSender {
    /// A sender that derives secrets from this key. With `allows_private` it also sends to addresses that are not public, and
    /// without TLS. An attempt takes no longer than `timeout`, from the name to the last byte that is read.
    pub fn new(key: [u8; 32], allows_private: bool, timeout: Duration) -> Self {
        Self { key, allows_private, timeout, secure: OnceLock::new(), plain: OnceLock::new() }
    }

    fn client(&self, secure: bool) -> Option<&Client> {
        let cell = if secure { &self.secure } else { &self.plain };
        once_made(cell, || match build(secure, self.allows_private, self.timeout) {
            Ok(client) => Some(client),
            Err(error) => {
                tracing::error!(error = &*error, "the HTTP client of webhooks could not be set up");
                None
            }
        })
    }

    async fn exchange(&self, request: WebhookRequest) -> Result<u16, &'static str> {
        // What was allowed when the webhook was made may not be allowed any more.
        let url = target::parse(&request.url, self.allows_private)
            .map_err(|_| "the URL is not one that this server sends to")?;
        let client = self.client(url.scheme() == "https").ok_or("this server cannot make connections")?;
        let secrets = request.generations.iter().map(|generation| self.secret(request.webhook, *generation));
        let signature = signature::header(request.at, &request.body, secrets);
        let call = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .header(DELIVERY_HEADER, request.delivery.to_string())
            .header(EVENT_HEADER, event_name(request.kind))
            .body(request.body);
        let response = call.send().await.map_err(|error| why(&error))?;
        let status = response.status().as_u16();
        discard(response).await;
        Ok(status)
    }
}

#[async_trait]
impl WebhookSender for HttpWebhookSender {
    fn check(&self, url: &str) -> Result<String, TargetFault> {
        target::parse(url, self.allows_private).map(String::from)
    }

    fn secret(&self, webhook: WebhookId, generation: u32) -> String {
        signature::secret(&self.key, webhook, generation)
    }

    async fn send(&self, request: WebhookRequest) -> Attempt {
        match self.exchange(request).await {
            Ok(status) => Attempt::Answered(status),
            Err(why) => Attempt::Unanswered { why: why.to_owned() },
        }
    }
}

/// What a cell holds, made now if need be. What could not be made is tried again the next time: the machine may have been short of
/// files for a moment.
fn once_made<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Option<T>) -> Option<&T> {
    if cell.get().is_none()
        && let Some(made) = make()
    {
        // Somebody else may have made one meanwhile, which is as good.
        let _ = cell.set(made);
    }
    cell.get()
}

/// The event as the contract names it.
fn event_name(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::RunEnded => "payment_run_completed",
        NotificationKind::PaymentProcessed => "payment_processed",
        NotificationKind::PaymentDeclined => "payment_declined",
    }
}

fn build(
    secure: bool,
    allows_private: bool,
    timeout: Duration,
) -> Result<Client, Box<dyn StdError + Send + Sync>> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls(secure)?)
        .https_only(secure)
        .redirect(Policy::none())
        .no_proxy()
        .no_gzip()
        .referer(false)
        .dns_resolver(Arc::new(JudgedAddresses { allows_private }))
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(IN_FLIGHT_MAX)
        .user_agent(concat!("payment-runs/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// TLS against the machine's certificates.
fn tls(secure: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = if secure {
        config.with_platform_verifier()?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    Ok(config.with_no_client_auth())
}

/// Reads what a well-behaved endpoint answers, and lets go of a connection that brings more. Whatever happens here, the
/// status is known.
async fn discard(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > ANSWER_BYTES_MAX {
            return;
        }
    }
}

/// What went wrong, without what the network looks like from here.
fn why(error: &reqwest::Error) -> &'static str {
    if has_cause::<NotPublic>(error) {
        NOT_PUBLIC
    } else if error.is_timeout() {
        "no answer came in time"
    } else if error.is_connect() {
        "no connection could be made"
    } else {
        "the connection ended without an answer"
    }
}

fn has_cause<E: StdError + 'static>(error: &dyn StdError) -> bool {
    let mut cause = error.source();
    while let Some(one) = cause {
        if one.is::<E>() {
            return true;
        }
        cause = one.source();
    }
    false
}

const NOT_PUBLIC: &str = "the host has an address that is not public";

/// A name whose addresses are not all public.
#[derive(Debug, thiserror::Error)]
#[error("{NOT_PUBLIC}")]
struct NotPublic;

/// A name without addresses, or with too many.
#[derive(Debug, thiserror::Error)]
#[error("the host has no addresses that can be used")]
struct NoAddresses;

/// Resolves names by the system, and gives only what was judged: one address that is not public makes the whole name
/// useless, since nobody means to have such a one.
struct JudgedAddresses {
    allows_private: bool,
}

impl Resolve for JudgedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let allows_private = self.allows_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.take(ADDRESSES_MAX + 1).collect();
            judge(&found, allows_private)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn judge(addresses: &[SocketAddr], allows_private: bool) -> Result<(), Box<dyn StdError + Send + Sync>> {
    if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
        return Err(Box::new(NoAddresses));
    }
    if !allows_private && !addresses.iter().all(|address| is_public(address.ip())) {
        return Err(Box::new(NotPublic));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
