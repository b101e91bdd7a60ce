//! Canceling a run that waits, and stopping one at work.

#![expect(clippy::disallowed_methods, reason = "how long a stop takes is measured by the machine's clock")]

use std::path::Path;
use std::time::Duration;

use payment_runs_engine::ports::GatewaySettings;
use payment_runs_gateway::simulator::SimulatorConfig;
use payment_runs_node::testing::{TestNode, TestNodeBuilder};
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use payment_runs_tests::{TestServer, memory_folder, wait_until};
use serde_json::{Value, json};

use crate::administration::logged_in;

/// A gateway that takes its time and one call after the other.
fn slow(builder: TestNodeBuilder, answer_ms: u64, documents_per_chunk: usize) -> TestNodeBuilder {
    let simulator = SimulatorConfig { latency_ms: answer_ms, ..SimulatorConfig::default() };
    let settings = GatewaySettings {
        concurrency: 2,
        rate_per_s: None,
        timeout: Duration::from_secs(20),
        key_life: Duration::from_hours(24),
        supports_look_up: true,
    };
    builder.with_simulator(simulator).with_gateway_settings(settings).configure(|config| {
        if let Some(worker) = &mut config.worker {
            worker.documents_per_chunk = documents_per_chunk;
        }
    })
}

/// What the audit trail tells of a run's life, its chunks and payments left out.
async fn life(server: &TestServer, run: &str) -> Vec<String> {
    let path = format!("/ops/audit-records?payment_run={run}&page_size=99");
    let records = server.caller.get(&path).await.body;
    let kinds = records["data"].as_array().unwrap().iter().map(|record| text(record, "kind"));
    kinds.filter(|kind| kind.starts_with("payment_run_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_run_is_canceled_once() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let id = text(&run, "id");
    let cancel = format!("/ops/payment-runs/{id}/cancel");
    let clerk = logged_in(&server, caller, "clerk", json!({ "permissions": [] })).await;
    assert_eq!(clerk.post(&cancel, Value::Null).await.status, 403);

    let keyed = |key: &str| caller.call("POST", &cancel).header("idempotency-key", key);
    let first = keyed("one").send().await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!((&first.body["status"], &first.body["stopping"]), (&json!("canceled"), &json!(false)));
    assert_eq!(first.body["completed_at"], "2024-07-28T10:15:00Z");
    assert_eq!(keyed("one").send().await.body, first.body, "a repetition is answered as before");
    let again = keyed("two").send().await;
    assert_eq!((again.status, &again.body["type"]), (409, &json!("conflict")), "{}", again.body);
    assert_eq!(again.body["errors"][0]["message"], "the payment run is canceled");
    let nobody = caller.post("/ops/payment-runs/PR-99999999/cancel", Value::Null).await;
    assert_eq!(nobody.status, 404);

    assert_eq!(caller.get(&format!("/v1/payment-runs/{id}")).await.body["status"], "Canceled");
    assert_eq!(caller.get(&format!("/v2/payment_runs/{id}")).await.body["state"], "canceled");
    server.advance_to("2024-07-28T13:00:00Z");
    assert_eq!(caller.get(&format!("/ops/payment-runs/{id}/progress")).await.body["status"], "canceled");
    // Only a run that was canceled, or went wrong, can be deleted in the older API.
    assert_eq!(caller.delete(&format!("/v1/payment-runs/{id}")).await.status, 200);
    assert_eq!(caller.get(&format!("/v1/payment-runs/{id}")).await.status, 404);
    let expected = ["payment_run_created", "payment_run_canceled", "payment_run_deleted"];
    assert_eq!(life(&server, &id).await, expected, "its trail stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_sends_nothing_more_and_its_numbers_add_up() {
    let builder = slow(TestNode::builder().with_system_clock(), 150, 8);
    let server = TestServer::start_with(builder).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let mut invoices = Vec::new();
    for name in ["One", "Two", "Three"] {
        let account = world.account(name, CARD_APPROVED).await;
        for _ in 0..20 {
            invoices.push(world.invoice(&account, json!(10), "2024-07-28").await);
        }
    }
    let later = caller.create("/v1/payment-runs", json!({ "runDate": "2099-01-01 00:00:00" })).await;
    let waiting = format!("/ops/payment-runs/{}/stop", text(&later, "id"));
    let refused = caller.post(&waiting, Value::Null).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["message"]),
        (409, &json!("the payment run is pending"))
    );

    let run = caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await;
    let id = text(&run, "id");
    let progress = format!("/ops/payment-runs/{id}/progress");
    caller.wait_for(&progress, |body| body["payments_processed"].as_i64() >= Some(2)).await;
    let stop = format!("/ops/payment-runs/{id}/stop");
    let clerk = logged_in(&server, caller, "clerk", json!({ "permissions": [] })).await;
    assert_eq!(clerk.post(&stop, Value::Null).await.status, 403);
    let keyed = caller.call("POST", &stop).header("idempotency-key", "stop").send().await;
    assert_eq!(keyed.status, 200, "{}", keyed.body);
    assert_eq!((&keyed.body["status"], &keyed.body["stopping"]), (&json!("processing"), &json!(true)));
    let before = server.charges().len();
    let again = caller.call("POST", &stop).header("idempotency-key", "stop").send().await;
    assert_eq!(again.body, keyed.body);

    let ended = world.ended(&id).await;
    assert_eq!(ended["status"], "Canceled");
    let charges = server.charges().len();
    // Two calls were under way at most, and their outcome was waited for.
    assert!(
        (before..=before + 2).contains(&charges),
        "{before} charges when it was stopped, {charges} in the end"
    );
    assert!(charges < invoices.len(), "something was left");
    let numbers = caller.get(&progress).await.body;
    let number = |field: &str| numbers[field].as_i64().unwrap();
    assert_eq!((number("documents_total"), number("documents_planned")), (60, 60), "{numbers}");
    assert_eq!(number("payments_processed"), i64::try_from(charges).unwrap());
    assert_eq!((number("payments_errors"), number("payments_in_doubt")), (0, 0));
    assert_eq!(numbers["stopping"], false);
    let skipped =
        caller.get(&format!("/ops/payment-runs/{id}/decisions?reason=stopped&page_size=99")).await.body;
    assert_eq!(
        skipped["data"].as_array().unwrap().len(),
        usize::try_from(number("documents_skipped")).unwrap()
    );
    let payments = caller.get(&format!("/ops/payment-runs/{id}/payments?page_size=99")).await.body;
    let count = |state: &str| {
        payments["data"].as_array().unwrap().iter().filter(|payment| payment["state"] == state).count()
    };
    assert_eq!(count("processed"), charges);
    assert_eq!(count("canceled") + charges, usize::try_from(number("documents_collected")).unwrap());
    let mut paid = 0;
    for invoice in &invoices {
        let balance = caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"].clone();
        assert!(balance == json!(0) || balance == json!(10), "{balance}");
        paid += usize::from(balance == json!(0));
    }
    assert_eq!(paid, charges);
    let expected =
        ["payment_run_created", "payment_run_started", "payment_run_stop_requested", "payment_run_stopped"];
    assert_eq!(life(&server, &id).await, expected);
    let refused = caller.post(&stop, Value::Null).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["message"]),
        (409, &json!("the payment run is canceled"))
    );
    assert_eq!(caller.get(&format!("/v2/payment_runs/{id}")).await.body["state"], "canceled");

    // Nothing is held: the next run takes what is left. It is stopped, too, since it would take long.
    let next = caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await;
    let next = text(&next, "id");
    let progress = format!("/ops/payment-runs/{next}/progress");
    let begun = caller.wait_for(&progress, |body| body["payments_processed"].as_i64() >= Some(1)).await;
    assert_eq!(begun["documents_total"], json!(60 - paid));
    assert_eq!(caller.post(&format!("/ops/payment-runs/{next}/stop"), Value::Null).await.status, 200);
    assert_eq!(world.ended(&next).await["status"], "Canceled");
}

