//! Payments in doubt: seen, and settled by a person.

use std::path::Path;
use std::time::Duration;

use payment_runs_engine::collect::SendPolicy;
use payment_runs_engine::ports::GatewaySettings;
use payment_runs_gateway::simulator::SimulatorConfig;
use payment_runs_node::testing::{TestNode, TestNodeBuilder, USER};
use payment_runs_tests::caller::Caller;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use payment_runs_tests::{TestServer, wait_until};
use serde_json::{Value, json};

use crate::administration::logged_in;
use crate::control::copy_folder;

/// A gateway with these faults, which answers no look-ups unless it is said to.
fn faulty(builder: TestNodeBuilder, faults: &str, looks_up: bool) -> TestNodeBuilder {
    let simulator = SimulatorConfig {
        faults: faults.parse().unwrap(),
        supports_lookup: looks_up,
        ..SimulatorConfig::default()
    };
    let settings = GatewaySettings {
        concurrency: 8,
        rate_per_s: None,
        timeout: Duration::from_secs(20),
        key_life: Duration::from_hours(24),
        supports_look_up: looks_up,
    };
    builder.with_simulator(simulator).with_gateway_settings(settings).configure(|config| {
        if let Some(worker) = &mut config.worker {
            let once = SendPolicy { deliveries_max: 1, unanswered_max: 1, ..SendPolicy::default() };
            worker.send = once;
            // What is in doubt is left to people here.
            worker.look_ups.again_after = Duration::from_hours(9);
            worker.look_ups.every = Duration::from_hours(9);
        }
    })
}

async fn listed(caller: &Caller, path: &str) -> Vec<Value> {
    caller.get(path).await.body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_listed_and_settled_by_a_person() {
    let builder = faulty(TestNode::builder().with_system_clock(), "drop-after-charge=1", false);
    let server = TestServer::start_with(builder).await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Doubtful", CARD_APPROVED).await;
    let mut invoices = Vec::new();
    for amount in [10, 20, 30] {
        invoices.push(world.invoice(&account, json!(amount), "2024-07-28").await);
    }
    let run = world.run(json!({ "targetDate": "2024-07-28" })).await;
    let run = text(&run, "id");
    let progress = format!("/ops/payment-runs/{run}/progress");
    assert_eq!(caller.get(&progress).await.body["payments_in_doubt"], 3);

    let unknown = listed(caller, "/ops/payments?state=unknown").await;
    assert_eq!(unknown.len(), 3);
    let of_run = format!("/ops/payment-runs/{run}/payments");
    let mut in_order = listed(caller, &format!("{of_run}?state=unknown")).await;
    in_order.reverse();
    assert_eq!(in_order, unknown, "one list is newest first, the other in the order of making");
    assert!(listed(caller, "/ops/payments?state=processed").await.is_empty());
    assert_eq!(listed(caller, &format!("/ops/payments?account={account}")).await.len(), 3);
    assert!(listed(caller, "/ops/payments?account=nobody").await.is_empty());
    assert_eq!(caller.get("/ops/payments?state=lost").await.status, 400);
    assert_eq!(caller.get("/ops/payment-runs/PR-99999999/payments").await.status, 404);

    let first = &unknown[2];
    assert_eq!((&first["amount"], &first["payment_run_id"]), (&json!(10), &json!(run)), "{first}");
    assert_eq!(first["documents"], json!([{ "document_id": invoices[0], "amount": 10 }]));
    let (id, number) = (text(first, "id"), text(first, "number"));
    assert_eq!(&caller.get(&format!("/ops/payments/{number}")).await.body, first);
    assert_eq!(caller.get("/ops/payments/P-99999999").await.status, 404);

    // No other payment may take a document that is held.
    let external = json!({
        "accountId": account, "amount": 5, "currency": "USD", "type": "External",
        "invoices": [{ "invoiceId": invoices[1], "amount": 5 }],
    });
    let held = caller.post("/v1/payments", external.clone()).await;
    assert_eq!(held.status, 409, "{}", held.body);

    let resolve = format!("/ops/payments/{id}/resolve");
    let collected =
        json!({ "outcome": "processed", "comment": "seen at the bank", "gateway_reference": "bank-7" });
    for permissions in [json!(["manage_payment_runs"]), json!(["process_electronic_payment"])] {
        let name = format!("clerk-{}", permissions[0].as_str().unwrap().len());
        let clerk = logged_in(&server, caller, &name, json!({ "permissions": permissions })).await;
        assert_eq!(clerk.post(&resolve, collected.clone()).await.status, 403, "{permissions}");
    }
    for (wrong, field) in [
        (json!({ "outcome": "processed" }), "comment"),
        (json!({ "outcome": "processed", "comment": "" }), "comment"),
        (json!({ "outcome": "processed", "comment": "  " }), "comment"),
        (json!({ "outcome": "perhaps", "comment": "x" }), "outcome"),
        (json!({ "outcome": "processed", "comment": "x", "amount": 3 }), "amount"),
    ] {
        let answer = caller.post(&resolve, wrong.clone()).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["parameter"]), (400, &json!(field)), "{wrong}");
    }
    assert_eq!(caller.post("/ops/payments/P-99999999/resolve", collected.clone()).await.status, 404);

    let send = || caller.call("POST", &resolve).header("idempotency-key", "first").json(&collected);
    let resolved = send().await;
    assert_eq!(resolved.status, 200, "{}", resolved.body);
    assert_eq!(
        (&resolved.body["state"], &resolved.body["gateway_reference"]),
        (&json!("processed"), &json!("bank-7"))
    );
    assert!(resolved.body["settled_at"].is_string());
    assert_eq!(send().await.body, resolved.body, "a repetition is answered as before");
    let again = caller.post(&resolve, collected).await;
    assert_eq!(
        (again.status, &again.body["errors"][0]["message"]),
        (409, &json!("the payment is processed already"))
    );
    let declined = json!({ "outcome": "declined", "comment": "not at the bank", "gateway_code": "lost" });
    let second = format!("/ops/payments/{}/resolve", text(&unknown[1], "id"));
    assert_eq!(caller.post(&second, declined).await.body["gateway_code"], "lost");

    let balance =
        async |at: usize| caller.get(&format!("/v1/invoices/{}", invoices[at])).await.body["balance"].clone();
    assert_eq!([balance(0).await, balance(1).await, balance(2).await], [json!(0), json!(20), json!(30)]);
    let numbers = caller.get(&progress).await.body;
    let counted =
        ["payments_processed", "payments_errors", "payments_in_doubt"].map(|field| numbers[field].clone());
    assert_eq!(counted, [json!(1), json!(1), json!(1)], "an ended run still counts");
    let summary = caller.get(&format!("/v1/payment-runs/{run}/summary")).await.body;
    assert_eq!(summary["numberOfPayments"], json!(1), "{summary}");
    assert_eq!(summary["totalValues"][0]["totalValueOfPayments"], json!("10 USD"));
    let paid = caller.post("/v1/payments", external).await;
    assert_eq!(paid.status, 200, "what was declined is free: {}", paid.body);

    let trail = listed(caller, &format!("/ops/audit-records?payment={number}")).await;
    let last = trail.last().unwrap();
    assert_eq!((&last["kind"], &last["payment_state"]), (&json!("payment_resolved"), &json!("processed")));
    assert_eq!((&last["detail"], &last["user_id"]), (&json!("seen at the bank"), &json!(USER.to_string())));
    assert_eq!(last["payment_run_id"], json!(run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_being_sent_is_left_to_its_sender() {
    let builder = faulty(TestNode::builder().with_system_clock(), "delay-ms=3000:1", true);
    let server = TestServer::start_with(builder).await;
    let account = World::new(&server.caller).account("Slow", CARD_APPROVED).await;
    let caller = server.caller.clone();
    let body = json!({ "accountId": account, "amount": 7, "currency": "USD", "type": "Electronic" });
    let paying = async { caller.create("/v1/payments", body).await };
    let meddling = async {
        let path = "/ops/payments?state=intent";
        let seen = server
            .caller
            .wait_for(path, |body| body["data"].as_array().is_some_and(|all| !all.is_empty()))
            .await;
        let path = format!("/ops/payments/{}/resolve", text(&seen["data"][0], "id"));
        server.caller.post(&path, json!({ "outcome": "declined", "comment": "impatient" })).await
    };
    let (paid, refused) = tokio::join!(paying, meddling);
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["message"]),
        (409, &json!("the payment is being sent"))
    );
    assert_eq!(paid["status"], "Processed");
    let processed = listed(&server.caller, "/ops/payments?state=processed").await;
    assert_eq!((processed.len(), &processed[0]["payment_run_id"]), (1, &Value::Null));
    assert_eq!(processed[0]["unapplied_amount"], 7);
}

