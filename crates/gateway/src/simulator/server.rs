//! The simulator's listener: connections, bounds, and a clean stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

use super::bank::{Bank, BankSettings};
use super::effects::{sleep_ms, spawn};
use super::faults::Faults;
use super::journal::{JournalEntry, JournalError};
use super::routes::{CutBeforeAnswer, CutOnPurpose, Shared, router};

/// Connections open at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take to send a request's head.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open connections may finish their answers after a stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the listener rests when the system gives it no connection (for example: too many open files).
const ACCEPT_PAUSE_MS: u64 = 10;
/// A key is remembered for a day, as the dialect promises at least.
const KEY_LIFE_MS_DEFAULT: i64 = 24 * 60 * 60 * 1_000;

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long every answer takes, in milliseconds; that it names its account takes no time.
    pub latency_ms: u64,
    /// The seed of faults and ids.
    pub seed: u64,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Where the journal is kept; in memory alone where none is given.
    pub journal: Option<PathBuf>,
    /// How long an idempotency key is remembered, in milliseconds.
    pub key_life_ms: i64,
    /// Whether keys are honoured at all. Some gateways accept the header and ignore it.
    pub honours_keys: bool,
    /// Whether charges can be searched by reference.
    pub supports_lookup: bool,
    /// How long a new charge stays invisible to a search, in milliseconds. At 0 the search is
    /// authoritative: what it does not find was never charged. The original promises no such
    /// thing: there a new charge may take a minute to appear.
    pub search_lag_ms: i64,
    /// The one secret key that is accepted; any that is not empty where none is given.
    pub secret_key: Option<String>,
}

impl Default for SimulatorConfig {
    /// A faultless, fast bank on a free loopback port.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            latency_ms: 0,
            seed: 0,
            faults: Faults::default(),
            journal: None,
            key_life_ms: KEY_LIFE_MS_DEFAULT,
            honours_keys: true,
            supports_lookup: true,
            search_lag_ms: 0,
            secret_key: None,
        }
    }
}

/// A simulator that could not start.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// The address is not to be had.
    #[error("the gateway simulator cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The journal is not to be had.
    #[error("the gateway simulator cannot use its journal")]
    Journal(#[from] JournalError),
}

/// The gateway simulator.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts listening. Must be called inside a tokio runtime, on which it then runs.
    pub async fn start(config: SimulatorConfig) -> Result<SimulatorHandle, SimulatorError> {
        let settings = BankSettings {
            seed: config.seed,
            faults: config.faults,
            latency_ms: config.latency_ms,
            key_life_ms: config.key_life_ms,
            honours_keys: config.honours_keys,
            search_lag_ms: config.search_lag_ms,
        };
        let bank = match &config.journal {
            Some(path) => Bank::open(settings, path)?,
            None => Bank::new(settings),
        };
        let address = config.listen;
        let listen_error = |source| SimulatorError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let shared = Arc::new(Shared {
            bank,
            latency_ms: config.latency_ms,
            supports_lookup: config.supports_lookup,
            secret_key: config.secret_key,
        });
        let (stop, stopped) = watch::channel(false);
        let server = spawn(serve(listener, router(Arc::clone(&shared)), stopped));
        Ok(SimulatorHandle { address, shared, stop, server })
    }
}

/// A running simulator. It stops when the handle is dropped, too, though without waiting.
#[derive(Debug)]
pub struct SimulatorHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl SimulatorHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address for clients, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every delivery that charged or replayed so far, in order.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.shared.bank.journal()
    }

    /// How often each fault has struck, by name.
    pub fn faults(&self) -> Vec<(&'static str, u64)> {
        self.shared.bank.struck()
    }

    /// Stops listening and waits for the answers under way.
    pub async fn stop(self) {
        // A send fails only when the server has ended, which is what is wanted.
        let _ = self.stop.send(true);
        let _ = self.server.await;
    }
}

async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let stream = tokio::select! {
            biased;
            () = told_to_stop(&mut stopped) => break,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    connect(stream, router, stopped).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the gateway simulator got no connection");
                sleep_ms(ACCEPT_PAUSE_MS).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained =
        tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        connections.shutdown().await;
    }
}

async fn connect(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    // Answers are small and each is awaited: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(axum::body::Body::new)).await;
            refuse_cut(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = told_to_stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the gateway simulator ended early");
    }
}

/// Ends when the handle says so, or is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// An error here makes the server close the connection without a byte.
fn refuse_cut(response: Response) -> Result<Response, CutOnPurpose> {
    if response.extensions().get::<CutBeforeAnswer>().is_some() { Err(CutOnPurpose) } else { Ok(response) }
}
