//! An endpoint of a webhook: a real HTTP server on loopback that keeps what it gets and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use payment_runs_client::webhook;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::PATIENCE;

/// Bytes of a request at most.
const REQUEST_BYTES_MAX: usize = 128 * 1024;

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With this status.
    Status(u16),
    /// With a redirect to this place.
    Redirect(String),
    /// Not at all, and the connection stays open.
    Hang,
    /// Not at all, and the connection is closed.
    Close,
    /// With a success whose body never ends.
    Endless,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method and path.
    pub line: String,
    headers: Vec<(String, String)>,
    /// The body's bytes.
    pub bytes: Vec<u8>,
    /// The body.
    pub body: Value,
}

impl Received {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map_or_else(|| panic!("there is no header {name}"), |(_, value)| value)
    }

    /// The delivery's id, which the header and the body agree on.
    pub fn delivery(&self) -> String {
        let id = self.body["id"].as_str().expect("a notification has an id").to_owned();
        assert_eq!(self.header(webhook::DELIVERY_HEADER), id);
        id
    }

    /// The event, which the header and the body agree on.
    pub fn event(&self) -> String {
        let event = self.body["event"].as_str().expect("a notification has an event").to_owned();
        assert_eq!(self.header(webhook::EVENT_HEADER), event);
        event
    }

    /// Whether a receiver of others believes it now.
    pub fn is_signed(&self, secret: &str) -> bool {
        webhook::read(secret, self.header(webhook::SIGNATURE_HEADER), &self.bytes).is_ok()
    }

    /// Whether the signature was good at a time.
    pub fn is_signed_at(&self, secret: &str, at: jiff::Timestamp) -> bool {
        let header = self.header(webhook::SIGNATURE_HEADER);
        webhook::verify(secret, header, &self.bytes, at.into(), Duration::ZERO).is_ok()
    }
}

/// A receiver on a free port.
pub struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Receiver<usize>,
    script: Arc<Mutex<Script>>,
}

/// What is answered, unless with 200.
#[derive(Default)]
struct Script {
    next: VecDeque<Reply>,
    refused: Option<String>,
}

impl Script {
    fn reply(&mut self, request: &Received) -> Reply {
        let is_refused = self.refused.as_ref().is_some_and(|text| request.body.to_string().contains(text));
        let next = self.next.pop_front();
        if is_refused { Reply::Status(503) } else { next.unwrap_or(Reply::Status(200)) }
    }
}

impl Receiver {
    /// Starts; what it is not told otherwise it answers with 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, count) = watch::channel(0);
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(Script::default()));
        let (kept, told) = (Arc::clone(&received), Arc::clone(&script));
        #[expect(clippy::disallowed_methods, reason = "a test's own server belongs to no replay")]
        tokio::spawn(async move {
            let sender = Arc::new(sender);
            while let Ok((stream, _)) = listener.accept().await {
                let served = serve(stream, Arc::clone(&kept), Arc::clone(&sender), Arc::clone(&told));
                tokio::spawn(served);
            }
        });
        Self { url: format!("http://{address}/hooks"), received, count, script }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers the next requests like this, in this order.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().next.extend(replies);
    }

    /// Answers requests whose body holds this text with 503, until it is told otherwise.
    pub fn refuse(&self, text: Option<String>) {
        self.script.lock().unwrap().refused = text;
    }

    /// Everything it got so far.
    pub fn so_far(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until it got so many; gives all.
    pub async fn received(&self, count: usize) -> Vec<Received> {
        let mut seen = self.count.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| *seen >= count)).await;
        let so_far = self.so_far();
        assert!(waited.is_ok(), "only {} of {count} came: {so_far:#?}", so_far.len());
        so_far
    }
}

async fn serve(
    mut stream: TcpStream,
    received: Arc<Mutex<Vec<Received>>>,
    count: Arc<watch::Sender<usize>>,
    script: Arc<Mutex<Script>>,
) {
    while let Some(request) = read(&mut stream).await {
        let reply = script.lock().unwrap().reply(&request);
        received.lock().unwrap().push(request);
        count.send_modify(|count| *count += 1);
        let head = |status: u16, more: &str| format!("HTTP/1.1 {status} Reply\r\n{more}\r\n");
        let answer = match reply {
            Reply::Status(status) => head(status, "content-length: 2\r\n") + "ok",
            Reply::Redirect(to) => head(307, &format!("location: {to}\r\ncontent-length: 0\r\n")),
            Reply::Hang => std::future::pending().await,
            Reply::Close => return,
            Reply::Endless => {
                let _ = stream.write_all(head(200, "").as_bytes()).await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads one request; none when the connection ends.
async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        assert!(bytes.len() < REQUEST_BYTES_MAX, "a request is too large");
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).expect("a head is text");
    let mut lines = text.lines().map(str::to_owned);
    let line = lines.next()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        })
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    assert!(length < REQUEST_BYTES_MAX, "a request is too large");
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Received { line, headers, bytes: body, body: value })
}
