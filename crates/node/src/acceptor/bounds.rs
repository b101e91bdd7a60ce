//! What a connection may take of the server: time, bytes and places.

use std::time::Duration;

/// Connections open at once; further ones wait in the listener's queue. Each costs a file descriptor, of which a process
/// commonly has 1,024 or more after it asked; beyond that the listener rests between attempts.
pub const CONNECTIONS_MAX: usize = 4_096;

/// TLS handshakes under way at once; further ones wait for their turn, on their own time. A handshake costs a millisecond of
/// computing, so this is what a second of one core is worth, and nobody can make the server owe more than that.
pub const HANDSHAKES_MAX: usize = 1_024;

/// How long a TLS handshake may take, with the wait for its turn: a few round trips, also over a slow mobile network.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to send a request's head, and how long a connection may be idle before its next one, so that
/// slow senders and forgotten connections do not keep their places for ever.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a request's head: the request line with its query, and all headers. Fifty conditions with long lists fit.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of one request; a further one is refused. This is the HTTP library's own bound, which is kept, because to
/// configure it costs an allocation in every request; a test holds it to this value.
pub const HEADERS_MAX: usize = 100;

/// How long a client may pause within a request's body.
pub const BODY_PAUSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a whole request body may take: the largest one arrives in this time at 3.2 Mbit/s.
pub const BODY_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a client may leave an answer unread while there is more of it to send.
pub const WRITE_PAUSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a body that are read and dropped after a refusal that did not need it, to keep the connection: about what it costs to
/// open another one with TLS.
pub const DRAIN_BYTES_MAX: u64 = 256 * 1024;

/// How long such a refusal waits for the rest of the body. A client that sends head and body in two writes needs one round trip.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are read and dropped after the last answer of a connection whose client still sends: the largest body. To close it
/// at once would reset the connection, and the client might lose the answer.
pub const LINGER_BYTES_MAX: usize = 48 * 1024 * 1024;

/// How long that may take.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection may take of the server. Whoever exceeds a bound loses the connection, and nobody else notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// Connections open at once.
    pub connections: usize,
    /// TLS handshakes under way at once.
    pub handshakes: usize,
    /// How long a TLS handshake may take, with the wait for its turn.
    pub handshake_timeout: Duration,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head_timeout: Duration,
    /// How long a client may pause within a request's body.
    pub body_pause_timeout: Duration,
    /// How long a whole request body may take.
    pub body_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_pause_timeout: Duration,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            handshakes: HANDSHAKES_MAX,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            head_timeout: HEAD_TIMEOUT,
            body_pause_timeout: BODY_PAUSE_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            write_pause_timeout: WRITE_PAUSE_TIMEOUT,
        }
    }
}
