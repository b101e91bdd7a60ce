//! What a connection may take of the server: every bound is hit here through a socket.

use std::time::Duration;

use payment_runs_node::testing::TestNode;
use payment_runs_node::{ConnectionBounds, HEAD_BYTES_MAX, HEADERS_MAX};
use payment_runs_server::BODY_BYTES_MAX;
use payment_runs_tests::TestServer;
use payment_runs_tests::raw::RawConnection;
use tokio::time::{Interval, MissedTickBehavior};

/// A bound that a test can wait for, and that a busy machine keeps where it must.
const SOON: Duration = Duration::from_secs(1);

async fn server(bounds: ConnectionBounds) -> TestServer {
    let builder = TestNode::builder().with_system_clock();
    TestServer::start_with(builder.configure(|config| config.connections = bounds)).await
}

async fn connect(server: &TestServer) -> RawConnection {
    RawConnection::to(server.node().node().address()).await
}

/// The head of a request to create a payment run, up to the headers of its body.
fn create(server: &TestServer, more: &str) -> String {
    let token = server.token();
    format!(
        "POST /v1/payment-runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{more}\r\n"
    )
}

/// The server is well: another caller is answered.
async fn assert_well(server: &TestServer) {
    assert_eq!(server.caller.get("/healthz").await.status, 200);
}

