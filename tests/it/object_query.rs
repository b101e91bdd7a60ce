//! Payment runs as query objects.

use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, CARD_DECLINED, World, text};
use serde_json::{Value, json};

use payment_runs_node::testing::TestNode;

const RUNS: &str = "/object-query/payment-runs";

/// A server whose clock stands and whose runs stay pending.
async fn still() -> TestServer {
    let builder = TestNode::builder().at("2024-07-28T09:15:30Z".parse().unwrap()).without_worker();
    TestServer::start_with(builder).await
}

async fn create(server: &TestServer, body: Value) -> Value {
    server.caller.create("/v1/payment-runs", body).await
}

/// The numbers of the runs that a query finds, without their `PR-` and zeros.
async fn found(server: &TestServer, query: &str) -> Vec<u32> {
    let answer = server.caller.get(&format!("{RUNS}?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    numbers(&answer.body)
}

fn numbers(page: &Value) -> Vec<u32> {
    let runs = page["data"].as_array().unwrap();
    runs.iter().map(|run| text(run, "paymentRunNumber")[3..].parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_shows_its_counters() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let good = world.account("Good", CARD_APPROVED).await;
    world.invoice(&good, json!(256), "2024-07-01").await;
    world.memo("debit-memos", &good, json!(20), "2024-07-01").await;
    world.memo("credit-memos", &good, json!(100), "2024-07-01").await;
    world.unapplied_payment(&good, json!(100)).await;
    let bad = world.account("Bad", CARD_DECLINED).await;
    world.memo("debit-memos", &bad, json!(7), "2024-07-01").await;
    let body =
        json!({ "targetDate": "2024-07-24", "autoApplyCreditMemo": true, "autoApplyUnappliedPayment": true });
    let run = world.run(body).await;
    let shown = server.caller.get(&format!("{RUNS}/{}", text(&run, "id"))).await.body;
    for (field, value) in [
        ("id", run["id"].clone()),
        ("status", json!("Completed")),
        ("targetDate", json!("2024-07-24")),
        ("createdDate", run["createdDate"].clone()),
        ("executedDate", run["executedOn"].clone()),
        ("endDate", run["completedOn"].clone()),
        ("numberOfInvoices", json!(1)),
        ("numberOfDebitMemos", json!(2)),
        ("numberOfCreditMemos", json!(1)),
        ("numberofUnappliedPayments", json!(1)),
        ("numberOfPayments", json!(1)),
        ("numberOfErrors", json!(1)),
        ("numberOfUnprocessed", json!(1)),
        ("numberOfDebitMemosUnprocessed", json!(1)),
        ("numberOfCreditBalanceAdjustments", Value::Null),
        ("repeatType", json!("None")),
    ] {
        assert_eq!(shown[field], value, "{field} of {shown}");
    }
    assert!(shown["totalExecutionTime"].is_i64(), "{shown}");
    assert_eq!(found(&server, "filter[]=numberofpayments.GE:1").await, [1]);
    assert_eq!(found(&server, "filter[]=numberofpayments.GT:1").await, [0_u32; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_is_found_by_id_and_by_number() {
    let server = still().await;
    let run = create(&server, json!({ "runDate": "2024-08-01 11:00:00", "batch": "Batch1" })).await;
    let by_id = server.caller.get(&format!("{RUNS}/{}", text(&run, "id"))).await.body;
    let by_number = server.caller.get(&format!("{RUNS}/PR-00000001?pageSize=5&sort[]=id.ASC")).await.body;
    assert_eq!(by_id, by_number);
    assert_eq!(by_id["runDate"], "2024-08-01 11:00:00");
    assert_eq!((&by_id["runTime"], &by_id["nextRunOn"]), (&json!(11), &json!("2024-08-01")));
    assert_eq!(by_id.get("errorMessage"), None, "empty fields are left out");
    let with_nulls = server.caller.get(&format!("{RUNS}/PR-00000001?includeNullFields=true")).await.body;
    assert_eq!(with_nulls.get("errorMessage"), Some(&Value::Null));
    assert_eq!(with_nulls.as_object().map(serde_json::Map::len), Some(42), "{with_nulls}");
    let missing = server.caller.get(&format!("{RUNS}/PR-00009999")).await;
    assert_eq!((missing.status, &missing.body["reasons"][0]["code"]), (404, &json!(50_000_040)));
    assert_eq!(missing.body["requestId"].as_str(), missing.header("zuora-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_ignore_case_and_know_eight_operators() {
    let server = still().await;
    for target in ["2024-07-30", "2024-07-31", "2024-08-01"] {
        create(&server, json!({ "targetDate": target })).await;
    }
    create(&server, json!({ "runDate": "2024-09-01 00:00:00" })).await;
    let second = server.caller.get(&format!("{RUNS}/PR-00000002")).await.body;
    let id = text(&second, "id").to_uppercase();
    for (query, numbers) in [
        (String::new(), vec![4, 3, 2, 1]),
        ("filter[]=STATUS.eq:pending".to_owned(), vec![4, 3, 2, 1]),
        ("filter[]=status.NE:Pending".to_owned(), vec![]),
        ("filter[]=status.IN:[pending,COMPLETED]".to_owned(), vec![4, 3, 2, 1]),
        ("filter[]=targetdate.LT:2024-07-31".to_owned(), vec![1]),
        ("filter[]=targetdate.LE:2024-07-31".to_owned(), vec![2, 1]),
        ("filter[]=targetdate.GT:2024-07-31".to_owned(), vec![4, 3]),
        ("filter[]=targetDate.GE:2024-07-31&filter[]=targetDate.LT:2024-08-31".to_owned(), vec![3, 2]),
        ("filter[]=paymentrunnumber.SW:pr-0000000".to_owned(), vec![4, 3, 2, 1]),
        ("filter[]=paymentRunNumber.EQ:pr-00000003".to_owned(), vec![3]),
        (format!("filter[]=id.EQ:{id}"), vec![2]),
        ("filter[]=executeddate.EQ:null".to_owned(), vec![4, 3, 2, 1]),
        ("filter[]=executeddate.NE:null".to_owned(), vec![]),
        ("filter[]=updateddate.GE:2024-07-28T09:15:30Z".to_owned(), vec![4, 3, 2, 1]),
        ("filter[]=updateddate.LT:2024-07-28 09:15:30".to_owned(), vec![]),
        ("sort[]=targetdate.ASC".to_owned(), vec![1, 2, 3, 4]),
        ("sort[]=TargetDate.desc".to_owned(), vec![4, 3, 2, 1]),
    ] {
        assert_eq!(found(&server, &query).await, numbers, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_by_a_cursor() {
    let server = still().await;
    for index in 0..5 {
        create(&server, json!({ "targetDate": format!("2024-07-{}", 10 + index % 2) })).await;
    }
    let first = format!("{RUNS}?sort[]=targetdate.DESC&pageSize=2&fields[]=paymentRunNumber");
    let mut page = server.caller.get(&first).await.body;
    let mut all = numbers(&page);
    while let Some(cursor) = page["nextPage"].as_str() {
        page = server.caller.get(&format!("{RUNS}?pageSize=2&cursor={cursor}")).await.body;
        all.extend(numbers(&page));
    }
    assert_eq!(page.get("nextPage"), None, "the last page has none");
    assert_eq!(all, [4, 2, 5, 3, 1]);
    let foreign = server.caller.get(&format!("{RUNS}?cursor=W3sib3JkZXJ=")).await;
    assert_eq!((foreign.status, &foreign.body["reasons"][0]["code"]), (400, &json!(50_000_027)));
    let nothing = server.caller.get(&format!("{RUNS}?filter[]=id.EQ:nobody")).await.body;
    assert_eq!(nothing, json!({ "data": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_told_at_once_in_category_27() {
    let server = still().await;
    let query = "filter[]=colour.EQ:red&filter[]=createddate.EQ:null&sort[]=batch.ASC&expand[]=account&fields[]=size&page=2";
    let list = server.caller.get(&format!("{RUNS}?{query}")).await;
    assert_eq!(list.status, 400);
    let reasons = list.body["reasons"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| reason["code"] == 50_000_027), "{}", list.body);
    insta::assert_json_snapshot!("faults_of_a_query", reasons);
    for query in ["pageSize=0", "pageSize=100", "includeNullFields=maybe", "sort[]=id.ASC&sort[]=status.ASC"]
    {
        let refused = server.caller.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["reasons"][0]["code"]),
            (400, &json!(50_000_027)),
            "{query}"
        );
    }
    let header = "z".repeat(65);
    let header = server.caller.call("GET", RUNS).header("zuora-track-id", &header).send().await;
    assert_eq!(
        (header.status, &header.body["reasons"][0]["code"]),
        (400, &json!(50_000_020)),
        "category 27 is of the query: {}",
        header.body
    );
    let one = server.caller.get(&format!("{RUNS}/PR-00000001?expand[]=account&fields[]=size")).await;
    assert_eq!((one.status, one.body["reasons"].as_array().map(Vec::len)), (400, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_feature_are_null_without_it() {
    let server = still().await;
    let run = create(&server, json!({ "runDate": "2024-08-01 11:00:00" })).await;
    let path = format!("{RUNS}/{}?includeNullFields=true", text(&run, "id"));
    let settled = [
        "autoApplyCreditMemo",
        "autoApplyUnappliedPayment",
        "numberOfInvoices",
        "numberOfCreditMemos",
        "numberOfDebitMemos",
        "numberOfDebitMemosUnprocessed",
        "numberofUnappliedPayments",
    ];
    let balance = ["applyCreditBalance", "numberOfCreditBalanceAdjustments"];
    let shown = server.caller.get(&path).await.body;
    assert!(settled.iter().all(|field| !shown[field].is_null()), "{shown}");
    assert!(balance.iter().all(|field| shown.get(field) == Some(&Value::Null)), "{shown}");
    let mut settings = server.caller.get("/ops/settings").await.body;
    settings["invoice_settlement"] = json!(false);
    assert_eq!(server.caller.put("/ops/settings", settings).await.status, 200);
    let shown = server.caller.get(&path).await.body;
    assert!(settled.iter().all(|field| shown.get(field) == Some(&Value::Null)), "{shown}");
    assert!(balance.iter().all(|field| !shown[field].is_null()), "{shown}");
}
