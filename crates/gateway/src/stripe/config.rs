//! How one gateway of this dialect is reached.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::{InvalidUri, Scheme};
use payment_runs_engine::ports::GatewaySettings;
use thiserror::Error;

/// Calls under way at once unless configured.
const CONCURRENCY_DEFAULT: usize = 256;
/// How long one call may take unless configured. Card networks may take half a minute.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How long a key is remembered unless configured: the dialect promises at least a day.
const KEY_LIFE_DEFAULT: Duration = Duration::from_hours(24);

/// A secret that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one header that carries it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// How one gateway of this dialect is reached and used.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// Scheme (`http` or `https`), host and port, such as `https://gateway.example:8443`; no path.
    pub base_url: String,
    /// A PEM file of the authorities that may vouch for an `https` gateway; `None` means those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Goes into the `Authorization` header and nowhere else.
    pub secret_key: SecretKey,
    /// Bounds, and what the gateway promises.
    pub settings: GatewaySettings,
    /// Whether a search that finds nothing proves that nothing was charged. The simulator's does;
    /// the original's index lags behind its charges, so there an empty search proves nothing.
    pub look_up_is_authoritative: bool,
}

impl StripeConfig {
    /// A gateway with the usual settings and a search that is authoritative, as the simulator's is.
    pub fn new(base_url: impl Into<String>, secret_key: SecretKey) -> Self {
        let base_url = base_url.into();
        let settings = default_settings();
        Self { base_url, ca_file: None, secret_key, settings, look_up_is_authoritative: true }
    }
}

/// 256 calls under way, no rate limit, 30 s for a call, keys remembered for a day, with look-up.
pub fn default_settings() -> GatewaySettings {
    GatewaySettings {
        concurrency: CONCURRENCY_DEFAULT,
        rate_per_s: None,
        timeout: TIMEOUT_DEFAULT,
        key_life: KEY_LIFE_DEFAULT,
        supports_look_up: true,
    }
}

/// A gateway that cannot be used as configured.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// No address.
    #[error("`{url}` is no address of a gateway")]
    Address {
        /// As configured.
        url: String,
        /// Why.
        #[source]
        source: InvalidUri,
    },
    /// An address with too much or too little in it.
    #[error("`{url}` must be https://host:port or http://host:port, without a path")]
    Shape {
        /// As configured.
        url: String,
    },
    /// Authorities for an address without TLS.
    #[error("authorities are named for `{url}`, which is not https")]
    AuthoritiesWithoutTls {
        /// As configured.
        url: String,
    },
    /// Authorities that cannot be read.
    #[error("the authorities in `{}` cannot be used", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// TLS could not be prepared, for example because the system trusts nobody.
    #[error("TLS could not be prepared")]
    Tls(#[source] rustls::Error),
    /// A secret that no header can carry.
    #[error("the gateway's secret key holds characters that no header can carry")]
    SecretKey,
}

/// The base address without a slash at its end.
pub(super) fn parse_base_url(url: &str) -> Result<String, ConfigError> {
    let base = url.trim_end_matches('/');
    let uri: Uri = base.parse().map_err(|source| ConfigError::Address { url: url.to_owned(), source })?;
    let well_formed = [&Scheme::HTTP, &Scheme::HTTPS].into_iter().any(|scheme| uri.scheme() == Some(scheme))
        && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if well_formed { Ok(base.to_owned()) } else { Err(ConfigError::Shape { url: url.to_owned() }) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn only_bare_addresses_are_taken() {
        assert_eq!(parse_base_url("http://127.0.0.1:1/").unwrap(), "http://127.0.0.1:1");
        assert_eq!(parse_base_url("http://gateway").unwrap(), "http://gateway");
        assert_eq!(parse_base_url("https://gateway:8443/").unwrap(), "https://gateway:8443");
        for url in ["ftp://gateway", "https://gateway/v1", "gateway:80", "http://me:secret@gateway", "/", ""]
        {
            assert!(parse_base_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let config = StripeConfig::new("http://gateway", SecretKey::new("sk_test_very_secret"));
        assert!(!format!("{config:?}").contains("very_secret"));
    }
}
