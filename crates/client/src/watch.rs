//! Payment runs as they go on: server-sent events as a stream.

use futures_util::{Stream, StreamExt as _, stream};
use payment_runs_types::ops::ProgressEvent;

use crate::{Error, ops};

/// The longest event that is read, in bytes; the server's are a hundred times shorter.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// How many connections in a row may end without an event before the stream is given up. The server ends idle ones, and
/// each is tried as often as every other call.
const SILENT_CONNECTIONS_MAX: u32 = 10;

/// One event of a payment run that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// By which the server knows where to go on.
    pub id: Option<String>,
    /// How far the payment run is.
    pub event: ProgressEvent,
    /// Whether the payment run has ended; no event follows.
    pub is_last: bool,
}

impl<'a> ops::payment_runs::WatchPaymentRun<'a> {
    /// The events until the payment run has ended. A connection that is cut is taken up again after the last event.
    pub fn stream(self) -> impl Stream<Item = Result<Watched, Error>> + 'a {
        let watch = Watch { call: self, body: None, reader: Reader::default(), silent: 0, has_ended: false };
        stream::try_unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            Ok(next.map(|event| (event, watch)))
        })
    }
}

type Body = std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send + Sync>>;

struct Watch<'a> {
    call: ops::payment_runs::WatchPaymentRun<'a>,
    body: Option<Body>,
    reader: Reader,
    silent: u32,
    has_ended: bool,
}

impl Watch<'_> {
    async fn next(&mut self) -> Result<Option<Watched>, Error> {
        while !self.has_ended {
            if let Some(message) = self.reader.take()? {
                return self.accept(message).map(Some);
            }
            match &mut self.body {
                None => self.connect().await?,
                Some(body) => match body.next().await {
                    Some(Ok(bytes)) => self.reader.bytes.extend_from_slice(&bytes),
                    // The next connection goes on where this one was cut.
                    Some(Err(_)) | None => self.body = None,
                },
            }
        }
        Ok(None)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        if self.silent >= SILENT_CONNECTIONS_MAX {
            return Err(Error::Events(format!("{} connections ended without one", self.silent)));
        }
        self.silent += 1;
        self.reader = Reader::default();
        self.body = Some(self.call.clone().send().await?.into_inner().into_inner());
        Ok(())
    }

    fn accept(&mut self, message: Message) -> Result<Watched, Error> {
        self.silent = 0;
        self.has_ended = message.name == "end";
        if let Some(id) = &message.id {
            self.call = self.call.clone().last_event_id(id.clone());
        }
        let event = serde_json::from_str(&message.data)
            .map_err(|source| Error::Payload { body: message.data.into(), source })?;
        Ok(Watched { id: message.id, event, is_last: self.has_ended })
    }
}

/// Cuts the bytes of a stream into messages.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    message: Message,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    name: String,
    id: Option<String>,
    data: String,
}

impl Reader {
    /// The next message that is complete.
    fn take(&mut self) -> Result<Option<Message>, Error> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                if !message.data.is_empty() {
                    return Ok(Some(message));
                }
                continue;
            }
            self.read(line);
        }
        if self.bytes.len() + self.message.data.len() > EVENT_BYTES_MAX {
            return Err(Error::Events(format!("one is longer than {EVENT_BYTES_MAX} bytes")));
        }
        Ok(None)
    }

    /// A line is a field and its value; one without a field is a comment.
    fn read(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.name),
            "id" => self.message.id = Some(value.to_owned()),
            "data" if self.message.data.is_empty() => value.clone_into(&mut self.message.data),
            "data" => {
                self.message.data.push('\n');
                self.message.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn message(name: &str, id: Option<&str>, data: &str) -> Message {
        Message { name: name.to_owned(), id: id.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn messages_are_cut_out_wherever_the_bytes_break() {
        let text = ": alive\n\nevent: progress\r\nid: 7\r\ndata: {\"a\":1}\r\n\r\ndata:x\ndata: y\n\nevent: end\ndata: z\n\n";
        let expected = [
            message("progress", Some("7"), "{\"a\":1}"),
            message("", None, "x\ny"),
            message("end", None, "z"),
        ];
        for size in 1..=text.len() {
            let (mut reader, mut found) = (Reader::default(), Vec::new());
            for bytes in text.as_bytes().chunks(size) {
                reader.bytes.extend_from_slice(bytes);
                while let Some(message) = reader.take().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, expected, "in pieces of {size} bytes");
        }
    }

    #[test]
    fn a_message_without_an_end_is_given_up() {
        let mut reader = Reader { bytes: vec![b'x'; EVENT_BYTES_MAX + 1], message: Message::default() };
        assert!(matches!(reader.take(), Err(Error::Events(_))));
    }
}
