//! Quotas and requests at once: what every answer tells, and who is told to wait.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode};
use payment_runs_server::Limits;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::world::text;
use serde_json::json;
use tokio::time::Instant;

const NOW: &str = "2024-07-28T10:15:20Z";

async fn server(limits: Limits) -> TestServer {
    let builder = TestNode::builder().at(NOW.parse().unwrap());
    TestServer::start_with(builder.configure(|config| config.limits = limits)).await
}

/// The three headers on quotas, in their order.
fn quota(answer: &Answer) -> [&str; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]
        .map(|name| answer.header(name).unwrap_or("none"))
}

/// The three headers on requests at once, in their order.
fn concurrency(answer: &Answer) -> [&str; 3] {
    ["concurrency-limit-type", "concurrency-limit-limit", "concurrency-limit-remaining"]
        .map(|name| answer.header(name).unwrap_or("none"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_known_caller_tells_its_quotas() {
    let server = server(Limits::default()).await;
    let policy = "50000, 50000;w=60, 2250000;w=3600, 27000000;w=86400";
    for (remaining, (method, path, status)) in
        ["49999", "49998", "49997", "49996", "49995", "49994"].iter().zip([
            ("GET", "/v1/payment-runs", 200),
            ("GET", "/v2/payment_runs", 200),
            ("GET", "/object-query/payment-runs", 200),
            ("GET", "/v1/nothing", 404),
            ("PATCH", "/v1/payment-runs", 405),
            ("GET", "/v2/payment_runs?page_size=0", 400),
        ])
    {
        let answer = server.caller.call(method, path).send().await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(quota(&answer), [policy, *remaining, "40"], "{path}");
        let expected = if path.starts_with("/v1") { ["Default", "40", "39"] } else { ["none"; 3] };
        assert_eq!(concurrency(&answer), expected, "{path}");
    }
    let accounts = server.caller.get("/v1/accounts/nobody").await;
    assert_eq!(concurrency(&accounts), ["HighVolume", "200", "199"]);
    let own = server.caller.get("/ops/payment-runs/PR-00000001/progress").await;
    assert_eq!(quota(&own), ["none"; 3], "the project's own operations are not limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_to_wait_in_the_apis_own_shape() {
    let server = server(Limits { requests_per_minute: 2, requests_per_hour: 4, ..Limits::default() }).await;
    let first = server.caller.get("/v1/payment-runs").await;
    let policy = "2, 2;w=60, 4;w=3600, 27000000;w=86400";
    assert_eq!(quota(&first), [policy, "1", "40"]);
    server.caller.get("/v2/payment_runs").await;

    let v1 = server.caller.get("/v1/payment-runs").await;
    assert_eq!((v1.status, quota(&v1), v1.header("retry-after")), (429, [policy, "0", "40"], Some("40")));
    assert_eq!(
        v1.body["reasons"],
        json!([{ "code": 50_000_070, "message": "the request quota is used up" }])
    );
    let old = server.caller.call("GET", "/v1/payment-runs").header("zuora-version", "211.0").send().await;
    assert_eq!(old.status, 429, "it says nothing about the request, so old versions are told alike");
    let query = server.caller.get("/object-query/payment-runs").await;
    assert_eq!((query.status, &query.body["reasons"][0]["code"]), (429, &json!(50_000_070)));
    let v2 = server.caller.get("/v2/payment_runs").await;
    assert_eq!(
        (v2.status, &v2.body["type"], v2.header("retry-after")),
        (429, &json!("too_many_requests"), Some("40"))
    );
    assert_eq!(v2.body["errors"][0]["code"], "too_many_requests", "{}", v2.body);

    // A refused request is not remembered under its key: it is carried out once there is room.
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    let create =
        || server.caller.call("POST", "/v1/payment-runs").header("idempotency-key", "late").json(&body);
    assert_eq!(create().await.status, 429);
    server.node().clock().set("2024-07-28T10:16:00Z".parse().unwrap());
    let created = create().await;
    assert_eq!((created.status, created.header("ratelimit-remaining")), (200, Some("1")), "{}", created.body);
    let hour = server.caller.get("/v1/payment-runs").await;
    assert_eq!(hour.status, 200);
    let used_up = server.caller.get("/v1/payment-runs").await;
    let reset = "2640";
    assert_eq!(
        (used_up.status, quota(&used_up)),
        (429, ["4, 2;w=60, 4;w=3600, 27000000;w=86400", "0", reset])
    );
    assert_eq!(used_up.header("retry-after"), Some(reset), "the window that takes longest decides");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_are_limited_under_v1_alone() {
    let server =
        server(Limits { concurrent_requests: 0, concurrent_account_requests: 1, ..Limits::default() }).await;
    let refused = server.caller.get("/v1/payment-runs").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{}", refused.body);
    assert_eq!(concurrency(&refused), ["Default", "0", "0"]);
    let message = "too many requests of this client are under way";
    assert_eq!(refused.body["reasons"][0]["message"], message, "{}", refused.body);
    for _ in 0..3 {
        let account = server.caller.get("/v1/accounts/nobody").await;
        assert_eq!(
            (account.status, concurrency(&account)),
            (404, ["HighVolume", "1", "0"]),
            "a place is given back"
        );
    }
    assert_eq!(server.caller.get("/v2/payment_runs").await.status, 200);
    assert_eq!(server.caller.get("/object-query/payment-runs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_limited_by_address() {
    let server = server(Limits { tokens_per_minute_and_address: 3, ..Limits::default() }).await;
    let wrong = server.caller.request_token(CLIENT_ID, "guess").await;
    assert_eq!((wrong.status, quota(&wrong)), (401, ["3, 3;w=60, 2000;w=60", "2", "40"]));
    // The start of the server took one of the client's own; they are no guesses.
    for _ in 0..2 {
        assert_eq!(server.caller.request_token(CLIENT_ID, CLIENT_SECRET).await.status, 200);
    }
    let refused = server.caller.request_token(CLIENT_ID, CLIENT_SECRET).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("40")));
    assert_eq!(refused.body, json!({ "message": "too many requests" }));
    assert_eq!(server.caller.get("/v1/payment-runs").await.status, 200, "who has a token goes on");
    server.node().clock().set("2024-07-28T10:16:00Z".parse().unwrap());
    assert_eq!(server.caller.request_token(CLIENT_ID, CLIENT_SECRET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_shut_out_nobody_who_knows_a_secret() {
    let server =
        server(Limits { tokens_per_minute_and_address: 10, tokens_per_minute: 12, ..Limits::default() })
            .await;
    let created = server.caller.post("/ops/clients", json!({ "permissions": [] })).await.body;
    let (id, secret) = (text(&created["client"], "client_id"), text(&created, "client_secret"));
    for _ in 0..10 {
        assert_eq!(server.caller.request_token(CLIENT_ID, "guess").await.status, 401);
    }
    let guessed = server.caller.request_token(CLIENT_ID, "guess").await;
    assert_eq!((guessed.status, guessed.header("retry-after")), (429, Some("40")));
    let known = server.caller.request_token(CLIENT_ID, CLIENT_SECRET).await;
    assert_eq!(known.status, 200, "{}", known.body);
    let first = server.caller.request_token(&id, &secret).await;
    assert_eq!(first.status, 200, "a secret that was not seen before: {}", first.body);
    let nobody = server.caller.request_token("nobody", "guess").await;
    assert_eq!(nobody.status, 429, "an unknown client is told the same");

    // One at a time is answered for an address, and a few wait.
    let many = (0..12).map(|_| server.caller.request_token(CLIENT_ID, "guess"));
    let answers = join_all(many).await;
    assert!(answers.iter().all(|answer| answer.status == 429));
}

/// Guesses beyond the quota take a second each, one after the other, in which a client goes on that knows its secret.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_and_who_knows_a_secret_is_not() {
    const GUESSES: u32 = 2;
    const PAUSE: Duration = Duration::from_secs(1);
    let server = server(Limits { tokens_per_minute: 1, ..Limits::default() }).await;
    let guess = || server.caller.request_token(CLIENT_ID, "guess");
    assert_eq!(guess().await.status, 401, "this one uses up the quota");
    let began = Instant::now();
    let mut guesses = pin!(join_all((0..GUESSES).map(|_| guess())));
    let known = async {
        // If each of them took its turn among the guesses, they would end after them.
        for _ in 0..2 {
            assert_eq!(server.caller.request_token(CLIENT_ID, CLIENT_SECRET).await.status, 200);
        }
    };
    tokio::select! {
        _ = &mut guesses => panic!("who knows a secret waited longer than who guesses"),
        () = known => {}
    }
    assert!(guesses.await.iter().all(|answer| answer.status == 429));
    assert!(began.elapsed() >= GUESSES * PAUSE, "{:?}", began.elapsed());
}
