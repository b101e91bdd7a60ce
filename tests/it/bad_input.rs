//! Bad input: the documented status and shape, every fault with its field path, and nothing written.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use payment_runs_tests::TestServer;
use payment_runs_tests::world::{CARD_APPROVED, World};
use serde_json::{Value, json};

/// Statuses and reasons of a table of bodies, as one snapshot.
async fn refusals(server: &TestServer, method: &str, path: &str, table: &[(&str, Value)]) -> String {
    let mut lines = Vec::new();
    for (name, body) in table {
        let answer = server.caller.call(method, path).json(body).await;
        lines.push(format!("{name}\n    {}", serde_json::to_string(&answer.v1_failure()).unwrap()));
    }
    lines.join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_runs() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Known", CARD_APPROVED).await;
    let unknown = "8ad09be48db5aba7018db604776d4854";
    let table = [
        ("an empty body", json!({})),
        ("not an object", json!([])),
        (
            "conflicting filters",
            json!({ "accountId": account, "batch": "Batch1", "billCycleDay": "3", "currency": "USD", "targetDate": "2024-07-24" }),
        ),
        ("an unknown field and neither date", json!({ "acountId": account })),
        (
            "two kinds of faults at once",
            json!({ "accountId": account, "currency": "USD", "batch": "x".repeat(51) }),
        ),
        ("a batch that is too long", json!({ "batch": "x".repeat(51), "targetDate": "2024-07-24" })),
        ("a day that is none", json!({ "billCycleDay": "32", "targetDate": "2024-07-24" })),
        ("a date that is none", json!({ "targetDate": "2024-02-30" })),
        ("a time that is none", json!({ "runDate": "2024-02-01 25:00:00" })),
        ("a currency that is none", json!({ "currency": "ZZZ", "targetDate": "2024-07-24" })),
        ("a type that is wrong", json!({ "collectPayment": "yes", "targetDate": "2024-07-24" })),
        ("null where none is allowed", json!({ "accountId": null, "targetDate": "2024-07-24" })),
        ("an unknown account", json!({ "accountId": unknown, "targetDate": "2024-07-24" })),
        ("an unknown gateway", json!({ "paymentGatewayId": unknown, "targetDate": "2024-07-24" })),
        (
            "records beside filters",
            json!({ "currency": "USD", "targetDate": "2024-07-24", "data": [{ "accountId": account }] }),
        ),
        (
            "a negative amount",
            json!({ "targetDate": "2024-07-24", "data": [{ "accountId": account, "amount": -1 }] }),
        ),
        (
            "an amount of too many digits",
            json!({ "targetDate": "2024-07-24", "data": [{ "accountId": account, "amount": 1.234_567_890_123_456_7 }] }),
        ),
        (
            "an unknown field in a record",
            json!({ "targetDate": "2024-07-24", "data": [{ "accountId": account, "amuont": 1 }] }),
        ),
        ("an advanced filter", json!({ "targetDate": "2024-07-24", "advancedFilter": "x = 1" })),
    ];
    insta::assert_snapshot!(
        refusals(&server, "POST", "/v1/payment-runs", &table).await.replace(&account, "[account]")
    );
    let runs = server.caller.get("/v1/payment-runs").await.body;
    assert_eq!(runs["paymentRuns"], json!([]), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_objects() {
    let server = TestServer::start().await;
    let world = World::new(&server.caller);
    let account = world.account("Known", CARD_APPROVED).await;
    let invoices = [
        (
            "no account",
            json!({ "invoiceDate": "2024-07-01", "invoiceItems": [{ "amount": 1, "serviceStartDate": "2024-07-01" }] }),
        ),
        (
            "an unknown account",
            json!({ "accountId": "none", "invoiceDate": "2024-07-01", "invoiceItems": [{ "amount": 1, "serviceStartDate": "2024-07-01" }] }),
        ),
        ("no items", json!({ "accountId": account, "invoiceDate": "2024-07-01", "invoiceItems": [] })),
        (
            "cents of cents",
            json!({ "accountId": account, "invoiceDate": "2024-07-01", "invoiceItems": [{ "amount": 1.005, "serviceStartDate": "2024-07-01" }] }),
        ),
        (
            "an amount that is too large",
            json!({ "accountId": account, "invoiceDate": "2024-07-01", "invoiceItems": [{ "amount": 999_999_999_999_999_999_i64, "serviceStartDate": "2024-07-01" }] }),
        ),
    ];
    let accounts = [
        ("an empty body", json!({})),
        (
            "a currency that is none",
            json!({ "name": "N", "currency": "ZZZ", "billToContact": { "firstName": "A", "lastName": "B" } }),
        ),
        (
            "a card number that fails its check digit",
            json!({ "name": "N", "currency": "USD", "billToContact": { "firstName": "A", "lastName": "B" },
            "creditCard": { "cardNumber": "4242424242424241", "cardType": "Visa", "expirationMonth": "12", "expirationYear": "2040", "cardHolderInfo": { "cardHolderName": "A" } } }),
        ),
    ];
    let payments = [
        ("an empty body", json!({})),
        (
            "nothing to pay",
            json!({ "accountId": account, "amount": 0, "currency": "USD", "type": "External" }),
        ),
        (
            "an unknown invoice",
            json!({ "accountId": account, "amount": 5, "currency": "USD", "type": "External", "invoices": [{ "invoiceId": "none", "amount": 5 }] }),
        ),
    ];
    let mut text = refusals(&server, "POST", "/v1/invoices", &invoices).await;
    text.push_str(&refusals(&server, "POST", "/v1/accounts", &accounts).await);
    text.push_str(&refusals(&server, "POST", "/v1/payments", &payments).await);
    assert!(!text.contains("4242424242424241"), "a card number must not come back");
    insta::assert_snapshot!(text.replace(&account, "[account]"));
    let found = server.caller.get(&format!("/v1/payments?accountId={account}")).await.body;
    assert_eq!(found["payments"], json!([]), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_not_found() {
    let server = TestServer::start().await;
    for path in [
        "/v1/payment-runs/PR-00000009",
        "/v1/payment-runs/8ad09be48db5aba7018db604776d4854",
        "/v1/payment-runs/PR-00000009/summary",
        "/v1/payment-runs/PR-00000009/data",
        "/v1/accounts/A00000009",
        "/v1/payment-methods/8ad09be48db5aba7018db604776d4854",
        "/v1/invoices/INV00000009",
        "/v1/debit-memos/DM00000009",
        "/v1/credit-memos/CM00000009",
        "/v1/payments/P-00000009",
        "/ops/payment-runs/PR-00000009/progress",
        "/ops/payment-runs/PR-00000009/decisions",
    ] {
        let answer = server.caller.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json() {
    let server = TestServer::start().await;
    let call = || server.caller.call("POST", "/v1/payment-runs");
    let json = "application/json";
    let malformed = call().header("content-type", json).raw(b"{\"targetDate\": ".to_vec()).await;
    assert_eq!((malformed.status, &malformed.body["reasons"][0]["code"]), (400, &json!(53_200_090)));
    let empty = call().header("content-type", json).raw(Vec::new()).await;
    assert_eq!(empty.status, 400, "{}", empty.body);
    let deep = call().header("content-type", json).raw("[".repeat(100_000).into_bytes()).await;
    assert_eq!(deep.status, 400, "{}", deep.body);
    let text = call().header("content-type", "text/plain").raw(b"{}".to_vec()).await;
    assert_eq!(text.status, 415, "{}", text.body);
    let coding =
        call().header("content-type", json).header("content-encoding", "br").raw(b"{}".to_vec()).await;
    assert_eq!(coding.status, 415, "{}", coding.body);
    let garbage =
        call().header("content-type", json).header("content-encoding", "gzip").raw(b"{}".to_vec()).await;
    assert_eq!(garbage.status, 400, "{}", garbage.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_too_many_fields_is_refused() {
    let server = TestServer::start().await;
    let form = "application/x-www-form-urlencoded";
    for (fields, is_told) in [(16, false), (17, true)] {
        let pairs: Vec<String> = (0..fields).map(|at| format!("field{at}=x")).collect();
        let call = server.caller.call("POST", "/oauth/token").header("content-type", form);
        let answer = call.raw(pairs.join("&").into_bytes()).await;
        let message = &answer.body["message"];
        assert_eq!(*message == "the form has more than 16 fields", is_told, "{fields}: {message}");
        assert!(answer.status == 400 || !is_told, "{}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_bound_and_bombs() {
    let server = TestServer::start().await;
    let call = || server.caller.call("POST", "/v1/payment-runs").header("content-type", "application/json");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = vec![b' '; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&block).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let answer = call().header("content-encoding", "gzip").raw(bomb).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
}
