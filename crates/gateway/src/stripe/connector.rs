//! Connections to a gateway, plain or by TLS, made in their time or not at all.

use std::error::Error;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tower::Service;

use super::config::ConfigError;

type BoxError = Box<dyn Error + Send + Sync>;

/// Makes connections. The bound holds from the look-up of the name to the end of the TLS handshake, during all of which
/// nothing of a request has been sent.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

impl Connector {
    /// For a base address. Certificates are checked against the authorities in the file, or else against those that the
    /// system trusts.
    pub(super) fn new(base: &Uri, ca_file: Option<&Path>, timeout: Duration) -> Result<Self, ConfigError> {
        let tls = match (base.scheme() == Some(&Scheme::HTTPS), ca_file) {
            (true, Some(path)) => trusting(authorities(path)?)?,
            (true, None) => trusting_what_the_system_trusts()?,
            (false, Some(_)) => return Err(ConfigError::AuthoritiesWithoutTls { url: base.to_string() }),
            // Never asked: the only address is not encrypted.
            (false, None) => trusting(RootCertStore::empty())?,
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { inner, timeout })
    }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ConfigError::Tls)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn trusting_what_the_system_trusts() -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ConfigError::Tls)?;
    Ok(builder.with_platform_verifier().map_err(ConfigError::Tls)?.with_no_client_auth())
}

/// The certificates of a file in the PEM format.
fn authorities(path: &Path) -> Result<RootCertStore, ConfigError> {
    let failed = |source: BoxError| ConfigError::Authorities { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.into()))? {
        let certificate = certificate.map_err(|error| failed(error.into()))?;
        roots.add(certificate).map_err(|error| failed(error.into()))?;
    }
    if roots.is_empty() { Err(failed("it holds no certificate in the PEM format".into())) } else { Ok(roots) }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let (connecting, timeout) = (self.inner.call(address), self.timeout);
        Box::pin(async move {
            let in_time = tokio::time::timeout(timeout, connecting).await;
            in_time.unwrap_or_else(|_| Err(format!("no connection within {} ms", timeout.as_millis()).into()))
        })
    }
}
