//! The audit trail, page by page.

use payment_runs_node::testing::USER;
use payment_runs_tests::TestServer;
use payment_runs_tests::caller::Caller;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use serde_json::{Value, json};

use crate::administration::logged_in;

/// Every record, in pages of two.
async fn trail(caller: &Caller, query: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("/ops/audit-records?page_size=2{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let records = page.body["data"].as_array().unwrap();
        assert!(records.len() <= 2);
        all.extend(records.clone());
        let Some(next) = page.body["next_page"].as_str() else { break };
        assert_eq!(records.len(), 2, "only the last page is short");
        cursor = format!("&cursor={next}");
    }
    let ids: Vec<i64> = all.iter().map(|record| record["id"].as_i64().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "oldest first, each once: {ids:?}");
    all
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_to_a_run_is_recorded() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let (caller, world) = (&server.caller, World::new(&server.caller));
    let account = world.account("Audited", CARD_APPROVED).await;
    world.invoice(&account, json!(10), "2024-07-28").await;
    let run = caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    let run = text(&run, "id");
    caller.put(&format!("/v1/payment-runs/{run}"), json!({ "consolidatedPayment": true })).await;
    server.advance_to("2024-07-28T12:00:00Z");
    let number = text(&world.ended(&run).await, "number");
    world.unapplied_payment(&account, json!(3)).await;

    let records = trail(caller, &format!("&payment_run={number}")).await;
    assert_eq!(records, trail(caller, &format!("&payment_run={run}")).await);
    assert_eq!(
        kinds(&records),
        [
            "payment_run_created",
            "payment_run_updated",
            "payment_run_started",
            "chunk_planned",
            "payment_settled",
            "payment_run_ended"
        ]
    );
    let expected = json!({
        "id": records[0]["id"], "at": "2024-07-28T10:15:00Z", "kind": "payment_run_created",
        "user_id": USER.to_string(), "payment_run_id": run, "payment_id": null, "payment_state": null, "detail": null,
    });
    assert_eq!(records[0], expected);
    assert_eq!((&records[2]["user_id"], &records[2]["at"]), (&Value::Null, &json!("2024-07-28T12:00:00Z")));
    let settled = &records[4];
    assert_eq!(settled["payment_state"], "processed");
    let payment = text(settled, "payment_id");
    assert_eq!(trail(caller, &format!("&payment={payment}")).await, std::slice::from_ref(settled));
    assert_eq!(trail(caller, &format!("&payment={payment}&payment_run={run}")).await.len(), 1);
    assert_eq!(trail(caller, "").await.len(), 7, "and the single payment");
    for nothing in ["&payment_run=PR-99999999", "&payment=P-99999999"] {
        assert!(trail(caller, nothing).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_belong_to_their_list() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    for _ in 0..3 {
        caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await;
    }
    let page = caller.get("/ops/audit-records?page_size=1").await.body;
    let cursor = text(&page, "next_page");
    for path in [
        format!("/ops/audit-records?payment_run=PR-00000001&cursor={cursor}"),
        format!("/ops/payments?cursor={cursor}"),
        "/ops/audit-records?cursor=AAAA".to_owned(),
        "/ops/audit-records?page_size=0".to_owned(),
        "/ops/audit-records?page_size=100".to_owned(),
    ] {
        let answer = caller.get(&path).await;
        assert_eq!((answer.status, &answer.body["type"]), (400, &json!("bad_request")), "{path}");
    }
    assert_eq!(caller.anonymous().get("/ops/audit-records").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_one_organization_sees_its_trail() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let caller = &server.caller;
    let made = caller.post("/ops/organizations", json!({ "name": "East" })).await;
    let east = text(&made.body, "organization_id");
    let body = json!({ "permissions": ["read", "manage_payment_runs"], "organizations": [east] });
    let eastern = logged_in(&server, caller, "east", body).await;
    let run = |caller: Caller| async move {
        text(&caller.create("/v1/payment-runs", json!({ "runDate": "2024-07-28 12:00:00" })).await, "id")
    };
    let (ours, theirs) = (run(eastern.clone()).await, run(caller.clone()).await);
    let seen = trail(&eastern, "").await;
    assert_eq!((seen.len(), &seen[0]["payment_run_id"]), (1, &json!(ours)));
    assert!(trail(&eastern, &format!("&payment_run={theirs}")).await.is_empty());
    assert_eq!(trail(caller, "").await.len(), 2);
}
