//! The test clock: time moves when a caller says so, and everything that waits for it follows.

use std::sync::Arc;

use jiff::SignedDuration;
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestClock, TestNode};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Answer;
use payment_runs_tests::world::{CARD_WITHOUT_FUNDS, World, text};
use serde_json::json;

use crate::administration::logged_in;

const NOW: &str = "2026-01-01T00:00:00Z";

async fn set(server: &TestServer, now: &str) -> Answer {
    server.caller.put("/ops/clock", json!({ "now": now })).await
}

/// Moves the time.
async fn move_to(server: &TestServer, now: &str) {
    let answer = set(server, now).await;
    assert_eq!((answer.status, &answer.body["now"]), (200, &json!(now)), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_read_and_moved_forward() {
    let server = TestServer::start_at(NOW).await;
    assert_eq!(server.caller.get("/ops/clock").await.body, json!({ "now": NOW }));
    move_to(&server, "2026-01-01T00:30:00.25Z").await;
    move_to(&server, "2026-01-01T00:30:00.25Z").await;
    let back = set(&server, "2026-01-01T00:30:00Z").await;
    assert_eq!((back.status, &back.body["errors"][0]["parameter"]), (400, &json!("now")), "{}", back.body);
    assert_eq!(server.caller.get("/ops/clock").await.body, json!({ "now": "2026-01-01T00:30:00.25Z" }));
    let elsewhere = set(&server, "2026-01-01T03:00:00+01:00").await;
    assert_eq!(
        elsewhere.body,
        json!({ "now": "2026-01-01T02:00:00Z" }),
        "told in the time zone of the settings"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_was_started_with_one_has_a_test_clock() {
    let server = TestServer::start().await;
    for answer in [server.caller.get("/ops/clock").await, set(&server, "2099-01-01T00:00:00Z").await] {
        assert_eq!((answer.status, &answer.body["type"]), (404, &json!("not_found")), "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_set_the_clock() {
    let server = TestServer::start_at(NOW).await;
    let powers = json!({ "permissions": ["read", "manage_payment_runs"] });
    let clerk = logged_in(&server, &server.caller, "clerk", powers).await;
    assert_eq!(clerk.get("/ops/clock").await.status, 200);
    let refused = clerk.put("/ops/clock", json!({ "now": "2026-01-02T00:00:00Z" })).await;
    assert_eq!((refused.status, &refused.body["type"]), (403, &json!("forbidden")), "{}", refused.body);
    assert_eq!(clerk.get("/ops/clock").await.body, json!({ "now": NOW }));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_schedules_follow() {
    let server = TestServer::start_at(NOW).await;
    let world = World::new(&server.caller);
    let once = server.caller.create("/v1/payment-runs", json!({ "runDate": "2026-01-01 08:00:00" })).await;
    let body = json!({
        "repeat_type": "monthly", "monthly_on_day": 31, "run_time": 9, "repeat_from": "2026-01-01", "payment_run": {},
    });
    let schedule = server.caller.post("/ops/schedules", body).await.body;
    assert_eq!(schedule["time_zone"], "UTC", "that of the settings");
    move_to(&server, "2026-01-01T08:00:00Z").await;
    assert_eq!(world.ended(&text(&once, "id")).await["executedOn"], "2026-01-01 08:00:00");
    let path = format!("/ops/schedules/{}", text(&schedule, "id"));
    for (now, count, next) in [
        ("2026-01-31T09:00:00Z", 1, "2026-02-28T09:00:00Z"),
        ("2026-02-28T09:00:00Z", 2, "2026-03-31T09:00:00Z"),
    ] {
        let run = text(&server.caller.get(&path).await.body, "next_payment_run_id");
        move_to(&server, now).await;
        assert_eq!(world.ended(&run).await["status"], "Completed");
        let after = server.caller.wait_for(&path, |one| one["occurrences_started"] == count).await;
        assert_eq!(after["next_run_at"], next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_end_after_an_hour_of_the_real_time() {
    let real = TestClock::at("2027-05-01T00:00:00Z".parse().unwrap());
    let clock = TestClock::at(NOW.parse().unwrap()).with_real_time(Arc::new(real.clone()));
    let server = TestServer::start_with(TestNode::builder().with_clock(clock)).await;
    assert_eq!(set(&server, "2026-06-01T00:00:00Z").await.status, 200);
    real.advance(SignedDuration::from_secs(3_598));
    assert_eq!(server.caller.get("/v1/payment-runs").await.status, 200, "a clock that is set ends no token");
    real.advance(SignedDuration::from_secs(2));
    assert_eq!(server.caller.get("/v1/payment-runs").await.status, 401, "3,600 seconds are more than 3,599");
    server.caller.log_in(CLIENT_ID, CLIENT_SECRET).await;
    assert_eq!(server.caller.get("/v1/payment-runs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_end_after_a_day() {
    let server = TestServer::start_at(NOW).await;
    let create = async || {
        let call = server.caller.call("POST", "/v1/payment-runs").header("idempotency-key", "once");
        text(&call.json(&json!({ "runDate": "2030-01-01 00:00:00" })).await.body, "number")
    };
    let first = create().await;
    move_to(&server, "2026-01-01T23:59:59Z").await;
    assert_eq!(create().await, first);
    move_to(&server, "2026-01-02T00:00:01Z").await;
    assert_ne!(create().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_windows_end() {
    let server = TestServer::start_at(NOW).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let mut settings = caller.get("/ops/settings").await.body;
    settings["retry_rule"]["retry_window_hours"] = json!(12);
    assert_eq!(caller.put("/ops/settings", settings).await.status, 200);
    let account = world.account("Short", CARD_WITHOUT_FUNDS).await;
    world.invoice(&account, json!(10), "2025-12-31").await;
    let decide = async || {
        let run = world.run(json!({ "accountId": account, "targetDate": "2026-01-01" })).await;
        let path = format!("/ops/payment-runs/{}/decisions", text(&run, "id"));
        caller.get(&path).await.body["data"][0]["reason"].clone()
    };
    assert_eq!(decide().await, json!(null), "it is tried, and declined");
    assert_eq!(decide().await, "retry_rule");
    move_to(&server, "2026-01-01T11:59:00Z").await;
    assert_eq!(decide().await, "retry_rule");
    move_to(&server, "2026-01-01T12:00:01Z").await;
    assert_eq!(decide().await, json!(null), "it is tried again");
}