/// Ten times in the bound; what was missed is not made up for.
fn beat() -> Interval {
    let mut beat = tokio::time::interval(SOON / 10);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

fn status_of(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_so_many_bytes() {
    let server = server(ConnectionBounds::default()).await;
    let rest = " HTTP/1.1\r\nhost: x\r\n\r\n";
    for (padding, status) in [(1_000, "200"), (HEAD_BYTES_MAX, "431")] {
        let padding = "x".repeat(padding);
        for request in [
            format!("GET /healthz?{padding}{rest}"),
            format!("GET /healthz HTTP/1.1\r\nconnection: close\r\nhost: x\r\na: {padding}\r\n\r\n"),
        ] {
            let request = request.replace(rest, " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            let mut connection = connect(&server).await;
            connection.send(request.as_bytes()).await;
            let answer = connection.until_closed().await;
            assert_eq!(status_of(&answer), status, "{} bytes: {answer}", request.len());
        }
    }
    // The same without an end: what is kept of it is bounded, too.
    let mut endless = connect(&server).await;
    endless.send(b"GET /healthz?").await;
    while endless.send(&[b'x'; 8 * 1024]).await {}
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_so_many_headers() {
    let server = server(ConnectionBounds::default()).await;
    for (headers, status) in [(HEADERS_MAX, "200"), (HEADERS_MAX + 1, "431")] {
        let others = "a: b\r\n".repeat(headers - 2);
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{others}\r\n");
        let mut connection = connect(&server).await;
        connection.send(request.as_bytes()).await;
        assert_eq!(status_of(&connection.until_closed().await), status, "{headers} headers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_must_come_in_time() {
    let server = server(ConnectionBounds { head_timeout: SOON, ..ConnectionBounds::default() }).await;
    let mut silent = connect(&server).await;
    let mut halting = connect(&server).await;
    halting.send(b"GET /healthz HTTP/1.1\r\nhos").await;
    silent.until_closed().await;
    halting.until_closed().await;

    // One who sends a little now and then gains nothing.
    let mut trickling = connect(&server).await;
    let mut beat = beat();
    trickling.send(b"GET /healthz HTTP/1.1\r\n").await;
    let mut headers = 0;
    while trickling.send(b"a: b\r\n").await {
        beat.tick().await;
        headers += 1;
        assert!(headers < HEADERS_MAX, "the connection is still open");
    }
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed() {
    let server = server(ConnectionBounds { head_timeout: SOON, ..ConnectionBounds::default() }).await;
    let mut connection = connect(&server).await;
    for _ in 0..2 {
        connection.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(connection.answer().await, 200, "it may be used again");
    }
    assert_eq!(connection.until_closed().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_not_pause() {
    let bounds = ConnectionBounds { body_pause_timeout: SOON, ..ConnectionBounds::default() };
    let server = server(bounds).await;
    let mut connection = connect(&server).await;
    connection.send(create(&server, "content-length: 100\r\n").as_bytes()).await;
    connection.send(b"{").await;
    let answer = connection.until_closed().await;
    assert_eq!(status_of(&answer), "400", "{answer}");
    assert!(answer.contains("in time"), "{answer}");
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_end_in_time() {
    let bounds = ConnectionBounds { body_timeout: SOON, ..ConnectionBounds::default() };
    let server = server(bounds).await;
    let mut connection = connect(&server).await;
    connection.send(create(&server, "transfer-encoding: chunked\r\n").as_bytes()).await;
    let mut beat = beat();
    let mut chunks = 0;
    while connection.send(b"1\r\n \r\n").await {
        beat.tick().await;
        chunks += 1;
        assert!(chunks < 1_000, "the connection is still open");
    }
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_so_many_bytes() {
    let server = server(ConnectionBounds::default()).await;
    let mut declared = connect(&server).await;
    let length = format!("content-length: {}\r\n", BODY_BYTES_MAX + 1);
    declared.send(create(&server, &length).as_bytes()).await;
    let answer = declared.until_closed().await;
    assert_eq!(status_of(&answer), "413", "{answer}");

    let mut undeclared = connect(&server).await;
    undeclared.send(create(&server, "transfer-encoding: chunked\r\n").as_bytes()).await;
    let chunk =
        [format!("{:x}\r\n", 1024 * 1024).into_bytes(), vec![b' '; 1024 * 1024], b"\r\n".to_vec()].concat();
    let mut chunks = 0;
    while undeclared.send(&chunk).await {
        chunks += 1;
        assert!(chunks * 1024 * 1024 < 3 * BODY_BYTES_MAX, "the server still reads");
    }
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_must_be_read() {
    let bounds = ConnectionBounds { write_pause_timeout: SOON, ..ConnectionBounds::default() };
    let server = server(bounds).await;
    let mut connection = connect(&server).await;
    // Answers that nobody reads fill the buffers on the way; then the server gives up.
    let mut requests = 0;
    while connection.send(b"GET /openapi/v1.yaml HTTP/1.1\r\nhost: x\r\n\r\n").await {
        requests += 1;
        assert!(requests < 1_000_000, "the server still answers");
    }
    assert_well(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_connections_are_open() {
    let server = server(ConnectionBounds { connections: 3, ..ConnectionBounds::default() }).await;
    // The caller that got the token holds one.
    let open = [connect(&server).await, connect(&server).await];
    let mut waiting = connect(&server).await;
    waiting.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(tokio::time::timeout(2 * SOON, waiting.answer()).await.is_err(), "a fourth connection is served");
    drop(open);
    assert_eq!(waiting.answer().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let server = server(ConnectionBounds::default()).await;
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "400"),
        ("GET http://a/healthz HTTP/1.1\r\nhost: b\r\n", "400"),
        ("GET http://a/healthz HTTP/1.1\r\nhost: a\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
    ] {
        let mut connection = connect(&server).await;
        connection.send(format!("{head}connection: close\r\n\r\n").as_bytes()).await;
        let answer = connection.until_closed().await;
        assert_eq!(status_of(&answer), status, "{head}: {answer}");
    }
}

/// Three bodies of one client under way are more than it may hold: one of them is refused, whichever comes last, and nobody else
/// is kept out.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_under_way_hold_so_many_bytes() {
    let server = server(ConnectionBounds::default()).await;
    let bytes = BODY_BYTES_MAX / 6 * 5;
    let head = create(&server, &format!("content-length: {}\r\n", bytes + 1));
    let body = vec![b' '; bytes];
    let senders = (0..3).map(|_| async {
        let mut connection = connect(&server).await;
        connection.send(head.as_bytes()).await;
        connection.send(&body).await;
        connection.answer().await
    });
    let (first, _, others) = futures_util::future::select_all(senders.map(Box::pin)).await;
    assert_eq!((first, others.len()), (429, 2));
    assert_well(&server).await;
    // There is room again when they have gone.
    drop(others);
    let mut beat = beat();
    loop {
        let mut connection = connect(&server).await;
        connection.send(create(&server, &format!("content-length: {bytes}\r\n")).as_bytes()).await;
        connection.send(&body).await;
        match connection.answer().await {
            400 => break,
            status => assert_eq!(status, 429),
        }
        beat.tick().await;
    }
}
