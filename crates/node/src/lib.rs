//! The composition: configuration in, a running node out.
//!
//! A [`Node`] is a store, the gateways, a server and a worker, wired together and to the machine: its clock, its random
//! bytes and its tasks are touched in this crate and behind the gateway, and nowhere else. [`testing`] starts a real node in
//! process, with time and identifiers in the test's hands.

mod acceptor;
mod config;
#[cfg(feature = "crash-points")]
pub mod crash_points;
mod encoder;
mod error;
mod first_start;
mod gateways;
mod node;
mod reconcile;
mod running;
mod seams;
mod system;
mod test_clock;
pub mod testing;
mod tls;
mod webhooks;

pub use acceptor::{
    BODY_PAUSE_TIMEOUT, BODY_TIMEOUT, CONNECTIONS_MAX, ConnectionBounds, DRAIN_BYTES_MAX, DRAIN_TIMEOUT,
    HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, HEAD_BYTES_MAX, HEAD_TIMEOUT, HEADERS_MAX, LINGER_BYTES_MAX,
    LINGER_TIMEOUT, WRITE_PAUSE_TIMEOUT,
};
pub use config::{
    Credentials, Database, FirstStart, GatewayChoice, LISTEN_DEFAULT, NodeConfig, ParseDatabaseError,
};
pub use error::NodeError;
pub use node::Node;
pub use payment_runs_server::Limits;
pub use payment_runs_store::{BackedUp, BackupError, Origin, back_up};
pub use reconcile::{GatewayReconciled, OfflineError, OfflineLedger, Reconciliation};
pub use seams::Seams;
pub use system::{SystemClock, SystemEntropy, SystemIds, SystemSpawner};
pub use test_clock::TestClock;
pub use tls::{TlsError, TlsFiles};
pub use webhooks::HttpWebhookSender;
