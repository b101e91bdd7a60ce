//! Our samples of refusals by v2, one for every documented status, say what a pinned server says.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use payment_runs_node::testing::TestNode;
use payment_runs_server::{Limits, SHORT_BODY_BYTES_MAX};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::samples::{Sample, samples};
use payment_runs_tests::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::refused::ask;

const NOW: &str = "2024-07-28T10:15:20Z";
const RUNS: &str = "/v2/payment_runs";

/// Samples that no request can bring about from outside; a test of the server's own writes their refusals. The answer to a
/// key in flight is among them because a creation stores its key together with its effect, so that a second one waits.
const INSIDE: &[&str] = &[
    "own/v2/createPaymentRun/bad-gateway",
    "own/v2/createPaymentRun/key-in-flight",
    "own/v2/listPaymentRuns/server-stopping",
];

/// The samples of refusals.
fn refusals() -> Vec<Sample> {
    let is_refusal =
        |sample: &Sample| sample.response.as_ref().is_some_and(|response| response.status >= 400);
    samples().into_iter().filter(|sample| sample.api == "v2" && is_refusal(sample)).collect()
}

fn sample(name: &str) -> Sample {
    let found = refusals().into_iter().find(|sample| sample.name() == format!("own/v2/{name}"));
    found.unwrap_or_else(|| panic!("{name} is no sample of a refusal"))
}

/// How an answer differs from the sample's, field for field; of the headers those that the sample shows, but for what
/// identifies the request.
fn difference(sample: &Sample, answer: &Answer) -> Option<String> {
    let expected = sample.response.as_ref().unwrap();
    let body = expected.body.clone().unwrap_or_default();
    let headers = expected.headers.iter().filter(|(name, _)| *name != "zuora-request-id");
    let headers: Vec<_> = headers.map(|(name, value)| (name, value.as_str(), answer.header(name))).collect();
    let is_same = (answer.status, &answer.body) == (expected.status, &body)
        && headers.iter().all(|(_, expected, told)| expected == told);
    let told = || format!("{} is answered {} {}\n{headers:?}", sample.name(), answer.status, answer.body);
    (!is_same).then(told)
}

fn assert_as_documented(sample: &Sample, answer: &Answer) {
    assert_eq!(difference(sample, answer), None);
}

/// Asks as the sample does.
async fn answered(server: &TestServer, name: &str) -> Option<String> {
    let sample = sample(name);
    let answer = ask(server, sample.request.as_ref().expect("the sample has a request")).await;
    difference(&sample, &answer)
}

async fn still() -> TestServer {
    TestServer::start_with(TestNode::builder().at(NOW.parse().unwrap()).without_worker()).await
}

