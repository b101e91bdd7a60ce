//! The server's listener: connections within bounds, with or without TLS, and a clean stop.

#![expect(
    clippy::disallowed_methods,
    reason = "connections live in real time, on the machine's own tasks and timers"
)]

mod bounds;
mod early;
mod timed;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

pub use bounds::{
    BODY_PAUSE_TIMEOUT, BODY_TIMEOUT, CONNECTIONS_MAX, ConnectionBounds, DRAIN_BYTES_MAX, DRAIN_TIMEOUT,
    HANDSHAKE_TIMEOUT, HANDSHAKES_MAX, HEAD_BYTES_MAX, HEAD_TIMEOUT, HEADERS_MAX, LINGER_BYTES_MAX,
    LINGER_TIMEOUT, WRITE_PAUSE_TIMEOUT,
};
use early::Abandoned;
use timed::{TimedBody, TimedStream};

/// How long the listener rests when the system gives it no connection (for example: too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What is served, and within which bounds.
pub(crate) struct Service {
    router: Router,
    tls: Option<TlsAcceptor>,
    bounds: ConnectionBounds,
    handshakes: Semaphore,
}

impl Service {
    /// Serves these routes; with an acceptor of TLS, only through it.
    pub(crate) fn new(router: Router, tls: Option<TlsAcceptor>, bounds: ConnectionBounds) -> Self {
        Self { router, tls, bounds, handshakes: Semaphore::new(bounds.handshakes) }
    }
}

/// A listener that serves until it is told to stop.
#[derive(Debug)]
pub(crate) struct Acceptor {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Acceptor {
    /// Takes the address.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Starts to serve. `drain` bounds how long requests in flight may take after a stop.
    pub(crate) fn start(listener: TcpListener, service: Service, drain: Duration) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, Arc::new(service), stopped, drain));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets the requests in flight end within their bound, and closes what is left.
    pub(crate) async fn stop(self) {
        // Sending fails only when the task has ended, which is what is wanted.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the listener ended early");
        }
    }
}

async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut stopped: watch::Receiver<bool>,
    drain: Duration,
) {
    let places = Arc::new(Semaphore::new(service.bounds.connections));
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let accepted = tokio::select! {
            biased;
            () = told_to_stop(&mut stopped) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer, Arc::clone(&service), stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, all_ended).await.is_err() {
        tracing::warn!(open = connections.len(), "requests did not end in time and are cut off");
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are small and are awaited: filling packets first would only delay them.
    let _ = stream.set_nodelay(true);
    let abandoned = Abandoned::default();
    let stream = TimedStream::new(stream, &service.bounds, abandoned.clone());
    let Some(tls) = &service.tls else { return converse(stream, peer, &service, abandoned, stopped).await };
    let shaken = tokio::select! {
        biased;
        () = told_to_stop(&mut stopped) => return,
        shaken = shake_hands(tls, &service, stream) => shaken,
    };
    match shaken {
        Ok(stream) => converse(stream, peer, &service, abandoned, stopped).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

/// The handshake, in its turn and in its time.
async fn shake_hands<S>(tls: &TlsAcceptor, service: &Service, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let in_turn = async {
        let _turn = service.handshakes.acquire().await.map_err(io::Error::other)?;
        tls.accept(stream).await
    };
    let in_time = tokio::time::timeout(service.bounds.handshake_timeout, in_turn).await;
    in_time.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Requests and answers, until one side has had enough.
async fn converse<S>(
    stream: S,
    peer: SocketAddr,
    service: &Service,
    abandoned: Abandoned,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bounds = service.bounds;
    let requests = service_fn(|mut request: http::Request<Incoming>| {
        // The token endpoint counts by address.
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, abandoned) = (service.router.clone(), abandoned.clone());
        async move {
            if request.body().is_end_stream() {
                return router.oneshot(request.map(|_| Body::empty())).await;
            }
            let request = request.map(|body| TimedBody::new(body, &bounds));
            Ok(early::serve(router, request, abandoned).await)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), requests);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = told_to_stop(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends when the acceptor says so, or is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}
