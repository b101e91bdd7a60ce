//! Server-sent events, read from the body of a streaming operation.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{Stream, StreamExt, stream};
use serde::de::DeserializeOwned;

/// Bytes of one event at most; what is longer is no event of this API.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<T> {
    /// Its identifier: to go on after a cut, repeat the call with the last one in `last-event-id`.
    pub id: Option<String>,
    /// Its name, such as `progress` or `end`.
    pub name: Option<String>,
    /// What it tells.
    pub data: T,
}

/// Why there is no further event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The connection was cut.
    #[error("the events could not be read")]
    Read(#[source] reqwest::Error),
    /// An event does not tell what it should.
    #[error("an event could not be understood")]
    Malformed(#[source] serde_json::Error),
    /// An event is longer than any event of this API.
    #[error("an event has more than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// Connections end without an event, and without a sign that the server goes on watching.
    #[error("{connections} connections in a row ended without an event")]
    Silent {
        /// How many there were.
        connections: u32,
    },
}

/// The events in a body, one by one. Comments, which keep the connection alive, are left out. After an error there are no
/// more.
///
/// ```no_run
/// # async fn example(client: payment_runs_client::Connection) -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
/// use payment_runs_client::{events, types::ops::ProgressEvent};
///
/// let body = client.ops().watch_payment_run().key("PR-00000001").send().await?.into_inner();
/// let mut events = std::pin::pin!(events::<ProgressEvent>(body.into_inner()));
/// while let Some(event) = events.next().await {
///     println!("{} documents", event?.data.progress.documents_planned);
/// }
/// # Ok(())
/// # }
/// ```
pub fn events<T: DeserializeOwned>(
    body: impl Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
) -> impl Stream<Item = Result<Event<T>, EventError>> {
    heard(body).filter_map(|heard| ready(heard.map(Heard::event).transpose()))
}

/// What a stream tells.
pub(crate) enum Heard<T> {
    Event(Event<T>),
    /// A comment, or another block without data: the server is well and has nothing to tell.
    Comment,
}

impl<T> Heard<T> {
    fn event(self) -> Option<Event<T>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Comment => None,
        }
    }
}

/// Like [`events`], with the comments.
pub(crate) fn heard<T: DeserializeOwned>(
    body: impl Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
) -> impl Stream<Item = Result<Heard<T>, EventError>> {
    let reader = Reader { body: Some(body), rest: Vec::new(), blocks: VecDeque::new() };
    stream::unfold(reader, |mut reader| async move {
        let heard = reader.next().await?;
        if heard.is_err() {
            reader.body = None;
            reader.blocks.clear();
        }
        Some((heard, reader))
    })
}

struct Reader<B> {
    /// Gone after an error.
    body: Option<B>,
    rest: Vec<u8>,
    /// Whole blocks that were not looked at yet.
    blocks: VecDeque<Vec<u8>>,
}

impl<B: Stream<Item = Result<Bytes, reqwest::Error>> + Unpin> Reader<B> {
    async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<Heard<T>, EventError>> {
        loop {
            if let Some(block) = self.blocks.pop_front() {
                return Some(parse(&block));
            }
            match self.body.as_mut()?.next().await? {
                Ok(bytes) => self.take(&bytes),
                Err(error) => return Some(Err(EventError::Read(error))),
            }
            if self.rest.len() > EVENT_BYTES_MAX {
                return Some(Err(EventError::TooLong));
            }
        }
    }

    /// Takes bytes in, and cuts off what ends with an empty line.
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\r' {
                self.rest.push(byte);
            }
            if self.rest.ends_with(b"\n\n") {
                self.blocks.push_back(std::mem::take(&mut self.rest));
            }
        }
    }
}

/// Reads a block; one without data is no event.
fn parse<T: DeserializeOwned>(block: &[u8]) -> Result<Heard<T>, EventError> {
    let text = String::from_utf8_lossy(block);
    let field = |name: &str| {
        let values = text.lines().filter_map(move |line| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(value.strip_prefix(' ').unwrap_or(value).to_owned())
        });
        values.collect::<Vec<String>>()
    };
    let data = field("data");
    if data.is_empty() {
        return Ok(Heard::Comment);
    }
    let data = serde_json::from_str(&data.join("\n")).map_err(EventError::Malformed)?;
    Ok(Heard::Event(Event { id: field("id").pop(), name: field("event").pop(), data }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    async fn read(pieces: &[&str]) -> Vec<Result<Event<i64>, EventError>> {
        let pieces: Vec<Result<Bytes, reqwest::Error>> =
            pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect();
        events(stream::iter(pieces)).collect().await
    }

    fn event(id: Option<&str>, name: Option<&str>, data: i64) -> Event<i64> {
        Event { id: id.map(str::to_owned), name: name.map(str::to_owned), data }
    }

    #[tokio::test]
    async fn events_are_read_however_they_are_cut() {
        let whole = ": hello\n\nid: a\nevent: progress\ndata: 1\n\n:\n\nid:b\r\nevent:end\r\ndata:\r\ndata: 2\r\n\r\ndata: 3\n\ndata: 4";
        let expected =
            [event(Some("a"), Some("progress"), 1), event(Some("b"), Some("end"), 2), event(None, None, 3)];
        for size in [1, 2, 3, 7, 1_000] {
            let pieces: Vec<&str> =
                whole.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
            let events: Vec<_> = read(&pieces).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(events, expected, "{size}");
        }
    }

    #[tokio::test]
    async fn what_is_no_event_ends_the_stream() {
        let events = read(&["data: 1\n\ndata: x\n\ndata: 2\n\n"]).await;
        assert_eq!(events.len(), 2);
        assert!(matches!(events[1], Err(EventError::Malformed(_))));
        let long = "x".repeat(EVENT_BYTES_MAX + 1);
        assert!(matches!(read(&[&long, "\n\n"]).await[..], [Err(EventError::TooLong)]));
    }
}
