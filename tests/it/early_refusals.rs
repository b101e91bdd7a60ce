//! A request that is refused before its body was read leaves a connection that can be used again, or one that is said to end.

use payment_runs_node::DRAIN_BYTES_MAX;
use payment_runs_node::testing::TestNode;
use payment_runs_server::{BODY_BYTES_MAX, Limits, SHORT_BODY_BYTES_MAX};
use payment_runs_tests::TestServer;
use payment_runs_tests::raw::RawConnection;
use payment_runs_tests::world::text;
use serde_json::json;

/// A body that is dropped, and one that is too long for that.
const SHORT: usize = 20_000;
const LONG: usize = 4 * 1024 * 1024;

/// One way to be refused early: what it is, its request line, its headers, and the status.
type Early = (&'static str, String, u16);

fn head(line: &str, token: &str, more: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{more}"
    )
}

/// The head of a request that sends lines to an import that is not there.
fn lines(token: &str, more: &str) -> String {
    head("POST /ops/imports/x/lines", token, more).replace("application/json", "application/x-ndjson")
}

async fn server(limits: Limits) -> TestServer {
    let builder = TestNode::builder().with_system_clock();
    TestServer::start_with(builder.configure(|config| config.limits = limits)).await
}

/// The token of a client that may do nothing.
async fn powerless(server: &TestServer) -> String {
    let created = server.caller.post("/ops/clients", json!({ "permissions": [] })).await.body;
    let caller = payment_runs_tests::caller::Caller::new(server.url(""));
    caller.log_in(&text(&created["client"], "client_id"), &text(&created, "client_secret")).await;
    caller.token().expect("the client is logged in")
}

/// Every refusal that comes before the body is read.
async fn refusals(server: &TestServer) -> Vec<Early> {
    let (token, none) = (server.token(), powerless(server).await);
    let create = "POST /v1/payment-runs";
    vec![
        ("no token", format!("{create} HTTP/1.1\r\nhost: x\r\n"), 401),
        ("a token that is not valid", head(create, "x", ""), 401),
        ("a missing permission", head(create, &none, ""), 403),
        ("two hosts", head(create, &token, "host: y\r\n"), 400),
        ("a bad track id", head(create, &token, "zuora-track-id: a:b\r\n"), 400),
        ("an answer that is not served", head(create, &token, "accept: text/html\r\n"), 406),
        ("an unknown path", head("POST /v1/nowhere", &token, ""), 404),
        ("an unknown path of nobody", head("POST /v1/nowhere", "x", ""), 401),
        ("an unknown method", head("PATCH /v1/payment-runs", &token, ""), 405),
        ("an unknown method of a public path", head("POST /healthz", "x", ""), 405),
        ("a foreign entity", head(create, &token, "zuora-entity-ids: 1\r\n"), 403),
        ("a foreign organization", head(create, &token, "zuora-org-ids: 1\r\n"), 403),
        ("lines of a wrong media type", head("POST /ops/imports/x/lines", &token, ""), 415),
        ("lines in a wrong encoding", lines(&token, "content-encoding: br\r\n"), 415),
        ("lines with an idempotency key", lines(&token, "idempotency-key: 1\r\n"), 400),
        ("lines of an unknown import", lines(&token, ""), 404),
        ("a body that nobody reads", head("GET /healthz", "x", ""), 200),
    ]
}

/// Sends head and body in two writes, so that the refusal is decided before the body is there.
async fn send_in_two(connection: &mut RawConnection, head: &str, bytes: usize) -> (u16, bool) {
    let head = format!("{head}content-length: {bytes}\r\n\r\n");
    assert!(connection.send(head.as_bytes()).await);
    tokio::task::yield_now().await;
    let _ = connection.send(&vec![b'x'; bytes]).await;
    connection.answer_that_closes().await
}

