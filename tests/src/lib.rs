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

use std::time::Duration;

pub use server::TestServer;

/// How long anything that a test waits for may take, in real time: many times what it takes on a busy machine. It costs nothing
/// while things work.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// A folder in memory where the machine has a place for that, for tests of what is not the disk.
pub fn memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// Waits until something holds, asking again at once and yielding in between; panics when it does not come to that.
pub async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, held).await.is_ok(), "it never came to this: {what}");
}

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
