//! Why a node could not start or stop.

use std::net::SocketAddr;

use payment_runs_engine::ports::StoreError;
use payment_runs_gateway::simulator::SimulatorError;
use payment_runs_gateway::stripe::ConfigError;
use payment_runs_server::SecretError;
use payment_runs_store::OpenError;
use tokio::task::JoinError;

use crate::tls::TlsError;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The database could not be opened.
    #[error("the database `{database}` could not be opened")]
    OpenStore {
        /// The database.
        database: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The task that opened the database ended early.
    #[error("the database could not be opened, because the task that does it ended early")]
    OpeningEnded(#[source] JoinError),
    /// What a first start needs could not be stored.
    #[error("the database could not be prepared")]
    Prepare(#[source] StoreError),
    /// The built-in simulator could not start.
    #[error("the built-in gateway simulator could not start")]
    Simulator(#[source] SimulatorError),
    /// The gateway's client could not be made.
    #[error("the gateway `{url}` cannot be used")]
    Gateway {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: ConfigError,
    },
    /// Payments are in doubt at another account of the gateway.
    #[error(
        "{in_doubt} payments in doubt belong to the account {account} of the gateway `{gateway}`, which charges at {found} now: \
         start with {account} again to learn what became of them, or with --gateway-moved if they were never charged there"
    )]
    AnotherAccount {
        /// The gateway's name.
        gateway: String,
        /// The account that the payments belong to.
        account: String,
        /// The account at which the gateway charges now.
        found: String,
        /// How many payments are in doubt.
        in_doubt: u64,
    },
    /// The given credentials are longer or shorter than the token endpoint takes them.
    #[error("a client id has 1 to 36 characters and its secret 1 to 42")]
    Credentials,
    /// The secret of the first client could not be hashed.
    #[error("the client could not be made")]
    Client(#[source] SecretError),
    /// The task that hashes ended early.
    #[error("the client could not be made, because the task that hashes its secret ended early")]
    HashingEnded(#[source] JoinError),
    /// The server cannot speak TLS.
    #[error("the server cannot speak TLS")]
    Tls(#[from] TlsError),
    /// The address is not to be had.
    #[error("the server cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
