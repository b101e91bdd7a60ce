//! Runs that wait: scheduled, changed while pending, deleted.

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_run_waits_for_its_hour() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let world = World::new(&server.caller);
    let account = world.account("Patient", CARD_APPROVED).await;
    world.invoice(&account, json!(10), "2024-07-28").await;
    let run = server.caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:45:59" })).await;
    assert_eq!(
        (&run["runDate"], &run["status"]),
        (&json!("2024-07-28 12:00:00"), &json!("Pending")),
        "{run}"
    );
    assert_eq!(run["targetDate"], "2024-07-28", "the day of the run is its target date");

    server.advance_to("2024-07-28T11:59:59Z");
    let path = format!("/v1/payment-runs/{}", text(&run, "id"));
    assert_eq!(server.caller.get(&path).await.body["status"], "Pending");
    server.advance_to("2024-07-28T12:00:00Z");
    let done = world.ended(&text(&run, "id")).await;
    assert_eq!(done["status"], "Completed");
    assert_eq!(server.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_is_past_runs_at_once() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let world = World::new(&server.caller);
    let run = world.run(json!({ "runDate": "2024-07-28T10:30:00" })).await;
    assert_eq!((&run["status"], &run["runDate"]), (&json!("Completed"), &json!("2024-07-28 10:00:00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pending_runs_change_and_each_field_changes_alone() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let world = World::new(&server.caller);
    let account = world.account("Changing", CARD_APPROVED).await;
    let body = json!({ "accountId": account, "runDate": "2024-08-01 08:00:00", "consolidatedPayment": true });
    let run = server.caller.create("/v1/payment-runs", body).await;
    let path = format!("/v1/payment-runs/{}", text(&run, "id"));

    let changed = server.caller.put(&path, json!({ "autoApplyCreditMemo": true })).await.body;
    assert_eq!(
        (&changed["accountId"], &changed["consolidatedPayment"]),
        (&json!(account), &json!(true)),
        "{changed}"
    );
    assert_eq!(
        (&changed["autoApplyCreditMemo"], &changed["runDate"]),
        (&json!(true), &json!("2024-08-01 08:00:00"))
    );

    // The result is checked as a whole: a batch does not go with the account that stays.
    let conflict = server.caller.put(&path, json!({ "batch": "Batch1" })).await;
    assert_eq!(conflict.status, 400, "{}", conflict.body);
    let batch = server.caller.put(&path, json!({ "batch": "Batch1", "accountId": null })).await;
    assert_eq!((batch.status, &batch.body["batch"]), (200, &json!("Batch1")), "{}", batch.body);
    assert!(batch.body["accountId"].is_null(), "{}", batch.body);

    assert_eq!(server.caller.delete(&path).await.status, 400, "a pending run is not deleted");
    server.advance_to("2024-08-01T08:00:00Z");
    world.ended(&text(&run, "id")).await;
    let late = server.caller.put(&path, json!({ "collectPayment": false })).await;
    assert_eq!(late.status, 400, "{}", late.body);
    assert_eq!(server.caller.delete(&path).await.status, 400, "a completed run is not deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_pending_run_are_replaced_as_a_whole() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let world = World::new(&server.caller);
    let (one, other) =
        (world.account("One", CARD_APPROVED).await, world.account("Other", CARD_APPROVED).await);
    let mut invoices = Vec::new();
    for (account, amount) in [(&one, 10), (&one, 20), (&other, 40)] {
        invoices.push(world.invoice(account, json!(amount), "2024-07-01").await);
    }
    let pay = |account: &str, at: usize| json!({ "accountId": account, "documentId": invoices[at], "documentType": "Invoice" });
    let body = json!({ "runDate": "2024-07-28 12:00:00", "data": [pay(&one, 0), pay(&other, 2)] });
    let run = server.caller.create("/v1/payment-runs", body).await;
    let path = format!("/v1/payment-runs/{}", text(&run, "id"));

    // Records exclude filters, as in a creation, and what cannot be kept refuses the whole change.
    let conflict = server.caller.put(&path, json!({ "data": [pay(&one, 1)], "accountId": one })).await;
    assert_eq!(conflict.status, 400, "{}", conflict.body);
    assert!(conflict.body["reasons"][0]["message"].as_str().unwrap().contains("'data' excludes 'accountId'"));
    let large = json!({ "data": [{ "accountId": one, "dataItems": [{ "documentItemId": "x" }] }] });
    assert_eq!(server.caller.put(&path, large).await.status, 400);
    let unknown = server.caller.put(&path, json!({ "data": [{ "accountId": one, "sum": 1 }] })).await;
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    let before = server.caller.get(&format!("{path}/data")).await.body;
    assert_eq!(
        before["data"].as_array().map(Vec::len),
        Some(2),
        "a refused change changes nothing: {before}"
    );

    let changed = server.caller.put(&path, json!({ "data": [pay(&one, 1)] })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    server.advance_to("2024-07-28T12:00:00Z");
    world.ended(&text(&run, "id")).await;
    let after = server.caller.get(&format!("{path}/data")).await.body;
    assert_eq!(after["data"].as_array().map(Vec::len), Some(1), "{after}");
    assert_eq!(after["data"][0]["documentId"], json!(invoices[1]), "{after}");
    let balances = [0, 1, 2].map(|at| format!("/v1/invoices/{}", invoices[at]));
    for (path, balance) in balances.iter().zip([10, 0, 40]) {
        assert_eq!(server.caller.get(path).await.body["balance"], balance, "{path}");
    }
    assert_eq!(server.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_its_records_goes_back_to_filters_and_takes_records_again() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let world = World::new(&server.caller);
    let (one, other) =
        (world.account("One", CARD_APPROVED).await, world.account("Other", CARD_APPROVED).await);
    let (first, second) = (
        world.invoice(&one, json!(10), "2024-07-01").await,
        world.invoice(&other, json!(20), "2024-07-01").await,
    );
    let body = json!({ "runDate": "2024-07-28 12:00:00", "data": [{ "accountId": other }] });
    let run = server.caller.create("/v1/payment-runs", body).await;
    let path = format!("/v1/payment-runs/{}", text(&run, "id"));
    for nothing in [json!([]), serde_json::Value::Null] {
        let filtered = server.caller.put(&path, json!({ "data": nothing, "accountId": one })).await;
        assert_eq!((filtered.status, &filtered.body["accountId"]), (200, &json!(one)), "{}", filtered.body);
        let data = server.caller.get(&format!("{path}/data")).await.body;
        assert_eq!(data["data"], json!([]), "{data}");
        let again =
            server.caller.put(&path, json!({ "data": [{ "accountId": other }], "accountId": null })).await;
        assert_eq!(again.status, 200, "{}", again.body);
    }
    let filtered = server.caller.put(&path, json!({ "data": [], "accountId": one })).await;
    assert_eq!(filtered.status, 200, "{}", filtered.body);
    server.advance_to("2024-07-28T12:00:00Z");
    world.ended(&text(&run, "id")).await;
    assert_eq!(server.caller.get(&format!("/v1/invoices/{first}")).await.body["balance"], 0);
    assert_eq!(server.caller.get(&format!("/v1/invoices/{second}")).await.body["balance"], 20);
    let late = server.caller.put(&path, json!({ "data": [{ "accountId": other }] })).await;
    assert_eq!(late.status, 400, "{}", late.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_is_found_and_sorted_by_the_target_date_that_it_shows() {
    let builder = TestNode::builder().at("2024-07-28T09:15:30Z".parse().unwrap()).without_worker();
    let server = TestServer::start_with(builder).await;
    let mut settings = server.caller.get("/ops/settings").await.body;
    settings["time_zone"] = json!("Asia/Tokyo");
    assert_eq!(server.caller.put("/ops/settings", settings).await.status, 200);
    for body in [
        json!({ "runDate": "2024-08-02 00:30:00" }),
        json!({ "runDate": "2024-08-05 10:00:00", "targetDate": "2024-08-01" }),
        json!({ "targetDate": "2024-08-02" }),
    ] {
        server.caller.create("/v1/payment-runs", body).await;
    }
    let numbers = async |query: &str| -> Vec<String> {
        let list = server.caller.get(&format!("/v1/payment-runs?{query}")).await.body;
        let runs = list["paymentRuns"].as_array().unwrap();
        runs.iter().map(|run| format!("{} {}", &text(run, "number")[10..], text(run, "targetDate"))).collect()
    };
    assert_eq!(numbers("targetDate=2024-08-02").await, ["3 2024-08-02", "1 2024-08-02"]);
    assert_eq!(numbers("targetDate=2024-08-01").await, ["2 2024-08-01"]);
    assert_eq!(numbers("targetDate=2024-08-05").await, [""; 0]);
    assert_eq!(numbers("sort=-targetDate").await, ["2 2024-08-01", "3 2024-08-02", "1 2024-08-02"]);
}