async fn assert_goes_on(connection: &mut RawConnection, what: &str) {
    assert!(connection.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await, "{what}");
    assert_eq!(connection.answer().await, 200, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_body_is_dropped_and_the_connection_kept() {
    let server = server(Limits::default()).await;
    let mut connection = RawConnection::to(server.node().node().address()).await;
    for (what, head, status) in refusals(&server).await {
        for bytes in [1, SHORT] {
            let told = send_in_two(&mut connection, &head, bytes).await;
            assert_eq!(told, (status, false), "{what}");
            assert_goes_on(&mut connection, what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_ends_the_connection_which_says_so() {
    assert!(u64::try_from(LONG).is_ok_and(|bytes| bytes > DRAIN_BYTES_MAX));
    let server = server(Limits::default()).await;
    for (what, head, status) in refusals(&server).await {
        let mut connection = RawConnection::to(server.node().node().address()).await;
        // The answer arrives although the client sends its whole body first.
        let told = send_in_two(&mut connection, &head, LONG).await;
        assert_eq!(told, (status, true), "{what}");
        assert_eq!(connection.until_closed().await, "", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_ends_the_connection() {
    let server = server(Limits::default()).await;
    for (line, bytes_max) in
        [("POST /v1/payment-runs", BODY_BYTES_MAX), ("POST /v2/payment_runs", SHORT_BODY_BYTES_MAX)]
    {
        let mut connection = RawConnection::to(server.node().node().address()).await;
        let declared = format!("content-length: {}\r\n\r\n", bytes_max + 1);
        connection.send(head(line, &server.token(), &declared).as_bytes()).await;
        connection.send(&vec![b' '; LONG]).await;
        assert_eq!(connection.answer_that_closes().await, (413, true), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_token_is_refused_alike() {
    let server = server(Limits::default()).await;
    let plain =
        "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let compressed = format!("{plain}content-encoding: gzip\r\n");
    let mut connection = RawConnection::to(server.node().node().address()).await;
    for (head, bytes, status) in [(plain, SHORT, 413), (compressed.as_str(), 1, 415)] {
        assert_eq!(send_in_two(&mut connection, head, bytes).await, (status, false), "{head}");
        assert_goes_on(&mut connection, head).await;
    }
    assert_eq!(send_in_two(&mut connection, plain, LONG).await, (413, true));
    assert_eq!(connection.until_closed().await, "");
}

/// Refusals that come after the body was read, however long it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_read_keeps_the_connection() {
    let server = server(Limits::default()).await;
    let (token, create) = (server.token(), "POST /v1/payment-runs");
    let update = "PUT /v1/payment-runs/PR-00000001";
    let refusals: [Early; 3] = [
        ("a wrong media type", head(create, &token, "").replace("application/json", "text/plain"), 415),
        ("a wrong encoding", head(create, &token, "content-encoding: br\r\n"), 415),
        ("an update with an idempotency key", head(update, &token, "idempotency-key: 1\r\n"), 400),
    ];
    let mut connection = RawConnection::to(server.node().node().address()).await;
    for (what, head, status) in refusals {
        for bytes in [1, SHORT, LONG] {
            let told = send_in_two(&mut connection, &head, bytes).await;
            assert_eq!(told, (status, false), "{what}");
            assert_goes_on(&mut connection, what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_keep_the_connection() {
    let used_up = Limits { requests_per_minute: 0, ..Limits::default() };
    let at_once = Limits { concurrent_requests: 0, ..Limits::default() };
    for (what, limits) in [("a used up quota", used_up), ("too many at once", at_once)] {
        let server = server(limits).await;
        let mut connection = RawConnection::to(server.node().node().address()).await;
        let head = head("POST /v1/payment-runs", &server.token(), "");
        for _ in 0..3 {
            assert_eq!(send_in_two(&mut connection, &head, SHORT).await, (429, false), "{what}");
        }
        assert_goes_on(&mut connection, what).await;
        assert_eq!(send_in_two(&mut connection, &head, LONG).await, (429, true), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_waited_for_so_long() {
    let server = server(Limits::default()).await;
    let address = server.node().node().address();
    let refused = head("POST /v1/payment-runs", "x", "content-length: 100\r\n");
    let mut silent = RawConnection::to(address).await;
    silent.send(format!("{refused}\r\n").as_bytes()).await;
    assert_eq!(silent.answer_that_closes().await, (401, true));

    // Who asks before sending the body is told at once, and need not send it.
    let mut asking = RawConnection::to(address).await;
    asking.send(format!("{refused}expect: 100-continue\r\n\r\n").as_bytes()).await;
    assert_eq!(asking.answer_that_closes().await, (401, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_pieces_are_dropped_alike() {
    let server = server(Limits::default()).await;
    let mut connection = RawConnection::to(server.node().node().address()).await;
    let head = head("POST /v1/payment-runs", "x", "transfer-encoding: chunked\r\n\r\n");
    for _ in 0..2 {
        connection.send(head.as_bytes()).await;
        connection.send(b"5\r\nhello\r\n").await;
        connection.send(b"0\r\n\r\n").await;
        assert_eq!(connection.answer_that_closes().await, (401, false));
    }
    assert_goes_on(&mut connection, "chunks").await;
}
