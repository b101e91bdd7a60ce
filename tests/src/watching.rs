//! A stream of server-sent events, read piece by piece, whose every event is judged by the contract.

use std::collections::VecDeque;

use serde_json::Value;

use crate::PATIENCE;
use crate::caller::Caller;
use crate::contract::contract;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it tells.
    pub data: Value,
}

/// The events in a text, and what is left of it after the last whole one. Comments are left out.
pub fn events_of(text: &str) -> (Vec<Event>, &str) {
    let end = text.rfind("\n\n").map_or(0, |at| at + 2);
    let events = text[..end].split("\n\n").filter_map(event_of).collect();
    (events, &text[end..])
}

fn event_of(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = field("data")?;
    Some(Event {
        id: field("id").unwrap_or_default().to_owned(),
        name: field("event").unwrap_or_default().to_owned(),
        data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{data}: {error}")),
    })
}

/// A stream that is being read.
pub struct Watching {
    response: reqwest::Response,
    rest: String,
    /// Events that have come and were not asked for yet.
    waiting: VecDeque<Event>,
    comments: usize,
}

impl Watching {
    /// Begins to watch; gives the refusal's status and body where there is one.
    pub async fn begin(caller: &Caller, path: &str, last_id: Option<&str>) -> Result<Self, (u16, Value)> {
        let mut call = caller.call("GET", path).header("accept", "text/event-stream");
        if let Some(id) = last_id {
            call = call.header("last-event-id", id);
        }
        let response = call.open().await;
        let status = response.status().as_u16();
        if status != 200 {
            let headers = response.headers().clone();
            let bytes = response.bytes().await.expect("the body arrives");
            let faults = contract().judge("GET", path, status, &headers, &bytes);
            assert!(faults.is_empty(), "{faults:#?}");
            return Err((status, serde_json::from_slice(&bytes).unwrap_or_default()));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"), "events are not held back");
        // The head is judged now; the events as they come.
        let faults = contract().judge("GET", path, status, response.headers(), b"");
        assert!(faults.is_empty(), "{faults:#?}");
        Ok(Self { response, rest: String::new(), waiting: VecDeque::default(), comments: 0 })
    }

    /// The next event; nothing when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        while self.waiting.is_empty() {
            if !self.read().await {
                return None;
            }
        }
        self.waiting.pop_front()
    }

    /// Waits until there is one more comment; gives how many there were.
    pub async fn comment(&mut self) -> usize {
        let before = self.comments;
        while self.comments == before {
            assert!(self.read().await, "the stream ended");
        }
        self.comments
    }

    /// Every event from here to the end of the stream.
    pub async fn to_end(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    async fn read(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
        let Some(chunk) = chunk.ok().flatten() else { return false };
        self.rest.push_str(std::str::from_utf8(&chunk).expect("events are text"));
        self.comments += chunk.windows(3).filter(|bytes| bytes == b"\n\n:").count();
        self.comments += usize::from(chunk.first() == Some(&b':'));
        let (events, rest) = events_of(&self.rest);
        let rest = rest.len();
        self.rest.drain(..self.rest.len() - rest);
        for event in &events {
            let faults = contract().component_faults("ops", "ProgressEvent", &event.data);
            assert!(faults.is_empty(), "{faults:#?}");
        }
        self.waiting.extend(events);
        true
    }
}