#[test]
fn there_is_a_sample_for_every_documented_status() {
    let sampled: BTreeSet<u16> = refusals()
        .iter()
        .filter_map(|sample| sample.response.as_ref())
        .map(|response| response.status)
        .collect();
    for operation in contract().operations.iter().filter(|operation| operation.api == "v2") {
        for status in operation.statuses().filter(|status| *status >= 400) {
            // Every operation is served.
            assert!(status == 501 || sampled.contains(&status), "{} {status}", operation.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_requests_are_the_documented_ones() {
    let server = still().await;
    let mut differences = Vec::new();
    for name in [
        "createPaymentRun/foreign-organization",
        "createPaymentRun/no-date",
        "getPaymentRun/not-acceptable",
        "getPaymentRun/unknown-run",
        "listPaymentRuns/no-token",
    ] {
        differences.extend(answered(&server, name).await);
    }
    let caller = &server.caller;
    let json = "application/json";
    let date = r#"{"target_date":"2024-07-31"}"#;
    for (name, method, path, media, body) in [
        (
            "createPaymentRun/invalid-values",
            "POST",
            RUNS,
            json,
            r#"{"currency":"EURO","bill_cycle_day":"32","target_date":"2024-07-31"}"#,
        ),
        (
            "createPaymentRun/unknown-property",
            "POST",
            RUNS,
            json,
            r#"{"target_date":"2024-07-31","consolidate_payment":true}"#,
        ),
        ("createPaymentRun/wrong-content-type", "POST", RUNS, "text/plain", date),
        ("getPaymentRun/method-not-allowed", "PUT", "/v2/payment_runs/PR-00000001", json, date),
        ("listPaymentRuns/page-size-out-of-range", "GET", "/v2/payment_runs?page_size=100", json, ""),
    ] {
        let answer =
            caller.call(method, path).header("content-type", media).raw(body.as_bytes().to_vec()).await;
        differences.extend(difference(&sample(name), &answer));
    }
    let first = sample("createPaymentRun/key-reused").request.unwrap();
    let key = first.headers["idempotency-key"].as_str().unwrap();
    let call = caller.call("POST", RUNS).header("idempotency-key", key);
    assert_eq!(call.json(&json!({ "target_date": "2024-07-31" })).await.status, 201);
    differences.extend(answered(&server, "createPaymentRun/key-reused").await);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_inflates_beyond_the_bound_is_refused_as_documented() {
    let server = still().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![b' '; SHORT_BODY_BYTES_MAX + 1]).unwrap();
    let call = server.caller.call("POST", RUNS).header("content-type", "application/json");
    let answer = call.header("content-encoding", "gzip").raw(encoder.finish().unwrap()).await;
    assert_as_documented(&sample("createPaymentRun/body-too-large"), &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_is_neither_changed_nor_deleted_as_documented() {
    let server = TestServer::start_at(NOW).await;
    let run = server.caller.post(RUNS, json!({ "target_date": "2024-07-31" })).await;
    World::new(&server.caller).ended(run.body["id"].as_str().unwrap()).await;
    assert_eq!(answered(&server, "updatePaymentRun/already-started").await, None);
    assert_eq!(answered(&server, "deletePaymentRun/completed-run").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_so_as_documented() {
    // The sample shows the default quotas, whose first window is used up.
    let limits = Limits { requests_per_minute: 1, ..Limits::default() };
    let builder = TestNode::builder().at("2024-07-28T10:15:18Z".parse().unwrap());
    let server = TestServer::start_with(builder.configure(|config| config.limits = limits)).await;
    assert_eq!(server.caller.get(RUNS).await.status, 200);
    let mut answer = server.caller.get(RUNS).await;
    let policy = answer.header("ratelimit-limit").unwrap().replace("1, 1;w=60", "50000, 50000;w=60");
    answer.headers.insert("ratelimit-limit", policy.parse().unwrap());
    assert_as_documented(&sample("listPaymentRuns/quota-used-up"), &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_server_is_told_as_documented() {
    let server = still().await;
    let database = server.open_database();
    database.execute_batch("PRAGMA foreign_keys = OFF; ALTER TABLE run RENAME TO gone").unwrap();
    let answer = server.caller.get(RUNS).await;
    assert_as_documented(&sample("listPaymentRuns/server-failure"), &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_is_given_up_as_documented() {
    let server = still().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST {RUNS} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{",
        server.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The clock moves on until the request has begun to wait for the rest of its body, and is given up. A question between
    // two steps gives the server time to come to it before the token expires.
    let (clock, caller) = (server.node().clock().clone(), server.caller.clone());
    #[expect(clippy::disallowed_methods, reason = "the clock is moved from outside")]
    let mover = tokio::spawn(async move {
        loop {
            clock.advance(jiff::SignedDuration::from_secs(1));
            caller.get("/healthz").await;
        }
    });
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    mover.abort();
    let sample = sample("createPaymentRun/gateway-timeout").response.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert_eq!((sample.status, sample.body.unwrap()), (504, body));
}

#[test]
fn every_sample_of_a_refusal_is_compared() {
    let sources = concat!(
        include_str!("refused_v2.rs"),
        include_str!("../../../crates/server/src/failure/v2_tests.rs")
    );
    for sample in refusals() {
        let name = sample.name();
        let short = name.trim_start_matches("own/v2/");
        let compared = if INSIDE.contains(&name.as_str()) {
            format!("assert_sample(\"{short}\"")
        } else {
            format!("\"{short}\"")
        };
        assert!(sources.contains(&compared), "nobody compares {name} with the server");
    }
}
