//! A request that is repeated has one effect and one answer.

use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, ENTITY};
use payment_runs_tests::caller::Answer;
use payment_runs_tests::world::{CARD_APPROVED, World, text};
use payment_runs_tests::{TestServer, wait_until};
use serde_json::{Value, json};

/// Makes every new payment fail in the store, as a full disk would.
const REFUSE_PAYMENTS: &str = "CREATE TRIGGER refuse_payments BEFORE INSERT ON payment \
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";

async fn create_run(server: &TestServer, key: &str, body: &Value) -> Answer {
    server.caller.call("POST", "/v1/payment-runs").header("idempotency-key", key).json(body).await
}

/// That a repeated answer has the headers of the first one, also the identifier of its request. What tells of quotas and
/// of the connection is of the repetition.
fn assert_same_headers(first: &Answer, second: &Answer) {
    let own = ["date", "ratelimit-remaining", "ratelimit-reset", "concurrency-limit-remaining"];
    for (name, value) in &first.headers {
        if !own.contains(&name.as_str()) {
            assert_eq!(second.headers.get(name), Some(value), "{name}");
        }
    }
    assert_eq!(first.headers.len(), second.headers.len());
}

async fn number_of_runs(server: &TestServer) -> usize {
    server.caller.get("/v1/payment-runs").await.body["paymentRuns"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_create_makes_one_run_and_gives_the_same_answer() {
    let server = TestServer::start().await;
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    let first = create_run(&server, "key-1", &body).await;
    let second = create_run(&server, "key-1", &body).await;
    assert_eq!((first.status, &first.bytes), (second.status, &second.bytes));
    assert_same_headers(&first, &second);
    assert_eq!(number_of_runs(&server).await, 1);
    create_run(&server, "key-2", &body).await;
    assert_eq!(number_of_runs(&server).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_at_once_makes_one_run() {
    let server = TestServer::start().await;
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    let (a, b, c) = tokio::join!(
        create_run(&server, "race", &body),
        create_run(&server, "race", &body),
        create_run(&server, "race", &body)
    );
    for answer in [&a, &b, &c] {
        assert!(answer.status == 200 || answer.status == 409, "{}", answer.body);
    }
    assert_eq!(number_of_runs(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_request() {
    let server = TestServer::start().await;
    create_run(&server, "mine", &json!({ "runDate": "2099-01-01 00:00:00" })).await;
    let other = create_run(&server, "mine", &json!({ "runDate": "2099-01-02 00:00:00" })).await;
    assert_eq!(other.status, 422, "{}", other.body);
    assert_eq!(number_of_runs(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_remembered_too_and_a_key_is_forgotten_after_a_day() {
    let server = TestServer::start_at("2024-07-28T10:15:00Z").await;
    let refused = create_run(&server, "bad", &json!({})).await;
    assert_eq!(refused.status, 400);
    let again = create_run(&server, "bad", &json!({})).await;
    assert_eq!(refused.bytes, again.bytes);
    assert_same_headers(&refused, &again);
    assert_eq!(create_run(&server, "bad", &json!({ "runDate": "2099-01-01 00:00:00" })).await.status, 422);
    server.advance_to("2024-07-29T10:15:01Z");
    assert_eq!(create_run(&server, "bad", &json!({ "runDate": "2099-01-01 00:00:00" })).await.status, 200);
}

/// What nobody can ask for any more is not kept either.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_forgotten_leaves_the_database() {
    let server = TestServer::start_at("2026-03-01T10:00:00Z").await;
    create_run(&server, "key", &json!({ "targetDate": "2026-03-01" })).await;
    let kept = || {
        let file = server.open_database();
        file.query_row("SELECT count(*) FROM once", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(kept(), 1);
    server.advance_to("2026-03-02T09:59:00Z");
    assert_eq!(kept(), 1);
    server.advance_to("2026-03-02T10:00:10Z");
    wait_until("the answer is forgotten", async || kept() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_electronic_payment_charges_once() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Once", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(30), "2024-07-01").await;
    let body = json!({
        "accountId": account, "amount": 30, "currency": "USD", "type": "Electronic",
        "invoices": [{ "invoiceId": invoice, "amount": 30 }],
    });
    let pay = || async {
        server.caller.call("POST", "/v1/payments").header("idempotency-key", "pay-1").json(&body).await
    };
    let first = pay().await;
    assert_eq!((first.status, &first.body["status"]), (200, &json!("Processed")), "{}", first.body);
    assert_eq!(first.bytes, pay().await.bytes);
    assert_eq!(server.charges().len(), 1);
    assert_eq!(server.caller.get(&format!("/v1/invoices/{invoice}")).await.body["balance"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn put_takes_no_key() {
    let server = TestServer::start().await;
    let run = server.caller.create("/v1/payment-runs", json!({ "runDate": "2099-01-01 00:00:00" })).await;
    let path = format!("/v1/payment-runs/{}", run["id"].as_str().unwrap());
    let answer = server.caller.call("PUT", &path).header("idempotency-key", "k").json(&json!({})).await;
    assert_eq!(answer.status, 400);
    let empty = server.caller.call("PUT", &path).header("idempotency-key", "").json(&json!({})).await;
    assert_eq!(empty.status, 200, "an empty key is none: {}", empty.body);
    let long = "k".repeat(256);
    assert_eq!(create_run(&server, &long, &json!({ "runDate": "2099-01-01 00:00:00" })).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_key_is_none_in_v1_and_a_fault_in_v2() {
    let server = TestServer::start().await;
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    for made in 1..=2 {
        assert_eq!(create_run(&server, "", &body).await.status, 200);
        assert_eq!(number_of_runs(&server).await, made, "nothing is replayed");
    }
    let call = server.caller.call("POST", "/v2/payment_runs").header("idempotency-key", "");
    let refused = call.json(&json!({ "payment_run_date": "2099-01-01T00:00:00Z" })).await;
    let error = &refused.body["errors"][0];
    assert_eq!((refused.status, &error["parameter"]), (400, &json!("idempotency-key")), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_may_pass_is_not_remembered_for_an_old_version() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Busy", CARD_APPROVED).await;
    let invoice = world.invoice(&account, json!(30), "2024-07-01").await;
    let file = server.open_database();
    file.execute_batch(REFUSE_PAYMENTS).unwrap();
    let body = json!({
        "accountId": account, "amount": 30, "currency": "USD", "type": "Electronic",
        "invoices": [{ "invoiceId": invoice, "amount": 30 }],
    });
    let pay = || async {
        let call = server.caller.call("POST", "/v1/payments").header("zuora-version", "211.0");
        call.header("idempotency-key", "old").json(&body).await
    };
    let failed = pay().await;
    let code = failed.body["reasons"][0]["code"].as_i64().unwrap();
    assert_eq!((failed.status, code % 100), (200, 60), "{}", failed.body);
    file.execute_batch("DROP TRIGGER refuse_payments").unwrap();
    let paid = pay().await;
    assert_eq!((paid.status, &paid.body["status"]), (200, &json!("Processed")), "{}", paid.body);
    assert_eq!(pay().await.bytes, paid.bytes);
    assert_eq!(server.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_the_key_keeps_its_status_for_an_old_version() {
    let server = TestServer::start().await;
    let call = |method: &'static str, path: &str| {
        server.caller.call(method, path).header("zuora-version", "211.0").header("idempotency-key", "one")
    };
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    let run = call("POST", "/v1/payment-runs").json(&body).await;
    assert_eq!(run.status, 200, "{}", run.body);
    let other = call("POST", "/v1/payment-runs").json(&json!({ "runDate": "2099-01-02 00:00:00" })).await;
    assert_eq!(other.status, 422, "{}", other.body);
    let path = format!("/v1/payment-runs/{}", run.body["id"].as_str().unwrap());
    assert_eq!(call("PUT", &path).json(&json!({})).await.status, 400, "a key on PUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_never_kept_under_a_key() {
    let server = TestServer::start().await;
    let form = format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=client_credentials");
    let ask = || async {
        let call = server.caller.anonymous().call("POST", "/oauth/token");
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        call.header("idempotency-key", "token").raw(form.clone().into_bytes()).await
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, second.status), (200, 200), "{}", second.body);
    assert_ne!(first.body["access_token"], second.body["access_token"], "each call gives a token of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_scope_and_query() {
    let server = TestServer::start().await;
    let east = server.caller.post("/ops/organizations", json!({ "name": "East" })).await;
    let east = east.body["organization_id"].as_str().unwrap().to_owned();
    let body = json!({ "runDate": "2099-01-01 00:00:00" });
    let whole = create_run(&server, "scope", &body).await;
    assert_eq!(whole.status, 200, "{}", whole.body);
    let named = server.caller.clone().with_header("zuora-entity-ids", &ENTITY.to_string());
    let same = named.call("POST", "/v1/payment-runs").header("idempotency-key", "scope").json(&body).await;
    assert_eq!(same.bytes, whole.bytes, "it is the same entity, whether it is named or not");
    let narrow = server.caller.clone().with_header("zuora-org-ids", &east);
    let other = narrow.call("POST", "/v1/payment-runs").header("idempotency-key", "scope").json(&body).await;
    assert_eq!(other.status, 422, "another set of organizations: {}", other.body);
    let v2 = json!({ "payment_run_date": "2099-01-01T00:00:00Z" });
    let call = |path: &'static str| server.caller.call("POST", path).header("idempotency-key", "query");
    assert_eq!(call("/v2/payment_runs?fields[]=id").json(&v2).await.status, 201);
    let query = call("/v2/payment_runs?fields[]=state").json(&v2).await;
    assert_eq!(query.status, 422, "another query: {}", query.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_refusal_is_short() {
    let server = TestServer::start().await;
    let client = json!({ "permissions": ["read", "manage_payment_runs"] });
    let created = server.caller.post("/ops/clients", client).await.body;
    let caller = payment_runs_tests::caller::Caller::new(server.url(""));
    caller.log_in(&text(&created["client"], "client_id"), &text(&created, "client_secret")).await;
    let record = json!({ "x".repeat(200): 1 });
    let body = json!({ "data": vec![record; 120] });
    for (who, bytes_max) in [(&caller, 1_024), (&server.caller, 8 * 1_024)] {
        for path in ["/v1/payment-runs", "/v2/payment_runs"] {
            let call = || who.call("POST", path).header("idempotency-key", path).json(&body);
            let first = call().await;
            assert_eq!(first.status, 400, "{}", first.body);
            let told = first.body["reasons"].as_array().or(first.body["errors"].as_array()).unwrap();
            let message = told.last().unwrap()["message"].as_str().unwrap();
            assert!(told.len() == 1 || message.contains("more faults"), "{message}");
            let second = call().await;
            assert_eq!((first.status, &first.bytes), (second.status, &second.bytes), "{path}");
            let sizes = "SELECT max(length(response)) FROM once WHERE response IS NOT NULL";
            let longest: i64 = server.open_database().query_row(sizes, [], |row| row.get(0)).unwrap();
            assert!(longest <= bytes_max, "{longest} bytes are kept");
        }
    }
}
