//! The whole server against whatever may arrive on a socket: it never panics, never answers with a fault of its own, and is
//! well afterwards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{panic, thread};

use payment_runs_node::testing::TestNode;
use payment_runs_server::Limits;
use payment_runs_tests::TestServer;
use payment_runs_tests::raw::{RawConnection, Reply};
use tokio::runtime::Runtime;

use crate::corpus;

/// How long a request may stay unanswered before it counts as unfinished, and the connection is closed on this side.
const SILENCE: Duration = Duration::from_millis(80);

const WORDS: &[&str] = &[
    "\r\n",
    " ",
    ":",
    "?",
    "&",
    "%00",
    "%ff",
    "%2f",
    "[",
    "]",
    "{",
    "}",
    "\"",
    ",",
    "null",
    "true",
    "1e999",
    "-1",
    "''",
    "99999999999999999999",
    "2024-02-30",
    "targetDate",
    "runDate",
    "data",
    "amount",
    "accountId",
    "filter[]=",
    "sort[]=",
    "cursor=",
    "page=",
    "pageSize=",
    "content-encoding: gzip\r\n",
    "transfer-encoding: chunked\r\n",
    "idempotency-key: ",
    "zuora-entity-ids: ",
    "zuora-version: 1.0\r\n",
    "accept: ",
    "accept-encoding: ",
    "\u{0}",
    "é",
    "{token}",
];

/// Panics of any thread since the test began.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// The request of a file: the token is put in, and the length of the body as it is now.
fn request(input: &[u8], token: &str) -> Vec<u8> {
    let end = input.windows(4).position(|four| four == b"\r\n\r\n").map_or(input.len(), |at| at + 4);
    let (head, body) = input.split_at(end);
    let head = replace(head, b"{token}", token.as_bytes());
    [replace(&head, b"{length}", body.len().to_string().as_bytes()), body.to_vec()].concat()
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let Some(at) = bytes.windows(what.len()).position(|part| part == what) else { return bytes.to_vec() };
    [&bytes[..at], with, &bytes[at + what.len()..]].concat()
}

async fn throw(server: &TestServer, input: &[u8]) {
    let mut connection = RawConnection::to(server.node().node().address()).await;
    connection.send(&request(input, &server.token())).await;
    if connection.reply(SILENCE).await == Reply::Silence {
        connection.finish().await;
        let late = connection.until_closed().await;
        assert!(!late.contains("HTTP/1.1 500"), "{late}");
    }
    // With several requests in one input there are several answers; what follows the last is closed on this side.
    while let Reply::Answer(status) = connection.last_reply() {
        assert!(!matches!(status, 500 | 502..=599), "it answered {status}");
        if connection.reply(SILENCE).await == Reply::Silence {
            break;
        }
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread of the server panicked");
}

#[test]
fn no_request_makes_the_server_fail() {
    let (test, usual) = (thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        // What the checks below panic with is not the server's.
        if thread::current().id() != test {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        usual(info);
    }));
    let runtime = Runtime::new().unwrap();
    let limits = Limits {
        tokens_per_minute: 1_000_000,
        tokens_per_minute_and_address: 1_000_000,
        ..Limits::default()
    };
    let builder = TestNode::builder().with_system_clock().configure(|config| config.limits = limits);
    let server = runtime.block_on(TestServer::start_with(builder));
    corpus::throw_at("request", 1, WORDS, |input| runtime.block_on(throw(&server, input)));
    let well = runtime.block_on(server.caller.get("/readyz"));
    assert_eq!(well.status, 200, "{}", well.body);
    runtime.block_on(server.into_node().stop());
}
