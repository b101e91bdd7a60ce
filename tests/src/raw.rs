//! A connection on which a test sends whatever bytes it likes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::PATIENCE;

/// A connection.
pub struct RawConnection {
    stream: TcpStream,
    read: Vec<u8>,
    last: Reply,
}

/// What came of waiting for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// An answer with this status.
    Answer(u16),
    /// The other side closed the connection.
    Closed,
    /// Nothing, in the time there was.
    Silence,
}

impl RawConnection {
    /// Connects.
    pub async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self { stream, read: Vec::new(), last: Reply::Silence }
    }

    /// Connects as one who takes little at a time, so that most of a long answer waits with the server.
    pub async fn slow(address: SocketAddr) -> Self {
        /// The least that systems take; they round it up to a few KiB.
        const RECEIVE_BYTES: u32 = 2_048;
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BYTES).expect("a small buffer");
        let stream = socket.connect(address).await.expect("a connection");
        Self { stream, read: Vec::new(), last: Reply::Silence }
    }

    /// The next byte of an answer, which stays to be read; nothing when the other side has closed the connection.
    pub async fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        let peeked =
            tokio::time::timeout(PATIENCE, self.stream.peek(&mut byte)).await.expect("an answer begins");
        (peeked.expect("the connection is open") == 1).then_some(byte[0])
    }

    /// Sends bytes, unless the other side has closed the connection: says which.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Waits until the other side closes the connection; gives everything that came. A reset counts as an end.
    pub async fn until_closed(&mut self) -> String {
        let reading = async { while self.read_more().await {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server closes the connection");
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Waits for one whole answer, but not for long.
    pub async fn reply(&mut self, patience: Duration) -> Reply {
        let reading = async {
            loop {
                if let Some((status, bytes)) = whole_answer(&self.read) {
                    self.read.drain(..bytes);
                    return Reply::Answer(status);
                }
                if !self.read_more().await {
                    return Reply::Closed;
                }
            }
        };
        self.last = tokio::time::timeout(patience, reading).await.unwrap_or(Reply::Silence);
        self.last
    }

    /// What the last wait for an answer gave.
    pub fn last_reply(&self) -> Reply {
        self.last
    }

    /// Waits for one whole answer; gives its status.
    pub async fn answer(&mut self) -> u16 {
        self.answer_that_closes().await.0
    }

    /// Waits for one whole answer; gives its status, and whether it says that it is the last one of its connection.
    pub async fn answer_that_closes(&mut self) -> (u16, bool) {
        let reading = async {
            loop {
                if let Some((status, bytes)) = whole_answer(&self.read) {
                    let answer: Vec<u8> = self.read.drain(..bytes).collect();
                    let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
                    return (status, text.contains("\r\nconnection: close\r\n"));
                }
                let more = self.read_more().await;
                assert!(more, "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server answers")
    }

    async fn read_more(&mut self) -> bool {
        let mut part = vec![0; 16 * 1024];
        let read = self.stream.read(&mut part).await.unwrap_or(0);
        self.read.extend_from_slice(&part[..read]);
        read > 0
    }
}

/// The status and the length of an answer that is there whole.
fn whole_answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(Ok(0), str::parse);
    let whole = head + length.ok()?;
    (bytes.len() >= whole).then_some((status, whole))
}
