//! The kit of the integration tests: a caller whose answers are judged by the contract, the samples, and a world to
//! call into.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test fails by panicking"
)]

pub mod authority;
pub mod caller;
pub mod contract;
pub mod raw;
pub mod receiver;
pub mod samples;
pub mod server;
pub mod watching;
pub mod world;

pub use server::TestServer;

/// An HTTP client that inflates answers and uses no proxy.
pub fn http_client() -> reqwest::Client {
    http_builder().build().expect("an HTTP client")
}

/// The same client before it is built. The provider of cryptography is named, since none is compiled in by default.
pub fn http_builder() -> reqwest::ClientBuilder {
    // Installing it a second time is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}
