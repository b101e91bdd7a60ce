//! A database that another program holds: who writes is told to try again, in the API's own shape, and nothing is changed.

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use serde_json::json;

const MESSAGE: &str = "another program holds the database: nothing was changed, try again";

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_while_another_program_holds_the_database_is_told_to_try_again() {
    let server = TestServer::start_with(TestNode::builder().with_system_clock().without_worker()).await;
    let caller = &server.caller;
    let run = json!({ "targetDate": "2024-07-24" });
    let other = server.open_database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (v1, v2, ops) = tokio::join!(
        caller.post("/v1/payment-runs", run.clone()),
        caller.post("/v2/payment_runs", json!({ "target_date": "2024-07-24" })),
        caller.post("/ops/organizations", json!({ "name": "East" })),
    );
    let told = json!({ "status": 500, "success": false, "reasons": [[50_000_061, MESSAGE]] });
    assert_eq!(v1.v1_failure(), told, "{}", v1.body);
    for answer in [&v2, &ops] {
        let error = &answer.body["errors"][0];
        assert_eq!((answer.status, &answer.body["type"]), (503, &json!("service_unavailable")));
        assert_eq!((&error["code"], &error["message"]), (&json!("not_ready"), &json!(MESSAGE)));
    }
    for answer in [&v1, &v2, &ops] {
        assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.body);
    }
    assert_eq!(caller.get("/v1/payment-runs").await.body["paymentRuns"], json!([]), "reading goes on");

    other.execute_batch("ROLLBACK").unwrap();
    caller.create("/v1/payment-runs", run).await;
    let runs = caller.get("/v1/payment-runs").await.body;
    assert_eq!(runs["paymentRuns"].as_array().unwrap().len(), 1, "{runs}");
}
