//! Payment runs being watched.

#![expect(clippy::disallowed_methods, reason = "how long one waits is measured by the machine's clock")]

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use payment_runs_client::{Connection, events};
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::watching::{Event, Watching};
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use payment_runs_types::ops::{ProgressEvent, RunStatus};
use serde_json::{Value, json};

use crate::administration::logged_in;

async fn watch(caller: &Caller, run: &str, last_id: Option<&str>) -> Watching {
    let path = format!("/ops/payment-runs/{run}/events");
    Watching::begin(caller, &path, last_id).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn status(event: &Event) -> &Value {
    &event.data["progress"]["status"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_to_its_end() {
    let server = TestServer::start().await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Watched", CARD_APPROVED).await;
    for _ in 0..20 {
        world.invoice(&account, json!(10), "2024-07-28").await;
    }
    let run = text(&caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await, "id");
    let events = watch(caller, &run, None).await.to_end().await;
    let (last, before) = events.split_last().unwrap();
    assert_eq!((last.name.as_str(), status(last)), ("end", &json!("completed")));
    assert!(before.iter().all(|event| event.name == "progress"), "{events:?}");
    let told = &last.data["progress"];
    assert_eq!(told, &caller.get(&format!("/ops/payment-runs/{run}/progress")).await.body);
    assert_eq!((&told["payments_processed"], &last.data["seconds_left"]), (&json!(20), &json!(0)));
    let mut ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "one event for each change");

    // Whoever connects again hears of the end alone, even one who knows it: a browser does so until it hears of it.
    for known in [
        None,
        Some("something else"),
        Some(before.last().map_or("", |event| event.id.as_str())),
        Some(&last.id),
    ] {
        let events = watch(caller, &run, known).await.to_end().await;
        let [end] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&end.id, &end.name, &end.data["progress"]), (&last.id, &last.name, told));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_follow_the_clock_of_the_server() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Patient", CARD_APPROVED).await;
    world.invoice(&account, json!(10), "2024-07-28").await;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let run = text(&run, "id");
    let mut watching = watch(caller, &run, None).await;
    let first = watching.next().await.unwrap();
    assert_eq!((status(&first), &first.data["seconds_left"]), (&json!("pending"), &Value::Null));
    assert_eq!(first.data["documents_per_second"], 0);

    // One who comes back with that event is told nothing until something differs, but that the line is alive.
    let mut returned = watch(caller, &run, Some(&first.id)).await;
    let before = returned.comment().await;
    server.advance_to("2024-07-28T10:15:16Z");
    assert_eq!(returned.comment().await, before + 1);
    watching.comment().await;

    server.node().clock().set("2024-07-28T11:00:00Z".parse().unwrap());
    returned.comment().await;
    server.node().clock().set("2024-07-28T11:14:00Z".parse().unwrap());
    returned.comment().await;
    // A call watches for an hour at most; the same call again goes on.
    server.advance_to("2024-07-28T11:15:01Z");
    assert!(watching.next().await.is_none());
    assert!(returned.to_end().await.is_empty(), "it began a moment later, and ends with the next look");
    let watching = watch(caller, &run, Some(&first.id)).await;
    server.advance_to("2024-07-28T12:00:00Z");
    let events = watching.to_end().await;
    assert_eq!(status(events.last().unwrap()), "completed", "the end is never held back: {events:?}");
    // The first two may come at once, since the clock jumped between them as the server sees it.
    assert!(events.len() <= 3, "time stands still, so that nothing else may follow so soon: {events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_canceled_run_is_told_at_once() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let run = text(&run, "id");
    let mut watching = watch(caller, &run, None).await;
    watching.next().await.unwrap();
    caller.post(&format!("/ops/payment-runs/{run}/cancel"), Value::Null).await;
    let events = watching.to_end().await;
    let [end] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((end.name.as_str(), status(end)), ("end", &json!("canceled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_soon_after_its_client_may_not_watch_any_more() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let admin = &server.caller;
    let run = admin.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let run = text(&run, "id");
    let mut staying = watch(admin, &run, None).await;
    staying.next().await.unwrap();
    let mut leaving = Vec::new();
    for (name, method, below, change) in [
        ("switched-off", "PATCH", "", json!({ "active": false })),
        ("given-another-secret", "POST", "/rotate", Value::Null),
        ("without-its-permission", "PATCH", "", json!({ "permissions": ["write_billing_objects"] })),
    ] {
        let client = logged_in(&server, admin, name, json!({ "permissions": ["read"] })).await;
        let mut watching = watch(&client, &run, None).await;
        watching.next().await.unwrap();
        let changed = admin.call(method, &format!("/ops/clients/{name}{below}")).json(&change).await;
        assert_eq!(changed.status, 200, "{name}: {}", changed.body);
        leaving.push((name, watching));
    }
    server.node().clock().advance(jiff::SignedDuration::from_secs(2));
    for (name, watching) in leaving {
        assert!(watching.to_end().await.is_empty(), "{name}");
    }
    server.node().clock().advance(jiff::SignedDuration::from_secs(15));
    staying.comment().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_are_bounded_and_make_room_when_they_leave() {
    /// As many as the server lets in.
    const WATCHERS_MAX: usize = 100;
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let path = format!("/ops/payment-runs/{}/events", text(&run, "id"));
    let mut watching = Vec::new();
    for _ in 0..WATCHERS_MAX {
        watching.push(Watching::begin(caller, &path, None).await.unwrap_or_else(|_| panic!("there is room")));
    }
    let Err((status, body)) = Watching::begin(caller, &path, None).await else { panic!("it is full") };
    assert_eq!((status, &body["type"]), (503, &json!("service_unavailable")), "{body}");
    let refused = caller.get(&path).await;
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(caller.get(&path.replace("/events", "/progress")).await.status, 200, "others are served");

    watching.pop();
    let started = Instant::now();
    while Watching::begin(caller, &path, None).await.is_err() {
        // The server notices that the line is dead when it looks or speaks next.
        server.node().clock().advance(jiff::SignedDuration::from_secs(1));
        assert!(started.elapsed() < Duration::from_secs(30), "the place is never free again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_does_not_wait_for_watchers() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let run = server.caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let mut watching = watch(&server.caller, &text(&run, "id"), None).await;
    watching.next().await.unwrap();
    let started = Instant::now();
    server.into_node().stop().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(watching.next().await.is_none(), "the stream has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_come_before_the_stream() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let path = format!("/ops/payment-runs/{}/events", text(&run, "id"));
    let missing = Watching::begin(caller, "/ops/payment-runs/PR-99999999/events", None).await;
    assert_eq!(missing.err().map(|(status, _)| status), Some(404));
    let anonymous = Watching::begin(&caller.anonymous(), &path, None).await;
    assert_eq!(anonymous.err().map(|(status, _)| status), Some(401));
    let neither = caller.call("GET", &path).header("accept", "text/html").send().await;
    assert_eq!(neither.status, 406, "{}", neither.body);
    let long = "x".repeat(257);
    let strange = Watching::begin(caller, &path, Some(&long)).await;
    assert_eq!(strange.err().map(|(status, _)| status), Some(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_reads_typed_events() {
    let server = TestServer::start().await;
    let run =
        text(&server.caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await, "id");
    let builder = Connection::builder(server.node().url()).bearer_token(server.token());
    let client = builder.http_client(payment_runs_tests::http_client()).build().unwrap();
    let body = client.ops().watch_payment_run().key(&run).send().await.unwrap().into_inner();
    let mut events = pin!(events::<ProgressEvent>(body.into_inner()));
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.unwrap());
    }
    let last = last.unwrap();
    assert_eq!((last.name.as_deref(), &last.data.progress.status), (Some("end"), &RunStatus::Completed));
    assert_eq!(last.data.progress.payment_run_id, run);
    assert!(last.id.is_some());
}