/// The server is cut off between the charge and its record. The look-up finds what came of it, and then the request's own
/// key is answered, and no second payment is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_payment_is_answered_under_its_key() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let start = "2024-07-28T10:00:00Z";
    let node = |folder: &Path| TestNode::builder().at(start.parse().unwrap()).in_folder(folder);
    let server = TestServer::start_with(faulty(node(folder.path()), "delay-ms=60000:1", true)).await;
    let account = World::new(&server.caller).account("Cut off", CARD_APPROVED).await;
    let body = json!({ "accountId": account, "amount": 7, "currency": "USD", "type": "Electronic" });
    let caller = server.caller.clone();
    let sent = body.clone();
    let sending = async move {
        let call = caller.call("POST", "/v1/payments").header("idempotency-key", "mine");
        call.json(&sent).await
    };
    let has_arrived = wait_until("the bank has been reached", async || !server.charges().is_empty());
    tokio::select! {
        answer = sending => panic!("the gateway holds its answer back: {}", answer.body),
        () = has_arrived => {}
    }
    let waiting =
        server.caller.call("POST", "/v1/payments").header("idempotency-key", "mine").json(&body).await;
    assert_eq!(waiting.status, 409, "{}", waiting.body);
    let cut_off = server;
    copy_folder(folder.path(), copy.path());

    let server = TestServer::start_with(node(copy.path())).await;
    let mine = async || {
        server.caller.call("POST", "/v1/payments").header("idempotency-key", "mine").json(&body).await
    };
    assert_eq!(mine().await.status, 409, "nobody knows yet what came of it");
    server.advance_to("2024-07-28T10:10:00Z");
    let settled = |body: &Value| body["data"].as_array().is_some_and(|all| !all.is_empty());
    server.caller.wait_for("/ops/payments?state=processed", settled).await;
    let answered = mine().await;
    assert_eq!((answered.status, &answered.body["status"]), (200, &json!("Processed")), "{}", answered.body);
    assert_eq!(mine().await.body, answered.body);
    let all = listed(&server.caller, "/ops/payments").await;
    assert_eq!((all.len(), &all[0]["number"]), (1, &answered.body["number"]));
    assert_eq!(server.charges().len(), 1);
    drop(cut_off);
}