/// Chunks of one account come one after the other, which is the slowest a stop can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_quick_though_hundreds_of_chunks_are_left() {
    const INVOICES: usize = 300;
    // Hundreds of commits follow the stop, and this is not about the disk.
    let folder = memory_folder();
    let builder = slow(TestNode::builder().with_system_clock().in_folder(folder.path()), 2_000, 1);
    let server = TestServer::start_with(builder).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Large", CARD_APPROVED).await;
    for _ in 0..INVOICES {
        world.invoice(&account, json!(10), "2024-07-28").await;
    }
    let run = text(&caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await, "id");
    let progress = format!("/ops/payment-runs/{run}/progress");
    caller.wait_for(&progress, |body| body["payments_processed"].as_i64() >= Some(1)).await;
    let stopped_at = std::time::Instant::now();
    let stopped = caller.post(&format!("/ops/payment-runs/{run}/stop"), Value::Null).await;
    assert_eq!(stopped.status, 200);
    let planned = stopped.body["documents_planned"].as_u64().unwrap();
    assert!(planned < 100, "two hundred are left at least: {}", stopped.body);
    assert_eq!(world.ended(&run).await["status"], "Canceled");
    let took = stopped_at.elapsed();
    // Charging the rest would have taken more than six minutes.
    assert!(took < Duration::from_mins(1), "{took:?}");
    let numbers = caller.get(&progress).await.body;
    assert_eq!(numbers["documents_planned"], json!(INVOICES));
    assert_eq!(numbers["chunks_done"], numbers["chunks_total"]);
}

/// Copies the files of a node that writes nothing at the moment: the disk as a crash would leave it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_survives_a_crash() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = |folder: &Path| slow(TestNode::builder().with_system_clock().in_folder(folder), 0, 5);
    // The bank takes the money at once, and answers never.
    let hanging =
        SimulatorConfig { faults: "delay-ms=60000:1".parse().unwrap(), ..SimulatorConfig::default() };
    let server = TestServer::start_with(node(folder.path()).with_simulator(hanging)).await;
    let world = World::new(&server.caller);
    let account = world.account("Cut off", CARD_APPROVED).await;
    for _ in 0..20 {
        world.invoice(&account, json!(10), "2024-07-28").await;
    }
    let run = server.caller.create("/v1/payment-runs", json!({ "targetDate": "2024-07-28" })).await;
    let run = text(&run, "id");
    let progress = format!("/ops/payment-runs/{run}/progress");
    wait_until("two charges are under way", async || server.charges().len() >= 2).await;
    let stopped = server.caller.post(&format!("/ops/payment-runs/{run}/stop"), Value::Null).await;
    assert_eq!(stopped.status, 200);
    // The two that are under way are waited for; everything else is given up at once.
    let waiting = |body: &Value| body["documents_planned"] == 20 && body["payments_in_doubt"] == 2;
    server.caller.wait_for(&progress, waiting).await;
    let cut_off = server;
    copy_folder(folder.path(), copy.path());

    let server = TestServer::start_with(node(copy.path())).await;
    let ended = World::new(&server.caller).ended(&run).await;
    assert_eq!(ended["status"], "Canceled");
    let numbers = server.caller.get(&progress).await.body;
    assert_eq!((&numbers["documents_planned"], &numbers["payments_in_doubt"]), (&json!(20), &json!(0)));
    assert_eq!(numbers["payments_processed"], json!(2), "they are asked about");
    assert_eq!(server.charges().len(), 2, "and not sent again");
    drop(cut_off);
}
